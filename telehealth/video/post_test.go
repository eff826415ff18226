package video_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/amate-health/amate/store/postgres"
	"github.com/amate-health/amate/store/sqlite"
	"github.com/amate-health/amate/store/storetest"
	"github.com/amate-health/amate/telehealth/room"
	"github.com/amate-health/amate/telehealth/video"
)

// onPosts runs a test with servers that share a database.
func onPosts(t *testing.T, f func(t *testing.T, g *gate, server func() (*video.Service, *httptest.Server))) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			var p video.Post
			if engine == "sqlite" {
				s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "post.db"), sqlite.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() }) // the folder goes anyway
				p = s
			} else {
				s, err := postgres.Open(t.Context(), storetest.Postgres(t), postgres.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() }) // it is lent
				p = s
			}
			g := newGate(room.Ticket{Seat: "son", Role: room.Family, Name: "Luis"}, room.Ticket{Seat: "aunt", Role: room.Family, Name: "Rosa"})
			f(t, g, func() (*video.Service, *httptest.Server) { return site(t, g, func(c *video.Config) { c.Post = p }) })
		})
	}
}

// Those who came to different servers meet as if there were one.
func TestServersMeet(t *testing.T) {
	t.Parallel()
	onPosts(t, func(t *testing.T, g *gate, server func() (*video.Service, *httptest.Server)) {
		_, one := server()
		second, two := server()
		_, three := server()
		doc := call(t, one, theRoom, token("doc"))
		doc.hear("welcome")
		pat := call(t, two, theRoom, token("pat"))
		if m := pat.hear("welcome"); m["people"] != nil {
			t.Errorf("who waits is told %v", m)
		}
		if m := doc.hear("waiting"); seatOf(m) != "pat" {
			t.Errorf("the clinician hears %v", m)
		}
		// Who waits elsewhere can say nothing, and is told nothing.
		doc.say(object{"type": "text", "id": "0", "text": "antes"})
		doc.say(object{"type": "admit", "seat": "pat"})
		if m := pat.hear("admitted"); m["join"] == nil || len(m["people"].([]any)) != 1 {
			t.Errorf("who is let in is told %v", m)
		}
		doc.hear("joined")
		for i := range 50 { // all, and in their order
			doc.say(object{"type": "signal", "to": "pat", "signal": object{"n": i}})
		}
		for i := range 50 {
			if m := pat.hear("signal"); m["from"] != "doc" || fmt.Sprint(m["signal"].(object)["n"]) != fmt.Sprint(i) {
				t.Fatalf("signal %d arrives as %v", i, m)
			}
		}
		pat.say(object{"type": "signal", "to": "doc", "signal": object{"answer": true}})
		if m := doc.hear("signal"); m["from"] != "pat" {
			t.Errorf("the answer arrives as %v", m)
		}
		pat.say(object{"type": "text", "id": "1", "text": "¿Me oye?"})
		if m := doc.hear("text"); m["id"] == "0" {
			m = doc.hear("text")
			if m["text"] != "¿Me oye?" || m["from"] != "pat" {
				t.Errorf("what is written arrives as %v", m)
			}
		}
		pat.say(object{"type": "state", "audioOnly": true})
		if m := doc.hear("state"); m["from"] != "pat" || m["audioOnly"] != true {
			t.Errorf("without a picture: %v", m)
		}
		// A third server learns how everybody stands now.
		g.Admit(t.Context(), theRoom, "doc", "aunt")
		aunt := call(t, three, theRoom, token("aunt"))
		if m := aunt.hear("welcome"); len(m["people"].([]any)) != 2 {
			t.Errorf("who comes to a third server is told %v", m)
		}
		for _, c := range []*caller{doc, pat} {
			if m := c.hear("joined"); seatOf(m) != "aunt" {
				t.Errorf("heard %v", m)
			}
		}
		// Somebody is turned away from another server than theirs.
		son := call(t, three, theRoom, token("son"))
		son.hear("welcome")
		doc.hear("waiting")
		doc.say(object{"type": "refuse", "seat": "son"})
		if code, heard := son.ends(); code != 4403 || heard[len(heard)-1] != "refused" {
			t.Errorf("turned away: %d after %v", code, heard)
		}
		// The same person at another server: the window before is closed.
		again := call(t, one, theRoom, secret("pat"))
		again.hear("welcome")
		if code, heard := pat.ends(); code != 4409 || heard[len(heard)-1] != "moved" {
			t.Errorf("the window before ends with %d after %v", code, heard)
		}
		again.say(object{"type": "text", "id": "2", "text": "aquí"})
		if m := aunt.hear("text"); m["from"] != "pat" {
			t.Errorf("from the other server: %v", m)
		}
		// A server goes away in order: nobody is left in the room who is not there.
		last := call(t, two, theRoom, secret("pat"))
		last.hear("welcome")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := second.Close(ctx); err != nil {
			t.Fatal(err)
		}
		for { // that of before may come first
			if m := aunt.hear("left"); seatOf(m) == "pat" {
				break
			}
		}
		doc.say(object{"type": "end"})
		for _, c := range []*caller{doc, aunt} {
			if code, heard := c.ends(); code != 4410 {
				t.Errorf("the end is %d after %v", code, heard)
			}
		}
	})
}
