package storetest

import (
	"bytes"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// kept is a hold on resources whose text says that they are kept. Of others it lets
// only those be made whose text does not.
var kept = bundle.Hold{Name: "kept", Types: []string{"Basic"}, Check: func(before, after *fhir.Resource) error {
	if before != nil && bytes.Contains(before.JSON, []byte("kept")) {
		return fhir.Errorf(fhir.Conflict, "it is kept")
	}
	if bytes.Contains(after.JSON, []byte("forbidden")) {
		return fhir.Errorf(fhir.Unprocessable, "nobody may make this")
	}
	return nil
}}

// held applies changes under a hold.
func (f *fixture) held(rights []string, changes ...bundle.Change) error {
	_, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: changes, Holds: []bundle.Hold{kept}, Rights: rights})
	return err
}

var holdTests = map[string]func(*fixture){
	"what is held stays as it is": func(f *fixture) {
		if err := f.held(nil, create("Basic/a", "kept", search.Index{}), update("Basic/b", "free", search.Index{})); err != nil {
			f.Fatal(err)
		}
		patch := bundle.Change{Op: bundle.Patch, Ref: ref("Basic/a"), Build: fixed("patched", search.Index{})}
		where := query(f, "Basic?_id=a")
		for _, c := range []bundle.Change{
			update("Basic/a", "other", search.Index{}), remove("Basic/a"), patch,
			{Op: bundle.Update, Ref: ref("Basic/x"), Where: where, Build: fixed("other", search.Index{})},
			{Op: bundle.Patch, Ref: ref("Basic/x"), Where: where, Build: fixed("other", search.Index{})},
			{Op: bundle.Delete, Ref: ref("Basic/x"), Where: where},
			{Op: bundle.Delete, Ref: ref("Basic/x"), Where: query(f, "Basic?_id=a,b"), Many: true},
		} {
			f.failed(f.held(nil, update("Patient/p", "with it", search.Index{}), c), fhir.Conflict, 1)
		}
		f.is("Basic/a", 1, "kept")
		f.is("Basic/b", 1, "free")
		f.gone("Patient/p", fhir.NotFound)
	},
	"what is not held, and other types, are free": func(f *fixture) {
		f.apply(update("Basic/b", "free", search.Index{}), update("Patient/p", "kept", search.Index{}))
		if err := f.held(nil, update("Basic/b", "still", search.Index{}), update("Patient/p", "forbidden", search.Index{})); err != nil {
			f.Fatal(err)
		}
		if err := f.held(nil, remove("Basic/b"), remove("Patient/p")); err != nil {
			f.Fatal(err)
		}
	},
	"a hold can refuse what is made": func(f *fixture) {
		f.failed(f.held(nil, create("Basic/a", "forbidden", search.Index{})), fhir.Unprocessable, 0)
		f.failed(f.held(nil, update("Basic/a", "forbidden", search.Index{})), fhir.Unprocessable, 0)
		f.gone("Basic/a", fhir.NotFound)
	},
	"what changes nothing is not refused": func(f *fixture) {
		f.apply(update("Basic/a", "kept", search.Index{}))
		if err := f.held(nil, update("Basic/a", "kept", search.Index{})); err != nil {
			f.Fatal(err)
		}
		f.is("Basic/a", 1, "kept")
	},
	"a right passes the hold of its name": func(f *fixture) {
		f.apply(update("Basic/a", "kept", search.Index{}))
		f.failed(f.held([]string{"another"}, remove("Basic/a")), fhir.Conflict, 0)
		if err := f.held([]string{"another", "kept"}, remove("Basic/a")); err != nil {
			f.Fatal(err)
		}
		f.gone("Basic/a", fhir.Gone)
	},
}
