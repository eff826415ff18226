package rbac

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/effector"
	"github.com/casbin/casbin/v2/model"
)

// gatherer asks casbin which rules apply. Casbin stops at the first rule that
// settles yes or no; here every rule that applies is wanted, since each may show
// other resources.
type gatherer struct {
	enforcer *casbin.Enforcer
	matched  []int // rules that the last question met
}

// MergeEffects implements effector.Effector: it notes every rule that matches.
func (g *gatherer) MergeEffects(_ string, _ []effector.Effect, matches []float64, at, n int) (effector.Effect, int, error) {
	if at < len(matches) && matches[at] != 0 {
		g.matched = append(g.matched, at)
	}
	return effector.Indeterminate, -1, nil
}

// matching returns the positions of the rules that apply.
func (g *gatherer) matching(role, org, typ, act, purpose string) ([]int, error) {
	g.matched = g.matched[:0]
	_, err := g.enforcer.Enforce(role, org, typ, act, purpose)
	return g.matched, err
}

// compile hands the rules to casbin.
func (p *Policy) compile(files fs.FS) error {
	text, err := fs.ReadFile(files, modelFile)
	if err != nil {
		return err
	}
	m, err := model.NewModelFromString(string(text))
	if err != nil {
		return fault(modelFile, 0, "%v", err)
	}
	g := &gatherer{}
	p.asIs = strings.Count(string(text), "r.org") != strings.Count(string(text), "within(r.org, p.org)")
	for i := range p.Rules {
		r := &p.Rules[i]
		p.asIs = p.asIs || r.Org == ""
		if r.Org != "*" && !slices.Contains(p.areas, r.Org) {
			p.areas = append(p.areas, r.Org)
		}
		effect := "allow"
		if r.Deny {
			effect = "deny"
		}
		m["p"]["p"].Policy = append(m["p"]["p"].Policy, []string{
			r.Role, r.Org, strings.Join(r.Types, " "), strings.Join(r.Acts, " "), strings.Join(r.Purposes, " "), effect, r.Restriction, r.Mask,
		})
	}
	e, err := casbin.NewEnforcer(m, false)
	if err != nil {
		return fault(modelFile, 0, "%v", err)
	}
	for role, inside := range p.inside {
		for _, other := range inside {
			if _, err := e.AddGroupingPolicy(role, other); err != nil {
				return fault(rulesFile, 0, "%v", err)
			}
		}
	}
	texts := func(f func(a, b string) bool) func(...any) (any, error) {
		return func(args ...any) (any, error) { return f(args[0].(string), args[1].(string)), nil }
	}
	e.AddFunction("within", texts(within))
	e.AddFunction("about", texts(p.about))
	e.AddFunction("does", texts(does))
	e.AddFunction("listed", texts(listed))
	e.SetEffector(g)
	g.enforcer, p.casbin = e, g
	// The model is a file, too: a question shows whether its matcher can be evaluated.
	if _, err := g.matching(Everyone, "", "Patient", "read", "TREAT"); err != nil {
		return fault(modelFile, 0, "%v", err)
	}
	return nil
}

// within reports whether the establishment of a caller, or an area that it lies in,
// is one that a rule is for. The first two letters of a CLUES are the state, the
// next three the institution.
func within(org, rule string) bool {
	if rule == "*" {
		return true
	}
	for part := range strings.FieldsSeq(org) {
		if strings.HasPrefix(part, rule) {
			return true
		}
	}
	return false
}

// does reports whether a rule is for an act.
func does(act, list string) bool {
	for name := range strings.FieldsSeq(list) {
		if name == act || name == "*" || name == "$*" && strings.HasPrefix(act, "$") {
			return true
		}
	}
	return false
}

// listed reports whether a list has name, or says that it has everything.
func listed(name, list string) bool {
	for one := range strings.FieldsSeq(list) {
		if one == name || one == "*" {
			return true
		}
	}
	return false
}
