package rest_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestDeleteScopes(t *testing.T) {
	scopes(t, func(w *world) {
		before := w.truth()
		for _, ref := range w.all {
			a := w.ask("DELETE", "/"+ref, "")
			if a.status != 204 || (a.header.Get("ETag") != "") != w.visible[ref] {
				t.Errorf("%s: %d %v", ref, a.status, a.header)
			}
			w.ask("DELETE", "/"+ref, "", "If-Match", `W/"2"`)
		}
		w.untouched(before)
		for ref, now := range w.truth() {
			if w.visible[ref] && !strings.HasPrefix(now, "code") {
				t.Errorf("%s is visible, and was not deleted: %s", ref, now)
			}
		}
	})
}

func TestConditionalDeleteScopes(t *testing.T) {
	scopes(t, func(w *world) {
		before := w.truth()
		for i := range patients {
			w.ask("DELETE", fmt.Sprint("/Patient?identifier=http://n|", i), "", "Prefer", "return=OperationOutcome")
			w.ask("DELETE", fmt.Sprint("/Patient?_id=p", i), "")
			w.ask("DELETE", fmt.Sprint("/Observation?_id=o", i), "")
		}
		w.untouched(before)
	})
}
