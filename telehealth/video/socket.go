package video

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/telehealth/room"
)

// Codes with which a socket is closed (RFC 6455, 7.4.2: 4000 to 4999 are ours): the page
// comes back after the first two, and after any that is not here.
const (
	closeAway  = websocket.StatusGoingAway
	closeSlow  = websocket.StatusCode(4008)
	closeNone  = websocket.StatusCode(4401) // no such token, or it was used
	closeNot   = websocket.StatusCode(4403) // turned away
	closeTime  = websocket.StatusCode(4404) // not now
	closeMoved = websocket.StatusCode(4409)
	closeOver  = websocket.StatusCode(4410)
	closeFull  = websocket.StatusCode(4413)
	closeBad   = websocket.StatusCode(4422)
	closeMuch  = websocket.StatusCode(4429)
)

// socket serves one socket from its first message to its last.
func (s *Service) socket(w http.ResponseWriter, r *http.Request, name string) {
	if !s.enter() {
		http.Error(w, "the server is going away", http.StatusServiceUnavailable)
		return
	}
	defer s.open.Done()
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: s.Origins, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // it has answered
	}
	defer c.CloseNow()
	c.SetReadLimit(maxMessage)
	// The request's context ends with the handler of the HTTP server, which gave the
	// connection away; it is kept for what it carries.
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	defer cancel(nil)
	g, secret, err := s.greet(ctx, c, name)
	if err != nil {
		s.farewell(ctx, c, err)
		return
	}
	g.cancel = cancel
	g.key = g.ticket.Room + "/" + uuid.NewString()
	defer s.depart(g)
	soon, giveUp := context.WithTimeout(ctx, greeting)
	err = s.sit(soon, g, secret)
	giveUp()
	if err != nil {
		if secret != "" { // their token is spent: with this they come back
			send(ctx, c, message{Type: kept, Secret: secret})
		}
		s.farewell(ctx, c, err)
		return
	}
	s.converse(ctx, c, g)
}

// greet reads who a socket is of.
func (s *Service) greet(ctx context.Context, c *websocket.Conn, name string) (*guest, string, error) {
	soon, cancel := context.WithTimeout(ctx, greeting)
	defer cancel()
	var m message
	if err := read(soon, c, &m); err != nil {
		return nil, "", errProblem
	}
	var t *room.Ticket
	var err error
	known, done := context.WithTimeout(ctx, greeting) // not what is left of the time they had to speak
	defer done()
	secret := m.Secret
	switch {
	case m.Type != hello || (m.Token == "") == (m.Secret == ""):
		return nil, "", errProblem
	case m.Token != "":
		t, secret, err = s.Gate.Enter(known, m.Token)
	default:
		t, err = s.Gate.Resume(known, m.Secret)
	}
	switch {
	case err != nil:
		return nil, "", err
	case t.Room != name:
		return nil, "", fhir.Errorf(fhir.LoginRequired, "the token is for another room")
	}
	return &guest{ticket: *t, out: make(chan message, queue), audioOnly: m.AudioOnly}, secret, nil
}

// converse carries messages until the socket or the meeting ends.
func (s *Service) converse(ctx context.Context, c *websocket.Conn, g *guest) {
	s.happened(room.Event{Room: g.ticket.Room, Seat: g.ticket.Seat, Kind: room.Entered})
	over := time.AfterFunc(g.ticket.Closes.Sub(s.Now()), func() {
		g.tell(message{Type: closed})
		g.cancel(errClosed)
	})
	defer over.Stop()
	reading := make(chan error, 1)
	go func() { reading <- s.listen(ctx, c, g) }()
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.write(ctx, c, g)
	}()
	var why error
	select {
	case why = <-reading:
	case <-ctx.Done():
		why = context.Cause(ctx)
	case <-s.done:
		why = errAway
	}
	kind := room.Dropped
	if errors.Is(why, errLeft) || errors.Is(why, errEnded) || errors.Is(why, errClosed) || errors.Is(why, errRefused) {
		kind = room.Left
	}
	// First out of the room, so that who asks whether they are gone is told the truth.
	if s.rise(g) {
		s.happened(room.Event{Room: g.ticket.Room, Seat: g.ticket.Seat, Kind: kind})
	}
	g.cancel(why)
	<-written
	s.farewell(ctx, c, why)
}

// errAway ends sockets when the server does.
var errAway = fhir.Errorf(fhir.Unavailable, "the server is going away")

// write sends what is queued, and asks now and then whether somebody is still there.
// What was queued before the end is still sent: it says why.
func (s *Service) write(ctx context.Context, c *websocket.Conn, g *guest) {
	beat := time.NewTicker(s.Beat)
	defer beat.Stop()
	for ctx.Err() == nil || len(g.out) > 0 {
		var err error
		select {
		case m := <-g.out:
			err = send(context.WithoutCancel(ctx), c, m)
		case <-beat.C:
			soon, cancel := context.WithTimeout(ctx, s.Beat)
			err = c.Ping(soon)
			cancel()
		case <-ctx.Done():
			if len(g.out) > 0 {
				err = send(context.WithoutCancel(ctx), c, <-g.out)
			}
		}
		if err != nil && ctx.Err() == nil {
			g.cancel(errSilent)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			return
		}
	}
}

