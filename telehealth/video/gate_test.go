package video_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/telehealth/room"
)

// gate is the smallest gate that keeps its promises, in memory.
type gate struct {
	mu      sync.Mutex
	tokens  map[string]string // seat of each that is not spent
	seats   map[string]*room.Ticket
	refused map[string]bool
	ended   bool
	mute    bool // nothing can be remembered
	events  []room.Event
}

const theRoom = "room-1"

// newGate has a clinician and a patient, and whoever else is named, with tokens "t-SEAT".
func newGate(more ...room.Ticket) *gate {
	g := &gate{tokens: map[string]string{}, seats: map[string]*room.Ticket{}, refused: map[string]bool{}}
	for _, t := range append([]room.Ticket{
		{Seat: "doc", Role: room.Clinician, Name: "Dra. Ñuño", Admitted: true},
		{Seat: "pat", Role: room.Patient, Name: "José"},
	}, more...) {
		t.Room, t.Language = theRoom, "es-MX"
		t.Opens, t.Closes = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
		g.seats[t.Seat] = &t
		g.tokens["t-"+t.Seat] = t.Seat
	}
	return g
}

func (g *gate) Enter(_ context.Context, token string) (*room.Ticket, string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	seat, ok := g.tokens[token]
	if !ok {
		return nil, "", fhir.Errorf(fhir.LoginRequired, "no such token")
	}
	delete(g.tokens, token)
	t, err := g.look(seat)
	return t, "s-" + seat, err
}

func (g *gate) Resume(_ context.Context, secret string) (*room.Ticket, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.look(secret[min(2, len(secret)):])
}

func (g *gate) look(seat string) (*room.Ticket, error) {
	t := g.seats[seat]
	switch {
	case t == nil || g.refused[seat]:
		return nil, fhir.Errorf(fhir.LoginRequired, "no such secret")
	case g.ended:
		return nil, fhir.Errorf(fhir.Gone, "it has ended")
	case time.Now().Before(t.Opens):
		return nil, fhir.Errorf(fhir.Forbidden, "too early")
	}
	c := *t
	return &c, nil
}

// only reports an error unless a seat is a clinician's.
func (g *gate) only(by string) error {
	if t := g.seats[by]; t == nil || t.Role != room.Clinician {
		return fhir.Errorf(fhir.Forbidden, "only clinicians")
	}
	return nil
}

func (g *gate) Admit(_ context.Context, _, by, seat string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.only(by); err != nil {
		return err
	}
	g.seats[seat].Admitted = true
	return nil
}

func (g *gate) Refuse(_ context.Context, _, by, seat string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.only(by); err != nil {
		return err
	}
	g.refused[seat] = true
	return nil
}

func (g *gate) End(_ context.Context, _, by string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.only(by); err != nil {
		return err
	}
	g.ended = true
	return nil
}

func (g *gate) Happened(_ context.Context, e room.Event) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.mute {
		return fhir.Errorf(fhir.Unavailable, "nothing can be written")
	}
	g.events = append(g.events, e)
	return nil
}

func (g *gate) setMute(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mute = on
}

// happened waits until something happened, and returns it.
func (g *gate) happened(t testing.TB, seat string, kind room.Kind) room.Event {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		g.mu.Lock()
		i := slices.IndexFunc(g.events, func(e room.Event) bool { return e.Seat == seat && e.Kind == kind })
		if i >= 0 {
			defer g.mu.Unlock()
			return g.events[i]
		}
		g.mu.Unlock()
	}
	t.Fatalf("%s never %s", seat, kind)
	return room.Event{}
}
