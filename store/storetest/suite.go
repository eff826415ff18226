package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// Store is what an engine offers; the same as rest.Store.
type Store interface {
	Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error)
	History(ctx context.Context, q *search.History) (*search.Versions, error)
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	Ready(ctx context.Context) error
}

// Suite runs every conformance test on an engine. open returns a fresh, empty store.
func Suite(t *testing.T, open func(t *testing.T) Store) {
	for _, group := range []struct {
		name  string
		tests map[string]func(*fixture)
	}{
		{"write", writeTests},
		{"criteria", criteriaTests},
		{"hold", holdTests},
		{"race", raceTests},
		{"history", historyTests},
		{"search", searchTests},
		{"page", pageTests},
		{"dictionary", dictionaryTests},
		{"include", includeTests},
		{"restriction", restrictionTests},
		{"tie", tieTests},
		{"oracle", oracleTests},
	} {
		for name, test := range group.tests {
			t.Run(group.name+"/"+strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
				test(&fixture{T: t, s: open(t), ctx: t.Context()})
			})
		}
	}
}

// fixture is one test with a store of its own.
type fixture struct {
	*testing.T
	s   Store
	ctx context.Context
}

// body returns the JSON of a small resource, with gaps for version and time.
// text goes into it, so that contents can differ.
func body(ref fhir.Ref, text string) bundle.Body {
	head := fmt.Sprintf(`{"resourceType":%q,"id":%q,"meta":{"versionId":"`, ref.Type, ref.ID)
	middle := `","lastUpdated":"`
	tail := fmt.Sprintf(`"},"implicitRules":%q}`, text)
	return bundle.Body{JSON: []byte(head + middle + tail), VersionAt: len(head), UpdatedAt: len(head) + len(middle)}
}

// fixed returns a Build whose content does not depend on anything but its place.
func fixed(text string, index search.Index) func(*bundle.Env, fhir.Ref, *fhir.Resource) (*bundle.Content, error) {
	return func(_ *bundle.Env, at fhir.Ref, _ *fhir.Resource) (*bundle.Content, error) {
		return &bundle.Content{Body: body(at, text), Index: index}, nil
	}
}

func ref(s string) fhir.Ref {
	r, ok := fhir.ParseRef(s)
	if !ok {
		panic("not a reference: " + s)
	}
	return r
}

func create(at, text string, index search.Index) bundle.Change {
	return bundle.Change{Op: bundle.Create, Ref: ref(at), Build: fixed(text, index)}
}

func update(at, text string, index search.Index) bundle.Change {
	return bundle.Change{Op: bundle.Update, Ref: ref(at), Build: fixed(text, index)}
}

func remove(at string) bundle.Change { return bundle.Change{Op: bundle.Delete, Ref: ref(at)} }

// apply makes the changes, which must succeed.
func (f *fixture) apply(changes ...bundle.Change) []bundle.Result {
	f.Helper()
	results, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: changes})
	if err != nil {
		f.Fatalf("apply: %v", err)
	}
	if len(results) != len(changes) {
		f.Fatalf("%d results for %d changes", len(results), len(changes))
	}
	return results
}

// refuse expects that the changes fail with code, because of change index.
func (f *fixture) refuse(code fhir.Code, index int, changes ...bundle.Change) {
	f.Helper()
	_, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: changes})
	f.failed(err, code, index)
}

func (f *fixture) failed(err error, code fhir.Code, index int) {
	f.Helper()
	var change *bundle.ChangeError
	switch {
	case err == nil:
		f.Fatalf("no error, want code %d", code)
	case fhir.CodeOf(err) != code:
		f.Errorf("error %v (code %d), want code %d", err, fhir.CodeOf(err), code)
	case !errors.As(err, &change) || change.Index != index:
		f.Errorf("error %#v does not name change %d", err, index)
	}
}

// is expects that the current version of at is version, with text in it.
func (f *fixture) is(at string, version int64, text string) {
	f.Helper()
	r, err := f.s.Read(f.ctx, ref(at))
	if err != nil {
		f.Errorf("read %s: %v", at, err)
		return
	}
	if r.Ref.Version != version {
		f.Errorf("%s has version %d, want %d", at, r.Ref.Version, version)
	}
	f.holds(&r, text)
}

// holds expects that the JSON of r is whole and agrees with the rest of it.
func (f *fixture) holds(r *fhir.Resource, text string) {
	f.Helper()
	b := body(r.Ref, text)
	if want := string(b.Stamp(r.Ref.Version, r.Updated)); string(r.JSON) != want {
		f.Errorf("%s is\n%s, want\n%s", r.Ref, r.JSON, want)
	}
}

// gone expects that reading at fails with code.
func (f *fixture) gone(at string, code fhir.Code) {
	f.Helper()
	if _, err := f.s.Read(f.ctx, ref(at)); fhir.CodeOf(err) != code {
		f.Errorf("read %s: %v, want code %d", at, err, code)
	}
}
