package search

import "github.com/amate-health/amate/fhir/spec"

// unions are parameters, by type, whose values are just those of others together.
// They are not indexed again: a condition on one becomes one on the others.
var unions = map[string]map[string][]string{
	"Observation": {
		"combo-code":                {"code", "component-code"},
		"combo-value-concept":       {"value-concept", "component-value-concept"},
		"combo-value-quantity":      {"value-quantity", "component-value-quantity"},
		"combo-code-value-concept":  {"code-value-concept", "component-code-value-concept"},
		"combo-code-value-quantity": {"code-value-quantity", "component-code-value-quantity"},
	},
	"Patient":       {"phonetic": {"name"}},
	"Person":        {"phonetic": {"name"}},
	"Practitioner":  {"phonetic": {"name"}},
	"RelatedPerson": {"phonetic": {"name"}},
}

// parts returns the parameters that p of type typ stands for; nil when it has an
// index of its own.
func parts(typ string, p *spec.SearchParam) []*spec.SearchParam {
	var all []*spec.SearchParam
	for _, code := range unions[typ][p.Code] {
		all = append(all, spec.Param(typ, code))
	}
	return all
}

// union makes a condition of one for each part. Where a value is to be missing, all
// must agree; else any will do.
func union(list []Expr) Expr {
	if len(list) == 1 {
		return list[0]
	}
	if m, ok := list[0].(Match); ok && m.Modifier == "missing" && m.Values[0].Bool {
		return And(list)
	}
	if _, ok := list[0].(Not); !ok {
		return Or(list)
	}
	any := make(Or, len(list))
	for i := range list {
		any[i] = list[i].(Not).X
	}
	return Not{any}
}
