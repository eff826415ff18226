package rest_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/amate-health/amate/fhir/rest"
)

// ofPatient reports whether a resource of the world is in the compartment of patient
// i: each observation is about one patient, and made by the next.
func ofPatient(typ string, j, i int) bool {
	return j == i || typ == "Observation" && (j+1)%patients == i
}

func TestCompartmentScopes(t *testing.T) {
	bothEngines(t, func(t *testing.T, open func(testing.TB) rest.Store) {
		scopesOn(t, open, func(w *world) {
			for i := range patients {
				for path, want := range map[string]func(string, int) bool{
					"/Patient/p%d/*?_count=100":           func(typ string, j int) bool { return ofPatient(typ, j, i) },
					"/Patient/p%d/Observation?_count=100": func(typ string, j int) bool { return typ == "Observation" && ofPatient(typ, j, i) },
					"/Patient/p%d/Patient":                func(typ string, j int) bool { return typ == "Patient" && j == i },
					"/Patient/p%d/Encounter":              func(string, int) bool { return false },
					"/Patient/p%[1]d/Observation?_id=o%[1]d&_include=Observation:subject": func(typ string, j int) bool {
						return j == i && (typ == "Observation" || w.visible[fmt.Sprint("Observation/o", i)])
					},
				} {
					path = fmt.Sprintf(path, i)
					a := w.want(200, w.ask("GET", path, ""))
					if got, want := w.list(a), w.expect(want); !slices.Equal(got, want) {
						t.Errorf("%s: %v, want %v", path, got, want)
					}
				}
				a := w.want(200, w.ask("GET", fmt.Sprintf("/Patient/p%d/*?_summary=count", i), ""))
				if want := w.expect(func(typ string, j int) bool { return ofPatient(typ, j, i) }); *a.bundle(t).Total != len(want) {
					t.Errorf("p%d: total %d, want %d", i, *a.bundle(t).Total, len(want))
				}
			}
		})
	})
}

func TestEverythingScopes(t *testing.T) {
	bothEngines(t, func(t *testing.T, open func(testing.TB) rest.Store) {
		scopesOn(t, open, func(w *world) {
			for i := range patients {
				w.everythingOf(i)
			}
			for _, path := range []string{"/Patient/$everything", "/Patient/$everything?_count=2"} {
				seen := map[string]bool{}
				for next := path; next != ""; {
					a := w.want(200, w.ask("GET", next, ""))
					for _, ref := range w.list(a) {
						seen[ref] = true
					}
					next = a.bundle(t).link("next")
				}
				want := w.expect(func(typ string, j int) bool {
					return typ == "Patient" || w.visible[fmt.Sprint("Patient/p", j)] || w.visible[fmt.Sprint("Patient/p", (j+1)%patients)]
				})
				if len(seen) != len(want) {
					t.Errorf("%s: %v, want %v", path, seen, want)
				}
			}
		})
	})
}

// everythingOf asks for everything about patient i, at once and by pages.
func (w *world) everythingOf(i int) {
	w.t.Helper()
	path := fmt.Sprintf("/Patient/p%d/$everything", i)
	if !w.visible[fmt.Sprint("Patient/p", i)] {
		w.want(404, w.ask("GET", path, ""))
		w.want(404, w.ask("GET", path+"?_type=Observation&_count=1", ""))
		return
	}
	seen := func(j int) bool { return w.visible[fmt.Sprint("Observation/o", j)] }
	before := (i + patients - 1) % patients
	want := w.expect(func(typ string, j int) bool {
		return ofPatient(typ, j, i) || typ == "Patient" && (j == (i+1)%patients && seen(i) || j == before && seen(before))
	})
	if got := w.list(w.want(200, w.ask("GET", path, ""))); !slices.Equal(got, want) {
		w.t.Errorf("%s: %v, want %v", path, got, want)
	}
	var got []string
	for next := path + "?_count=1"; next != ""; {
		a := w.want(200, w.ask("GET", next, ""))
		got = append(got, w.list(a)...)
		next = a.bundle(w.t).link("next")
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.t.Errorf("%s by pages: %v, want %v", path, got, want)
	}
}

func TestLastNScopes(t *testing.T) {
	bothEngines(t, func(t *testing.T, open func(testing.TB) rest.Store) {
		scopesOn(t, open, func(w *world) {
			for i := range patients {
				path := fmt.Sprintf("/Observation/$lastn?patient=p%d&code:not=none&_include=Observation:subject", i)
				want := w.expect(func(typ string, j int) bool {
					return j == i && (typ == "Observation" || w.visible[fmt.Sprint("Observation/o", i)])
				})
				if got := w.list(w.want(200, w.ask("GET", path, ""))); !slices.Equal(got, want) {
					t.Errorf("%s: %v, want %v", path, got, want)
				}
			}
		})
	})
}
