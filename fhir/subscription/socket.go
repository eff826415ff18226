package subscription

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/amate-health/amate/fhir"
)

// SocketPath is where websockets are opened, beside the FHIR base.
const SocketPath = "/subscription-socket"

const (
	greetWithin = 15 * time.Second // for the token to come
	pingEvery   = 30 * time.Second
	pollEvery   = 2 * time.Second // that another server has logged something
	maxSockets  = 2000            // of a process
	goneFor     = websocket.StatusCode(4401)
)

// SocketURL is where websockets are opened.
func (s *Service) SocketURL() string {
	root := strings.TrimSuffix(s.Base, "/fhir")
	return "ws" + strings.TrimPrefix(root, "http") + SocketPath
}

// ServeHTTP speaks with a subscriber over a websocket. It says bind-with-token and a token,
// which is good once; it is then sent the handshake of each Subscription, what it has not
// been sent before, and whatever happens. Scripts of any page may come: what lets them in
// is the token, and nothing that a browser adds by itself.
//
// See https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#websockets.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.sockets.Add(1) > maxSockets {
		s.sockets.Add(-1)
		http.Error(w, "too many websockets", http.StatusServiceUnavailable)
		return
	}
	defer s.sockets.Add(-1)
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: []string{"*"}, CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // it has been answered
	}
	defer c.CloseNow()
	c.SetReadLimit(4 << 10)
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	stop := context.AfterFunc(s.life, cancel)
	defer stop()
	b, err := s.greeted(ctx, c)
	switch {
	case errors.Is(err, errUntried):
		_ = c.Close(websocket.StatusTryAgainLater, "come again")
		return
	case err != nil:
		_ = c.Close(goneFor, "bind-with-token and a token that is good, once")
		return
	}
	ctx = c.CloseRead(ctx)
	why := s.serve(ctx, c, b)
	switch {
	case errors.Is(why, ErrRevoked):
		_ = c.Close(goneFor, "the subscription is over")
	case s.life.Err() != nil:
		_ = c.Close(websocket.StatusGoingAway, "the server stops: come again")
	default:
		_ = c.Close(websocket.StatusTryAgainLater, "come again")
	}
}

// errUntried says that it could not be found out whether a token is good.
var errUntried = errors.New("the token could not be looked up")

// greeted waits for the token. Errors: errUntried; all others mean that it is not good.
func (s *Service) greeted(ctx context.Context, c *websocket.Conn) (*binding, error) {
	soon, cancel := context.WithTimeout(ctx, greetWithin)
	defer cancel()
	typ, text, err := c.Read(soon)
	if err != nil {
		return nil, err
	}
	token, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "bind-with-token ")
	if typ != websocket.MessageText || !ok {
		return nil, errors.New("no token")
	}
	e, err := s.Store.Entry(ctx, tokenKind, tokenKey(strings.TrimSpace(token)))
	if err != nil {
		return nil, untried(err)
	}
	var b binding
	if err := json.Unmarshal(e.Value, &b); err != nil {
		return nil, err
	}
	if b.Used || !s.Now().Before(b.Until) {
		return nil, errors.New("it was used, or has expired")
	}
	b.Used = true
	if e.Value, err = json.Marshal(b); err != nil {
		return nil, err
	}
	return &b, untried(s.Store.Put(ctx, e)) // of two who come with it at once, one meets a conflict
}

// untried tells a failure of the store from its answer.
func untried(err error) error {
	switch fhir.CodeOf(err) {
	case fhir.NotFound, fhir.Conflict:
		return err
	}
	if err != nil {
		return errors.Join(errUntried, err)
	}
	return nil
}

// session is what one Subscription is sent over a websocket.
type session struct {
	*line
	sent  int64
	entry fhir.Entry
	told  time.Time
}

// serve sends until ctx ends, or nothing may be sent any more.
func (s *Service) serve(ctx context.Context, c *websocket.Conn, b *binding) error {
	var all []*session
	for _, id := range b.IDs {
		one := &session{line: &line{Service: s, id: id}, told: s.Now()}
		d, err := s.current(ctx, id, b.Principal)
		if err != nil {
			return err
		}
		if err := one.resume(ctx); err != nil {
			return err
		}
		p, err := s.load(ctx, id)
		if err != nil {
			return err
		}
		if err := one.write(ctx, c, s.notification(d, "handshake", p.Logged, &parcel{})); err != nil {
			return err
		}
		all = append(all, one)
	}
	pinged := s.Now()
	for ctx.Err() == nil {
		woken := make([]<-chan struct{}, len(all))
		more := false
		for i, one := range all {
			woken[i] = s.whenNoted(one.id)
			sent, err := one.step(ctx, c, b.Principal)
			if err != nil {
				return err
			}
			more = more || sent
		}
		if s.Now().Sub(pinged) >= pingEvery {
			soon, cancel := context.WithTimeout(ctx, greetWithin)
			err := c.Ping(soon)
			cancel()
			if err != nil {
				return err
			}
			pinged = s.Now()
		}
		if !more {
			s.either(ctx, woken, pollEvery)
		}
	}
	return ctx.Err()
}

