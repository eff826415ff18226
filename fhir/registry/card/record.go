package card

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/registry/immunization/history"
	"github.com/amate-health/amate/fhir/search"
)

// person is whom a card is about.
type person struct {
	ref    fhir.Ref
	doc    *element.Doc
	family string
	given  []string
	text   string // the whole name
	born   string // a date, perhaps without its day
	gender string
	curp   string
}

// dose is a vaccination that was given.
type dose struct {
	ref      fhir.Ref
	doc      *element.Doc
	updated  time.Time
	day      string // yyyy-mm-dd, or less
	system   string // of code
	code     string // CVX where there is one
	name     string // of the vaccine, in Spanish where it is known
	diseases []code.Coding
	lot      string
	mvx      string
	maker    string
	number   string // of the dose; "" for unknown
	of       string // doses of the series; "" for unknown
	place    string // name of the establishment
	clues    string
	who      string // name of who gave it
	cedula   string
	reported bool // it was told, not given here
}

// record is what a caller may see of the vaccinations of a person.
type record struct {
	person
	doses []dose         // each once, ordered by day
	docs  []*element.Doc // all Immunizations, for an assessment
}

// mostDoses is how many Immunizations a card looks at.
const mostDoses = 1000

// read gathers the vaccinations that a caller may see. Errors: fhir.NotFound when they may
// not see the Patient.
func (s *service) read(ctx context.Context, call *operation.Call) (*record, error) {
	owner := call.Ref()
	found, err := s.find(ctx, call, owner.Type, owner.ID)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fhir.Errorf(fhir.NotFound, "there is no such Patient, or you may not see them")
	}
	r := &record{}
	if r.person, err = readPerson(&found[0]); err != nil {
		return nil, err
	}
	q, err := search.Parse("Immunization", []search.Param{{Name: "patient", Value: "Patient/" + owner.ID}}, search.Options{})
	if err != nil {
		return nil, err
	}
	q.Count, q.Bytes, q.Restriction = mostDoses, call.MaxBytes, call.Restriction
	given, err := s.Store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	if given.Next != "" {
		return nil, fhir.Errorf(fhir.TooCostly, "there are more than %d vaccinations of this Patient", mostDoses)
	}
	if err := r.take(given.Matches); err != nil {
		return nil, err
	}
	return r, s.places(ctx, call, r.doses)
}

// find returns the resources of a type that a caller may see, by id.
func (s *service) find(ctx context.Context, call *operation.Call, typ string, ids ...string) ([]fhir.Resource, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := s.Store.Search(ctx, &search.Query{
		Type: typ, Where: []search.Expr{search.IDs{Any: ids}}, Count: len(ids), Restriction: call.Restriction,
	})
	if err != nil {
		return nil, err
	}
	return found.Matches, nil
}

// readPerson reads a Patient.
func readPerson(r *fhir.Resource) (p person, err error) {
	if p.doc, err = element.Parse(r.JSON); err != nil {
		return p, err
	}
	d := p.doc
	p.ref, p.born, p.gender = r.Ref.Current(), text(d, 0, "birthDate"), text(d, 0, "gender")
	rank := map[string]int{"official": 3, "usual": 2, "": 1}
	best := -1
	for n := range items(d, 0, "name") {
		if r := rank[text(d, n, "use")]; r > best {
			best = r
			p.family, p.given = text(d, n, "family"), nil
			for g := range items(d, n, "given") {
				if is := text(d, g); is != "" && d.Kind(g) == element.String {
					p.given = append(p.given, is)
				}
			}
			p.text = cmp.Or(strings.TrimSpace(strings.Join(p.given, " ")+" "+p.family), text(d, n, "text"))
		}
	}
	for n := range items(d, 0, "identifier") {
		if text(d, n, "system") == identity.SystemCURP && text(d, n, "use") != "old" {
			p.curp = text(d, n, "value")
		}
	}
	return p, nil
}

// take reads Immunizations. Of several reports of one dose it takes one, where that can be
// told: it needs the date of birth.
func (r *record) take(given []fhir.Resource) error {
	byRef := map[fhir.Ref]*fhir.Resource{}
	docs := map[fhir.Ref]*element.Doc{}
	var refs []fhir.Ref
	for i := range given {
		d, err := element.Parse(given[i].JSON)
		if err != nil {
			return err
		}
		r.docs = append(r.docs, d)
		if text(d, 0, "status") == "completed" {
			ref := given[i].Ref.Current()
			refs, byRef[ref], docs[ref] = append(refs, ref), &given[i], d
		}
	}
	if kept, err := history.Read(r.doc, r.docs); err == nil {
		refs = kept.Refs
	}
	for _, ref := range refs {
		ref = ref.Current()
		if d := docs[ref]; d != nil {
			r.doses = append(r.doses, readDose(ref, d, byRef[ref].Updated))
		}
	}
	slices.SortStableFunc(r.doses, func(a, b dose) int {
		return cmp.Or(strings.Compare(a.day, b.day), strings.Compare(a.name, b.name), strings.Compare(a.ref.ID, b.ref.ID))
	})
	return nil
}

