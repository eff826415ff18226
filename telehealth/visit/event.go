package visit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/telehealth/room"
)

// silence is after which somebody of whom nothing was heard counts as gone, when a server
// ended without a word.
const silence = 2 * time.Minute

// longestText is how many bytes a line of the chat has at most.
const longestText = 4000

// Happened implements [room.Gate].
func (s *Service) Happened(ctx context.Context, e room.Event) error {
	if e.Kind == room.Ended {
		return nil // End has done it
	}
	if e.Kind == room.Said {
		return hidden(s.said(ctx, e))
	}
	e.At = e.At.UTC()
	told := false
	v, err := s.change(ctx, e.Room, func(v *visit) error {
		told = false
		t := v.seat(e.Seat)
		if t == nil {
			return errNone
		}
		if !v.Ended.IsZero() {
			return nil // those who were there are gone already
		}
		told = t.tell(&e)
		if e.Kind != room.Entered || !t.Theirs || v.Status != planned {
			return nil
		}
		v.turn(arrived, e.At)
		return s.record(ctx, v, "arrived")
	})
	if err != nil {
		return hidden(err)
	}
	if !told {
		return nil
	}
	t := v.seat(e.Seat)
	return s.Audit(ctx, Moment{Kind: e.Kind, Encounter: v.Encounter, Patient: v.Patient, Actor: t.Actor, Role: t.Role, At: e.At})
}

// tell notes what happened to somebody, and reports whether they came or went by it.
func (t *seat) tell(e *room.Event) (moved bool) {
	var now *span // the time that they are there now
	if n := len(t.Times); n > 0 && t.Times[n-1].To.IsZero() {
		now = &t.Times[n-1]
	}
	switch e.Kind {
	case room.Entered:
		if n := len(t.Times); n > 0 && !e.At.After(t.Times[n-1].From) {
			return false // told before
		}
		if now != nil && e.At.Sub(t.Seen) < silence {
			t.see(e.At)
			return false // they only changed the device
		}
		if now != nil {
			now.To, now.Dropped = t.Seen, true
			t.Drops++
		}
		t.Times = append(t.Times, span{From: e.At})
		moved = true
	case room.Left, room.Dropped:
		if now == nil || e.At.Before(now.From) {
			return false
		}
		now.To, now.Dropped = e.At, e.Kind == room.Dropped
		if now.Dropped {
			t.Drops++
		}
		moved = true
	case room.AudioOnly:
		t.NoVideo = true
	case room.Measured:
		if !e.At.After(t.Last) {
			return false
		}
		t.Last = e.At
		t.Quality.add(&e.Quality)
	}
	t.see(e.At)
	return moved
}

func (t *seat) see(at time.Time) {
	if at.After(t.Seen) {
		t.Seen = at
	}
}

func (q *quality) add(m *room.Quality) {
	q.Count++
	q.Loss += m.Loss
	q.WorstLoss = max(q.WorstLoss, m.Loss)
	q.Jitter += float64(m.Jitter.Milliseconds())
	q.RoundTrip += float64(m.RoundTrip.Milliseconds())
	q.Relayed = q.Relayed || m.Relayed
}

// said keeps a line of the chat as a Communication, once.
func (s *Service) said(ctx context.Context, e room.Event) error {
	v, err := s.load(ctx, e.Room)
	if err != nil {
		return err
	}
	t := v.seat(e.Seat)
	switch {
	case t == nil || t.Refused || !t.Admitted:
		return errNone
	case !v.Ended.IsZero():
		return errOver
	case e.ID == "" || e.Text == "" || len(e.Text) > longestText:
		return fhir.Errorf(fhir.Invalid, "a line of the chat has an id, and up to %d bytes", longestText)
	}
	c, err := s.line(v, t, &e)
	if err != nil {
		return err
	}
	err = s.apply(ctx, []bundle.Change{c})
	if code := fhir.CodeOf(err); code == fhir.Stale || code == fhir.Conflict {
		if r, lost := s.one(ctx, everything, c.Ref); lost == nil && r != nil {
			return nil // it is there already
		}
	}
	return err
}

// line makes the Communication of a line of the chat.
func (s *Service) line(v *visit, t *seat, e *room.Event) (bundle.Change, error) {
	sum := sha256.Sum256([]byte(v.Room + "/" + t.ID + "/" + e.ID))
	sender := compose.Object{"display": t.Name}
	if t.Actor != "" {
		sender["reference"] = t.Actor
	}
	c, err := create(s.Maker(v.Base), compose.Object{
		"resourceType": "Communication", "status": "completed",
		"identifier": []compose.Object{{"system": base + "NamingSystem/visit-message", "value": t.ID + "/" + e.ID}},
		"category":   []compose.Object{compose.Concept(base+"CodeSystem/communication-category", "visit-chat", "Mensaje en una consulta a distancia")},
		"subject":    compose.Reference(fhir.Ref{Type: "Patient", ID: v.Patient}), "encounter": compose.Reference(fhir.Ref{Type: "Encounter", ID: v.Encounter}),
		"sent": stamp(e.At), "sender": sender, "payload": []compose.Object{{"contentString": e.Text}},
	}, hex.EncodeToString(sum[:16]))
	c.IfNoneMatch = true
	return c, err
}
