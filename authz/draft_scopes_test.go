package authz_test

import (
	"net/http/httptest"
	"slices"
	"testing"
)

// TestDraftScopes: who may draft notes of visits finds in them what they may see of the
// visit, and nothing else. TestEveryWay has the same ways, which its callers rarely may go.
func TestDraftScopes(t *testing.T) {
	told := map[string]int{}
	for seed := range uint64(4) {
		w := newWorld(t, seed, engines["sqlite"])
		w.also = []rule{
			{types: []string{"Encounter"}, acts: []string{"read", "$draft-note"}, restriction: "all"},
			{types: []string{"Practitioner"}, acts: []string{"read"}, restriction: "all"},
			{types: []string{"Bundle"}, acts: []string{"$render"}, restriction: "all"},
		}
		for range 40 {
			w.policy()
			p := w.caller()
			p.Scopes = append(p.Scopes, "system/Encounter.cruds", "system/Practitioner.rs", "system/Bundle.rs", "system/Observation.rs")
			w.asking = p
			for _, way := range ways {
				if way.tells == nil {
					continue
				}
				tells := way.tells
				way.tells = func(a *httptest.ResponseRecorder) []string {
					refs := tells(a)
					for _, ref := range refs {
						told[typeOf(w.all[ref])]++
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
	if slices.Contains([]int{told["Encounter"], told["Observation"], told["Bundle"]}, 0) {
		t.Errorf("what was told of is %v, which proves nothing", told)
	}
}
