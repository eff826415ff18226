package subscription

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
)

// The kinds of entries.
const (
	stateKind  = "subscription"        // how far each is; key is its id
	eventKind  = "subscription-event"  // the log; key is id/number, group is id/Type/id of the resource
	socketKind = "subscription-socket" // up to which event a websocket was sent; key is the id
	tokenKind  = "subscription-token"  // for a websocket; key is the hash of the token
	leaseKind  = "subscription-lease"  // key is the number of a share
	serverKind = "subscription-server" // who is there to take shares
)

// KeepEvents is how long events can be asked for by $events. It is longer than
// giveUpAfter, so that none is gone that is still to be sent.
const KeepEvents = 30 * 24 * time.Hour

// progress is how far a Subscription is.
type progress struct {
	Mark     fhir.Mark `json:"mark"`              // of the feed: everything up to it has been looked at
	Logged   int64     `json:"logged,omitempty"`  // number of the last event
	Sent     int64     `json:"sent,omitempty"`    // number of the last one that was confirmed
	Failures int       `json:"failures,omitzero"` // one after another
	Since    time.Time `json:"since,omitzero"`    // of the first of them
	Next     time.Time `json:"next,omitzero"`     // when it is tried again
	Told     time.Time `json:"told,omitzero"`     // the last notification that was confirmed
	Shaken   bool      `json:"shaken,omitempty"`  // the endpoint has answered the handshake

	entry fhir.Entry
}

// load reads how far a Subscription is; version 0 is one that is new.
func (s *Service) load(ctx context.Context, id string) (p progress, err error) {
	e, err := s.Store.Entry(ctx, stateKind, id)
	if fhir.CodeOf(err) == fhir.NotFound {
		return progress{entry: fhir.Entry{Kind: stateKind, Key: id}}, nil
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &p)
	}
	p.entry, p.entry.Expires = e, time.Time{}
	return p, err
}

// save writes how far it is, with more of its log.
func (s *Service) save(ctx context.Context, p *progress, more ...fhir.Entry) error {
	value, err := json.Marshal(p)
	if err != nil {
		return err
	}
	e := p.entry
	e.Value = value
	if err := s.Store.Put(ctx, append(more, e)...); err != nil {
		return err
	}
	p.entry.Version++
	return nil
}

// event is what happened to a resource.
type event struct {
	Number int64     `json:"n"`
	Ref    string    `json:"ref"` // Type/id
	Time   time.Time `json:"time"`
	Gone   bool      `json:"gone,omitempty"` // it is not there, or no longer to be seen
	New    bool      `json:"new,omitempty"`  // it was created

	at      fhir.Mark
	deleted bool
}

func eventKey(id string, number int64) string { return fmt.Sprintf("%s/%016d", id, number) }

// entry is the event as the log holds it.
func (e *event) entry(id string, now time.Time) (fhir.Entry, error) {
	value, err := json.Marshal(e)
	return fhir.Entry{Kind: eventKind, Key: eventKey(id, e.Number), Group: id + "/" + e.Ref, Expires: now.Add(KeepEvents), Value: value}, err
}

// events returns what the log has of a Subscription after a number, in order.
func (s *Service) events(ctx context.Context, id string, after int64, limit int) ([]event, error) {
	entries, err := s.Store.Entries(ctx, eventKind, "", eventKey(id, after), limit)
	if err != nil {
		return nil, err
	}
	var all []event
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Key, id+"/")
		if !ok {
			break
		}
		var ev event
		if err := json.Unmarshal(e.Value, &ev); err != nil {
			return nil, fmt.Errorf("event %s: %w", e.Key, err)
		}
		if ev.Number, err = strconv.ParseInt(number, 10, 64); err != nil {
			return nil, err
		}
		all = append(all, ev)
	}
	return all, nil
}

// knows reports whether the last event of a resource has shown it.
func (s *Service) knows(ctx context.Context, id, ref string) (bool, error) {
	const page = 200
	knows, after := false, ""
	for {
		entries, err := s.Store.Entries(ctx, eventKind, id+"/"+ref, after, page)
		if err != nil || len(entries) == 0 {
			return knows, err
		}
		last := entries[len(entries)-1]
		var ev event
		if err := json.Unmarshal(last.Value, &ev); err != nil {
			return false, err
		}
		if knows, after = !ev.Gone, last.Key; len(entries) < page {
			return knows, nil
		}
	}
}
