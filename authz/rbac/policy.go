package rbac

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

// The files of a policy. All must be there; a deployment copies the default ones
// and changes what it has to.
const (
	modelFile  = "model.conf"
	rolesFile  = "roles.csv"
	groupsFile = "groups.csv"
	rulesFile  = "policy.csv"
	masksFile  = "masks.json"
)

// Files lists the names of the files that a policy is made of.
func Files() []string { return []string{modelFile, rolesFile, groupsFile, rulesFile, masksFile} }

//go:embed default
var embedded embed.FS

// Embedded returns the files of the default policy.
func Embedded() fs.FS {
	sub, err := fs.Sub(embedded, "default")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return sub
}

// Default returns the policy that is compiled in.
var Default = sync.OnceValue(func() *Policy {
	p, err := Load(Embedded())
	if err != nil {
		panic(err) // a test reads it
	}
	return p
})

// Everyone is the role that every caller who is signed in has.
const Everyone = "everyone"

// Role is what a caller can be.
type Role struct {
	Name             string
	Spanish, English string
	Purpose          string // of what they do, unless their token states one: a code of v3-PurposeOfUse
	Bound            bool   // consents of patients bind it
}

// Group is a number of resource types under one name.
type Group struct {
	Name             string
	Spanish, English string
	Types            []string
}

// Rule is one line of the policy.
type Rule struct {
	Role        string
	Org         string   // "*", or what the CLUES of the caller's establishment begins with
	Types       []string // groups and resource types; "*" for all
	Acts        []string // create, read, update, upsert, delete, search, and $operations
	Purposes    []string // codes of v3-PurposeOfUse; "*" for any
	Deny        bool
	Restriction string // of which resources: see ParseRestriction
	Mask        string // without which elements: the name of a mask, or "none"
	Line        int    // in policy.csv
}

// Mask is a set of elements that are left out.
type Mask struct {
	Spanish  string   `json:"es"`
	English  string   `json:"en"`
	Text     bool     `json:"text"`     // all free text: strings, markdown, narrative
	Types    []string `json:"types"`    // whatever has one of these datatypes
	Elements []string `json:"elements"` // by path; "Patient.birthDate:year" leaves the year
	Keep     []string `json:"keep"`     // by path: stays although it is free text
}

// Policy is a set of rules, compiled. It does not change, and many goroutines may
// use it.
type Policy struct {
	Roles  []Role
	Groups []Group
	Rules  []Rule
	Masks  map[string]Mask

	roles  map[string]int
	groups map[string][]string
	inside map[string][]string // role -> roles whose rules it has as well
	areas  []string            // that rules are for, each once, in order
	asIs   bool                // the matcher asks more of an establishment than whether it is within one of areas

	mu     sync.Mutex // over the enforcer, which gathers
	casbin *gatherer
}

// Grant is what one rule allows.
type Grant struct {
	Restriction string
	Mask        string // "" for none
}

// Load reads and checks a policy. Errors name the file and the line.
func Load(files fs.FS) (*Policy, error) {
	p := &Policy{roles: map[string]int{}, groups: map[string][]string{}, inside: map[string][]string{}}
	for _, step := range []func(fs.FS) error{p.readRoles, p.readGroups, p.readMasks, p.readRules, p.compile} {
		if err := step(files); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Role returns what is known of a role.
func (p *Policy) Role(name string) (Role, bool) {
	i, ok := p.roles[name]
	if !ok {
		return Role{}, false
	}
	return p.Roles[i], true
}

// Purpose returns the purpose that callers with these roles have by nature: that of
// the first role that is known.
func (p *Policy) Purpose(roles []string) string {
	for _, name := range roles {
		if r, ok := p.Role(name); ok {
			return r.Purpose
		}
	}
	return ""
}

// Bound reports whether consents bind callers with these roles: unless one of the
// roles is free of them.
func (p *Policy) Bound(roles []string) bool {
	return !slices.ContainsFunc(roles, func(name string) bool {
		r, ok := p.Role(name)
		return ok && name != Everyone && !r.Bound
	})
}

// Areas returns what the rules ask about an establishment and the areas that it lies in:
// those of rules that it is within. All establishments of which that is the same have the
// same grants.
func (p *Policy) Areas(org string) string {
	if p.asIs {
		return org
	}
	var in []string
	for _, area := range p.areas {
		if within(org, area) {
			in = append(in, area)
		}
	}
	return strings.Join(in, " ")
}

// Grants returns what the rules allow callers with these roles: nothing when none
// allows or one denies. org is the CLUES of their establishment with the areas that
// it lies in, parted by spaces. Each call looks at every rule, so callers keep what
// it returns.
func (p *Policy) Grants(roles []string, org, typ, act, purpose string) ([]Grant, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []Grant
	for _, role := range append([]string{Everyone}, roles...) {
		if _, known := p.roles[role]; !known {
			continue // a role of another policy: it has no rules here
		}
		matched, err := p.casbin.matching(role, org, typ, act, purpose)
		if err != nil {
			return nil, fmt.Errorf("role policy: %w", err)
		}
		for _, i := range matched {
			rule := &p.Rules[i]
			if rule.Deny {
				return nil, nil
			}
			g := Grant{Restriction: rule.Restriction}
			if rule.Mask != "none" {
				g.Mask = rule.Mask
			}
			if !slices.Contains(all, g) {
				all = append(all, g)
			}
		}
	}
	return all, nil
}

// Shared reports whether resources of a type belong to no patient and may be seen
// beside those of one: the group called shared.
func (p *Policy) Shared(typ string) bool { return slices.Contains(p.groups["shared"], typ) }

// about reports whether a list of groups and types has typ.
func (p *Policy) about(typ, list string) bool {
	for name := range strings.FieldsSeq(list) {
		if name == "*" || name == typ || slices.Contains(p.groups[name], typ) {
			return true
		}
	}
	return false
}
