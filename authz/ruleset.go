package authz

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/amate-health/amate/authz/rbac"
	"github.com/amate-health/amate/fhir/rest"
)

// How much is kept of callers, and of what was decided for them. A profile takes about
// 2 KB, what is shared by a class up to 30, and a verdict about 200 bytes for each type
// that is shown to its caller alone.
const (
	maxProfiles = 20_000  // of each of two generations
	maxVerdicts = 600_000 // types in them
	maxShared   = 2048
	maxGrants   = 100_000
)

// ruleset is a role policy with what was decided by it.
type ruleset struct {
	policy *rbac.Policy
	veils  map[string]*rest.Veil // by the name of the mask
	grants bounded               // question to the policy -> []rbac.Grant

	verdicts bounded // asked -> *verdict
	shared   bounded // asked, without of whom -> *shared

	mu       sync.RWMutex
	profiles map[string]*profile
	older    map[string]*profile // those before them
}

// bounded is a map that is emptied when it has become too large: a bound on memory, not
// a cache that has to be good at forgetting.
type bounded struct {
	sync.Map
	most  int64
	count atomic.Int64
}

func (b *bounded) keep(key, value any) { b.keepLarge(key, value, 1) }

// keepLarge keeps what takes as much room as so many others.
func (b *bounded) keepLarge(key, value any, size int64) {
	if b.count.Add(size) > b.most {
		b.Clear()
		b.count.Store(size)
	}
	b.Store(key, value)
}

func newRuleset(p *rbac.Policy) *ruleset {
	r := &ruleset{policy: p, veils: map[string]*rest.Veil{}, profiles: map[string]*profile{}}
	r.grants.most, r.verdicts.most, r.shared.most = maxGrants, maxVerdicts, maxShared
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
	if act != "read" && act != "search" && act != "view" && !strings.HasPrefix(act, "$") {
		// Who sees a resource without some of its elements would drop them by writing it back.
		grants = slices.DeleteFunc(grants, func(g rbac.Grant) bool { return g.Mask != "" })
	}
	r.grants.keep(key, grants)
	return grants, nil
}

// kept returns the profile under key, if it is there.
func (r *ruleset) kept(key []byte) *profile {
	r.mu.RLock()
	f, young := r.profiles[string(key)]
	if !young {
		f = r.older[string(key)]
	}
	r.mu.RUnlock()
	if f != nil && !young {
		r.keep(key, f)
	}
	return f
}

func (r *ruleset) keep(key []byte, f *profile) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.profiles) >= maxProfiles {
		r.older, r.profiles = r.profiles, map[string]*profile{}
	}
	r.profiles[string(key)] = f
}
