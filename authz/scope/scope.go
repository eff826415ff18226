package scope

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/search"
)

// Context says on whose behalf a scope reaches resources.
type Context uint8

// The contexts.
const (
	Patient Context = 1 + iota // the compartment of the patient in context
	User                       // what the person who signed in may reach
	System                     // what the client itself may reach
)

// String returns the context as it is written in a scope.
func (c Context) String() string { return [...]string{"", "patient", "user", "system"}[c] }

// Perms is a set of permissions, one bit each.
type Perms uint8

// The permissions, in the order in which a scope writes them.
const (
	Create Perms = 1 << iota
	Read
	Update
	Delete
	Search

	AllPerms = Create | Read | Update | Delete | Search
)

// letters are the permissions as a scope writes them.
const letters = "cruds"

// String returns the permissions as a scope writes them: "rs".
func (p Perms) String() string {
	var b strings.Builder
	for i := range letters {
		if p&(1<<i) != 0 {
			b.WriteByte(letters[i])
		}
	}
	return b.String()
}

// Scope lets an app do something with resources of a type.
type Scope struct {
	Context Context
	Type    string // a resource type, or "*" for all
	Perms   Perms

	// Params narrow the scope to resources that a search by them finds. They are
	// sorted, each stands once, and all must hold.
	Params []search.Param
}

// String returns the scope in the syntax of SMART v2.
func (s Scope) String() string {
	text := s.Context.String() + "/" + s.Type + "." + s.Perms.String()
	for i, p := range s.Params {
		sep := "&"
		if i == 0 {
			sep = "?"
		}
		text += sep + url.QueryEscape(p.Name) + "=" + url.QueryEscape(p.Value)
	}
	return text
}

// On reports whether s is about resources of type typ.
func (s Scope) On(typ string) bool { return s.Type == "*" || s.Type == typ }

// covers reports whether whatever t lets through, s lets through as well.
func (s Scope) covers(t Scope) bool {
	return s.Context == t.Context && s.On(t.Type) && s.Perms|t.Perms == s.Perms && subset(s.Params, t.Params)
}

// subset reports whether b has all of a; both are sorted.
func subset(a, b []search.Param) bool {
	for _, p := range a {
		if _, ok := slices.BinarySearchFunc(b, p, compareParams); !ok {
			return false
		}
	}
	return true
}

// and returns what both s and t let through, and whether that is anything. The
// contexts must be the same: what an app may do for a person it may not do by
// itself, and a registration that lists one does not mean the other.
func (s Scope) and(t Scope) (Scope, bool) {
	out := Scope{Context: s.Context, Type: s.Type, Perms: s.Perms & t.Perms}
	if s.Type == "*" {
		out.Type = t.Type
	}
	if s.Context != t.Context || !s.On(t.Type) && !t.On(s.Type) || out.Perms == 0 {
		return Scope{}, false
	}
	out.Params = sortParams(append(slices.Clone(s.Params), t.Params...))
	return out, len(out.Params) <= maxParams
}

func sortParams(params []search.Param) []search.Param {
	if len(params) == 0 {
		return nil
	}
	slices.SortFunc(params, compareParams)
	return slices.Compact(params)
}

func compareParams(a, b search.Param) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Value, b.Value))
}

func compare(a, b Scope) int {
	return cmp.Or(cmp.Compare(a.Context, b.Context), strings.Compare(a.Type, b.Type),
		slices.CompareFunc(a.Params, b.Params, compareParams), cmp.Compare(a.Perms, b.Perms))
}
