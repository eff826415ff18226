package authz_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity/merge"
	"github.com/amate-health/amate/fhir/registry/identity/pix"
	"github.com/amate-health/amate/fhir/registry/identity/renapo"
	"github.com/amate-health/amate/fhir/rest"
)

// mergeWays are the ways to make one of two Patients, and to their numbers elsewhere. In
// these worlds none of them changes anything: a merge is looked at beforehand only, and no
// Patient has a CURP.
var mergeWays = []way{
	{route: "$merge", method: "POST", path: "/Patient/$merge", body: preview("p1", "p2"), act: "either"},
	{route: "$merge", method: "POST", path: "/Patient/$merge", body: preview("p0", "p1"), act: "either"},
	{route: "$unmerge", method: "POST", path: "/Patient/p1/$unmerge", body: `{"resourceType":"Parameters","parameter":[{"name":"reassign","valueReference":{"reference":"{ref}"}}]}`, act: "either"},
	{route: "$ihe-pix", method: "GET", path: "/Patient/$ihe-pix?sourceIdentifier=http://n|SECRETO-N1", act: "either", tells: pointed},
	{route: "$ihe-pix", method: "GET", path: "/Patient/$ihe-pix?sourceIdentifier=http://n|SECRETO-N2", act: "either", tells: pointed},
	{route: "$verify-curp", method: "POST", path: "/Patient/p1/$verify-curp", act: "either"},
	{route: "$correct-curp", method: "POST", path: "/Patient/p1/$correct-curp", body: `{"resourceType":"Parameters","parameter":[{"name":"curp","valueString":"X"},{"name":"reason","valueString":"x"}]}`, act: "either"},
}

func preview(source, target string) string {
	return `{"resourceType":"Parameters","parameter":[{"name":"source-patient","valueReference":{"reference":"Patient/` + source + `"}},{"name":"target-patient","valueReference":{"reference":"Patient/` + target + `"}},{"name":"preview","valueBoolean":true}]}`
}

// pointed returns the Patients that an answer of $ihe-pix leads to.
func pointed(a *httptest.ResponseRecorder) (refs []string) {
	var out struct {
		Parameter []struct{ ValueReference struct{ Reference string } }
	}
	if a.Code != 200 || json.Unmarshal(a.Body.Bytes(), &out) != nil {
		return nil
	}
	for _, p := range out.Parameter {
		if ref := p.ValueReference.Reference; ref != "" {
			refs = append(refs, ref)
		}
	}
	return refs
}

// merging is a store in which Patients are merged.
type merging struct{ rest.Store }

func (merging) Reindex(context.Context, []fhir.Ref) error { return nil }

// mergeOperations are the operations that mergeWays call.
func (w *world) mergeOperations() []operation.Operation {
	state, _ := w.store.(merge.State)
	s := &merge.Service{
		Store: merging{w.store}, State: state, Links: &merge.Links{}, Base: func() string { return base },
		Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} },
		Job:   func(source, id string, _ time.Time) (fhir.Entry, error) { return fhir.Entry{Kind: "job", Key: id}, nil },
	}
	asked := renapo.Operations(renapo.Config{Store: w.store, Maker: s.Maker, Registry: &renapo.Simulator{}})
	return slices.Concat(merge.Operations(s), []operation.Operation{pix.Operation(w.store)}, asked)
}

// TestMergeRestricted: who may merge sees those whom they may see, and nobody else.
func TestMergeRestricted(t *testing.T) {
	found := 0
	for _, engine := range []string{"sqlite", "postgres"} {
		w := newWorld(t, 7, engines[engine])
		for range 25 {
			w.also = []rule{{types: []string{"Patient"}, acts: []string{"read", "search", "$merge", "$unmerge", "$ihe-pix", "$verify-curp", "$correct-curp"}, restriction: one(w, "all", "own-compartment", "own-unit", "own-jurisdiction", "self")}}
			w.policy()
			p := w.caller()
			p.Scopes = append(p.Scopes, one(w, "system/Patient.cruds", "patient/Patient.cruds", "user/Patient.cruds"))
			w.asking = p
			for _, way := range mergeWays {
				tells := way.tells
				if tells == nil {
					tells = shown
				}
				way.tells = func(a *httptest.ResponseRecorder) []string {
					refs := tells(a)
					if len(refs) > 0 {
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
