package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/store"
)

// Feeder is a Store with a change feed.
type Feeder interface {
	Store
	Feed() *store.Feed
	store.FeedReader
	store.FeedPruner
}

// Feed checks the change feed of an engine. slow, when there is one, keeps a transaction
// open that began before others end.
func Feed(t *testing.T, open func(t *testing.T) Feeder, slow func(s Feeder) (end func())) {
	t.Run("tells of every version", func(t *testing.T) { feedTells(&fixture{T: t, ctx: t.Context()}, open(t)) })
	t.Run("has no gaps", func(t *testing.T) { feedHasNoGaps(&fixture{T: t, ctx: t.Context()}, open(t), slow) })
	t.Run("tells whom a change concerned", func(t *testing.T) { feedTargets(&fixture{T: t, ctx: t.Context()}, open(t)) })
	t.Run("tells which types were written", func(t *testing.T) { feedSeen(&fixture{T: t, ctx: t.Context()}, open(t), slow) })
	t.Run("settles", func(t *testing.T) { feedSettles(&fixture{T: t, ctx: t.Context()}, open(t), slow) })
	t.Run("forgets what is old", func(t *testing.T) { feedForgets(&fixture{T: t, ctx: t.Context()}, open(t)) })
	t.Run("knows another history", func(t *testing.T) { feedHistory(&fixture{T: t, ctx: t.Context()}, open(t)) })
}

// rest reads a feed to its end, a few changes at a time.
func (f *fixture) rest(feed *store.Feed, after fhir.Mark) (all []fhir.Change) {
	f.Helper()
	for {
		page, err := feed.Changes(f.ctx, after, 7)
		if err != nil {
			f.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all, after = append(all, page...), page[len(page)-1].At
	}
}

// fresh waits until the feed has as many changes.
func (f *fixture) fresh(feed *store.Feed, after fhir.Mark, n int) []fhir.Change {
	f.Helper()
	for {
		if all := f.rest(feed, after); len(all) >= n || f.Failed() {
			return all
		}
		ctx, cancel := context.WithTimeout(f.ctx, 5*time.Minute)
		end, err := feed.End(ctx)
		if err == nil {
			err = feed.Wait(ctx, end)
		}
		cancel()
		if err != nil {
			f.Fatalf("%d changes never came: %v", n, err)
		}
	}
}

func feedTells(f *fixture, s Feeder) {
	f.s = s
	start, err := s.Feed().End(f.ctx)
	if err != nil {
		f.Fatal(err)
	}
	f.load(patient("p", "Ek", "1980"))
	f.load(patient("p", "Ek", "1981"), patient("q", "Ek", "1981"))
	f.load(patient("p", "Ek", "1981")) // the same again: no version, no change
	f.apply(remove("Patient/p"))
	var got []string
	for _, c := range f.fresh(s.Feed(), start, 4) {
		got = append(got, c.Ref.String()+" "+c.Method.String())
	}
	slices.Sort(got[1:3]) // of one transaction
	want := []string{"Patient/p/_history/1 PUT", "Patient/p/_history/2 PUT", "Patient/q/_history/1 PUT", "Patient/p/_history/3 DELETE"}
	if !slices.Equal(got, want) {
		f.Errorf("the feed has %q, want %q", got, want)
	}
	// Another process sees the same from the start.
	again := f.rest(store.NewFeed(s), start)
	if len(again) != 4 || again[3].Method != fhir.DELETE {
		f.Errorf("from the database the feed has %v", again)
	}
}

// feedSeen: what another process writes is seen of its type, and of no other; also while
// a transaction that began before holds it back.
func feedSeen(f *fixture, s Feeder, slow func(s Feeder) (end func())) {
	f.s = s
	f.load(patient("p", "Ek", "1980"))
	end := func() {}
	if slow != nil {
		end = slow(s)
	}
	defer end()
	feed := store.NewFeed(s) // that nobody wakes
	seen := func(typ string) uint64 {
		n, err := feed.Seen(f.ctx, typ)
		if err != nil || n == 0 {
			f.Fatal(n, err)
		}
		return n
	}
	other, before := seen("Consent"), seen("Observation")
	f.load(observation("o", "Patient/p", "8302-2", "2020", "1"))
	for deadline := time.Now().Add(5 * time.Minute); seen("Observation") == before; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.Fatal("it is never seen that an Observation was written")
		}
	}
	if seen("Consent") != other {
		f.Error("a Consent is said to have been written")
	}
}

