package scope

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/search"
)

// Set is what an app is granted, asks for, or may ask for. What one scope of it
// lets through is let through.
type Set struct {
	Scopes []Scope  // sorted, and none that another one covers
	Others []string // sorted: "openid", "launch/patient", ...
}

// tidy sorts a set and leaves out what adds nothing.
func (s Set) tidy() Set {
	slices.SortFunc(s.Scopes, compare)
	s.Scopes = merge(s.Scopes)
	s.Scopes = slices.DeleteFunc(s.Scopes, func(t Scope) bool {
		return slices.ContainsFunc(s.Scopes, func(u Scope) bool { return u.covers(t) && compare(u, t) != 0 })
	})
	slices.Sort(s.Others)
	s.Others = slices.Compact(s.Others)
	return s
}

// merge joins sorted scopes that differ in their permissions only.
func merge(sorted []Scope) []Scope {
	var out []Scope
	for _, s := range sorted {
		if n := len(out); n > 0 {
			last := out[n-1]
			if last.Context == s.Context && last.Type == s.Type && slices.Equal(last.Params, s.Params) {
				out[n-1].Perms |= s.Perms
				continue
			}
		}
		out = append(out, s)
	}
	return out
}

// Strings returns the scopes in the syntax of SMART v2, in a fixed order.
func (s Set) Strings() []string {
	all := slices.Clone(s.Others)
	for _, one := range s.Scopes {
		all = append(all, one.String())
	}
	return all
}

// String returns the scopes as OAuth writes them, parted by spaces.
func (s Set) String() string { return strings.Join(s.Strings(), " ") }

// Empty reports whether nothing is granted.
func (s Set) Empty() bool { return len(s.Scopes)+len(s.Others) == 0 }

// Has reports whether the set holds a scope that is about no resources: "openid".
func (s Set) Has(other string) bool {
	_, ok := slices.BinarySearch(s.Others, other)
	return ok
}

// NeedsPatient reports whether the set means nothing without a patient in context.
func (s Set) NeedsPatient() bool {
	return s.Has("launch/patient") || slices.ContainsFunc(s.Scopes, func(t Scope) bool { return t.Context == Patient })
}

// Without returns the set without one of its other scopes.
func (s Set) Without(other string) Set {
	s.Others = slices.DeleteFunc(slices.Clone(s.Others), func(o string) bool { return o == other })
	return s
}

// Narrow returns what is granted of what was requested: whatever both sets let
// through, and nothing else. Where both narrow a type by parameters, both hold.
func Narrow(requested, allowed Set) Set {
	var out Set
	for _, r := range requested.Scopes {
		for _, a := range allowed.Scopes {
			if both, ok := r.and(a); ok {
				out.Scopes = append(out.Scopes, both)
			}
		}
	}
	for _, o := range requested.Others {
		if allowed.Has(o) {
			out.Others = append(out.Others, o)
		}
	}
	return out.tidy()
}

// Covers reports whether everything that t lets through, one scope of s lets
// through as well.
func (s Set) Covers(t Set) bool {
	for _, one := range t.Scopes {
		if !s.coversOne(one) {
			return false
		}
	}
	return !slices.ContainsFunc(t.Others, func(o string) bool { return !s.Has(o) })
}

// coversOne takes one permission after the other: several scopes may share them.
func (s Set) coversOne(t Scope) bool {
	for p := Create; p <= Search; p <<= 1 {
		part := t
		part.Perms = p
		if t.Perms&p != 0 && !slices.ContainsFunc(s.Scopes, func(u Scope) bool { return u.covers(part) }) {
			return false
		}
	}
	return true
}

// Grant is one way in which a set reaches resources of a type: those for which all
// of Where hold, in the patient's compartment if Context is Patient.
type Grant struct {
	Context Context
	Where   []search.Expr
}

// Grants returns the ways in which the set reaches resources of type typ with any
// of the permissions; none when it does not. base is the server's base URL.
func (s Set) Grants(typ string, perms Perms, base string) ([]Grant, error) {
	var all []Grant
	for _, one := range s.Scopes {
		if !one.On(typ) || one.Perms&perms == 0 {
			continue
		}
		where, err := conditions(typ, one.Params, base)
		if err != nil {
			return nil, err
		}
		all = append(all, Grant{one.Context, where})
	}
	return all, nil
}

// Allows reports whether the set reaches any resources of type typ with perm; with
// "" it asks about any type at all.
func (s Set) Allows(typ string, perm Perms) bool {
	return slices.ContainsFunc(s.Scopes, func(t Scope) bool {
		return t.Perms&perm != 0 && (typ == "" || t.On(typ))
	})
}
