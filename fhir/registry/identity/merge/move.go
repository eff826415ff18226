package merge

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// patientParams are the search parameters by which something can refer to a Patient.
var patientParams = sync.OnceValue(func() []*spec.SearchParam {
	var all []*spec.SearchParam
	for _, typ := range spec.Resources() {
		for _, p := range spec.Params(typ) {
			open := len(p.Targets) == 0 || slices.Contains(p.Targets, "Resource")
			if p.Type == spec.Reference && (open || slices.Contains(p.Targets, "Patient")) && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
})

// referring is the search for what refers to Patients, they themselves left out.
func (s *Service) referring(ids ...string) *search.Query {
	refs := make([]fhir.Ref, len(ids))
	for i, id := range ids {
		refs[i] = fhir.Ref{Type: "Patient", ID: id}
	}
	any := search.Or{search.Record(refs)}
	for _, p := range patientParams() {
		m := search.Match{Param: p, Compared: p.Type}
		for _, ref := range refs {
			m.Values = append(m.Values, search.Value{Raw: ref.String(), Refs: []fhir.Ref{ref}})
		}
		any = append(any, m)
	}
	others := slices.DeleteFunc(slices.Clone(spec.Resources()), func(typ string) bool { return typ == "Patient" })
	return &search.Query{Where: []search.Expr{search.Types{Any: others}, any}, Count: atOnce, Bytes: 16 << 20, Restriction: search.Unrestricted}
}

// batch is what is about to be written, all or nothing.
type batch struct {
	maker bundle.Maker
	bundle.Batch
}

func (s *Service) batch() *batch {
	return &batch{maker: s.Maker(s.Base()), Batch: bundle.Batch{Rights: s.Pass}}
}

// put writes what was made of a version, which must be current still.
func (b *batch) put(o object, ref fhir.Ref) error { return b.update([]byte(o.String()), ref) }

func (b *batch) update(json []byte, ref fhir.Ref) error {
	src, err := bundle.Parse(json)
	if err != nil {
		return err
	}
	c, err := b.maker.Update(src, ref.Current(), false)
	c.IfMatch = ref.Version
	b.Changes = append(b.Changes, c)
	return err
}

// move adds to b the changes that move resources to the target. fixed are those that stay
// as they are.
func (s *Service) move(b *batch, rec *Record, found []fhir.Resource) (some []item, fixed []fhir.Ref, err error) {
	for i := range found {
		r := &found[i]
		if slices.Contains(left, r.Ref.Type) || s.Fixed != nil && s.Fixed(r) {
			fixed = append(fixed, r.Ref.Current())
			continue
		}
		out, n, mixed, err := repoint(r.JSON, s.Base(), rec.Source, rec.Target)
		if err != nil {
			return nil, nil, err
		}
		if n == 0 { // by what is no reference to it, such as one to a version
			fixed = append(fixed, r.Ref.Current())
			continue
		}
		if err := b.update(out, r.Ref); err != nil {
			return nil, nil, err
		}
		some = append(some, item{Ref: r.Ref.Current().String(), Before: r.Ref.Version, After: r.Ref.Version + 1, Mixed: mixed})
	}
	return some, fixed, nil
}

// sweep moves what refers to the source, and has what stays indexed, until nothing is left
// or more than most resources were moved; 0 is no limit. It reports whether all is done.
func (s *Service) sweep(ctx context.Context, rec *Record, most int) (done bool, err error) {
	if err := s.reindex(ctx, rec); err != nil {
		return false, err
	}
	total := 0
	for range passes {
		n, err := s.pass(ctx, rec, &total, most)
		if err != nil || n < 0 {
			return false, err
		}
		if n == 0 {
			return true, nil
		}
	}
	return false, fhir.Errorf(fhir.Conflict, "what refers to the source is written all the time")
}

// pass goes once over what refers to the source. It returns how much it moved, or could not
// move as somebody else wrote it; -1 when it broke off.
func (s *Service) pass(ctx context.Context, rec *Record, total *int, most int) (int, error) {
	n := 0
	q := s.referring(rec.Source)
	for {
		page, err := s.Store.Search(ctx, q)
		if err != nil {
			return 0, err
		}
		b := s.batch()
		some, _, err := s.move(b, rec, page.Matches)
		if err != nil {
			return 0, err
		}
		if len(some) > 0 {
			if err := s.apply(ctx, rec, b, some); err != nil {
				return 0, err
			}
		}
		n += len(some)
		*total += len(some)
		if q.After = page.Next; q.After == "" {
			return n, nil
		}
		if most > 0 && *total >= most {
			return -1, nil
		}
	}
}

// apply writes a page of moves, all at once or, where somebody else wrote one of them, one
// by one; those that do not go are found again by the next pass.
func (s *Service) apply(ctx context.Context, rec *Record, b *batch, some []item) error {
	if err := s.check(ctx, rec); err != nil {
		return err
	}
	write := func(changes []bundle.Change, of []item) error {
		one := b.Batch
		one.Changes = changes
		chunk := rec.chunk(of)
		one.Entries = func([]bundle.Result) []fhir.Entry { return []fhir.Entry{chunk} }
		_, err := s.Store.Apply(ctx, &one)
		return err
	}
	err := write(b.Changes, some)
	if !overtaken(err) {
		return err
	}
	for i := range some {
		if err := write(b.Changes[i:i+1], some[i:i+1]); err != nil && !overtaken(err) {
			return err
		}
	}
	return nil
}

// check makes sure that a merge was not undone meanwhile.
func (s *Service) check(ctx context.Context, rec *Record) error {
	now, err := s.Of(ctx, rec.Source)
	if err == nil && (now.ID != rec.ID || now.Stage != Moving && now.Stage != Merged) {
		err = fhir.Errorf(fhir.Conflict, "this merge was undone meanwhile")
	}
	return err
}

// overtaken reports whether somebody else wrote or removed what a change was about.
func overtaken(err error) bool {
	code := fhir.CodeOf(err)
	return code == fhir.Stale || code == fhir.Conflict || code == fhir.Gone || code == fhir.NotFound
}

// reindex has all indexed anew that is found by what Links say of a merge: the Patients,
// what refers to the source and stays, and the consents of the person.
func (s *Service) reindex(ctx context.Context, rec *Record) error {
	refs := []fhir.Ref{{Type: "Patient", ID: rec.Source}, {Type: "Patient", ID: rec.Target}}
	if err := s.Store.Reindex(ctx, refs); err != nil {
		return err
	}
	queries := []*search.Query{s.referring(append([]string{rec.Source}, s.Links.Replaced(rec.Source)...)...)}
	consents := &search.Query{Type: "Consent", Count: atOnce, Restriction: search.Unrestricted}
	together := append(s.Links.Together(rec.Target), s.Links.Together(rec.Source)...)
	consents.Where = []search.Expr{search.Patients(together, "Consent")}
	queries = append(queries, consents)
	for _, q := range queries {
		for {
			page, err := s.Store.Search(ctx, q)
			if err != nil {
				return err
			}
			var some []fhir.Ref
			for i := range page.Matches {
				some = append(some, page.Matches[i].Ref.Current())
			}
			if len(some) > 0 {
				if err := s.Store.Reindex(ctx, some); err != nil {
					return err
				}
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
	}
	return nil
}

// provenance adds a record of who merged, or parted, whom.
func (b *batch) provenance(by string, now time.Time, activity, reason string, patients ...fhir.Ref) error {
	who := `{"display":` + quote(by) + `}`
	if ref, ok := fhir.ParseRef(by); ok {
		who = `{"reference":` + quote(ref.String()) + `}`
	}
	var targets, entities []string
	for _, p := range patients {
		targets = append(targets, `{"reference":`+quote(p.Current().String())+`}`)
		entities = append(entities, `{"role":"revision","what":{"reference":`+quote(p.String())+`}}`)
	}
	if reason != "" {
		reason = `[{"text":` + quote(reason) + `}]`
	}
	o := object{}.With("resourceType", `"Provenance"`).With("target", array(targets)).With("recorded", quote(now.Format(time.RFC3339))).
		With("reason", reason).With("activity", `{"text":`+quote(activity)+`}`).With("agent", `[{"who":`+who+`}]`).With("entity", array(entities))
	src, err := bundle.Parse([]byte(o.String()))
	if err != nil {
		return err
	}
	c, err := b.maker.Create(src, fhir.Ref{Type: "Provenance", ID: uuid.NewString()})
	b.Changes = append(b.Changes, c)
	return err
}

// confirmed returns the CURP in use that RENAPO has confirmed, "" for none.
func confirmed(p object) string {
	for _, raw := range items(p.Get("identifier")) {
		id := mustObject(raw)
		if id.Text("system") == identity.SystemCURP && id.Text("use") != "old" && levelOf(id) == len(levels)-1 {
			return strings.ToUpper(strings.TrimSpace(id.Text("value")))
		}
	}
	return ""
}

// given is the target as the caller wants it.
//
// See http://hl7.org/fhir/OperationDefinition/Patient-merge, result-patient.
func (s *Service) given(r *Request, p *pair) (object, error) {
	out, err := parseObject(r.Result)
	if err != nil {
		return nil, err
	}
	if out.Text("resourceType") != "Patient" || out.Text("id") != r.Target {
		return nil, fhir.Errorf(fhir.Unprocessable, "result-patient must be the target: a Patient with its id")
	}
	for _, from := range []object{p.s, p.t} {
		for _, raw := range items(from.Get("identifier")) {
			id := mustObject(raw)
			has := slices.ContainsFunc(items(out.Get("identifier")), func(have string) bool {
				h := mustObject(have)
				return h.Text("system") == id.Text("system") && h.Text("value") == id.Text("value")
			})
			if !has && id.Text("value") != identity.GenericCURP {
				return nil, fhir.Errorf(fhir.Unprocessable, "result-patient must have all identifiers of both Patients; those no longer in use have use=old")
			}
		}
	}
	if out.Get("active") == "false" || replacedBy(out, s.Base()) != "" {
		return nil, fhir.Errorf(fhir.Unprocessable, "result-patient must be active")
	}
	for _, raw := range items(p.t.Get("link")) { // what stood there stays
		if !slices.Contains(items(out.Get("link")), raw) {
			out = out.With("link", array(append(items(out.Get("link")), raw)))
		}
	}
	return labelled(out, p.t), nil
}

// errStays says that a resource stays where it is.
var errStays = errors.New("it stays where it is")
