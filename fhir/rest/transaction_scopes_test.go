package rest_test

import (
	"fmt"
	"testing"
)

func TestTransactionScopes(t *testing.T) {
	scopes(t, func(w *world) {
		before := w.truth()
		for i := range patients {
			ref := fmt.Sprint("Patient/p", i)
			seen := w.visible[ref]
			where := fmt.Sprint("Patient?identifier=http://n|", i)
			tests := []struct {
				name, entry   string
				seen, notSeen int
			}{
				{"GET", entry("", "GET", ref, "", ""), 200, 200},
				{"search", entry("", "GET", where, "", ""), 200, 200},
				{"history", entry("", "GET", ref+"/_history", "", ""), 200, 200},
				{"PUT", entry("", "PUT", ref, w.patient(i, w.wards[i]), ""), 200, 403},
				{"PUT by criterion", entry("", "PUT", where, w.patient(i, w.wards[i]), ""), 200, 0},
				{"POST by criterion", entry("", "POST", "Patient", `{"resourceType":"Patient"}`, fmt.Sprintf(`,"ifNoneExist":"identifier=http://n|%d"`, i)), 200, 200},
				{"reference by criterion", entry("", "POST", "Basic", fmt.Sprintf(`{"resourceType":"Basic","code":{"text":"x"},"subject":{"reference":%q}}`, where), ""), 200, 0},
				{"DELETE", entry("", "DELETE", ref, "", ""), 200, 200},
			}
			for _, tt := range tests {
				for _, typ := range []string{"transaction", "batch"} {
					if typ == "batch" && tt.name == "reference by criterion" {
						continue // only a transaction follows those
					}
					a := w.ask("POST", "/", bundleOf(typ, tt.entry), "Prefer", "return=representation")
					want := map[bool]int{true: tt.seen, false: tt.notSeen}[seen]
					if typ == "batch" {
						want = 200
					}
					if want != 0 && a.status != want || want == 0 && (a.status < 400 || a.status >= 500) {
						t.Errorf("%s of %s in a %s: %d, want %d: %s", tt.name, ref, typ, a.status, want, a.body)
					}
				}
			}
		}
		w.untouched(before)
	})
}
