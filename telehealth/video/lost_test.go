package video_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/telehealth/room"
	"github.com/amate-health/amate/telehealth/video"
)

// clock is a time that a test moves on.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) later(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// mortal is a post that a server has until it is killed: from then on it writes nothing, and
// takes nothing back.
type mortal struct {
	video.Post

	mu   sync.Mutex
	dead bool
}

var errDead = errors.New("there is no such server any more")

func (m *mortal) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
}

func (m *mortal) lives() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return errDead
	}
	return nil
}

func (m *mortal) Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error) {
	if err := m.lives(); err != nil {
		return nil, err
	}
	return m.Post.Entries(ctx, kind, group, after, limit)
}

func (m *mortal) Put(ctx context.Context, entries ...fhir.Entry) error {
	if err := m.lives(); err != nil {
		return err
	}
	return m.Post.Put(ctx, entries...)
}

func (m *mortal) Remove(ctx context.Context, kind, key string, version int64) error {
	if err := m.lives(); err != nil {
		return err
	}
	return m.Post.Remove(ctx, kind, key, version)
}

// The people of a server that was killed leave the lists of the others: who was in the room,
// and who waited.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	now := &clock{now: time.Now()}
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "post.db"), sqlite.Options{Now: now.time})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() }) // the folder goes anyway
	g := newGate(room.Ticket{Seat: "son", Role: room.Family, Name: "Luis"}, room.Ticket{Seat: "aunt", Role: room.Family, Name: "Rosa"})
	serve := func(p video.Post) *httptest.Server {
		_, server := site(t, g, func(c *video.Config) { c.Post, c.Now = p, now.time })
		return server
	}
	dying := &mortal{Post: store}
	one, two := serve(store), serve(dying)
	g.Admit(t.Context(), theRoom, "doc", "pat")
	doc := call(t, one, theRoom, token("doc"))
	doc.hear("welcome")
	call(t, two, theRoom, token("pat")).hear("welcome")
	call(t, two, theRoom, token("son")).hear("welcome")
	doc.hear("joined")
	doc.hear("waiting")
	dying.kill()
	now.later(20 * time.Second) // longer than a server is believed to be there without a word
	if m := doc.hear("left", "gone"); seatOf(m) != "pat" && seatOf(m) != "son" {
		t.Errorf("heard %v", m)
	}
	if m := doc.hear("left", "gone"); seatOf(m) != "pat" && seatOf(m) != "son" {
		t.Errorf("heard %v", m)
	}
	// Who comes later finds neither; and they come back to a server that is there.
	g.Admit(t.Context(), theRoom, "doc", "aunt")
	if m := call(t, one, theRoom, token("aunt")).hear("welcome"); len(m["people"].([]any)) != 1 {
		t.Errorf("who comes later is told %v", m["people"])
	}
	if m := call(t, one, theRoom, secret("pat")).hear("welcome"); len(m["people"].([]any)) != 2 {
		t.Errorf("who comes back is told %v", m["people"])
	}
}

// TestMachineStoodStill: when all servers were silent for longer than one is believed to be
// there, each waits for the others to speak again: nobody is told that somebody left.
func TestMachineStoodStill(t *testing.T) {
	t.Parallel()
	now := &clock{now: time.Now()}
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "post.db"), sqlite.Options{Now: now.time})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() }) // the folder goes anyway
	g := newGate(room.Ticket{Seat: "son", Role: room.Family, Name: "Luis"})
	serve := func() *httptest.Server {
		_, server := site(t, g, func(c *video.Config) { c.Post, c.Now = store, now.time })
		return server
	}
	one, two := serve(), serve()
	g.Admit(t.Context(), theRoom, "doc", "pat")
	g.Admit(t.Context(), theRoom, "doc", "son")
	doc := call(t, one, theRoom, token("doc"))
	doc.hear("welcome")
	pat := call(t, two, theRoom, token("pat"))
	pat.hear("welcome")
	doc.hear("joined")
	now.later(20 * time.Second)
	// Who comes at that moment finds everybody.
	if m := call(t, one, theRoom, token("son")).hear("welcome"); len(m["people"].([]any)) != 2 {
		t.Errorf("who comes then is told %v", m["people"])
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if all, err := store.Entries(t.Context(), "visit-server", "", "", 10); err == nil && len(all) == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the servers do not speak again")
		}
	}
	doc.say(object{"type": "text", "id": "1", "text": "¿Me oye?"})
	if m := pat.hear("text", "left"); m["type"] != "text" {
		t.Errorf("heard %v", m)
	}
	pat.say(object{"type": "text", "id": "2", "text": "Sí"})
	for m := doc.hear("text", "left"); m["from"] != "pat"; m = doc.hear("text", "left") {
		if m["type"] == "left" {
			t.Fatalf("heard %v", m)
		}
	}
}