// feedSettles: who waits for what was written before is told of it, also while a
// transaction that began before holds it back; and is not kept waiting by what was begun
// after, nor by a transaction that nobody overtook.
func feedSettles(f *fixture, s Feeder, slow func(s Feeder) (end func())) {
	f.s = s
	feeds := map[string]*store.Feed{"here": s.Feed(), "elsewhere": store.NewFeed(s)}
	for name, feed := range feeds {
		const pause = 10 * time.Millisecond
		feed.Pause(pause)
		if _, err := feed.End(f.ctx); err != nil {
			f.Fatal(err)
		}
		end := func() {}
		if slow != nil {
			end = slow(s)
		}
		if err := feed.Settled(f.ctx); err != nil {
			f.Fatalf("%s: nothing is held back, and yet: %v", name, err)
		}
		start := mustEnd(f, s)
		f.load(patient("p-"+name, "Ek", "1980"))
		if name == "elsewhere" {
			time.Sleep(pause)
		}
		asked := fhir.AskedAt(f.ctx, time.Now())
		if slow != nil {
			short, stop := context.WithTimeout(asked, time.Second)
			if err := feed.Settled(short); !errors.Is(err, context.DeadlineExceeded) {
				f.Errorf("%s: it is settled while a transaction holds a change back: %v", name, err)
			}
			stop()
		}
		settled := make(chan error, 1)
		go func() { settled <- feed.Settled(asked) }()
		later := func() {}
		if slow != nil {
			later = slow(s)
		}
		end()
		f.load(patient("q-"+name, "Ek", "1980")) // held back by the later one, which nobody waits for
		select {
		case err := <-settled:
			if err != nil {
				f.Fatalf("%s: %v", name, err)
			}
		case <-time.After(5 * time.Minute):
			f.Fatalf("%s: it never settles", name)
		}
		told := f.rest(feed, start)
		if !slices.ContainsFunc(told, func(c fhir.Change) bool { return c.Ref.ID == "p-"+name }) {
			f.Errorf("%s: it is settled without what was written before: %v", name, told)
		}
		later()
	}
}

func feedTargets(f *fixture, s Feeder) {
	f.s = s
	f.load(patient("p", "Ek", "1980"), patient("q", "Ek", "1980"))
	start := f.fresh(s.Feed(), fhir.Mark{Origin: mustEnd(f, s).Origin}, 2)[1].At
	f.load(observation("o", "Patient/p", "8302-2", "2020", "1"))
	f.load(observation("o", "Patient/q", "8302-2", "2020", "1"))
	f.apply(remove("Observation/o"))
	var got []string
	for _, c := range f.fresh(s.Feed(), start, 3) {
		ids := ""
		for _, ref := range c.Targets {
			if ref.Type == "Patient" {
				ids += ref.ID
			}
		}
		got = append(got, ids)
	}
	if want := []string{"p", "pq", "q"}; !slices.Equal(got, want) {
		f.Errorf("the changes concern %q, want %q", got, want)
	}
	is := func(ids ...string) (hashes []uint64) {
		for _, id := range ids {
			hashes = append(hashes, fhir.Ref{Type: "Patient", ID: id}.Hash())
		}
		return hashes
	}
	feed := store.NewFeed(s)
	end, err := feed.End(f.ctx)
	if err != nil {
		f.Fatal(err)
	}
	f.load(observation("o2", "Patient/q", "8302-2", "2020", "1"))
	feed.Wake()
	f.fresh(feed, end, 1)
	if feed.Touched(end, is("p")) || !feed.Touched(end, is("p", "q")) || !feed.Touched(start, is("p")) {
		f.Error("what was touched is not told right")
	}
}

func mustEnd(f *fixture, s Feeder) fhir.Mark {
	end, err := s.FeedEnd(f.ctx)
	if err != nil {
		f.Fatal(err)
	}
	return end
}

func feedHistory(f *fixture, s Feeder) {
	f.s = s
	f.load(patient("p", "Ek", "1980"))
	end := mustEnd(f, s)
	for name, m := range map[string]fhir.Mark{
		"another origin":  {Origin: end.Origin + 1, Tx: end.Tx, Key: end.Key, Version: end.Version},
		"another version": {Origin: end.Origin, Tx: end.Tx, Key: end.Key, Version: end.Version + 1},
		"the future":      {Origin: end.Origin, Tx: end.Tx + 1000, Key: 1, Version: 1},
	} {
		if _, err := s.Feed().Changes(f.ctx, m, 10); fhir.CodeOf(err) != fhir.Gone {
			f.Errorf("%s: %v", name, err)
		}
	}
	for _, m := range []fhir.Mark{end, {Origin: end.Origin}} {
		if _, err := s.Feed().Changes(f.ctx, m, 10); err != nil {
			f.Errorf("%v: %v", m, err)
		}
	}
}

