package rest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// index returns what a resource is found by.
func (a *API) index(doc *element.Doc) (search.Index, error) {
	in := search.Indexing{Base: a.base, Catalogue: a.catalogue()}
	return in.Extract(doc, 0)
}

// evidence is what is known of stored resources that conditions on new content
// depend on. The conditions are tried inside the transaction of a write, where
// nothing may be searched for; what they miss is looked up between two tries.
type evidence struct {
	mu     sync.Mutex // the store builds contents side by side
	known  map[string]bool
	wanted map[string]*search.Query
	rounds int // how often something was looked up

	held  []*holder // of this try
	ahead bool      // whether this try has gathered what all of them want
}

// errLook says that a condition on new content depends on what is not known yet.
var errLook = errors.New("a condition on new content needs a look at other resources")

// stored returns what a stored version is found by, beside what it says itself.
func (a *API) stored(res *fhir.Resource, doc *element.Doc) (search.Index, error) {
	ix, err := a.index(doc)
	if err == nil && a.FoundBy != nil {
		ix = a.FoundBy(res, ix)
	}
	return ix, err
}

// forbidden refuses content that the caller may not write.
func forbidden() error {
	return fhir.Errorf(fhir.Forbidden, "you may not write such a resource: it is not about what you may write about")
}

// hold makes change i of b fail when what it writes is not as conditions ask. raw
// has the changes without any of that.
func (a *API) hold(b, raw *bundle.Batch, i int, conditions []search.Expr, e *evidence) {
	c := &b.Changes[i]
	if len(conditions) == 0 || c.Op == bundle.Delete {
		return
	}
	build := c.Build
	h := &holder{evidence: e, raw: raw, self: i, conditions: conditions}
	e.held = append(e.held, h)
	c.Build = func(env *bundle.Env, at fhir.Ref, current *fhir.Resource) (*bundle.Content, error) {
		content, err := build(env, at, current)
		if err != nil {
			return nil, err
		}
		ok, err := h.all(env, conditions, &search.Subject{Ref: at.Current(), Index: &content.Index})
		if err == nil && !ok {
			err = forbidden()
		}
		if errors.Is(err, errLook) {
			e.gather(env)
		}
		return content, err
	}
}

// gather tries the conditions on all contents that can be built already, once in a
// try: what is to be looked up for the rest of a transaction is then looked up
// together, instead of in a try for each change.
func (e *evidence) gather(env *bundle.Env) {
	e.mu.Lock()
	done := e.ahead
	e.ahead = true
	e.mu.Unlock()
	if done {
		return
	}
	for _, h := range e.held {
		c := &h.raw.Changes[h.self]
		if c.NeedsCurrent || c.Op != bundle.Create && c.Op != bundle.Update || h.self >= len(env.Targets) {
			continue
		}
		at := env.Targets[h.self]
		if content, err := c.Build(env, at, nil); err == nil {
			_, _ = h.all(env, h.conditions, &search.Subject{Ref: at.Current(), Index: &content.Index}) // only what it asks for matters
		}
	}
}

// holder tries conditions on the content of one change.
type holder struct {
	*evidence
	raw        *bundle.Batch
	self       int
	conditions []search.Expr
}

func (h *holder) all(env *bundle.Env, where []search.Expr, s *search.Subject) (bool, error) {
	for _, e := range where {
		if ok, err := h.try(env, e, s); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func (h *holder) try(env *bundle.Env, e search.Expr, s *search.Subject) (bool, error) {
	switch e := e.(type) {
	case search.And:
		return h.all(env, e, s)
	case search.Or:
		for _, part := range e {
			if ok, err := h.try(env, part, s); err != nil || ok {
				return ok, err
			}
		}
		return false, nil
	case search.Not:
		ok, err := h.try(env, e.X, s)
		return !ok && err == nil, err
	case search.Chain:
		return h.chain(env, &e, s)
	case search.Has:
		self := search.Match{Param: e.Param, Compared: e.Param.Type, Values: []search.Value{{Raw: s.Ref.String(), Refs: []fhir.Ref{s.Ref}}}}
		return h.ask(&search.Query{Type: e.Source, Where: []search.Expr{self, e.Next}})
	}
	return search.Holds(e, s)
}

// chain follows the references of new content: into the batch, where it writes what
// they lead to, else into the store.
func (h *holder) chain(env *bundle.Env, e *search.Chain, s *search.Subject) (bool, error) {
	for _, link := range s.Index.Links {
		if link.Param != e.Param.ID || !slices.Contains(e.Types, link.Target.Type) {
			continue
		}
		ok, err := h.target(env, e.Next, link.Target)
		if err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// target reports whether next holds for the resource that a reference leads to.
func (h *holder) target(env *bundle.Env, next search.Expr, ref fhir.Ref) (bool, error) {
	for j, at := range env.Targets {
		c := &h.raw.Changes[j]
		if at.Current() != ref || c.NeedsCurrent || c.Op != bundle.Create && c.Op != bundle.Update || j == h.self {
			continue
		}
		content, err := c.Build(env, at, nil)
		if err != nil {
			return false, err
		}
		return h.try(env, next, &search.Subject{Ref: ref, Index: &content.Index})
	}
	return h.ask(&search.Query{Type: ref.Type, Where: []search.Expr{search.IDs{Any: []string{ref.ID}}, next}})
}

// ask reports whether a search finds anything, as far as that is known.
func (h *holder) ask(q *search.Query) (bool, error) {
	key := q.Type + "?" + search.And(q.Where).String()
	h.mu.Lock()
	defer h.mu.Unlock()
	if found, ok := h.known[key]; ok {
		return found, nil
	}
	if h.wanted == nil {
		h.wanted = map[string]*search.Query{}
	}
	q.Count, q.Restriction = 1, search.Unrestricted // it is a rule's question, and only yes or no comes of it
	h.wanted[key] = q
	return false, errLook
}

// look answers what was asked, and reports whether that was anything.
func (a *API) look(ctx context.Context, e *evidence) (bool, error) {
	if len(e.wanted) == 0 {
		return false, nil
	}
	if e.known == nil {
		e.known = map[string]bool{}
	}
	for key, q := range e.wanted {
		res, err := a.Store.Search(ctx, q)
		if err != nil {
			return false, err
		}
		e.known[key] = len(res.Matches) > 0
	}
	e.wanted = nil
	return true, nil
}
