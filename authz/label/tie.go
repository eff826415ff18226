package label

import (
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// TieName is the name of Tie, and of the right to pass it.
const TieName = "about-a-patient"

// Tie is the rule that a Bundle or Binary that tells of a patient does not become one that
// tells of nobody: what patients refuse would no longer reach it, nor its earlier
// versions. base returns the FHIR base of the server.
func Tie(base func() string) bundle.Hold {
	return bundle.Hold{Name: TieName, Types: []string{"Bundle", "Binary"}, Check: func(before, after *fhir.Resource) error {
		if before == nil || before.Deleted() || after.Deleted() || !tells(before, base()) || tells(after, base()) {
			return nil
		}
		return &fhir.Error{Code: fhir.Conflict, Issues: []fhir.Issue{{
			Severity: "error", Type: "conflict", Rule: TieName,
			Details: "what is about a patient stays so: keep its subject or security context, or delete it and create another",
		}}}
	}}
}

// tells reports whether a Bundle or Binary tells of anybody. What cannot be read does not.
func tells(r *fhir.Resource, base string) bool {
	doc, err := element.Parse(r.JSON)
	if err != nil {
		return false
	}
	ix, err := search.Extract(doc, 0, base)
	if err != nil {
		return false
	}
	for _, p := range search.ConcernParams(r.Ref.Type) {
		for _, l := range ix.Links {
			if l.Param == p.ID {
				return true
			}
		}
	}
	return false
}
