package authz

import (
	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// shared is what a decision comes to for all of a class alike.
type shared struct {
	shown    *search.Restriction
	masks    map[string][]*rest.Veil
	personal []string // types of which more than the class decides what is shown
}

// sharedBy returns what is shared by all whose class is that of the caller; each question
// is looked at once for all of them.
func (f *hearing) sharedBy(ask *question) (*shared, error) {
	key := asked{class: f.class, question: *ask}
	if s, ok := f.rules.shared.Load(key); ok {
		return s.(*shared), nil
	}
	s := &shared{shown: &search.Restriction{Types: map[string][]search.Expr{}}, masks: map[string][]*rest.Veil{}}
	for _, typ := range spec.Resources() {
		f.personal = false
		where, veils, err := f.look(typ, ask)
		switch {
		case err != nil:
			return nil, err
		case f.personal:
			s.personal = append(s.personal, typ)
			continue
		case where == nil:
			continue
		}
		s.shown.Types[typ] = where
		if len(veils) > 0 {
			s.masks[typ] = veils
		}
	}
	f.rules.shared.keep(key, s)
	return s, nil
}

// look returns the conditions under which a resource of type typ is shown, nil when none
// is, and what hides parts of it.
func (f *hearing) look(typ string, ask *question) (where []search.Expr, veils []*rest.Veil, err error) {
	acts, need := []string{"read", "search"}, scope.Read|scope.Search
	if _, many := viewing[ask.act]; many {
		acts = append(acts, "view")
	}
	if (ask.act == "read" || ask.act == "search") && (typ == ask.typ || ask.typ == "" && ask.act == "search") {
		acts, need = []string{ask.act}, perms[ask.act]
	}
	s, err := f.show(typ, acts, need, true)
	if err != nil || s == nil {
		return nil, nil, err
	}
	return f.covered(typ, s, ask), s.veils, nil
}
