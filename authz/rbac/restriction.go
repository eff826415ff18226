package rbac

import (
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/search"
)

// The restrictions that a rule can name. Whatever they say, blocked resources are
// shown by AllAndBlocked only.
const (
	All             = "all"
	AllAndBlocked   = "all-and-blocked"
	OwnCompartment  = "own-compartment"  // of the patient in context
	Wards           = "wards"            // compartments of the patients that the caller is responsible for
	OwnUnit         = "own-unit"         // what belongs to the caller's establishment
	OwnJurisdiction = "own-jurisdiction" // or to one of the same parent
	OwnState        = "own-state"        // or to one of the same parent's parent
	Self            = "self"             // the caller's own Practitioner, Patient or RelatedPerson, and roles of it
	Own             = "own"              // Subscriptions that the caller has made
)

var restrictions = []string{All, AllAndBlocked, OwnCompartment, Wards, OwnUnit, OwnJurisdiction, OwnState, Self, Own}

// Part is one condition of a restriction: a name, or search parameters.
type Part struct {
	Name   string
	Params []search.Param // of "?category=vital-signs"; nil for a name
}

// ParseRestriction reads what stands in a rule: conditions joined by &, all of which
// must hold.
func ParseRestriction(text string) ([]Part, error) {
	var parts []Part
	for one := range strings.SplitSeq(text, " & ") {
		one = strings.TrimSpace(one)
		if query, ok := strings.CutPrefix(one, "?"); ok {
			params, err := search.SplitQuery(query)
			if err != nil || len(params) == 0 {
				return nil, fmt.Errorf("%q is no search", one)
			}
			parts = append(parts, Part{Params: params})
			continue
		}
		if !slices.Contains(restrictions, one) {
			return nil, fmt.Errorf("%q is none of %s, nor a search that begins with ?", one, strings.Join(restrictions, " "))
		}
		parts = append(parts, Part{Name: one})
	}
	return parts, nil
}
