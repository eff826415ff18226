package subscription_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/subscription"
)

// failing is a store of which a call fails when a test says so.
type failing struct {
	subscription.Store
	entry func(kind string) error
	read  func(ref fhir.Ref) error
	put   func(ctx context.Context, entries []fhir.Entry) error
}

func (f *failing) Entry(ctx context.Context, kind, key string) (fhir.Entry, error) {
	if f.entry != nil {
		if err := f.entry(kind); err != nil {
			return fhir.Entry{}, err
		}
	}
	return f.Store.Entry(ctx, kind, key)
}

func (f *failing) Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error) {
	if f.read != nil {
		if err := f.read(ref); err != nil {
			return fhir.Resource{}, err
		}
	}
	return f.Store.Read(ctx, ref)
}

func (f *failing) Put(ctx context.Context, entries ...fhir.Entry) error {
	if f.put != nil {
		if err := f.put(ctx, entries); err != nil {
			return err
		}
	}
	return f.Store.Put(ctx, entries...)
}

// logs reports whether events are among entries.
func logs(entries []fhir.Entry) bool {
	for i := range entries {
		if entries[i].Kind == "subscription-event" {
			return true
		}
	}
	return false
}

// again serves a world whose store is f from now on.
func (w *world) again(f *failing) {
	w.stop()
	w.change = func(c *subscription.Config) { f.Store, c.Store = c.Store, f }
	w.server = w.serve()
	w.change = nil
}

// TestLogFails: events that could not be logged, since the database did not answer in time,
// are logged and sent when it does.
func TestLogFails(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		var once sync.Once
		w.again(&failing{put: func(_ context.Context, entries []fhir.Entry) (err error) {
			if logs(entries) {
				once.Do(func() { err = errors.New("it is busy") })
			}
			return err
		}})
		e := newEndpoint(t)
		w.subscribe("clinic", asked{topic: "alert", endpoint: e.web.URL})
		w.put("system", flag("f1", "p1", 1))
		if events := e.has("Flag/f1"); len(events) != 1 || events[0].number != "1" {
			t.Errorf("it was told of %+v", events)
		}
	})
}

// TestStoppedWhileLogged: events that are being logged when the server stops are sent by
// the next one.
func TestStoppedWhileLogged(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		logging := make(chan struct{}, 100)
		w.again(&failing{put: func(ctx context.Context, entries []fhir.Entry) error {
			if !logs(entries) {
				return nil
			}
			logging <- struct{}{}
			<-ctx.Done() // the database takes longer than the server has
			return ctx.Err()
		}})
		e := newEndpoint(t)
		w.subscribe("clinic", asked{topic: "alert", endpoint: e.web.URL})
		w.put("system", flag("f1", "p1", 1))
		<-logging
		w.stop()
		w.server = w.serve()
		w.put("system", flag("f2", "p1", 1))
		events := e.has("Flag/f1", "Flag/f2")
		if events[0].focus != "Flag/f1" || events[0].number != "1" {
			t.Errorf("it was told of %+v", events)
		}
	})
}

// TestLookFails: a Subscription that could not be read when the feed told of it is served all
// the same.
func TestLookFails(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		var busy atomic.Bool
		w.again(&failing{read: func(ref fhir.Ref) error {
			if ref.Type == "Subscription" && busy.CompareAndSwap(true, false) {
				return errors.New("it is busy")
			}
			return nil
		}})
		// Until this server has taken its shares, it looks for Subscriptions by itself.
		w.subscribe("clinic", asked{topic: "alert", endpoint: newEndpoint(t).web.URL})
		busy.Store(true)
		w.subscribe("clinic", asked{topic: "alert", endpoint: newEndpoint(t).web.URL})
	})
}

type changes = subscription.Changes

// gated are changes that nobody is told of while the gate is locked.
type gated struct {
	changes
	gate *sync.RWMutex
}

func (g gated) Changes(ctx context.Context, after fhir.Mark, limit int) ([]fhir.Change, error) {
	g.gate.RLock()
	defer g.gate.RUnlock()
	return g.changes.Changes(ctx, after, limit)
}

// TestAskedForAgain: a Subscription that the server has put to off, and that its owner asks
// for again before the server has read of either, is served again.
func TestAskedForAgain(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		var gate sync.RWMutex
		w.stop()
		w.change = func(c *subscription.Config) { c.Changes = gated{c.Changes, &gate} }
		w.server = w.serve()
		e := newEndpoint(t)
		id := w.subscribe("clinic", asked{topic: "alert", endpoint: e.web.URL})
		e.set(true)
		w.put("system", flag("f1", "p1", 1))
		calls := e.called()
		if !eventually(func() bool { return e.called() > calls }) {
			t.Fatal("nothing is sent")
		}
		func() {
			gate.Lock()
			defer gate.Unlock()
			clinic := w.person("clinic")
			w.alter("clinic", nil)
			w.step(time.Minute, func() bool { return w.status(id) == "off" })
			w.alter("clinic", clinic)
			e.set(false)
			w.put("clinic", asked{topic: "alert", endpoint: e.web.URL, id: id}.json())
		}()
		w.until(id, "active")
		e.has("Flag/f1")
	})
}

// TestTokenUntried: whose token could not be looked up is told to come again, and not that it
// is none.
func TestTokenUntried(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		w.again(&failing{entry: func(kind string) error {
			if kind == "subscription-token" {
				return errors.New("it is busy")
			}
			return nil
		}})
		c, _, err := websocket.Dial(t.Context(), w.svc.SocketURL(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		if err := c.Write(t.Context(), websocket.MessageText, []byte("bind-with-token x")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusTryAgainLater {
			t.Errorf("it is told %v", err)
		}
	})
}
