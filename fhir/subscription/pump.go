package subscription

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

const (
	feedPage = 500
	idle     = 2 * time.Second // after which it is looked whether shares have come or gone
)

// pump reads the feed for all Subscriptions of this process: it begins what there is, and
// then hands on each change to those whom it fits.
func (s *Service) pump(ctx context.Context, all *sync.WaitGroup) error {
	err := s.follow(ctx, all)
	return errors.Join(err, s.lookAll(ctx, all))
}

// follow takes one step along the feed.
func (s *Service) follow(ctx context.Context, all *sync.WaitGroup) error {
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
		if id := changes[i].Ref.ID; changes[i].Ref.Type == "Subscription" && !slices.Contains(s.looks, id) {
			s.looks = append(s.looks, id)
		}
	}
	return nil
}

// lookAll takes up what was written of Subscriptions. The feed does not tell of it again,
// so that those of which it fails are looked at once more the next time.
func (s *Service) lookAll(ctx context.Context, all *sync.WaitGroup) error {
	var failed []string
	var errs error
	for _, id := range s.looks {
		if err := s.look(ctx, id, all); err != nil {
			failed, errs = append(failed, id), errors.Join(errs, err)
		}
	}
	s.looks = failed
	return errs
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
	if l := s.lines[d.id]; l != nil && !l.over {
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
		defer end()
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
