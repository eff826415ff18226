package prescription

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/key"
	"github.com/amate-health/amate/fhir/search"
)

// Store is where prescriptions are.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
}

// Config is what the operations work with. Store, Maker, Ring and Page must be set.
type Config struct {
	Store Store
	Maker func(base string) bundle.Maker
	Ring  *key.Ring                 // signs what the QR codes say
	Page  func(token string) string // URL of the public page of a token

	Groups     Groups         // nil is DefaultGroups
	Fractions  []string       // controlled groups that may be prescribed here all the same: "II"
	Days       int            // how long a prescription is good for; 0 is 30
	WeightDays int            // how old the weight of a child may be; 0 is 180
	Zone       *time.Location // of days; nil is that of central Mexico
	Now        func() time.Time
	NewID      func() string
}

type service struct{ Config }

// central is the time of most of Mexico, which has no summer time since 2022.
var central = time.FixedZone("UTC-6", -6*60*60)

const own = "https://github.com/amate-health/amate/fhir/OperationDefinition/"

func (cfg Config) filled() Config {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	if cfg.Zone == nil {
		cfg.Zone = central
	}
	if cfg.Groups == nil {
		cfg.Groups = DefaultGroups()
	}
	if cfg.Days == 0 {
		cfg.Days = 30
	}
	if cfg.WeightDays == 0 {
		cfg.WeightDays = 180
	}
	return cfg
}

const (
	mediaHTML = "text/html"
	mediaPDF  = "application/pdf"
)

// Operations returns
//
//   - Encounter/[id]/$draft-prescription and Patient/[id]/$draft-prescription, which check
//     what is prescribed and draft the document, to be signed by $prepare-signature, $sign,
//   - Composition/[id]/$print-prescription, the paper of a signed one, as a PDF or a page,
//   - Composition/$find-prescription, what a pharmacy has to know of one, by its paper,
//   - Composition/$dispense, which hands it out, at once or in parts,
//   - Composition/[id]/$cancel-prescription, by its author, before anything is dispensed.
func Operations(cfg Config) []operation.Operation {
	s := &service{cfg.filled()}
	composition := []string{"Composition"}
	return []operation.Operation{
		{Name: "draft-prescription", URL: own + "draft-prescription", Scope: operation.OnInstance, Types: []string{"Encounter", "Patient"}, Changes: true, Whole: true, Run: s.draft},
		{Name: "print-prescription", URL: own + "print-prescription", Scope: operation.OnInstance, Types: composition, Whole: true, Media: []string{mediaHTML, mediaPDF}, Run: s.print},
		{Name: "find-prescription", URL: own + "find-prescription", Scope: operation.OnType, Types: composition, Changes: true, Whole: true, Run: s.lookup},
		{Name: "dispense", URL: own + "dispense", Scope: operation.OnType, Types: composition, Changes: true, Whole: true, Run: s.dispense},
		{Name: "cancel-prescription", URL: own + "cancel-prescription", Scope: operation.OnInstance, Types: composition, Changes: true, Run: s.cancel},
	}
}

// known refuses parameters beside those named, unless the caller is lenient.
func known(call *operation.Call, names ...string) error {
	for _, name := range call.In.Names() {
		if !slices.Contains(names, name) && !call.Lenient {
			return fhir.Errorf(fhir.Invalid, "this operation does not take this parameter").With("it takes %s, not %.100q%s", strings.Join(names, ", "), name, search.Nearest(name, names))
		}
	}
	return nil
}

// read returns those of refs that only shows, in their order, nil for one that it does not.
func (s *service) read(ctx context.Context, only *search.Restriction, refs ...fhir.Ref) ([]*fhir.Resource, error) {
	out := make([]*fhir.Resource, len(refs))
	var any search.Or
	for _, ref := range refs {
		any = append(any, search.And{search.Types{Any: []string{ref.Type}}, search.IDs{Any: []string{ref.ID}}})
	}
	if len(any) == 0 {
		return out, nil
	}
	found, err := s.Store.Search(ctx, &search.Query{Where: []search.Expr{any}, Count: len(refs), Restriction: only})
	if err != nil {
		return nil, err
	}
	for i := range found.Matches {
		for n, ref := range refs {
			if found.Matches[i].Ref.Current() == ref.Current() {
				out[n] = &found.Matches[i]
			}
		}
	}
	return out, nil
}

// one returns the resource at ref, parsed. Errors: fhir.NotFound.
func (s *service) one(ctx context.Context, only *search.Restriction, ref fhir.Ref) (*fhir.Resource, *element.Doc, error) {
	found, err := s.read(ctx, only, ref)
	if err != nil {
		return nil, nil, err
	}
	if found[0] == nil {
		return nil, nil, fhir.Errorf(fhir.NotFound, "no such resource").With("%s is not known", ref)
	}
	d, err := element.Parse(found[0].JSON)
	return found[0], d, err
}

// mostFound is how many resources of a kind are looked at.
const mostFound = 500

// find searches for what the caller may see.
func (s *service) find(ctx context.Context, call *operation.Call, typ string, params ...search.Param) ([]*element.Doc, error) {
	q, err := search.Parse(typ, params, search.Options{Base: call.Base, Catalogue: call.Search.Catalogue, DefaultCount: mostFound, MaxCount: mostFound})
	if err != nil {
		return nil, err
	}
	q.Restriction = call.Restriction
	found, err := s.Store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	var all []*element.Doc
	for i := range found.Matches {
		d, err := element.Parse(found.Matches[i].JSON)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// change is a write of this package.
type change struct {
	op      bundle.Op
	ref     fhir.Ref
	json    []byte
	ifMatch int64
}

// write applies changes by the right of this package, and puts entries in one with them.
func (s *service) write(ctx context.Context, call *operation.Call, entries []fhir.Entry, changes ...change) error {
	b := &bundle.Batch{Rights: []string{Right}, Entries: func([]bundle.Result) []fhir.Entry { return entries }}
	m := s.Maker(call.Base)
	for _, c := range changes {
		source, err := bundle.Parse(c.json)
		if err != nil {
			return err
		}
		var made bundle.Change
		if c.op == bundle.Create {
			made, err = m.Create(source, c.ref)
		} else {
			made, err = m.Update(source, c.ref, false)
			made.IfMatch = c.ifMatch
		}
		if err != nil {
			return err
		}
		b.Changes = append(b.Changes, made)
	}
	_, err := s.Store.Apply(ctx, b)
	var at *bundle.ChangeError
	if errors.As(err, &at) {
		err = at.Err
	}
	if code := fhir.CodeOf(err); code == fhir.Stale || code == fhir.Conflict {
		var told *fhir.Error
		if errors.As(err, &told) && len(told.Issues) > 0 {
			return err
		}
		return fhir.Errorf(fhir.Conflict, "the prescription has just been changed by somebody else: look at it again")
	}
	return err
}

// reference returns the parameter called name, a Reference or its text; "" when it is absent.
func reference(call *operation.Call, name string) (string, error) {
	v, ok, err := call.In.One(name)
	if err != nil || !ok {
		return "", err
	}
	if n, _ := v.Typed(); n != element.None {
		if text := v.Doc.TextAt(n, "reference"); text != "" {
			return text, nil
		}
	}
	return v.Text, nil
}

// local is the resource of this server that a reference names.
func local(call *operation.Call, reference string) (fhir.Ref, bool) {
	ref, ok := fhir.ParseRef(strings.TrimPrefix(reference, call.Base+"/"))
	return ref.Current(), ok
}
