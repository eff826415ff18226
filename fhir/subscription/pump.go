package subscription

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/search"
)

const (
	feedPage = 500
	idle     = 2 * time.Second // after which it is looked whether shares have come or gone
)

// pump reads the feed for all Subscriptions of this process: it begins what there is, and
// then hands on each change to those whom it fits.
func (s *Service) pump(ctx context.Context, all *sync.WaitGroup) error {
	s.mu.Lock()
	begun, at := s.begun, s.at
	if !begun {
		s.begun = true
	}
	s.mu.Unlock()
	if !begun {
		if err := s.begin(ctx, all); err != nil {
			s.mu.Lock()
			s.begun = false
			s.mu.Unlock()
			return err
		}
		return nil
	}
	changes, err := s.Changes.Changes(ctx, at, feedPage)
	if s.Other != nil && errors.Is(err, s.Other) {
		s.Log.WarnContext(ctx, "subscriptions: the database has another history now; they go on with what comes from here on")
		s.mu.Lock()
		s.begun, s.at = false, fhir.Mark{}
		s.mu.Unlock()
		return nil
	}
	if err != nil {
		return err
	}
	if len(changes) == 0 {
		waiting, stop := context.WithTimeout(ctx, idle)
		defer stop()
		_ = s.Changes.Wait(waiting, at) // a failed wait is one that found nothing
		return nil
	}
	types := s.asked()
	found, err := s.match(ctx, changes, types)
	if err != nil {
		return err
	}
	end := changes[len(changes)-1].At
	s.mu.Lock()
	if s.at != at { // it was begun anew meanwhile
		s.mu.Unlock()
		return nil
	}
	s.at = end
	for _, l := range s.lines {
		l.offer(found, types, end)
	}
	s.mu.Unlock()
	for i := range changes {
		if changes[i].Ref.Type == "Subscription" {
			if err := s.look(ctx, changes[i].Ref.ID, all); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin begins the lines of all Subscriptions that are in the shares of this process.
func (s *Service) begin(ctx context.Context, all *sync.WaitGroup) error {
	s.mu.Lock()
	at := s.at
	s.mu.Unlock()
	if at == (fhir.Mark{}) {
		end, err := s.Changes.End(ctx)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.at = end
		s.mu.Unlock()
	}
	q := &search.Query{Type: "Subscription", Count: 500, Restriction: search.Unrestricted}
	for {
		page, err := s.Store.Search(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Matches {
			s.began(ctx, &page.Matches[i], all)
		}
		if page.Next == "" {
			return nil
		}
		q.After = page.Next
	}
}

// look takes up what was written of a Subscription.
func (s *Service) look(ctx context.Context, id string, all *sync.WaitGroup) error {
	r, err := s.Store.Read(ctx, fhir.Ref{Type: "Subscription", ID: id})
	switch fhir.CodeOf(err) {
	case fhir.NotFound, fhir.Gone:
		s.stop(id)
		return s.forget(ctx, id)
	}
	if err == nil {
		s.began(ctx, &r, all)
	}
	return err
}

// forget lets what is kept of a Subscription that was deleted expire, after its events:
// until then, one of the same id goes on with their numbers.
func (s *Service) forget(ctx context.Context, id string) error {
	p, err := s.load(ctx, id)
	if err != nil || p.entry.Version == 0 {
		return err
	}
	p.entry.Expires = s.Now().Add(KeepEvents + 24*time.Hour)
	err = s.save(ctx, &p)
	if fhir.CodeOf(err) == fhir.Conflict {
		return nil // another server has done it
	}
	return err
}

// began begins or changes the line of a Subscription, if it is this process's.
func (s *Service) began(ctx context.Context, r *fhir.Resource, all *sync.WaitGroup) {
	d, err := s.define(r.Ref, r.JSON)
	if err != nil && (d == nil || d.status != off) {
		s.Log.WarnContext(ctx, "a subscription cannot be served here: its topic, filter or endpoint is none that this server takes", "subscription", r.Ref.ID)
	}
	if err != nil || d.status != requested && d.status != active && d.status != failed {
		s.stop(r.Ref.ID) // what this server cannot serve was written before, or is off
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.shares[shareOf(d.id)] {
		return
	}
	if l := s.lines[d.id]; l != nil {
		l.define(d)
		return
	}
	l := newLine(s, d)
	s.lines[d.id] = l
	running, end := context.WithCancel(ctx)
	l.end = func() {
		end()
		<-l.ended
	}
	all.Go(func() {
		defer close(l.ended)
		l.run(running)
	})
}

// stop ends the line of a Subscription.
func (s *Service) stop(id string) {
	s.mu.Lock()
	l := s.lines[id]
	delete(s.lines, id)
	s.mu.Unlock()
	if l != nil {
		l.end()
	}
}

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
