package naive

import "slices"

// Include is one _include or _revinclude.
//
// See https://hl7.org/fhir/R4/search.html#include.
type Include struct {
	Reverse bool
	Source  string
	Params  []*Param // several for a wildcard
	Target  string   // only this type; "" for any
	Iterate bool
}

func (in Include) pair() (name, value string) {
	name = "_include"
	if in.Reverse {
		name = "_revinclude"
	}
	if in.Iterate {
		name += ":iterate"
	}
	value = in.Source + ":*"
	if len(in.Params) == 1 {
		value = in.Source + ":" + in.Params[0].Code
	}
	if in.Target != "" {
		value += ":" + in.Target
	}
	return name, value
}

// Included returns what comes with a page of matches: each once, and none that is
// among them.
func (w *World) Included(includes []Include, matches []*Resource) []*Resource {
	seen := map[*Resource]bool{}
	for _, m := range matches {
		seen[m] = true
	}
	var all []*Resource
	for round, from := 0, matches; len(from) > 0; round++ {
		var next []*Resource
		for _, in := range includes {
			if round > 0 && !in.Iterate {
				continue
			}
			for _, r := range w.follow(in, from) {
				if !seen[r] {
					seen[r] = true
					next = append(next, r)
				}
			}
		}
		all, from = append(all, next...), next
	}
	return all
}

// follow returns what in leads to from some resources.
func (w *World) follow(in Include, from []*Resource) []*Resource {
	var all []*Resource
	for _, r := range from {
		for _, p := range in.Params {
			if in.Reverse {
				if in.Target == "" || in.Target == r.Type {
					all = append(all, w.referring(in.Source, p, r)...)
				}
				continue
			}
			if r.Type != in.Source {
				continue
			}
			for _, v := range w.values(r, p) {
				to := w.Get(v.(referenceValue).local)
				if to != nil && (in.Target == "" || to.Type == in.Target) && p.may(to.Type) {
					all = append(all, to)
				}
			}
		}
	}
	return all
}

// compartments holds, by type, the parameters that put a resource into the
// compartment of a patient.
//
// See https://hl7.org/fhir/R4/compartmentdefinition-patient.html.
var compartments = map[string][]string{
	"AllergyIntolerance": {"patient"}, "Appointment": {"actor"}, "CarePlan": {"patient"}, "Claim": {"patient"},
	"Condition": {"patient", "asserter"}, "DiagnosticReport": {"subject"}, "Encounter": {"patient"},
	"ExplanationOfBenefit": {"patient"}, "Goal": {"patient"}, "ImagingStudy": {"patient"}, "Immunization": {"patient"},
	"MedicationRequest": {"subject"}, "Observation": {"subject", "performer"}, "Procedure": {"patient", "performer"},
	"RelatedPerson": {"patient"}, "RiskAssessment": {"patient"},
}

// inCompartment reports whether r is in the compartment of a patient.
func (w *World) inCompartment(r *Resource, of string) bool {
	return slices.ContainsFunc(compartments[r.Type], func(code string) bool {
		return slices.ContainsFunc(w.values(r, param(r.Type, code)), func(v value) bool {
			return v.(referenceValue).local == of
		})
	})
}
