package authz_test

import (
	"context"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity/match"
	"github.com/amate-health/amate/fhir/registry/identity/mpi"
	"github.com/amate-health/amate/fhir/rest"
)

// reading takes the numbers of these worlds for a person's own.
var reading = match.Reading{Personal: map[string]bool{"http://n": true}}

// identityWays are the ways to the Patients of one person, and to say that they are two.
var identityWays = []way{
	{route: "$match", method: "POST", path: "/Patient/$match", body: asksFor("1", "1960-02-11"), act: "either"},
	{route: "$match", method: "POST", path: "/Patient/$match", body: asksFor("2", "1970-03-11"), act: "either"},
	{route: "$match", method: "POST", path: "/Patient/$match?onlyCertainMatches=true&explain=true", body: asksFor("0", "1950-01-11"), act: "either"},
	{route: "$not-duplicate", method: "POST", path: "/Patient/p1/$not-duplicate?other=Patient/p2", act: "either"},
}

// asksFor is what is known of a Patient, but for the name that no answer may quote.
func asksFor(n, birth string) string {
	return `{"resourceType":"Patient","birthDate":"` + birth + `","identifier":[{"system":"http://n","value":"SECRETO-N` + n + `"}]}`
}

// people is a store in which Patients can be matched.
type people interface {
	rest.Store
	People(ctx context.Context, keys []int64, most int, each func(key int64, features []byte)) error
	Refs(ctx context.Context, keys []int64) (map[int64]fhir.Ref, error)
}

// identityOperations are the operations that identityWays call.
func (w *world) identityOperations() []operation.Operation {
	return mpi.Operations(&mpi.Clerk{
		Finder: mpi.Finder{Store: w.store.(people), Model: match.Default(), Reading: reading},
		Maker:  func(base string) bundle.Maker { return bundle.Maker{Base: base} }, Write: w.store.Apply, Least: match.Possible, Now: time.Now,
	})
}

// TestMatchRestricted: who may match finds whom they may see, and nobody else.
func TestMatchRestricted(t *testing.T) {
	found := 0
	for _, engine := range []string{"sqlite", "postgres"} {
		w := newWorld(t, 5, engines[engine])
		for range 25 {
			w.also = []rule{{types: []string{"Patient"}, acts: []string{"read", "$match"}, restriction: one(w, "all", "own-compartment", "own-unit", "own-jurisdiction", "self")}}
			w.policy()
			p := w.caller()
			p.Scopes = append(p.Scopes, one(w, "system/Patient.rs", "patient/Patient.rs", "user/Patient.rs"))
			w.asking = p
			for _, way := range identityWays {
				way.tells = func(a *httptest.ResponseRecorder) []string {
					refs := shown(a)
					if slices.ContainsFunc(refs, func(ref string) bool { return typeOf(w.all[ref]) == "Patient" }) {
						found++
					}
					return refs
				}
				w.proveWay(p, &way, w.all[w.order[0]])
			}
			if t.Failed() {
				return
			}
		}
	}
	if found < 10 {
		t.Errorf("%d calls found somebody, which proves nothing", found)
	}
}
