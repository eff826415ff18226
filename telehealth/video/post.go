package video

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
)

// Post is where servers of one address leave letters for one another, when a balancer put
// people of one room onto several of them: small entries of the database that they share.
type Post interface {
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
	Remove(ctx context.Context, kind, key string, version int64) error
}

// Kinds of entries of the post, and how long they last.
const (
	letterKind = "visit-letter" // in the group of the server that it is for, by its sender and a number
	hereKind   = "visit-here"   // who is in a room, in the group of the room
	aliveKind  = "visit-server" // a server that has people in rooms

	letterLasts = time.Minute
	aliveLasts  = 15 * time.Second // a server of which nothing was heard for so long is gone
	aliveEvery  = 5 * time.Second
	postBusy    = 40 * time.Millisecond // between looks into the box, when somebody is elsewhere
	postIdle    = 400 * time.Millisecond
	mostLetters = 5000 // that wait for one server
)

// letter is what one server tells another about a room that both have people in.
type letter struct {
	Room string

	Seat   string   `json:",omitempty"` // whom Tell and End are for
	Key    string   `json:",omitempty"` // and which socket of theirs; "" for whichever they have
	Tell   *message `json:",omitempty"`
	End    string   `json:",omitempty"` // why their socket ends, of ends
	Absent *absent  `json:",omitempty"` // somebody of the sender came, changed, or went
	Gone   bool     `json:",omitempty"`
}

// ends are the reasons for which one server ends a socket of another one.
var ends = map[string]error{"moved": errMoved, "refused": errRefused, "ended": errEnded}

// post is the side of one server.
type post struct {
	Post
	me string

	// Guarded by Service.mu.
	out  map[string][]letter // by the server that they are for
	old  map[*guest]bool     // of whom something else is to be told to servers that come later
	wake chan struct{}

	// Guarded by Service.alive.
	spoken bool      // this server has said that it is there
	doubt  time.Time // until then, who is silent may be there all the same

	number int64            // of letters sent; of the loop alone
	heard  map[string]int64 // number of the last one of each server; of the loop alone
}

func newPost(p Post) *post {
	return &post{Post: p, me: uuid.NewString(), out: map[string][]letter{}, old: map[*guest]bool{}, wake: make(chan struct{}, 1), heard: map[string]int64{}}
}

// send queues a letter. The caller holds Service.mu.
func (p *post) send(to string, l letter) {
	if len(p.out[to]) >= mostLetters {
		return // it does not read any more: it is gone, or soon will be
	}
	p.out[to] = append(p.out[to], l)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// carry sends and reads letters until the service ends.
func (s *Service) carry() {
	defer close(s.carried)
	p := s.post
	beat := time.NewTicker(aliveEvery)
	defer beat.Stop()
	for last := false; !last; {
		wait := time.NewTimer(s.pause())
		select {
		case <-s.over:
			last = true
		case <-p.wake:
		case <-wait.C:
		case <-beat.C:
			s.attempt("say that this server is there", s.lookAround)
		}
		wait.Stop()
		s.attempt("write to another server", s.dispatch)
		s.attempt("read what another server wrote", s.collect)
	}
}

// attempt does something that is tried again by itself.
func (s *Service) attempt(what string, f func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), sending)
	defer cancel()
	if err := f(ctx); err != nil {
		s.Log.WarnContext(ctx, what, "error", err.Error())
	}
}

// pause is how long nobody looks into the box.
func (s *Service) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.rooms {
		for _, g := range m.guests {
			if g.away != nil {
				return postBusy
			}
		}
	}
	return postIdle
}

// dispatch sends what is queued: one entry for each server.
func (s *Service) dispatch(ctx context.Context) error {
	p := s.post
	s.mu.Lock()
	out := p.out
	p.out = map[string][]letter{}
	old := map[string]*absent{}
	for g := range p.old {
		old[g.key] = g.absence(p.me)
	}
	changed := p.old
	p.old = map[*guest]bool{}
	s.mu.Unlock()
	err := s.deliver(ctx, out, old)
	if err != nil { // they are tried again, in their order
		s.mu.Lock()
		defer s.mu.Unlock()
		for to, letters := range out {
			p.out[to] = append(letters, p.out[to]...)
		}
		maps.Copy(p.old, changed)
	}
	return err
}

// deliver writes letters, and how those stand who have changed, or nothing.
func (s *Service) deliver(ctx context.Context, out map[string][]letter, old map[string]*absent) error {
	p := s.post
	var entries []fhir.Entry
	for to, letters := range out {
		value, err := json.Marshal(letters)
		if err != nil {
			return err
		}
		p.number++
		entries = append(entries, fhir.Entry{Kind: letterKind, Key: fmt.Sprintf("%s/%016d", p.me, p.number), Group: to, Value: value, Expires: s.Now().Add(letterLasts)})
	}
	for key, a := range old {
		e, err := p.Entry(ctx, hereKind, key)
		if fhir.CodeOf(err) == fhir.NotFound {
			continue // they left
		}
		if err == nil {
			e.Value, err = json.Marshal(a)
		}
		if err != nil {
			return err
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return nil
	}
	return p.Put(ctx, entries...)
}

// collect reads the letters to this server.
func (s *Service) collect(ctx context.Context) error {
	p := s.post
	s.mu.Lock()
	nobody := len(s.rooms) == 0
	s.mu.Unlock()
	if nobody {
		return nil
	}
	entries, err := p.Entries(ctx, letterKind, p.me, "", 100)
	if err != nil {
		return err
	}
	for _, e := range entries {
		from, number, _ := strings.Cut(e.Key, "/")
		n, err := strconv.ParseInt(number, 10, 64)
		var letters []letter
		if err == nil {
			err = json.Unmarshal(e.Value, &letters)
		}
		if err == nil && n > p.heard[from] { // else it was read, and could not be removed
			p.heard[from] = n
			s.read(from, letters)
		}
		if lost := p.Remove(ctx, letterKind, e.Key, 0); err == nil {
			err = lost
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// read does what letters of another server say.
func (s *Service) read(from string, letters []letter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range letters {
		m := s.rooms[l.Room]
		if m == nil {
			continue // nobody is in it here any more
		}
		if l.Absent != nil {
			seat := l.Absent.Ticket.Seat
			was := m.guests[seat]
			if m.hear(s.post, from, &l); was != nil && was.away == nil && m.guests[seat] != was { // they moved there
				s.people--
			}
			s.forget(l.Room)
			s.Observe(s.people, len(s.rooms))
			continue
		}
		g := m.guests[l.Seat]
		if g == nil || g.away != nil || l.Key != "" && l.Key != g.key {
			continue
		}
		if l.Tell != nil {
			g.tell(*l.Tell)
		}
		if why := ends[l.End]; why != nil {
			g.cancel(why)
		}
	}
}
