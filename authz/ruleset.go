package authz

import (
	"slices"
	"strings"
	"sync"

	"github.com/amate-health/amate/authz/rbac"
	"github.com/amate-health/amate/fhir/rest"
)

// maxProfiles is how many callers' decisions are kept. Beyond them, all are made
// anew: it is a bound on memory, not a cache that has to be good at forgetting.
const maxProfiles = 4096

// ruleset is a role policy with what was decided by it.
type ruleset struct {
	policy *rbac.Policy
	veils  map[string]*rest.Veil // by the name of the mask
	grants sync.Map              // question to the policy -> []rbac.Grant

	mu       sync.RWMutex
	profiles map[string]*profile
}

func newRuleset(p *rbac.Policy) *ruleset {
	r := &ruleset{policy: p, veils: map[string]*rest.Veil{}, profiles: map[string]*profile{}}
	for name, m := range p.Masks {
		r.veils[name] = rest.NewVeil(rest.MaskRules{Text: m.Text, Types: m.Types, Elements: m.Elements, Keep: m.Keep})
	}
	return r
}

// allowed returns what the policy grants. Each question is put to it once.
func (r *ruleset) allowed(f *profile, typ, act string) ([]rbac.Grant, error) {
	key := strings.Join([]string{f.grantKey, typ, act}, "\x00")
	if g, ok := r.grants.Load(key); ok {
		return g.([]rbac.Grant), nil
	}
	grants, err := r.policy.Grants(f.Roles, f.areas, typ, act, f.purpose)
	if err != nil {
		return nil, err
	}
	if act != "read" && act != "search" && !strings.HasPrefix(act, "$") {
		// Who sees a resource without some of its elements would drop them by writing it back.
		grants = slices.DeleteFunc(grants, func(g rbac.Grant) bool { return g.Mask != "" })
	}
	r.grants.Store(key, grants)
	return grants, nil
}

// kept returns the profile under key, if it is there.
func (r *ruleset) kept(key []byte) *profile {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.profiles[string(key)]
}

func (r *ruleset) keep(key []byte, f *profile) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.profiles) >= maxProfiles {
		clear(r.profiles)
	}
	r.profiles[string(key)] = f
}
