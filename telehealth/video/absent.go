package video

import (
	"context"
	"encoding/json"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/telehealth/room"
)

// absent is somebody in a room whose socket another server has.
type absent struct {
	Ticket    room.Ticket
	AudioOnly bool
	Server    string
	Key       string `json:",omitempty"` // of their socket; "" of a server that does not say
}

// guest returns somebody elsewhere as one of the room: what they are told goes by post.
func (a *absent) guest(p *post) *guest {
	name, seat, at := a.Ticket.Room, a.Ticket.Seat, a.Server
	// That they moved is for the socket which they had: they may have come back by another one.
	only := func(moved bool) string {
		if moved {
			return a.Key
		}
		return ""
	}
	return &guest{
		ticket: a.Ticket, audioOnly: a.AudioOnly, at: at, key: a.Key,
		away: func(m message) {
			p.send(at, letter{Room: name, Seat: seat, Key: only(m.Type == moved), Tell: &m})
		},
		cancel: func(why error) {
			for word, err := range ends {
				if err == why {
					p.send(at, letter{Room: name, Seat: seat, Key: only(why == errMoved), End: word})
				}
			}
		},
	}
}

// absence returns a guest as other servers know them.
func (g *guest) absence(me string) *absent {
	return &absent{Ticket: g.ticket, AudioOnly: g.audioOnly, Server: me, Key: g.key}
}

// hear takes what another server tells of one of its people, or of one of ours whom it let
// in. Those who are here were told by it already.
func (m *meeting) hear(p *post, from string, l *letter) {
	seat := l.Absent.Ticket.Seat
	g := m.guests[seat]
	switch {
	case l.Absent.Server == p.me: // they are here
		if g != nil && g.away == nil {
			g.ticket.Admitted = g.ticket.Admitted || l.Absent.Ticket.Admitted
			p.old[g] = true
		}
	case m.past[l.Absent.Key]: // they have come here since
	case !l.Gone:
		known := false
		for _, other := range m.guests {
			known = known || other.at == from
		}
		m.guests[seat] = l.Absent.guest(p)
		for _, other := range m.guests {
			if !known && other.away == nil { // they may have changed since that server looked
				p.send(from, letter{Room: l.Room, Absent: other.absence(p.me)})
			}
		}
	case g != nil && g.at == from:
		delete(m.guests, seat)
	}
}

// announce tells the other servers of a room of somebody: one of ours, or one of theirs whom
// we let in. The caller holds Service.mu.
func (s *Service) announce(m *meeting, g *guest, gone bool) {
	if s.post == nil {
		return
	}
	at := g.at
	if at == "" {
		at = s.post.me
	}
	told := map[string]bool{"": true}
	if g.at == "" && !gone {
		s.post.old[g] = true
	}
	for _, other := range m.guests {
		if told[other.at] {
			continue
		}
		told[other.at] = true
		s.post.send(other.at, letter{Room: g.ticket.Room, Absent: g.absence(at), Gone: gone})
	}
}

// arrive says that somebody is in a room here, and then looks who is in it elsewhere: of two
// servers that do so at once, one at least sees the other.
func (s *Service) arrive(ctx context.Context, g *guest) (others []*guest, err error) {
	p := s.post
	if err := s.lookAround(ctx); err != nil {
		return nil, err
	}
	value, err := json.Marshal(g.absence(p.me))
	if err != nil {
		return nil, err
	}
	err = p.Put(ctx, fhir.Entry{Kind: hereKind, Key: g.key, Group: g.ticket.Room, Value: value, Expires: g.ticket.Closes.Add(letterLasts)})
	if err != nil {
		return nil, err
	}
	entries, err := p.Entries(ctx, hereKind, g.ticket.Room, "", 4*maxPeople)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		var a absent
		if err := json.Unmarshal(e.Value, &a); err != nil {
			return nil, err
		}
		if a.Server == p.me {
			continue
		}
		switch _, err := p.Entry(ctx, aliveKind, a.Server); {
		case err == nil:
			others = append(others, a.guest(p))
		case fhir.CodeOf(err) != fhir.NotFound:
			return nil, err
		case s.doubts():
			others = append(others, a.guest(p))
		default: // it ended without a word
			if err := p.Remove(ctx, hereKind, e.Key, 0); err != nil {
				return nil, err
			}
		}
	}
	return others, nil
}

// doubts reports whether servers may be there of which nothing was heard for too long.
func (s *Service) doubts() bool {
	s.alive.Lock()
	defer s.alive.Unlock()
	return time.Now().Before(s.post.doubt)
}

// depart takes back that somebody is here.
func (s *Service) depart(g *guest) {
	if s.post == nil {
		return
	}
	s.attempt("say that somebody left", func(ctx context.Context) error { return s.post.Remove(ctx, hereKind, g.key, 0) })
}

// lookAround says that this server is there, and has the people of those that are not any
// more leave. A server that was silent itself for too long blames nobody: the machine stood
// still, and the others are given the time to speak again.
func (s *Service) lookAround(ctx context.Context) error {
	s.alive.Lock()
	defer s.alive.Unlock()
	p := s.post
	e, err := p.Entry(ctx, aliveKind, p.me)
	switch code := fhir.CodeOf(err); {
	case err != nil && code != fhir.NotFound:
		return err
	case err != nil && p.spoken:
		p.doubt = time.Now().Add(2 * aliveEvery)
	}
	e = fhir.Entry{Kind: aliveKind, Key: p.me, Version: e.Version, Value: []byte("1"), Expires: s.Now().Add(aliveLasts)}
	if err = p.Put(ctx, e); fhir.CodeOf(err) == fhir.Conflict { // it has expired since it was read
		e.Version = 0
		err = p.Put(ctx, e)
	}
	if err != nil {
		return err
	}
	p.spoken = true
	if time.Now().Before(p.doubt) {
		return nil
	}
	for _, server := range s.elsewhere() {
		if _, err := p.Entry(ctx, aliveKind, server); fhir.CodeOf(err) == fhir.NotFound {
			s.lost(server)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// elsewhere returns the servers that have people of our rooms.
func (s *Service) elsewhere() (servers []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[string]bool{"": true}
	for _, m := range s.rooms {
		for _, g := range m.guests {
			if !seen[g.at] {
				seen[g.at] = true
				servers = append(servers, g.at)
			}
		}
	}
	return servers
}

// lost takes the people of a server that ended without a word out of their rooms; they come
// back to another one.
func (s *Service) lost(server string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.rooms {
		for seat, g := range m.guests {
			if g.at != server {
				continue
			}
			delete(m.guests, seat)
			you := g.person()
			if g.ticket.Admitted {
				m.tellOthers(seat, message{Type: left, Person: &you}, false)
			} else {
				m.tellOthers(seat, message{Type: gone, Person: &you}, true)
			}
		}
	}
	delete(s.post.out, server)
}
