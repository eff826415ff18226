package video_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/telehealth/room"
	"github.com/amate-health/amate/telehealth/video"
)

// faulty is a post that fails once, or whose letters do not come, when a test says so.
type faulty struct {
	video.Post

	mu   sync.Mutex
	fail string // kind of the next entry that cannot be read
	held bool   // no letters come
	lost string // kind of the next entry that cannot be written
}

func (f *faulty) Put(ctx context.Context, entries ...fhir.Entry) error {
	f.mu.Lock()
	fails := len(entries) > 0 && f.lost == entries[0].Kind
	if fails {
		f.lost = ""
	}
	f.mu.Unlock()
	if fails {
		return errors.New("it is busy")
	}
	return f.Post.Put(ctx, entries...)
}

func (f *faulty) set(fail string, held bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail, f.held = fail, held
}

func (f *faulty) failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fail == ""
}

func (f *faulty) Entry(ctx context.Context, kind, key string) (fhir.Entry, error) {
	f.mu.Lock()
	fails := f.fail == kind
	if fails {
		f.fail = ""
	}
	f.mu.Unlock()
	if fails {
		return fhir.Entry{}, errors.New("it is busy")
	}
	return f.Post.Entry(ctx, kind, key)
}

func (f *faulty) Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error) {
	f.mu.Lock()
	held := f.held && kind == "visit-letter"
	f.mu.Unlock()
	if held {
		return nil, nil
	}
	return f.Post.Entries(ctx, kind, group, after, limit)
}

// twoServers returns servers of one database, each with a post that can fail, where the
// clinician may be joined by the patient.
func twoServers(t *testing.T) (posts [2]*faulty, servers [2]*httptest.Server) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "post.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() }) // the folder goes anyway
	g := newGate(room.Ticket{Seat: "son", Role: room.Family, Name: "Luis"})
	g.Admit(t.Context(), theRoom, "doc", "pat")
	for i := range posts {
		posts[i] = &faulty{Post: store}
		_, servers[i] = site(t, g, func(c *video.Config) { c.Post = posts[i] })
	}
	return posts, servers
}

// TestPostFails: what one server tells another is told, also when the database fails while
// it is written.
func TestPostFails(t *testing.T) {
	t.Parallel()
	posts, servers := twoServers(t)
	doc := call(t, servers[0], theRoom, token("doc"))
	doc.hear("welcome")
	pat := call(t, servers[1], theRoom, token("pat"))
	pat.hear("welcome")
	doc.hear("joined")
	posts[0].set("visit-here", false)
	doc.say(object{"type": "state", "audioOnly": true})
	if m := pat.hear("state"); m["from"] != "doc" || m["audioOnly"] != true {
		t.Errorf("heard %v", m)
	}
	if !posts[0].failed() {
		t.Error("nothing failed")
	}
}

// TestMovedToAndFro: somebody goes to another server and comes back before their first one
// has heard that they went: they stay where they were last.
func TestMovedToAndFro(t *testing.T) {
	t.Parallel()
	posts, servers := twoServers(t)
	doc := call(t, servers[0], theRoom, token("doc"))
	doc.hear("welcome")
	first := call(t, servers[1], theRoom, token("pat"))
	first.hear("welcome")
	doc.hear("joined")
	posts[1].set("", true)
	second := call(t, servers[0], theRoom, secret("pat"))
	second.hear("welcome")
	third := call(t, servers[1], theRoom, secret("pat"))
	third.hear("welcome")
	for name, c := range map[string]*caller{"first": first, "second": second} {
		if code, heard := c.ends(); code != 4409 {
			t.Errorf("the %s window ends with %d after %v", name, code, heard)
		}
	}
	posts[1].set("", false)
	doc.say(object{"type": "text", "id": "1", "text": "¿Me oye?"})
	if m := third.hear("text"); m["from"] != "doc" {
		t.Errorf("heard %v", m)
	}
	third.say(object{"type": "text", "id": "2", "text": "Sí"})
	for m := doc.hear("text"); m["from"] != "pat"; m = doc.hear("text") {
	}
}

// TestTokenSpent: who is let in, and then not seated since the server failed, comes back
// although their token is spent.
func TestTokenSpent(t *testing.T) {
	t.Parallel()
	posts, servers := twoServers(t)
	posts[0].mu.Lock()
	posts[0].lost = "visit-here"
	posts[0].mu.Unlock()
	c := call(t, servers[0], theRoom, token("doc"))
	kept := c.hear("kept", "welcome")
	if kept["type"] != "kept" || kept["secret"] == nil {
		t.Fatalf("heard %v", kept)
	}
	if code, _ := c.ends(); code != websocket.StatusGoingAway {
		t.Errorf("the socket ends with %d", code)
	}
	call(t, servers[0], theRoom, object{"type": "hello", "secret": kept["secret"]}).hear("welcome")
}
