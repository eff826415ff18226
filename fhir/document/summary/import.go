package summary

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// importSystem is the system of the tags by which what was taken in is known again, so
// that a call that is sent twice writes nothing twice.
const importSystem = "https://github.com/amate-health/amate/fhir/CodeSystem/imported-summary"

// takeIn is one call of $import-summary on its way.
//
// Its inputs are a document Bundle, as the body or as the parameter summary, and accept:
// the ids of the proposals to write, or "new" for all that are new. It answers a
// Parameters: where the document is kept, and a proposal for each entry that a section
// lists. A proposal is new, same (the record says it already) or conflict (the record
// says something else of it; both are shown). One that is accepted is written beside what
// is there, which it never changes.
type takeIn struct {
	*service
	*workspace
	call      *operation.Call
	doc       *element.Doc // of the document
	root      element.Node // the Bundle within doc
	tag       string       // of the document, for this patient
	byURL     map[string]element.Node
	person    element.Node // the Patient of the document
	proposals []*proposal
}

// take answers $import-summary.
func (s *service) take(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	w := workspaces.Get().(*workspace)
	defer w.release()
	t := &takeIn{service: s, workspace: w, call: call, byURL: map[string]element.Node{}}
	if err := t.open(); err != nil {
		return nil, err
	}
	c, patient, err := t.record(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.match(patient); err != nil {
		return nil, err
	}
	if err := t.propose(c); err != nil {
		return nil, err
	}
	accepted, err := t.accepted()
	if err != nil {
		return nil, err
	}
	document, err := t.keep(ctx)
	if err != nil {
		return nil, err
	}
	if err := t.write(ctx, accepted, document); err != nil {
		return nil, err
	}
	return &operation.Answer{JSON: t.answer(document)}, nil
}

// open reads the document.
func (t *takeIn) open() error {
	for _, name := range t.call.In.Names() {
		if name != "summary" && name != "accept" {
			return fhir.Errorf(fhir.Invalid, "$import-summary does not take this parameter").With("it takes summary and accept, not %.100q", name)
		}
	}
	if d, bare := t.call.In.Body(); bare {
		t.doc, t.root = d, 0
	} else {
		v, given, err := t.call.In.One("summary")
		if err != nil {
			return err
		}
		n, ok := v.Resource()
		if !given || !ok {
			return fhir.Errorf(fhir.Invalid, "$import-summary needs a document: a Bundle as the body, or as the parameter summary")
		}
		t.doc, t.root = v.Doc, n
	}
	d := t.doc
	if d.TextAt(t.root, "resourceType") != "Bundle" || d.TextAt(t.root, "type") != "document" {
		return fhir.Errorf(fhir.Unprocessable, "a summary is a Bundle whose type is document")
	}
	each(d, t.root, "entry", func(e element.Node) {
		if url, r := d.TextAt(e, "fullUrl"), d.Get(e, "resource"); r != element.None {
			if url != "" {
				t.byURL[url] = r
			}
			if id := d.TextAt(r, "id"); id != "" {
				t.byURL[d.TextAt(r, "resourceType")+"/"+id] = r
			}
		}
	})
	composition := element.None
	if list := d.Get(t.root, "entry"); list != element.None && d.Kind(list) == element.Array && d.Size(list) > 0 {
		composition = d.Get(d.First(list), "resource")
	}
	if d.TextAt(composition, "resourceType") != "Composition" || !has(d, d.Get(composition, "type"), loinc, "60591-5") {
		return fhir.Errorf(fhir.Unprocessable, "the document is no patient summary: its first entry is a Composition of type LOINC 60591-5")
	}
	t.person = t.find(reference(d, composition, "subject"))
	if d.TextAt(t.person, "resourceType") != "Patient" {
		return fhir.Errorf(fhir.Unprocessable, "the document does not hold the patient whom it is about: Composition.subject leads to no Patient in it")
	}
	sum := sha256.Sum256(append(canonical(d, t.root), t.call.ID...))
	t.tag = hex.EncodeToString(sum[:16])
	return nil
}

// canonical is the JSON of n, the same however it was written; one with a number that
// has no such form is taken as it came.
func canonical(d *element.Doc, n element.Node) []byte {
	if json, err := sign.Canonical(d.Raw(n)); err == nil {
		return json
	}
	return d.AppendCompact(nil, n)
}

// find returns the resource of the document that a reference leads to, or None.
func (t *takeIn) find(ref string) element.Node {
	if r, ok := t.byURL[ref]; ok && ref != "" {
		return r
	}
	return element.None
}

// record reads what is stored of the patient whom the call is on. Errors: fhir.NotFound.
func (t *takeIn) record(ctx context.Context) (*known, *record, error) {
	owner := t.call.Ref()
	found, err := t.Store.Search(ctx, &search.Query{
		Where: []search.Expr{recordOf(owner)}, Count: wholeRecord, Bytes: t.call.MaxBytes, Restriction: t.call.Restriction,
	})
	if err != nil {
		return nil, nil, err
	}
	if found.Next != "" {
		return nil, nil, fhir.Errorf(fhir.TooCostly, "the record is larger than a summary can be compared with")
	}
	var patient *record
	k := &known{byName: map[string][]*record{}}
	c := &chooser{patient: owner, base: t.call.Base + "/"}
	for i := range found.Matches {
		d, err := t.parse(found.Matches[i].JSON)
		if err != nil {
			return nil, nil, err
		}
		r := &record{Resource: found.Matches[i], doc: d}
		switch {
		case r.Ref.Current() == owner:
			patient = r
		case c.own(d, "subject") || c.own(d, "patient"):
			k.add(r)
		}
	}
	if patient == nil {
		return nil, nil, fhir.Errorf(fhir.NotFound, "no such resource").With("%s is not known", owner)
	}
	return k, patient, nil
}

// match refuses a document about somebody else. It is about the patient when they share
// an identifier and nothing else says no, or name, date of birth and sex are the same.
func (t *takeIn) match(patient *record) error {
	a, b := t.doc, patient.doc
	shared, other := false, false
	each(a, t.person, "identifier", func(x element.Node) {
		each(b, 0, "identifier", func(y element.Node) {
			system, value := a.TextAt(x, "system"), a.TextAt(x, "value")
			if value == "" || system != b.TextAt(y, "system") {
				return
			}
			same := value == b.TextAt(y, "value")
			shared = shared || same && system != ""
			other = other || !same
		})
	})
	differ := func(name string) bool {
		x, y := a.TextAt(t.person, name), b.TextAt(0, name)
		return x != "" && y != "" && !strings.HasPrefix(x, y) && !strings.HasPrefix(y, x)
	}
	born := a.TextAt(t.person, "birthDate")
	alike := !other && born != "" && born == b.TextAt(0, "birthDate") && sameName(a, t.person, b, 0) && !differ("gender")
	switch {
	case differ("birthDate"):
		return fhir.Errorf(fhir.Conflict, "the document is about somebody else: the date of birth differs")
	case !shared && !alike:
		return fhir.Errorf(fhir.Conflict, "the document cannot be told to be about this patient: it shares no identifier with the record, and name, date of birth and sex are not all the same")
	}
	return nil
}

// sameName reports whether two people have a name in common: the same words, in any order.
func sameName(a *element.Doc, x element.Node, b *element.Doc, y element.Node) bool {
	same := false
	each(a, x, "name", func(m element.Node) {
		each(b, y, "name", func(n element.Node) {
			one, two := nameWords(a, m), nameWords(b, n)
			same = same || len(one) > 1 && slices.Equal(one, two)
		})
	})
	return same
}

// nameWords returns the words of a name without accents, sorted.
func nameWords(d *element.Doc, n element.Node) []string {
	parts := []string{d.TextAt(n, "family")}
	each(d, n, "given", func(g element.Node) {
		if d.Kind(g) == element.String {
			parts = append(parts, d.Text(g))
		}
	})
	whole := strings.TrimSpace(strings.Join(parts, " "))
	if whole == "" {
		whole = d.TextAt(n, "text")
	}
	all := strings.Fields(search.Fold(whole))
	slices.Sort(all)
	return all
}
