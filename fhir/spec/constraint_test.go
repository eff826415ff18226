package spec

import (
	"slices"
	"testing"
)

// TestConstraints looks for constraints of each kind of place: a type that all
// others come from, a resource, a backbone element, an element of a primitive type,
// and for a key that R4 gives to several.
func TestConstraints(t *testing.T) {
	keys := func(list []*Constraint) (keys []string) {
		for _, c := range list {
			if c.Expression == "" || c.Human == "" || c.Severity != "error" && c.Severity != "warning" {
				t.Errorf("%+v is incomplete", *c)
			}
			keys = append(keys, c.Key)
		}
		return keys
	}
	for name, want := range map[string][]string{
		"Element":                    {"ele-1"},
		"Extension":                  {"ext-1"},
		"DomainResource":             {"dom-2", "dom-3", "dom-4", "dom-5", "dom-6"},
		"Observation":                {"obs-6", "obs-7"},
		"Observation.referenceRange": {"obs-3"},
		"Patient.contact":            {"pat-1"},
		"Parameters.parameter":       {"inv-1"},
		"RequestGroup.action":        {"rqg-1"},
		"HumanName":                  nil,
	} {
		got := keys(TypeOf(name).Constraints)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %v, want %v", name, got, want)
		}
	}
	if got := keys(TypeOf("Narrative").Element([]byte("div")).Constraints); !slices.Equal(got, []string{"txt-1", "txt-2"}) {
		t.Errorf("Narrative.div has %v", got)
	}
	distinct := map[string]bool{}
	for _, typ := range types {
		for _, c := range typ.Constraints {
			distinct[c.Key] = true
		}
		for i := range typ.Elements {
			for _, c := range typ.Elements[i].Constraints {
				distinct[c.Key] = true
			}
		}
	}
	// The package has 237; five stand only on references to a backbone of TestScript,
	// and say again what the backbone's own constraints say.
	if len(distinct) != 232 {
		t.Errorf("%d keys, want 232", len(distinct))
	}
}
