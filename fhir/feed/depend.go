package feed

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"weak"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// rule says that resources of a type may be shown or hidden by what they refer to.
type rule struct {
	typ     string
	param   *spec.SearchParam
	targets []string // types of what they refer to; nil for any
}

// link is a condition on resources of a type that leads through others.
type link struct {
	of string
	search.Chain
}

// ruled is what a rule is about.
type ruled struct {
	typ   string
	param *spec.SearchParam
}

// deps is what it depends on, beside a resource itself, whether it is in a view.
type deps struct {
	rules    []rule
	known    map[ruled][]int     // where those of a type and parameter are among rules
	sources  map[string][]string // Has: type of what refers -> types of what is shown by it
	chained  bool                // some of what bounds it leads through other resources
	scoped   bool                // and some is the establishment of the scope
	deciding map[string]bool     // types that rules lead to

	// What a change must touch to matter: resources, or any of a type. A type that is
	// not bound to certain resources is there as a whole.
	refs  map[fhir.Ref]bool
	types map[string]bool

	hashes map[uint64]bool // of both, once they were asked for
	filter filter          // of these
}

// shapes remembers the dependencies that all establishments have in common under the same
// rights, since only the resources that bound their scopes are others.
type shapes struct {
	mu  sync.Mutex
	all map[rightsKey]*deps
}

// maxShapes is how many are remembered.
const maxShapes = 500

// dependencies reads the conditions of a view.
func (s *shapes) dependencies(v *view) *deps {
	if !v.ofEstablishment() {
		return dependencies(v)
	}
	key := v.shape()
	s.mu.Lock()
	known := s.all[key]
	s.mu.Unlock()
	if known == nil {
		known = dependencies(v)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.all == nil || len(s.all) >= maxShapes {
			s.all = map[rightsKey]*deps{}
		}
		s.all[key] = known
	}
	d := *known
	if d.scoped {
		d.refs = maps.Clone(known.refs)
		for _, org := range v.orgs {
			d.refs[org] = true
		}
	}
	return &d
}

// shape stands for what the dependencies of a view follow from, beside the establishment.
// Conditions that are the caller's own do not matter where none of their types is in scope.
func (v *view) shape() rightsKey {
	only, types := v.call.Restriction, strings.Join(v.asked.types, ",")
	own := only.Base == nil
	for typ := range only.Types {
		_, in := v.only.Of(typ)
		own = own || in
	}
	if own {
		return rightsKey{weak.Make(only), types}
	}
	return rightsKey{weak.Make(only.Base), types + ";" + strings.Join(slices.Sorted(maps.Keys(only.Types)), ",")}
}

// bind notes the resources that bound those of a type; ok is false when nothing does.
// The establishment of the scope is noted to be one of them, and not which it is.
func (d *deps) bind(v *view, typ string, where []search.Expr) (ok bool) {
	of := len(where)
	if v.ofEstablishment() {
		given, _ := v.call.Restriction.Of(typ)
		of = len(given)
	}
	for i, e := range where {
		refs, chains, ok := bounds(typ, e)
		if !ok {
			continue
		}
		d.chained = d.chained || len(chains) > 0
		if i >= of {
			d.scoped = true
			return true
		}
		for _, ref := range refs {
			d.refs[ref] = true
		}
		return true
	}
	return false
}

// chains returns the conditions that lead through other resources to those that bound the
// scope.
func (v *view) chains() (all []link) {
	for _, typ := range v.types() {
		where, _ := v.only.Of(typ)
		for _, e := range where {
			if _, chains, ok := bounds(typ, e); ok {
				all = append(all, chains...)
				break
			}
		}
	}
	return all
}

// ofEstablishment reports whether the scope is that of an establishment.
func (v *view) ofEstablishment() bool { return v.scope == "organization" || v.scope == "facility" }

// dependencies reads the conditions of a view.
func dependencies(v *view) *deps {
	d := &deps{known: map[ruled][]int{}, sources: map[string][]string{}, deciding: map[string]bool{"Patient": true, "Consent": true}, refs: map[fhir.Ref]bool{}, types: map[string]bool{}}
	for _, typ := range v.types() {
		where, _ := v.only.Of(typ)
		for _, e := range where {
			d.walk(typ, e, 0)
		}
		if !d.bind(v, typ, where) {
			d.types[typ] = true
		}
	}
	for _, typ := range spec.Resources() {
		if !v.can(typ) {
			continue
		}
		for _, r := range standing()[typ] {
			d.add(r)
		}
	}
	if v.group.ID != "" {
		d.refs[v.group] = true
	}
	if len(d.types) > 0 { // what is hidden by others may be of anybody
		for typ := range d.deciding {
			d.types[typ] = true
		}
	}
	d.known = nil // nothing is added any more
	return d
}

// standing returns, by type, the rules there always are: consents and labels of patients
// decide, whether or not there are any now.
var standing = sync.OnceValue(func() map[string][]rule {
	all := map[string][]rule{}
	for _, typ := range spec.Resources() {
		for _, p := range search.BoundParams(typ) {
			all[typ] = append(all[typ], rule{typ, p, concerned(typ)})
		}
		if search.Tied(typ) {
			all[typ] = append(all[typ], rule{typ, search.TiedTo, nil})
		}
		for _, p := range search.ThroughParams(typ) {
			all[typ] = append(all[typ], rule{typ, p, nil})
		}
	}
	return all
})

// concerned returns the types of whom or what the ConcernParams of a type lead to.
func concerned(typ string) []string {
	if typ == "Binary" {
		return nil
	}
	return []string{"Patient"}
}

