package video

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/telehealth/room"
)

// meeting is the people whose sockets are in a room. It is guarded by Service.mu: what is
// done under it is quick, since nothing is sent but into queues.
type meeting struct {
	guests map[string]*guest // by seat

	// past are the keys of sockets elsewhere whose seat was taken here since: what is told of
	// them on its way is not so any more.
	past map[string]bool
}

// guest is somebody with a socket.
type guest struct {
	ticket    room.Ticket
	out       chan message
	cancel    context.CancelCauseFunc // ends the socket
	audioOnly bool

	key  string        // of the entry that says so to other servers
	at   string        // the server that has their socket; "" for this one
	away func(message) // tells them there; nil for who is here
}

// person returns g as the others see them.
func (g *guest) person() person {
	return person{Seat: g.ticket.Seat, Name: g.ticket.Name, Role: g.ticket.Role,
		AudioOnly: g.audioOnly, Admitted: g.ticket.Admitted, Language: g.ticket.Language}
}

// tell queues a message for g. Who does not read for so long that the queue is full is
// let go, and comes back when they can.
func (g *guest) tell(m message) {
	if g.away != nil {
		g.away(m)
		return
	}
	select {
	case g.out <- m:
	default:
		g.cancel(errSlow)
	}
}

// people returns who is in the room, or waits, but for one seat, by seat.
func (m *meeting) people(in bool, but string) []person {
	var all []person
	for _, g := range m.guests {
		if g.ticket.Admitted == in && g.ticket.Seat != but {
			all = append(all, g.person())
		}
	}
	slices.SortFunc(all, func(a, b person) int { return cmp.Compare(a.Seat, b.Seat) })
	return all
}

// tellOthers tells whoever is in the room but one; of those who wait only clinicians
// learn.
func (m *meeting) tellOthers(but string, msg message, clinicians bool) {
	for seat, g := range m.guests {
		if seat != but && g.ticket.Admitted && (!clinicians || g.ticket.Role == room.Clinician) {
			g.tell(msg)
		}
	}
}

