package authz

import (
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// The label of a record that is blocked: the patient had it cancelled, and the law
// has it kept for years all the same. Nobody sees it but those whom the role policy
// names.
const (
	LabelSystem = "https://github.com/amate-health/amate/fhir/CodeSystem/etiqueta"
	Blocked     = "bloqueado"
)

// covered returns all conditions on what is shown of a type: those of roles and
// scopes, that it is not blocked, and that no consent refuses it.
func (f *hearing) covered(typ string, s *showing, ask *question) []search.Expr {
	where := append(make([]search.Expr, 0, len(s.where)+3), s.where...) // not nil: it is shown
	if !s.blocked && ask.labels {
		where = append(where, unblocked())
		// A Group is shown all the same, but for those members.
		if params := search.OfRecords(typ); len(params) > 0 || typ == "Group" {
			_, tokens := labelled()
			where = append(where, search.Unblocked{Params: params, Through: search.ThroughParams(typ), Label: tokens[0]})
		}
	}
	if !ask.consents {
		return where
	}
	params := search.BoundParams(typ)
	switch {
	case typ == "Patient" || typ == "Group": // see above: who refuses is left out of it
		params = nil
	case len(params) == 0:
		return where
	}
	f.personal = true // by what is true of the caller
	return append(where, search.Consented{
		Self: typ == "Patient", Params: params, Through: search.ThroughParams(typ), Needed: f.needed,
		Facts: f.facts, Class: search.Fact(search.FactClass, typ),
	})
}

// labelled returns the parameter of security labels, which is one for all types, and
// the token of what is blocked. Every request asks for them.
var labelled = sync.OnceValues(func() (*spec.SearchParam, []int64) {
	p := spec.Param("", "_security")
	return p, []int64{search.TokenHash(p.ID, LabelSystem+"|"+Blocked)}
})

// unblocked returns the condition that a resource does not have the label.
func unblocked() search.Expr {
	p, tokens := labelled()
	return search.Not{X: search.Match{Param: p, Compared: p.Type, Values: []search.Value{{Raw: LabelSystem + "|" + Blocked, Tokens: tokens}}}}
}

// refers returns the condition that a resource refers, by p, to one of refs.
func refers(p *spec.SearchParam, refs ...fhir.Ref) search.Expr {
	m := search.Match{Param: p, Compared: p.Type}
	for _, ref := range refs {
		m.Values = append(m.Values, search.Value{Raw: ref.String(), Refs: []fhir.Ref{ref}})
	}
	return m
}