// listen reads what somebody sends, until they leave or their socket ends.
func (s *Service) listen(ctx context.Context, c *websocket.Conn, g *guest) error {
	// A socket is closed by who closes it: a read that is cancelled would close it without
	// a word.
	ctx = context.WithoutCancel(ctx)
	allowed, last := float64(burst), s.Now()
	for {
		var m message
		if err := read(ctx, c, &m); err != nil {
			return err
		}
		now := s.Now()
		allowed = min(burst, allowed+now.Sub(last).Seconds()*perSecond) - 1
		last = now
		if allowed < 0 {
			return errMuch
		}
		if err := s.take(ctx, g, m); err != nil {
			return err
		}
	}
}

// take does what a message asks for. Its error ends the socket.
func (s *Service) take(ctx context.Context, g *guest, m message) error {
	if m.Type == leave {
		return errLeft
	}
	if !s.isAdmitted(g) {
		return errProblem // who waits has nothing to say yet
	}
	name, seat := g.ticket.Room, g.ticket.Seat
	switch m.Type {
	case signal:
		s.pass(g, m.To, message{Type: signal, Signal: m.Signal})
	case text:
		return s.say(g, m)
	case state:
		if s.setAudioOnly(g, m.AudioOnly) {
			kind := room.WithVideo
			if m.AudioOnly {
				kind = room.AudioOnly
			}
			s.happened(room.Event{Room: name, Seat: seat, Kind: kind})
			s.pass(g, "", message{Type: state, AudioOnly: m.AudioOnly})
		}
	case measure:
		if m.Quality != nil {
			s.happened(room.Event{Room: name, Seat: seat, Kind: room.Measured, Quality: m.Quality.measured()})
		}
	case admit, refuse, end:
		return s.govern(ctx, g, m)
	default:
		return errProblem
	}
	return nil
}

// say keeps what somebody wrote, and then tells the others.
func (s *Service) say(g *guest, m message) error {
	if m.ID == "" || len(m.ID) > 64 || m.Text == "" || len(m.Text) > maxText {
		return errProblem
	}
	err := s.happened(room.Event{Room: g.ticket.Room, Seat: g.ticket.Seat, Kind: room.Said, ID: m.ID, Text: m.Text})
	if err != nil {
		g.tell(message{Type: failure, Code: codeUnsaid, ID: m.ID})
		return nil
	}
	now := s.Now()
	msg := message{Type: text, ID: m.ID, Text: m.Text, At: &now}
	s.pass(g, "", msg)
	msg.From = g.ticket.Seat
	g.tell(msg) // it was said
	return nil
}

// govern does what only clinicians may: the gate knows whether somebody is one.
func (s *Service) govern(ctx context.Context, g *guest, m message) error {
	soon, cancel := context.WithTimeout(ctx, sending)
	defer cancel()
	name, seat := g.ticket.Room, g.ticket.Seat
	var err error
	switch m.Type {
	case admit:
		if err = s.Gate.Admit(soon, name, seat, m.Seat); err == nil {
			s.admit(name, m.Seat)
		}
	case refuse:
		if err = s.Gate.Refuse(soon, name, seat, m.Seat); err == nil {
			s.refuse(name, m.Seat)
		}
	case end:
		if err = s.Gate.End(soon, name, seat); err == nil {
			s.happened(room.Event{Room: name, Seat: seat, Kind: room.Ended})
			s.EndRoom(name)
		}
	}
	if err != nil {
		g.tell(message{Type: failure, Code: codeOf(err)})
	}
	return nil
}

// codeOf returns the code of an error, for which pages have words.
func codeOf(err error) string {
	switch fhir.CodeOf(err) {
	case fhir.LoginRequired:
		return codeToken
	case fhir.Forbidden:
		return codeTime
	case fhir.Gone:
		return codeEnded
	case fhir.Conflict:
		return codeFull
	case fhir.Invalid:
		return codeProtocol
	case fhir.Throttled:
		return codeTooMuch
	default:
		return codeUnavailable
	}
}

// farewell says why a socket ends, and closes it.
func (s *Service) farewell(ctx context.Context, c *websocket.Conn, why error) {
	code, say := websocket.StatusNormalClosure, ""
	switch {
	case errors.Is(why, errSilent):
		return // nobody would hear it
	case errors.Is(why, errLeft):
	case errors.Is(why, errAway):
		code = closeAway
	case errors.Is(why, errMoved):
		code = closeMoved
	case errors.Is(why, errRefused):
		code = closeNot
	case errors.Is(why, errSlow):
		code = closeSlow
	default:
		say = codeOf(why)
		switch say {
		case codeToken:
			code = closeNone
		case codeTime:
			code = closeTime
		case codeEnded:
			code = closeOver
		case codeFull:
			code = closeFull
		case codeProtocol:
			code = closeBad
		case codeTooMuch:
			code = closeMuch
		default:
			code = closeAway
			if websocket.CloseStatus(why) == -1 && fhir.CodeOf(why) == 0 && !errors.Is(why, context.Canceled) {
				s.Log.DebugContext(ctx, "a socket of a visit ended", "error", why)
			}
		}
	}
	if say != "" && say != codeUnavailable && !errors.Is(why, errEnded) && !errors.Is(why, errClosed) {
		send(context.WithoutCancel(ctx), c, message{Type: failure, Code: say})
	}
	c.Close(code, say)
}

// read reads one message. It fails when the socket ends, and for what is no message.
func read(ctx context.Context, c *websocket.Conn, m *message) error {
	typ, b, err := c.Read(ctx)
	if err != nil {
		return err
	}
	if typ != websocket.MessageText || json.Unmarshal(b, m) != nil {
		return errProblem
	}
	return nil
}

// send writes one message.
func send(ctx context.Context, c *websocket.Conn, m message) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, sending)
	defer cancel()
	return c.Write(soon, websocket.MessageText, b)
}
