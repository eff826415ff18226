package subscription

import (
	"context"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/search"
)

// found is a change with the topics that it fits.
type found struct {
	event
	topics  []*Topic
	subject *search.Subject // the version that it made, or before a deletion

	patients []string // ids of those whom it concerns, or did until then
	many     bool     // there are so many that they are not listed
}

// asked returns the types of resources that Subscriptions of this process are about: nobody
// reads what nobody waits for.
func (s *Service) asked() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	types := map[string]bool{}
	for _, l := range s.lines {
		l.def.topic.addTypes(types)
	}
	return types
}

// addTypes adds the types of resources that a topic is about.
func (t *Topic) addTypes(to map[string]bool) {
	for i := range t.Triggers {
		to[t.Triggers[i].Resource] = true
	}
}

// covered reports whether all resources that a topic is about are of types.
func (t *Topic) covered(types map[string]bool) bool {
	for i := range t.Triggers {
		if !types[t.Triggers[i].Resource] {
			return false
		}
	}
	return true
}

// match finds the topics of changes of some types. What was found lately is remembered.
func (s *Service) match(ctx context.Context, changes []fhir.Change, types map[string]bool) ([]*found, error) {
	var all []*found
	for i := range changes {
		ch := &changes[i]
		if !types[ch.Ref.Type] {
			continue
		}
		f, known := s.sees.get(ch.At)
		if !known {
			var err error
			if f, err = s.fits(ctx, ch); err != nil {
				return nil, err
			}
			s.sees.put(ch.At, f)
		}
		if f != nil {
			all = append(all, f)
		}
	}
	return all, nil
}

// versions are the two sides of a change; nil for one that is not there.
type versions struct{ before, after *version }

type version struct {
	doc     *element.Doc
	subject *search.Subject
}

// fits tries a change on all topics; nil when it fits none.
func (s *Service) fits(ctx context.Context, ch *fhir.Change) (*found, error) {
	var v versions
	var err error
	if ch.Method != fhir.DELETE {
		if v.after, err = s.version(ctx, ch.Ref); err != nil {
			return nil, err
		}
		if v.after == nil { // purged, or without content
			return nil, nil
		}
	}
	if ch.Ref.Version > 1 {
		before := ch.Ref
		before.Version--
		if v.before, err = s.version(ctx, before); err != nil {
			return nil, err
		}
	}
	f := &found{event: event{Ref: ch.Ref.Current().String(), New: v.before == nil, at: ch.At, deleted: ch.Method == fhir.DELETE, Time: s.Now()}}
	side := v.after
	if side == nil {
		side = v.before
	}
	if side == nil {
		return nil, nil
	}
	f.subject, f.many = side.subject, ch.Many
	for _, to := range append(ch.Targets[:len(ch.Targets):len(ch.Targets)], ch.Ref) {
		if to.Type == "Patient" {
			f.patients = append(f.patients, to.ID)
		}
	}
	if v.after != nil {
		f.Time = v.after.subject.Updated
	}
	for _, t := range s.Topics {
		for i := range t.Triggers {
			if tr := &t.Triggers[i]; tr.Resource == ch.Ref.Type && tr.fits(&v) {
				f.topics = append(f.topics, t)
				break
			}
		}
	}
	if len(f.topics) == 0 {
		return nil, nil
	}
	return f, nil
}

// version reads one side of a change; nil when there is none.
func (s *Service) version(ctx context.Context, ref fhir.Ref) (*version, error) {
	r, err := s.Store.Read(ctx, ref)
	switch fhir.CodeOf(err) {
	case fhir.NotFound, fhir.Gone:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	doc, err := element.Parse(r.JSON)
	if err != nil {
		return nil, nil // it was checked when it was written
	}
	ix, err := s.Index(&r)
	if err != nil {
		return nil, nil
	}
	return &version{doc, &search.Subject{Ref: r.Ref.Current(), Updated: r.Updated, Index: &ix}}, nil
}

// fits reports whether a change makes an event by a trigger.
func (t *Trigger) fits(v *versions) bool {
	what := "update"
	switch {
	case v.after == nil:
		what = "delete"
	case v.before == nil:
		what = "create"
	}
	if len(t.Interactions) > 0 && !t.on(what) {
		return false
	}
	c := &t.Criteria
	old := side(v.before, t.previous, c.ResultForCreate)
	now := side(v.after, t.current, c.ResultForDelete)
	switch {
	case t.previous != nil && t.current != nil:
		if c.RequireBoth && (!old || !now) || !old && !now {
			return false
		}
	case t.previous != nil && !old, t.current != nil && !now:
		return false
	}
	return t.path == nil || t.passes(v)
}

func (t *Trigger) on(what string) bool {
	for _, w := range t.Interactions {
		if w == what {
			return true
		}
	}
	return false
}

// side reports whether one side of a change fits a criterion.
func side(v *version, where []search.Expr, missing string) bool {
	if v == nil {
		return missing == "test-passes"
	}
	ok, err := search.Holds(search.And(where), v.subject)
	return ok && err == nil
}

// passes evaluates the criterion of FHIRPath. One that cannot be evaluated, because it
// names a version that is not there, does not pass.
func (t *Trigger) passes(v *versions) bool {
	env := &fhirpath.Env{Variables: map[string]fhirpath.Item{}, Steps: 100_000}
	var root fhirpath.Item
	if v.before != nil {
		root = fhirpath.Root(v.before.doc, 0)
		env.Variables["previous"] = root
	}
	if v.after != nil {
		root = fhirpath.Root(v.after.doc, 0)
		env.Variables["current"] = root
	}
	ok, err := t.path.Holds(root, env)
	return ok && err == nil
}

// seen remembers what changes were found to be, for those who lag behind.
type seen struct {
	mu       sync.Mutex
	new, old map[fhir.Mark]*found
}

// maxSeen is how many changes a generation remembers; there are two.
const maxSeen = 5000

func (s *seen) get(at fhir.Mark) (*found, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.new[at]; ok {
		return f, true
	}
	f, ok := s.old[at]
	return f, ok
}

func (s *seen) put(at fhir.Mark, f *found) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.new == nil || len(s.new) >= maxSeen {
		s.old, s.new = s.new, map[fhir.Mark]*found{}
	}
	s.new[at] = f
}
