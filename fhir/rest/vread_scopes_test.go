package rest_test

import "testing"

func TestVReadScopes(t *testing.T) {
	scopes(t, func(w *world) {
		for _, ref := range w.all {
			for _, version := range []string{"1", "2"} {
				a := w.ask("GET", "/"+ref+"/_history/"+version, "")
				if want := map[bool]int{true: 200, false: 404}[w.visible[ref]]; a.status != want {
					t.Errorf("%s version %s: %d, want %d", ref, version, a.status, want)
				}
			}
		}
	})
}
