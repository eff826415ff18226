package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
)

// State is what an engine offers for entries; the same as authz.State.
type State interface {
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
	Remove(ctx context.Context, kind, key string, version int64) error
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
}

// Entries runs every test of entries on an engine. open returns a fresh, empty
// store that takes the time from now.
func Entries(t *testing.T, open func(t *testing.T, now func() time.Time) State) {
	for name, test := range entryTests {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			f := &entryFixture{T: t, ctx: t.Context()}
			f.clock.Store(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).UnixMicro())
			f.s = open(t, func() time.Time { return time.UnixMicro(f.clock.Load()) })
			test(f)
		})
	}
}

type entryFixture struct {
	*testing.T
	s     State
	ctx   context.Context
	clock atomic.Int64 // microseconds since 1970
}

func (f *entryFixture) now() time.Time       { return time.UnixMicro(f.clock.Load()).UTC() }
func (f *entryFixture) pass(d time.Duration) { f.clock.Add(d.Microseconds()) }

// put writes entries, which must succeed.
func (f *entryFixture) put(entries ...fhir.Entry) {
	f.Helper()
	if err := f.s.Put(f.ctx, entries...); err != nil {
		f.Fatalf("put: %v", err)
	}
}

// fails expects that err has a code.
func (f *entryFixture) fails(err error, code fhir.Code) {
	f.Helper()
	if fhir.CodeOf(err) != code {
		f.Errorf("error %v, want code %d", err, code)
	}
}

// is expects that an entry is at version with value; version 0, that there is none.
func (f *entryFixture) is(kind, key string, version int64, value string) {
	f.Helper()
	e, err := f.s.Entry(f.ctx, kind, key)
	if version == 0 {
		f.fails(err, fhir.NotFound)
		return
	}
	if err != nil || e.Kind != kind || e.Key != key || e.Version != version || string(e.Value) != value {
		f.Errorf("%s/%s is %+v %v, want version %d with %q", kind, key, e, err, version, value)
	}
}

// lists expects the keys, joined by spaces, that a list has.
func (f *entryFixture) lists(kind, group, after string, limit int, want string) {
	f.Helper()
	all, err := f.s.Entries(f.ctx, kind, group, after, limit)
	var keys []string
	for _, e := range all {
		keys = append(keys, e.Key)
	}
	if err != nil || strings.Join(keys, " ") != want {
		f.Errorf("list %s %s after %q: %v %v, want %s", kind, group, after, keys, err, want)
	}
}

func entry(kind, key string, version int64, value string) fhir.Entry {
	return fhir.Entry{Kind: kind, Key: key, Version: version, Value: []byte(value)}
}