// either returns when one of some channels is closed, after d, or when ctx ends.
func (s *Service) either(ctx context.Context, woken []<-chan struct{}, d time.Duration) {
	if len(woken) == 1 {
		select {
		case <-ctx.Done():
		case <-woken[0]:
		case <-time.After(d):
		}
		return
	}
	any, done := make(chan struct{}, 1), make(chan struct{})
	defer close(done)
	for _, w := range woken {
		go func() {
			select {
			case <-w:
				select {
				case any <- struct{}{}:
				default:
				}
			case <-done:
			}
		}()
	}
	select {
	case <-ctx.Done():
	case <-any:
	case <-time.After(d):
	}
}

// current reads a Subscription that is served.
func (s *Service) current(ctx context.Context, id, principal string) (*definition, error) {
	r, err := s.Store.Read(ctx, fhir.Ref{Type: "Subscription", ID: id})
	switch fhir.CodeOf(err) {
	case fhir.NotFound, fhir.Gone:
		return nil, ErrRevoked
	}
	if err != nil {
		return nil, err
	}
	d, err := s.define(r.Ref, r.JSON)
	if err != nil || d.channel != webSocket || !slices.Contains([]string{requested, active, failed}, d.status) {
		return nil, ErrRevoked
	}
	if who, _ := s.ownerOf(id, d.owner); who != principal {
		return nil, ErrRevoked
	}
	return d, nil
}

// resume reads up to where this Subscription was sent over websockets before.
func (o *session) resume(ctx context.Context) error {
	e, err := o.Store.Entry(ctx, socketKind, o.id)
	if fhir.CodeOf(err) == fhir.NotFound {
		o.entry = fhir.Entry{Kind: socketKind, Key: o.id}
		return nil
	}
	if err == nil {
		err = json.Unmarshal(e.Value, &o.sent)
	}
	o.entry = e
	return err
}

// step sends what there is, and a heartbeat when it is time.
func (o *session) step(ctx context.Context, c *websocket.Conn, principal string) (more bool, err error) {
	events, err := o.events(ctx, o.id, o.sent, maxCount)
	if err != nil {
		return false, err
	}
	now := o.Now()
	if len(events) == 0 && now.Sub(o.told) < minHeartbeat {
		return false, nil
	}
	d, err := o.current(ctx, o.id, principal)
	if err != nil {
		return false, err
	}
	if len(events) == 0 {
		if d.heartbeat == 0 || now.Sub(o.told) < d.heartbeat {
			return false, nil
		}
		o.told = now
		return false, o.write(ctx, c, o.notification(d, "heartbeat", o.sent, &parcel{}))
	}
	events = events[:min(len(events), d.count)]
	shown, err := o.shown(ctx, d, events)
	if err != nil {
		return false, err
	}
	last := events[len(events)-1].Number
	p := &parcel{shown: shown}
	for _, e := range events {
		if e.Gone || shown[e.Ref] != nil {
			p.events = append(p.events, e)
		} else if err := o.Store.Remove(ctx, eventKind, eventKey(o.id, e.Number), 0); err != nil {
			return false, err
		}
	}
	if len(p.events) > 0 {
		err := o.write(ctx, c, o.notification(d, "event-notification", last, p))
		o.Observe(Sent{Channel: webSocket, Type: "event-notification", Events: len(p.events), Failed: err != nil, Lag: now.Sub(p.events[0].Time)})
		if err != nil {
			return false, err
		}
		// A frame that is written may still be on its way: the answer to a ping comes after it.
		soon, cancel := context.WithTimeout(ctx, d.timeout)
		defer cancel()
		if err := c.Ping(soon); err != nil {
			return false, err
		}
	}
	o.sent, o.told = last, now
	return true, o.confirm(ctx)
}

// confirm notes what has been sent. Of two websockets for one Subscription, each is sent
// everything from where it began.
func (o *session) confirm(ctx context.Context) error {
	o.entry.Value = json.RawMessage(mustJSON(o.sent))
	err := o.Store.Put(ctx, o.entry)
	if fhir.CodeOf(err) == fhir.Conflict {
		sent := o.sent
		if err := o.resume(ctx); err != nil {
			return err
		}
		o.sent = sent
		return nil // the other one has noted where it is; what is sent twice is no harm
	}
	o.entry.Version++
	return err
}

func mustJSON(n int64) []byte {
	b, err := json.Marshal(n)
	if err != nil {
		panic(err) // it is a number
	}
	return b
}

// write sends one message.
func (o *session) write(ctx context.Context, c *websocket.Conn, text []byte) error {
	soon, cancel := context.WithTimeout(ctx, maxTimeout)
	defer cancel()
	return c.Write(soon, websocket.MessageText, text)
}
