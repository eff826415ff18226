package rest_test

import (
	"fmt"
	"testing"
)

func TestPatchScopes(t *testing.T) {
	scopes(t, func(w *world) {
		before := w.truth()
		patch := []string{"Content-Type", "application/json-patch+json"}
		for i := range patients {
			ref := fmt.Sprint("Patient/p", i)
			want := map[bool]int{true: 200, false: 404}[w.visible[ref]]
			for _, path := range []string{"/" + ref, fmt.Sprint("/Patient?identifier=http://n|", i)} {
				if a := w.ask("PATCH", path, `[{"op":"add","path":"/active","value":true}]`, patch...); a.status != want {
					t.Errorf("%s: %d, want %d: %s", path, a.status, want, a.body)
				}
				// A test must not become a way of asking about what is hidden.
				want := map[bool]int{true: 422, false: 404}[w.visible[ref]]
				if a := w.ask("PATCH", path, `[{"op":"test","path":"/active","value":false}]`, patch...); a.status != want {
					t.Errorf("%s, test: %d, want %d: %s", path, a.status, want, a.body)
				}
				// Nor must a path.
				if a := w.ask("PATCH", path, pathPatch("replace", "Patient.active", `{"name":"value","valueBoolean":true}`)); a.status != map[bool]int{true: 200, false: 404}[w.visible[ref]] {
					t.Errorf("%s, FHIRPath: %d: %s", path, a.status, a.body)
				}
				if a := w.ask("PATCH", path, pathPatch("delete", "Patient.name.where(1 = 'a').foo.count() + 1")); a.status != want {
					t.Errorf("%s, a path that finds nothing to change: %d, want %d: %s", path, a.status, want, a.body)
				}
			}
		}
		w.untouched(before)
	})
}
