package rest_test

import (
	"fmt"
	"testing"
)

func TestCreateScopes(t *testing.T) {
	scopes(t, func(w *world) {
		before := w.truth()
		for i := range patients {
			ref := fmt.Sprint("Patient/p", i)
			a := w.ask("POST", "/Patient", fmt.Sprintf(`{"resourceType":"Patient","identifier":[{"system":"http://new","value":"%d"}]}`, i),
				"If-None-Exist", fmt.Sprint("identifier=http://n|", i))
			if want := map[bool]int{true: 200, false: 201}[w.visible[ref]]; a.status != want {
				t.Errorf("%s: %d, want %d: %s", ref, a.status, want, a.body)
			}
		}
		w.untouched(before)
	})
}
