package feed_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// copies are who follows what in the test of lost connections.
var copies = []struct{ who, scope string }{
	{"system", ""}, {"clinician", ""}, {"other", ""}, {"vaccinator", ""}, {"certifier", ""}, {"patient", ""},
	{"clinician", "patient=p1"}, {"clinic", "group=g0"}, {"far", "group=g1"}, {"clinician", "organization=o0"},
	{"other", "organization=o1"}, {"system", "organization=o2"}, {"clinician", "_type=Observation"}, {"system", "group=g0"},
}

// TestLostConnections: while many write, and what everybody may see changes all the time,
// clients lose their connection a thousand times, and go back to old backups. In the end
// each has exactly what a search finds. With a thousand on PostgreSQL as well it is a
// matter of minutes.
func TestLostConnections(t *testing.T) {
	for name, times := range map[string]int{"sqlite": 1000, "postgres": 150} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lose(newWorld(t, 1, engines[name]), times)
		})
	}
}

func lose(w *world, times int) {
	w.settle()
	clients := make([]*client, len(copies))
	for i, c := range copies {
		clients[i] = &client{w: w, who: c.who, scope: c.scope, rand: rand.New(rand.NewPCG(uint64(i), 3))}
	}
	done := make(chan struct{})
	var writing, syncing sync.WaitGroup
	for n := range 3 {
		writing.Go(func() {
			r := rand.New(rand.NewPCG(uint64(n), 5))
			for {
				select {
				case <-done:
					return
				case <-time.After(3 * time.Millisecond):
					w.happen(r)
				}
			}
		})
	}
	for _, c := range clients {
		syncing.Go(func() {
			for c.lost < times/len(clients)+1 && !w.t.Failed() {
				c.sync(true)
			}
		})
	}
	syncing.Wait()
	close(done)
	writing.Wait()
	lost := 0
	for _, c := range clients {
		lost += c.lost
		if c.most == 0 && times >= 1000 {
			w.t.Errorf("%s %s never had anything", c.who, c.scope)
		}
		w.same(c)
	}
	w.t.Logf("%d connections were lost", lost)
	if lost < times {
		w.t.Errorf("only %d connections were lost", lost)
	}
}

// same lets a client catch up, and compares its copy with what a search finds.
func (w *world) same(c *client) {
	w.t.Helper()
	// A poll does not wait for ever for what transactions of other tests hold back.
	if err := w.engine.Feed().Settled(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	quiet := 0
	for n := 0; quiet < 2; n++ {
		if c.sync(false); c.caught {
			quiet++
		}
		if n > 2000 {
			w.t.Fatalf("%s %s never catches up", c.who, c.scope)
		}
	}
	want := w.truth(c.who, c.scope)
	if maps.Equal(c.copy, want) {
		return
	}
	for _, ref := range slices.Sorted(maps.Keys(want)) {
		if got, ok := c.copy[ref]; !ok {
			w.t.Errorf("%s %s lacks %s", c.who, c.scope, ref)
		} else if got != want[ref] {
			w.t.Errorf("%s %s has an old %s\n%s\n%s", c.who, c.scope, ref, got, want[ref])
		}
	}
	for _, ref := range slices.Sorted(maps.Keys(c.copy)) {
		if _, ok := want[ref]; !ok {
			w.t.Errorf("%s %s still has %s", c.who, c.scope, ref)
		}
	}
	if w.t.Failed() {
		w.t.Log(fmt.Sprint(len(want), " resources"))
	}
}
