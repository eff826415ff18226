package search_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// TestNarrow holds what is left of a Restriction that another one narrows, asked for one
// type at a time and for all of them.
func TestNarrow(t *testing.T) {
	one, two, other := search.IDs{Any: []string{"1"}}, search.IDs{Any: []string{"2"}}, search.IDs{Any: []string{"3"}}
	narrow := func(typ string) (search.Expr, bool) {
		switch typ {
		case "Observation", "Encounter", "Group":
			return two, true
		case "Condition":
			return nil, true
		}
		return nil, false
	}
	base := &search.Restriction{Types: map[string][]search.Expr{"Observation": {one}, "Condition": nil, "Patient": nil, "Group": {one}}}
	for name, c := range map[string]struct {
		restriction *search.Restriction
		want        map[string]string
	}{
		"of some":        {&search.Restriction{Base: base, Narrow: narrow}, map[string]string{"Observation": "[_id=1 _id=2]", "Condition": "[]", "Group": "[_id=1 _id=2]"}},
		"of everything":  {&search.Restriction{Base: search.Unrestricted, Narrow: narrow}, map[string]string{"Observation": "[_id=2]", "Encounter": "[_id=2]", "Group": "[_id=2]", "Condition": "[]"}},
		"of nothing":     {&search.Restriction{Narrow: narrow}, map[string]string{}},
		"with an own":    {&search.Restriction{Base: base, Narrow: narrow, Types: map[string][]search.Expr{"Group": {other}, "Device": nil}}, map[string]string{"Observation": "[_id=1 _id=2]", "Condition": "[]", "Group": "[_id=3]", "Device": "[]"}},
		"under another":  {&search.Restriction{Base: &search.Restriction{Base: base, Narrow: narrow}, Types: map[string][]search.Expr{"Observation": {other}}}, map[string]string{"Observation": "[_id=3]", "Condition": "[]", "Group": "[_id=1 _id=2]"}},
		"narrowed twice": {&search.Restriction{Base: &search.Restriction{Base: base, Narrow: narrow}, Narrow: func(typ string) (search.Expr, bool) { return other, typ != "Group" }}, map[string]string{"Observation": "[_id=1 _id=2 _id=3]", "Condition": "[_id=3]"}},
	} {
		t.Run(name, func(t *testing.T) {
			single, all := map[string]string{}, map[string]string{}
			for _, typ := range spec.Resources() {
				if where, listed := c.restriction.Of(typ); listed {
					single[typ] = fmt.Sprint(where)
				}
			}
			for typ, where := range c.restriction.All() {
				if _, twice := all[typ]; twice {
					t.Errorf("%s comes twice", typ)
				}
				all[typ] = fmt.Sprint(where)
			}
			if !maps.Equal(single, c.want) {
				t.Errorf("one at a time: got %v, want %v", single, c.want)
			}
			if !maps.Equal(all, c.want) {
				t.Errorf("all: got %v, want %v", all, c.want)
			}
			if c.restriction.Open() {
				t.Error("it is open")
			}
		})
	}
}
