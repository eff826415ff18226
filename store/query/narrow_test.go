package query_test

import (
	"slices"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/store/query"
)

// TestRestrictionReferences holds that the row keys of all are asked for that a
// Restriction's conditions refer to, also of one that narrows another.
func TestRestrictionReferences(t *testing.T) {
	to := func(id string) search.Expr {
		ref := fhir.Ref{Type: "Patient", ID: id}
		return search.Match{Param: spec.Param("Observation", "subject"), Compared: spec.Reference, Values: []search.Value{{Raw: ref.String(), Refs: []fhir.Ref{ref}}}}
	}
	base := &search.Restriction{Types: map[string][]search.Expr{"Observation": {to("a")}, "Condition": {search.Not{X: to("b")}}}}
	narrow := &search.Restriction{
		Base: base, Types: map[string][]search.Expr{"Group": {to("c")}},
		Narrow: func(string) (search.Expr, bool) { return to("d"), true }, Refs: []fhir.Ref{{Type: "Patient", ID: "d"}},
	}
	for name, c := range map[string]struct {
		restriction *search.Restriction
		want        []string
	}{
		"none":     {search.Unrestricted, nil},
		"plain":    {base, []string{"a", "b"}},
		"narrowed": {narrow, []string{"a", "b", "c", "d"}},
		"over it":  {&search.Restriction{Base: narrow, Types: map[string][]search.Expr{"Encounter": {to("e")}}}, []string{"a", "c", "d", "e"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, ref := range query.RestrictionReferences(c.restriction) {
				got = append(got, ref.ID)
			}
			slices.Sort(got)
			for _, id := range c.want {
				if !slices.Contains(got, id) {
					t.Errorf("%s is missing in %v", id, slices.Compact(got))
				}
			}
			if c.want == nil && got != nil {
				t.Errorf("got %v", got)
			}
		})
	}
}