func readDose(ref fhir.Ref, d *element.Doc, updated time.Time) dose {
	o := dose{ref: ref, doc: d, updated: updated, day: text(d, 0, "occurrenceDateTime"), lot: text(d, 0, "lotNumber")}
	o.day = o.day[:min(10, len(o.day))]
	o.system, o.code, o.name = vaccine(d)
	if o.system == code.SystemCVX {
		o.diseases = code.Diseases(o.code)
	}
	if id := at(d, 0, "manufacturer", "identifier"); code.System(text(d, id, "system")) == code.SystemMVX {
		if m, ok := code.LookupMaker(text(d, id, "value")); ok {
			o.mvx, o.maker = m.MVX, m.Name
		}
	}
	o.maker = cmp.Or(text(d, 0, "manufacturer", "display"), o.maker)
	for p := range items(d, 0, "protocolApplied") {
		o.number = cmp.Or(text(d, p, "doseNumberPositiveInt"), text(d, p, "doseNumberString"))
		o.of = cmp.Or(text(d, p, "seriesDosesPositiveInt"), text(d, p, "seriesDosesString"))
		break
	}
	o.place = text(d, 0, "location", "display")
	o.clues = cluesIn(d, at(d, 0, "location"))
	for p := range items(d, 0, "performer") {
		o.who = cmp.Or(o.who, text(d, p, "actor", "display"))
	}
	o.reported = text(d, 0, "primarySource") == "false"
	return o
}

// vaccine returns what was given: as CVX where a code leads there, else its first code.
func vaccine(d *element.Doc) (system, is, name string) {
	concept := d.Get(0, "vaccineCode")
	for c := range items(d, concept, "coding") {
		from, written := text(d, c, "system"), text(d, c, "code")
		if written == "" {
			continue
		}
		if is == "" {
			system, is = code.System(from), written
		}
		name = cmp.Or(name, text(d, c, "display"))
		cvx, ok := code.CVX(from, written)
		if !ok || system == code.SystemCVX && is == cvx && code.System(from) != code.SystemCVX {
			continue
		}
		v, _ := code.Lookup(cvx)
		return code.SystemCVX, cvx, cmp.Or(v.Name, text(d, c, "display"), text(d, concept, "text"))
	}
	return system, is, cmp.Or(text(d, concept, "text"), name, is)
}

func cluesIn(d *element.Doc, n element.Node) string {
	if id := d.Get(n, "identifier"); id != element.None && d.Kind(id) == element.Object && text(d, id, "system") == identity.SystemCLUES {
		return text(d, id, "value")
	}
	for id := range items(d, n, "identifier") {
		if text(d, id, "system") == identity.SystemCLUES {
			return text(d, id, "value")
		}
	}
	return ""
}

// places adds who gave each dose and where, as far as the caller may see them.
func (s *service) places(ctx context.Context, call *operation.Call, doses []dose) error {
	wanted := map[string][]string{}
	want := func(reference string) {
		typ, id, ok := strings.Cut(reference, "/")
		if ok && (typ == "Location" || typ == "Organization" || typ == "Practitioner") && id != "" && !strings.Contains(id, "/") && !slices.Contains(wanted[typ], id) {
			wanted[typ] = append(wanted[typ], id)
		}
	}
	for i := range doses {
		for _, ref := range doses[i].actors() {
			want(ref)
		}
	}
	known := map[string]*element.Doc{}
	for typ, ids := range wanted {
		found, err := s.find(ctx, call, typ, ids...)
		if err != nil {
			return err
		}
		for i := range found {
			d, err := element.Parse(found[i].JSON)
			if err != nil {
				return err
			}
			known[found[i].Ref.Current().String()] = d
		}
	}
	for i := range doses {
		o := &doses[i]
		for _, ref := range o.actors() {
			d := known[ref]
			if d == nil {
				continue
			}
			if strings.HasPrefix(ref, "Practitioner/") {
				p, _ := readPerson(&fhir.Resource{JSON: d.Source()})
				o.who, o.cedula = cmp.Or(o.who, p.text), cmp.Or(o.cedula, cedulaIn(d))
				continue
			}
			o.place, o.clues = cmp.Or(o.place, text(d, 0, "name")), cmp.Or(o.clues, cluesIn(d, 0))
		}
	}
	return nil
}

// actors are the references to who gave a dose, and where.
func (o *dose) actors() []string {
	refs := []string{text(o.doc, 0, "location", "reference")}
	for p := range items(o.doc, 0, "performer") {
		refs = append(refs, text(o.doc, p, "actor", "reference"))
	}
	return slices.DeleteFunc(refs, func(s string) bool { return s == "" })
}

func cedulaIn(d *element.Doc) string {
	for id := range items(d, 0, "identifier") {
		if text(d, id, "system") == identity.SystemCedula {
			return text(d, id, "value")
		}
	}
	return ""
}

// digest stands for what a card says of a dose: another vaccine, day or lot gives another
// one, and so does a dose that was not given after all.
func digest(d *element.Doc) string {
	h := sha256.New()
	system, is, _ := vaccine(d)
	day := text(d, 0, "occurrenceDateTime")
	for _, s := range []string{text(d, 0, "status"), system, is, day[:min(10, len(day))], text(d, 0, "lotNumber")} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:9])
}
