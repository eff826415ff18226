package rest_test

import (
	"fmt"
	"testing"
)

func TestUpdateScopes(t *testing.T) {
	scopes(t, func(w *world) {
		before := w.truth()
		for i := range patients {
			ref := fmt.Sprint("Patient/p", i)
			want := map[bool]int{true: 200, false: 403}[w.visible[ref]]
			if a := w.ask("PUT", "/"+ref, w.patient(i, w.wards[i])); a.status != want {
				t.Errorf("%s: %d, want %d: %s", ref, a.status, want, a.body)
			}
			if a := w.ask("PUT", "/"+ref, w.patient(i, w.wards[i]), "If-Match", `W/"3"`); a.status != want {
				t.Errorf("%s with If-Match: %d, want %d: %s", ref, a.status, want, a.body)
			}
			if a := w.ask("PUT", "/"+ref, w.patient(i, w.wards[i]), "If-None-Match", `*`); a.status == 200 || a.status == 201 {
				t.Errorf("%s with If-None-Match: %d: %s", ref, a.status, a.body)
			}
		}
		w.untouched(before)
	})
}

func TestConditionalUpdateScopes(t *testing.T) {
	scopes(t, func(w *world) {
		before := w.truth()
		for i := range patients {
			body := fmt.Sprintf(`{"resourceType":"Patient","identifier":[{"system":"http://n","value":"%d"},{"system":"http://ward","value":%q}]}`, i, w.wards[i])
			ref := fmt.Sprint("Patient/p", i)
			a := w.ask("PUT", fmt.Sprint("/Patient?identifier=http://n|", i), body)
			if want := map[bool]int{true: 200, false: 201}[w.visible[ref]]; a.status != want {
				t.Errorf("%s: %d, want %d: %s", ref, a.status, want, a.body)
			}
		}
		w.untouched(before)
	})
}
