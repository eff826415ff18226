package rest_test

import "testing"

func TestReadScopes(t *testing.T) {
	scopes(t, func(w *world) {
		for _, ref := range w.all {
			for _, method := range []string{"GET", "HEAD"} {
				a := w.ask(method, "/"+ref, "")
				if want := map[bool]int{true: 200, false: 404}[w.visible[ref]]; a.status != want {
					t.Errorf("%s %s: %d, want %d", method, ref, a.status, want)
				}
				if !w.visible[ref] && (a.header.Get("ETag") != "" || a.header.Get("Last-Modified") != "") {
					t.Errorf("%s %s: headers tell of it: %v", method, ref, a.header)
				}
			}
			w.ask("GET", "/"+ref+"?_elements=name,code", "")
			w.ask("GET", "/"+ref, "", "If-None-Match", `W/"2"`)
		}
	})
}

// TestReadDeletedScopes: who could not see it does not learn that it was there.
func TestReadDeletedScopes(t *testing.T) {
	scopes(t, func(w *world) {
		for _, ref := range w.all {
			if w.visible[ref] {
				continue
			}
			never := w.ask("GET", "/"+ref[:len(ref)-1]+"99", "")
			hidden := w.ask("GET", "/"+ref, "")
			if never.status != hidden.status || len(never.body) != len(hidden.body)+1 {
				t.Errorf("hidden: %d %s\nnever: %d %s", hidden.status, hidden.body, never.status, never.body)
			}
		}
	})
}