var entryTests = map[string]func(*entryFixture){
	"put, read, change, remove": func(f *entryFixture) {
		f.is("a", "k", 0, "")
		f.put(entry("a", "k", 0, "one"))
		f.is("a", "k", 1, "one")
		f.is("b", "k", 0, "")
		f.fails(f.s.Put(f.ctx, entry("a", "k", 0, "again")), fhir.Conflict)
		f.fails(f.s.Put(f.ctx, entry("a", "k", 2, "ahead")), fhir.Conflict)
		f.fails(f.s.Put(f.ctx, entry("a", "none", 1, "x")), fhir.Conflict)
		f.put(entry("a", "k", 1, ""))
		f.is("a", "k", 2, "")
		f.fails(f.s.Remove(f.ctx, "a", "k", 1), fhir.Conflict)
		f.is("a", "k", 2, "")
		for range 2 { // that there is none is no error
			if err := f.s.Remove(f.ctx, "a", "k", 2); err != nil {
				f.Error(err)
			}
		}
		f.is("a", "k", 0, "")
		f.put(entry("a", "k", 0, "new"))
		f.is("a", "k", 1, "new")
		if err := f.s.Remove(f.ctx, "a", "k", 0); err != nil {
			f.Error(err)
		}
		f.is("a", "k", 0, "")
		f.put()
	},
	"what is written is read": func(f *entryFixture) {
		e := fhir.Entry{
			Kind: "k", Key: "ñ/Ω 1", Group: "g", Expires: f.now().Add(time.Hour), Value: []byte{0, 1, 255, '"'},
		}
		f.put(e)
		e.Version = 1
		got, err := f.s.Entry(f.ctx, "k", "ñ/Ω 1")
		if err != nil || fmt.Sprint(got) != fmt.Sprint(e) {
			f.Errorf("%+v %v, want %+v", got, err, e)
		}
		e.Group, e.Expires, e.Value = "", time.Time{}, []byte("x")
		f.put(e)
		e.Version = 2
		if got, err = f.s.Entry(f.ctx, "k", "ñ/Ω 1"); err != nil || fmt.Sprint(got) != fmt.Sprint(e) {
			f.Errorf("%+v %v, want %+v", got, err, e)
		}
	},
	"all or none": func(f *entryFixture) {
		f.put(entry("a", "1", 0, "x"), entry("b", "1", 0, "y"))
		f.fails(f.s.Put(f.ctx, entry("a", "1", 1, "changed"), entry("a", "2", 0, "new"), entry("b", "1", 7, "stale")), fhir.Conflict)
		f.fails(f.s.Put(f.ctx, entry("b", "2", 0, "new"), entry("a", "1", 0, "there is one")), fhir.Conflict)
		f.is("a", "1", 1, "x")
		f.is("a", "2", 0, "")
		f.is("b", "1", 1, "y")
		f.is("b", "2", 0, "")
		f.put(entry("b", "1", 1, "2"), entry("a", "1", 1, "2"), entry("c", "1", 0, "1"))
		f.is("a", "1", 2, "2")
		f.is("b", "1", 2, "2")
		f.is("c", "1", 1, "1")
	},
	"names": func(f *entryFixture) {
		for _, bad := range []string{"", "a\x00b", "\xff", strings.Repeat("x", 2000)} {
			f.fails(f.s.Put(f.ctx, entry("k", bad, 0, "")), fhir.Invalid)
			f.fails(f.s.Put(f.ctx, entry(bad, "k", 0, "")), fhir.Invalid)
			f.is("k", bad, 0, "")
			f.is(bad, "k", 0, "")
			if err := f.s.Remove(f.ctx, "k", bad, 0); err != nil {
				f.Errorf("remove %q: %v", bad, err)
			}
			if all, err := f.s.Entries(f.ctx, bad, "", "", 5); err != nil || len(all) > 0 {
				f.Errorf("list of %q: %v %v", bad, all, err)
			}
		}
		f.fails(f.s.Put(f.ctx, entry("k", "k", 0, "1"), entry("k", "k", 0, "2")), fhir.Invalid)
		f.fails(f.s.Put(f.ctx, entry("k", "k", -1, "")), fhir.Invalid)
		f.is("k", "k", 0, "")
	},
	"lists": func(f *entryFixture) {
		for _, key := range []string{"b", "A", "a", "ñ", "a1"} {
			e := entry("k", key, 0, "")
			e.Group = map[bool]string{true: "g", false: "h"}[key < "b"]
			f.put(e, entry("other", key, 0, ""))
		}
		f.lists("k", "", "", 10, "A a a1 b ñ")
		f.lists("k", "", "", 2, "A a")
		f.lists("k", "", "a", 2, "a1 b")
		f.lists("k", "", "ñ", 2, "")
		f.lists("k", "g", "", 10, "A a a1")
		f.lists("k", "g", "A", 1, "a")
		f.lists("k", "h", "", 10, "b ñ")
		f.lists("k", "none", "", 10, "")
		f.lists("k", "", "", 0, "")
		f.lists("none", "", "", 10, "")
	},
	"expiry": func(f *entryFixture) {
		soon := entry("k", "soon", 0, "x")
		soon.Expires, soon.Group = f.now().Add(10*time.Second), "g"
		f.put(soon, entry("k", "never", 0, "y"))
		f.pass(10*time.Second - time.Microsecond)
		f.is("k", "soon", 1, "x")
		f.lists("k", "g", "", 9, "soon")
		f.pass(time.Microsecond)
		f.is("k", "soon", 0, "")
		f.lists("k", "", "", 9, "never")
		f.lists("k", "g", "", 9, "")
		soon.Version = 1
		f.fails(f.s.Put(f.ctx, soon), fhir.Conflict) // it is not there any more
		if err := f.s.Remove(f.ctx, "k", "soon", 5); err != nil {
			f.Errorf("removing what has expired: %v", err)
		}
		soon.Version, soon.Expires = 0, f.now().Add(time.Second)
		f.put(soon)
		f.pass(time.Minute)
		f.put(entry("k", "soon", 0, "the next"))
		f.is("k", "soon", 1, "the next")
		f.pass(time.Hour)
		f.is("k", "soon", 1, "the next")
	},
	"of two hundred that put the same version one wins": func(f *entryFixture) {
		for version := int64(0); version < 3; version++ {
			var won, lost atomic.Int64
			together(200, func(i int) {
				err := f.s.Put(f.ctx, entry("k", "hot", version, fmt.Sprint(i)))
				switch {
				case err == nil:
					won.Add(1)
				case fhir.CodeOf(err) == fhir.Conflict:
					lost.Add(1)
				default:
					f.Error(err)
				}
			})
			if won.Load() != 1 || lost.Load() != 199 {
				f.Errorf("version %d: %d won, %d lost", version, won.Load(), lost.Load())
			}
		}
	},
	"of those that replace what has expired one wins": func(f *entryFixture) {
		e := entry("k", "hot", 0, "old")
		e.Expires = f.now().Add(time.Second)
		f.put(e)
		f.pass(time.Second)
		var won atomic.Int64
		together(50, func(i int) {
			if err := f.s.Put(f.ctx, entry("k", "hot", 0, "new")); err == nil {
				won.Add(1)
			} else if fhir.CodeOf(err) != fhir.Conflict {
				f.Error(err)
			}
		})
		if won.Load() != 1 {
			f.Errorf("%d won", won.Load())
		}
	},
	"transfers keep the sum": func(f *entryFixture) {
		const accounts = 4
		for i := range accounts {
			f.put(entry("account", fmt.Sprint(i), 0, "100"))
		}
		together(24, func(i int) {
			from, to := fmt.Sprint(i%accounts), fmt.Sprint((i+1+i/accounts%3)%accounts)
			if i%2 == 0 {
				from, to = to, from
			}
			for {
				a, errA := f.s.Entry(f.ctx, "account", from)
				b, errB := f.s.Entry(f.ctx, "account", to)
				if errA != nil || errB != nil {
					f.Error(errA, errB)
					return
				}
				a.Value, b.Value = fmt.Appendf(nil, "%d", amount(a)-7), fmt.Appendf(nil, "%d", amount(b)+7)
				err := f.s.Put(f.ctx, a, b)
				if err == nil {
					return
				}
				if fhir.CodeOf(err) != fhir.Conflict {
					f.Error(err)
					return
				}
			}
		})
		all, err := f.s.Entries(f.ctx, "account", "", "", 9)
		if err != nil {
			f.Fatal(err)
		}
		sum, changes := 0, int64(0)
		for _, e := range all {
			sum += amount(e)
			changes += e.Version - 1
		}
		if sum != 100*accounts || changes != 2*24 {
			f.Errorf("the sum is %d after %d changes: %v", sum, changes, all)
		}
	},
	"removing and putting at once": func(f *entryFixture) {
		var put, removed atomic.Int64
		f.put(entry("k", "x", 0, ""))
		together(40, func(i int) {
			var err error
			if i%2 == 0 {
				err = f.s.Put(f.ctx, entry("k", "x", 1, ""))
			} else {
				err = f.s.Remove(f.ctx, "k", "x", 1)
			}
			switch {
			case err != nil && fhir.CodeOf(err) != fhir.Conflict:
				f.Error(err)
			case err == nil && i%2 == 0:
				put.Add(1)
			case err == nil:
				removed.Add(1)
			}
		})
		// Either one put came first and no remove found version 1, or a remove did.
		e, err := f.s.Entry(f.ctx, "k", "x")
		changed := put.Load() == 1 && removed.Load() == 0 && err == nil && e.Version == 2
		gone := put.Load() == 0 && removed.Load() > 0 && fhir.CodeOf(err) == fhir.NotFound
		if changed == gone {
			f.Errorf("%d put, %d removed, then %+v %v", put.Load(), removed.Load(), e, err)
		}
	},
}

func amount(e fhir.Entry) (n int) {
	fmt.Sscan(string(e.Value), &n)
	return n
}

// Swept checks that expired entries do not stay for ever: count tells how many rows
// a store has, whether they can be seen or not.
func Swept(t *testing.T, open func(t *testing.T, now func() time.Time) State, count func(State) int) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := open(t, func() time.Time { return now })
	var old []fhir.Entry
	for i := range 1500 {
		e := entry("token", fmt.Sprint(i), 0, "")
		e.Expires = now.Add(time.Duration(1+i%2) * time.Hour)
		old = append(old, e)
	}
	for part := range slices.Chunk(old, 500) {
		if err := s.Put(t.Context(), part...); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(90 * time.Minute)
	for range 3 { // each sweep has a limit
		if err := s.Put(t.Context(), entry("k", fmt.Sprint(now.Unix()), 0, "")); err != nil {
			t.Fatal(err)
		}
		now = now.Add(2 * time.Minute)
	}
	if n := count(s); n != 750+3 {
		t.Errorf("%d rows, of which 750 have expired", n)
	}
}