func (d *deps) add(r rule) {
	about := ruled{r.typ, r.param}
	if !slices.ContainsFunc(d.known[about], func(n int) bool { return slices.Equal(d.rules[n].targets, r.targets) }) {
		d.known[about] = append(d.known[about], len(d.rules))
		d.rules = append(d.rules, r)
	}
	for _, t := range r.targets {
		d.deciding[t] = true
	}
}

// maxDepth bounds how many resources a condition leads through.
const maxDepth = 4

// walk notes what a condition on resources of type typ depends on.
func (d *deps) walk(typ string, e search.Expr, depth int) {
	if depth > maxDepth {
		return
	}
	switch e := e.(type) {
	case search.And:
		for _, part := range e {
			d.walk(typ, part, depth)
		}
	case search.Or:
		for _, part := range e {
			d.walk(typ, part, depth)
		}
	case search.Not:
		d.walk(typ, e.X, depth)
	case search.Chain:
		d.add(rule{typ, e.Param, e.Types})
		for _, t := range e.Types {
			d.walk(t, e.Next, depth+1)
			if depth > 0 {
				d.types[t] = true // too far away to be found by what it refers to
			}
		}
	case search.Has:
		d.sources[e.Source] = append(d.sources[e.Source], typ)
		d.types[e.Source] = true
		d.walk(e.Source, e.Next, depth+1)
	case search.Consented:
		d.through(typ, e.Params, e.Through)
	case search.Unblocked:
		d.through(typ, e.Params, e.Through)
	case search.Proxied:
		d.add(rule{typ, e.Param, nil})
	}
}

func (d *deps) through(typ string, params, through []*spec.SearchParam) {
	for _, p := range params {
		d.add(rule{typ, p, concerned(typ)})
	}
	for _, p := range through {
		d.add(rule{typ, p, nil})
	}
}

// bounds returns resources of which one must be referred to by, or be, every resource
// for which a condition holds; or chains that must lead to one. ok is false when there
// are no such.
func bounds(typ string, e search.Expr) (refs []fhir.Ref, chains []link, ok bool) {
	switch e := e.(type) {
	case search.IDs:
		for _, id := range e.Any {
			refs = append(refs, fhir.Ref{Type: typ, ID: id})
		}
		return refs, nil, true
	case search.Match:
		if e.Modifier != "" || e.Param.Type != spec.Reference || len(e.Values) == 0 {
			return nil, nil, false
		}
		for _, value := range e.Values {
			if len(value.Refs) == 0 {
				return nil, nil, false
			}
			refs = append(refs, value.Refs...)
		}
		return refs, nil, true
	case search.Chain:
		for _, t := range e.Types {
			r, c, ok := bounds(t, e.Next)
			if !ok || len(c) > 0 || t != "Patient" && t != "Encounter" { // of these two the patients are known
				return nil, nil, false
			}
			refs = append(refs, r...)
		}
		return refs, []link{{typ, e}}, true
	case search.And:
		for _, part := range e {
			if refs, chains, ok = bounds(typ, part); ok {
				return refs, chains, true
			}
		}
	case search.Or:
		for _, part := range e {
			r, c, ok := bounds(typ, part)
			if !ok {
				return nil, nil, false
			}
			refs, chains = append(refs, r...), append(chains, c...)
		}
		return refs, chains, len(e) > 0
	}
	return nil, nil, false
}

// interest is what a change must touch to matter to a copy.
type interest struct {
	deps   map[uint64]bool // hashes of resources, and of types, which are Refs without an id
	filter *filter         // of them
	copy   *copied         // whose roots are what chains lead through
}

// interest returns what is of interest to a copy under dependencies.
func (d *deps) interest(c *copied) interest {
	if d.hashes == nil {
		d.hashes = make(map[uint64]bool, len(d.types)+len(d.refs))
		for typ := range d.types {
			d.hashes[fhir.Ref{Type: typ}.Hash()] = true
		}
		for ref := range d.refs {
			d.hashes[ref.Hash()] = true
		}
		d.filter = filter{}
		for hash := range d.hashes {
			d.filter.add(hash)
		}
	}
	return interest{d.hashes, &d.filter, c}
}

// and returns what is of interest beside some patients, too.
func (i interest) and(patients []string) interest {
	var more map[uint64]bool
	for _, id := range patients {
		hash := fhir.Ref{Type: "Patient", ID: id}.Hash()
		if i.deps[hash] {
			continue
		}
		if more == nil {
			more = maps.Clone(i.deps)
			wider := *i.filter
			i.filter = &wider
		}
		more[hash] = true
		i.filter.add(hash)
	}
	if more != nil {
		i.deps = more
	}
	return i
}

// hashes returns what stands for everything that is of interest.
func (i interest) hashes() []uint64 {
	roots := i.copy.roots
	return slices.AppendSeq(slices.AppendSeq(make([]uint64, 0, len(i.deps)+len(roots)), maps.Keys(i.deps)), maps.Keys(roots))
}

// of looks into the maps only where the filters do not rule it out: nearly all changes are
// of no interest to a copy.
func (i interest) of(hash uint64) bool {
	if i.copy.filter.may(hash) {
		if _, root := i.copy.roots[hash]; root {
			return true
		}
	}
	return i.filter.may(hash) && i.deps[hash]
}

// filter tells most hashes that are not in a small set from those that may be.
type filter [64]uint64

func (f *filter) add(hash uint64) { f[hash>>6%64] |= 1 << (hash % 64) }

func (f *filter) may(hash uint64) bool { return f[hash>>6%64]&(1<<(hash%64)) != 0 }

// touches reports whether a change of a resource may matter.
func (i interest) touches(ref fhir.Ref) bool {
	return i.of(ref.Hash()) || i.of(fhir.Ref{Type: ref.Type}.Hash())
}

// has reports whether a change may matter.
func (i interest) has(c *fhir.Change) bool { return c.Many || slices.ContainsFunc(c.Touches, i.of) }
