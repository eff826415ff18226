package rest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/search"
)

func TestHistoryScopes(t *testing.T) {
	scopes(t, func(w *world) {
		for _, ref := range w.all {
			a := w.ask("GET", "/"+ref+"/_history", "")
			if want := map[bool]int{true: 200, false: 404}[w.visible[ref]]; a.status != want {
				t.Errorf("%s: %d, want %d: %s", ref, a.status, want, a.body)
			}
		}
		for path, typ := range map[string]string{"/_history": "", "/Patient/_history": "Patient", "/Observation/_history": "Observation", "/Encounter/_history": "Encounter"} {
			var got []string
			next := path + "?_count=3"
			for next != "" {
				a := w.ask("GET", next, "")
				if a.status != 200 {
					t.Fatalf("%s: %d %s", next, a.status, a.body)
				}
				got = append(got, w.list(a)...)
				next = a.bundle(t).link("next")
			}
			slices.Sort(got)
			var want []string
			for _, ref := range w.expect(func(is string, _ int) bool { return typ == "" || is == typ }) {
				want = append(want, ref, ref)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", path, got, want)
			}
		}
	})
}

// TestHistoryOfDeletedScopes: a deletion leaves no trace for who could not see it.
func TestHistoryOfDeletedScopes(t *testing.T) {
	scopes(t, func(w *world) {
		only := w.only
		w.only = search.Unrestricted
		for _, ref := range w.all {
			w.do("DELETE", "/"+ref, "")
		}
		w.only = only
		for _, path := range []string{"/_history", "/Patient/_history", "/Observation/_history"} {
			a := w.ask("GET", path+"?_count=100", "")
			for _, ref := range w.all {
				if !w.visible[ref] && strings.Contains(a.body, "/"+ref+`"`) {
					t.Errorf("%s tells of %s", path, ref)
				}
			}
		}
	})
}