func feedForgets(f *fixture, s Feeder) {
	f.s = s
	start := mustEnd(f, s)
	prune := func(older time.Time, most, want int) {
		f.Helper()
		if _, n, err := store.PruneFeed(f.ctx, s, older, most); err != nil || n != want {
			f.Fatalf("%d removed, want %d: %v", n, want, err)
		}
	}
	prune(time.Now().Add(time.Hour), 10, 0)
	for year := range 6 {
		f.load(patient("p", "Ek", fmt.Sprint(1980+year)))
	}
	before := f.fresh(store.NewFeed(s), start, 6)
	late := time.Now().Add(time.Hour)
	prune(time.Now().Add(-time.Hour), 10, 0)
	prune(late, 2, 2)
	prune(late, 10, 3) // the last one stays
	prune(late, 10, 0)
	feed := store.NewFeed(s)
	for i := range before {
		rest, err := feed.Changes(f.ctx, before[i].At, 10)
		switch {
		case i < 5 && fhir.CodeOf(err) != fhir.Gone:
			f.Errorf("after change %d, which is forgotten: %d changes, %v", i, len(rest), err)
		case i == 5 && (err != nil || len(rest) != 0):
			f.Errorf("after the last one: %d changes, %v", len(rest), err)
		}
	}
	f.load(patient("p", "Ek", "2000"))
	after := f.fresh(store.NewFeed(s), before[5].At, 1)
	if len(after) != 1 || after[0].At.Compare(before[5].At) <= 0 {
		f.Errorf("what came later: %v", after)
	}
}

// feedHasNoGaps lets readers follow while many write, in transactions that take long
// and short. Each reader must meet every version exactly once, those of a resource in
// their order.
func feedHasNoGaps(f *fixture, s Feeder, slow func(Feeder) func()) {
	const writers, each = 8, 40
	f.s = s
	start := mustEnd(f, s)
	ctx, cancel := context.WithTimeout(f.ctx, 10*time.Minute)
	defer cancel()
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range each {
				if slow != nil && r.IntN(8) == 0 {
					end, later := slow(s), time.Duration(r.IntN(20))*time.Millisecond
					writing.Go(func() {
						time.Sleep(later)
						end()
					})
				}
				b := &bundle.Batch{Changes: []bundle.Change{resource(f, patient(fmt.Sprintf("own-%d", w), "Ek", fmt.Sprint(1900+i)))}}
				for k := range r.IntN(30) {
					if r.IntN(10) > 7 { // large ones go another way
						b.Changes = append(b.Changes, resource(f, patient(fmt.Sprintf("w%d-%d-%d", w, i, k), "Uc", "2000")))
					}
				}
				if _, err := s.Apply(ctx, b); err != nil {
					f.Errorf("apply: %v", err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	counts := make([]map[fhir.Ref]int, 4)
	for n := range counts {
		reading.Go(func() {
			feed := s.Feed()
			if n%2 == 1 {
				feed = store.NewFeed(s) // of another process
			}
			counts[n] = follow(f, ctx, feed, start, done)
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	all := f.rest(store.NewFeed(s), start)
	for n, seen := range counts {
		for i := range all {
			if seen[all[i].Ref] != 1 {
				f.Fatalf("reader %d met %s %d times", n, all[i].Ref, seen[all[i].Ref])
			}
		}
		for ref, times := range seen {
			if times != 1 {
				f.Errorf("reader %d met %s %d times", n, ref, times)
			}
		}
		for w := range writers {
			for v := range each {
				if seen[fhir.Ref{Type: "Patient", ID: fmt.Sprintf("own-%d", w), Version: int64(v + 1)}] != 1 {
					f.Fatalf("reader %d never met version %d of own-%d", n, v+1, w)
				}
			}
		}
		if len(seen) != len(all) {
			f.Errorf("reader %d met %d versions of %d", n, len(seen), len(all))
		}
	}
}

// follow reads a feed until there is nothing more after done.
func follow(f *fixture, ctx context.Context, feed *store.Feed, after fhir.Mark, done chan struct{}) map[fhir.Ref]int {
	seen, newest := map[fhir.Ref]int{}, map[fhir.Ref]int64{}
	for quiet := 0; quiet < 3; {
		page, err := feed.Changes(ctx, after, 1+rand.IntN(50))
		if err != nil {
			f.Errorf("changes: %v", err)
			return seen
		}
		for _, c := range page {
			seen[c.Ref]++
			at := c.Ref.Current()
			if c.Ref.Version <= newest[at] {
				f.Errorf("%s comes after version %d", c.Ref, newest[at])
			}
			newest[at], after = c.Ref.Version, c.At
		}
		select {
		case <-done:
			if len(page) == 0 {
				quiet++
				time.Sleep(1100 * time.Millisecond) // so that what others wrote is looked for
			}
		default:
		}
	}
	return seen
}