// sit puts a guest into their room, and greets them. Who had the seat before has moved
// here.
func (s *Service) sit(ctx context.Context, g *guest, secret string) error {
	join, err := s.Carrier.Join(&g.ticket, s.Now())
	if err != nil {
		return err
	}
	var others []*guest
	if s.post != nil {
		if others, err = s.arrive(ctx, g); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.meeting(g.ticket.Room)
	for _, o := range others {
		if m.guests[o.ticket.Seat] == nil {
			m.guests[o.ticket.Seat] = o
		} else if o.ticket.Seat == g.ticket.Seat && o.key != m.guests[g.ticket.Seat].key {
			m.supersede(o) // their seat was taken here already, before this
		}
	}
	before := m.guests[g.ticket.Seat]
	if before == nil && len(m.guests) >= maxPeople {
		s.forget(g.ticket.Room)
		return errFull
	}
	m.guests[g.ticket.Seat] = g
	you := g.person()
	msg := message{Type: welcome, You: &you, Secret: secret, Closes: g.ticket.Closes}
	if g.ticket.Role == room.Clinician {
		msg.Help = g.ticket.Help
	}
	if before != nil {
		m.supersede(before)
	}
	if before == nil || before.away != nil {
		s.people++
		s.Observe(s.people, len(s.rooms))
	}
	if g.ticket.Admitted {
		msg.Join, msg.People = join, m.people(true, g.ticket.Seat)
		m.tellOthers(g.ticket.Seat, message{Type: joined, Person: &you}, false)
		if g.ticket.Role == room.Clinician {
			msg.Waiting = m.people(false, "")
		}
	} else {
		m.tellOthers(g.ticket.Seat, message{Type: waiting, Person: &you}, true)
	}
	g.tell(msg)
	s.announce(m, g, false)
	return nil
}

// supersede ends a socket whose seat was taken by another one.
func (m *meeting) supersede(before *guest) {
	before.tell(message{Type: moved})
	before.cancel(errMoved)
	if before.away != nil && before.key != "" {
		m.past[before.key] = true
	}
}

// forget drops a room in which nobody is here.
func (s *Service) forget(name string) {
	m := s.rooms[name]
	if m == nil {
		return
	}
	for _, g := range m.guests {
		if g.away == nil {
			return
		}
	}
	delete(s.rooms, name)
}

// rise takes a guest out of their room, unless somebody has their seat by now.
func (s *Service) rise(g *guest) (was bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.rooms[g.ticket.Room]
	if m == nil || m.guests[g.ticket.Seat] != g {
		return false
	}
	delete(m.guests, g.ticket.Seat)
	s.forget(g.ticket.Room)
	s.people--
	s.Observe(s.people, len(s.rooms))
	you := g.person()
	if g.ticket.Admitted {
		m.tellOthers(g.ticket.Seat, message{Type: left, Person: &you}, false)
	} else {
		m.tellOthers(g.ticket.Seat, message{Type: gone, Person: &you}, true)
	}
	s.announce(m, g, true)
	return true
}

// admit lets somebody in, whom the gate has let in.
func (s *Service) admit(name, seat string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.rooms[name]
	if m == nil || m.guests[seat] == nil || m.guests[seat].ticket.Admitted {
		return
	}
	g := m.guests[seat]
	g.ticket.Admitted = true
	you := g.person()
	join, err := s.Carrier.Join(&g.ticket, s.Now())
	if err != nil {
		s.Log.Error("let somebody into a visit", "error", err.Error())
		g.cancel(err)
		return
	}
	s.announce(m, g, false)
	g.tell(message{Type: admitted, You: &you, Join: join, People: m.people(true, seat)})
	m.tellOthers(seat, message{Type: joined, Person: &you}, false)
	m.tellOthers(seat, message{Type: gone, Person: &you}, true)
}

// refuse turns somebody away, whom the gate has turned away.
func (s *Service) refuse(name, seat string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.rooms[name]; m != nil && m.guests[seat] != nil {
		m.guests[seat].tell(message{Type: refused})
		m.guests[seat].cancel(errRefused)
	}
}

// EndRoom ends a meeting for everybody who is in it, when that was decided elsewhere: the
// visit was finished or cancelled in the record.
func (s *Service) EndRoom(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.rooms[name]; m != nil {
		for _, g := range slices.Collect(maps.Values(m.guests)) {
			g.tell(message{Type: ended})
			g.cancel(errEnded)
		}
	}
}

// Remove turns somebody away, when that was decided elsewhere.
func (s *Service) Remove(name, seat string) { s.refuse(name, seat) }

// Rooms returns the rooms that this process carries now.
func (s *Service) Rooms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.rooms))
}

// pass passes a message of one guest to another one, or to all where to is "".
func (s *Service) pass(from *guest, to string, msg message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.rooms[from.ticket.Room]
	if m == nil || m.guests[from.ticket.Seat] != from {
		return
	}
	msg.From = from.ticket.Seat
	if to == "" {
		m.tellOthers(from.ticket.Seat, msg, false)
	} else if g := m.guests[to]; g != nil && g.ticket.Admitted && g != from {
		g.tell(msg)
	}
}

// setAudioOnly notes whether a guest shows a picture, and reports whether that is new.
func (s *Service) setAudioOnly(g *guest, only bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := g.audioOnly != only
	g.audioOnly = only
	if m := s.rooms[g.ticket.Room]; changed && m != nil && m.guests[g.ticket.Seat] == g {
		s.announce(m, g, false)
	}
	return changed
}

// isAdmitted reports whether a guest is in the room, not before its door.
func (s *Service) isAdmitted(g *guest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return g.ticket.Admitted
}

// Reasons for which the server ends a socket.
var (
	errFull    = fhir.Errorf(fhir.Conflict, "the room is full")
	errSlow    = fhir.Errorf(fhir.Throttled, "messages were not read")
	errSilent  = fhir.Errorf(fhir.Unavailable, "nobody answers")
	errMuch    = fhir.Errorf(fhir.Throttled, "too many messages")
	errMoved   = fhir.Errorf(fhir.Gone, "the seat was taken elsewhere")
	errRefused = fhir.Errorf(fhir.Forbidden, "turned away")
	errEnded   = fhir.Errorf(fhir.Gone, "the meeting has ended")
	errClosed  = fhir.Errorf(fhir.Gone, "the time is over")
	errLeft    = fhir.Errorf(fhir.Gone, "they left")
	errProblem = fhir.Errorf(fhir.Invalid, "the message makes no sense")
)
