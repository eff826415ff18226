package audit

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

const eventType = "AuditEvent"

// Store is a rest.Store whose AuditEvents are those of the trail: they can be read,
// found and added, and neither changed nor removed. All else goes to Store.
type Store struct {
	rest.Store
	trail    *Trail
	renderer renderer
}

// NewStore returns a Store of what inner and t hold; base is the FHIR base URL of this
// server.
func NewStore(inner rest.Store, t *Trail, base string) *Store {
	return &Store{Store: inner, trail: t, renderer: renderer{base: base, names: names{read: inner.Read}}}
}

// Read returns an AuditEvent of the trail, or what the inner store has.
func (s *Store) Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error) {
	if ref.Type != eventType {
		return s.Store.Read(ctx, ref)
	}
	r, err := s.event(ctx, ref.ID)
	if err == nil && ref.Version > 1 {
		return fhir.Resource{}, fhir.Errorf(fhir.NotFound, "an AuditEvent has one version")
	}
	return r, err
}

func (s *Store) event(ctx context.Context, id string) (fhir.Resource, error) {
	parsed, err := uuid.Parse(id)
	if err != nil || len(id) != 36 {
		return fhir.Resource{}, fhir.Errorf(fhir.NotFound, "there is no such event in the audit trail")
	}
	e, err := s.trail.Chains.Event(ctx, parsed)
	if fhir.CodeOf(err) == fhir.NotFound {
		settled := s.trail.settle(ctx) // it may be in the journal yet
		e, err = s.trail.Chains.Event(ctx, parsed)
		if fhir.CodeOf(err) == fhir.NotFound && !settled {
			err = fhir.Errorf(fhir.Unavailable, "the audit trail takes long to take in what was just recorded: try again")
		}
	}
	if err != nil {
		return fhir.Resource{}, err
	}
	return s.shown(ctx, &e)
}

// shown renders an event that the caller gets.
func (s *Store) shown(ctx context.Context, e *fhir.Event) (fhir.Resource, error) {
	return s.renderer.render(ctx, e)
}

// settleFor is how long a look into the trail waits for what was just recorded. It is only
// so long where the database is slow: one that fails is waited for no longer.
const settleFor = 10 * time.Second

// settle waits until what this process recorded is linked, and reports whether it is.
func (t *Trail) settle(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	return t.Flush(ctx)
}

// History returns the one version of an AuditEvent, or what the inner store has.
func (s *Store) History(ctx context.Context, q *search.History) (*search.Versions, error) {
	if q.Type != eventType {
		return s.Store.History(ctx, q)
	}
	if q.ID == "" {
		return nil, fhir.Errorf(fhir.NotSupported, "AuditEvents have no history: search them by date")
	}
	found, err := s.Search(ctx, &search.Query{
		Type: eventType, Where: []search.Expr{search.IDs{Any: []string{q.ID}}}, Count: 1, Restriction: q.Restriction,
	})
	if err != nil {
		return nil, err
	}
	if len(found.Matches) == 0 {
		return nil, fhir.Errorf(fhir.NotFound, "there is no such event in the audit trail")
	}
	out := &search.Versions{Total: 1, Entries: found.Matches}
	if at := found.Matches[0].Updated; at.Before(q.Since) {
		out.Total, out.Entries = 0, nil
	}
	return out, nil
}

// Apply adds AuditEvents to the trail, in the transaction of what b does beside.
// Errors: fhir.NotAllowed for every other change of one.
func (s *Store) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	var ours []int
	for i := range b.Changes {
		if b.Changes[i].Ref.Type == eventType {
			ours = append(ours, i)
		}
	}
	defer s.trail.inbox.Store(true) // once it is committed, there is something to link
	if ours == nil {
		return s.Store.Apply(ctx, b)
	}
	results := make([]bundle.Result, len(b.Changes))
	events, err := s.accept(b, ours, results)
	if err != nil {
		return nil, err
	}
	if len(ours) == len(b.Changes) {
		if b.Events != nil {
			events = append(events, b.Events(results)...)
		}
		return results, s.trail.Keep(ctx, events)
	}
	return results, s.applyOthers(ctx, b, ours, results, events)
}

// applyOthers applies what is not ours, and adds events in the same transaction.
func (s *Store) applyOthers(ctx context.Context, b *bundle.Batch, ours []int, results []bundle.Result, events []fhir.Event) error {
	others := &bundle.Batch{}
	var at []int // where the changes of others stand in b
	for i, next := 0, 0; i < len(b.Changes); i++ {
		if next < len(ours) && ours[next] == i {
			next++
			continue
		}
		if b.Changes[i].Where != nil || len(b.Lookups) > 0 {
			return &bundle.ChangeError{Index: i, Err: fhir.Errorf(fhir.NotSupported,
				"a transaction with an AuditEvent in it cannot have conditions: send the AuditEvent by itself")}
		}
		others.Changes, at = append(others.Changes, b.Changes[i]), append(at, i)
	}
	targets := make([]fhir.Ref, len(b.Changes))
	for i := range b.Changes {
		targets[i] = b.Changes[i].Ref
	}
	for i := range others.Changes { // references go by the places in b
		if build := others.Changes[i].Build; build != nil {
			others.Changes[i].Build = func(env *bundle.Env, place fhir.Ref, current *fhir.Resource) (*bundle.Content, error) {
				return build(&bundle.Env{Targets: targets, Lookups: env.Lookups}, place, current)
			}
		}
	}
	written := false
	others.Events = func(some []bundle.Result) []fhir.Event {
		for k := range some {
			results[at[k]] = some[k]
		}
		written = true
		if b.Events == nil {
			return events
		}
		return append(events[:len(events):len(events)], b.Events(results)...)
	}
	some, err := s.Store.Apply(ctx, others)
	if err != nil {
		var change *bundle.ChangeError
		if errors.As(err, &change) && change.Index >= 0 && change.Index < len(at) {
			return &bundle.ChangeError{Index: at[change.Index], Err: change.Err}
		}
		return err
	}
	for k := range some {
		results[at[k]] = some[k]
	}
	if written {
		return nil
	}
	if b.Events != nil {
		events = append(events, b.Events(results)...)
	}
	return s.trail.Keep(ctx, events)
}

// accept makes events of the AuditEvents in b.
func (s *Store) accept(b *bundle.Batch, ours []int, results []bundle.Result) (events []fhir.Event, err error) {
	env := &bundle.Env{Targets: make([]fhir.Ref, len(b.Changes)), Lookups: make([]fhir.Ref, len(b.Lookups))}
	for i := range b.Changes {
		env.Targets[i] = b.Changes[i].Ref
	}
	for _, i := range ours {
		c := &b.Changes[i]
		refuse := func(code fhir.Code, text string) error {
			return &bundle.ChangeError{Index: i, Err: fhir.Errorf(code, "%s", text)}
		}
		id, bad := uuid.Parse(c.Ref.ID)
		switch {
		case c.Op != bundle.Create || bad != nil || id.Version() != 7:
			return nil, refuse(fhir.NotAllowed, "the audit trail is only ever added to: an AuditEvent is created with POST, and never changed or deleted")
		case c.Where != nil:
			return nil, refuse(fhir.NotSupported, "an AuditEvent is not created under a condition")
		}
		content, err := c.Build(env, c.Ref, nil)
		if err != nil {
			return nil, &bundle.ChangeError{Index: i, Err: err}
		}
		at := Time(id)
		r := Record{Kind: FromApp, Action: "C", Resource: content.Body.Stamp(1, at)}
		events = append(events, fhir.Event{ID: id, Month: month(id), Keys: r.keys(), Content: r.append(nil)})
		results[i] = bundle.Result{Outcome: bundle.Created, Resource: fhir.Resource{
			Ref: fhir.Ref{Type: eventType, ID: c.Ref.ID, Version: 1}, Updated: at, Method: fhir.POST, JSON: r.Resource,
		}}
	}
	return events, nil
}

// cursor is where a page ended: the ID of its last event.
func cursor(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

func parseCursor(s string) (id [16]byte, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fhir.Errorf(fhir.Invalid, "this link to a page is not good: begin the search anew")
	}
	copy(id[:], b)
	return id, nil
}
