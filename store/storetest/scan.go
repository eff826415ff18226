package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
)

// Scanner is a Store that scans.
type Scanner interface {
	Store
	Scan(ctx context.Context, s *search.Scan, x store.Indexer, page func([]fhir.Resource, string) error) error
	Moment(ctx context.Context) (time.Time, error)
}

// Scan checks the scans of an engine.
func Scan(t *testing.T, open func(t *testing.T) Scanner) {
	t.Run("as of a moment", func(t *testing.T) { scanAsOf(&fixture{T: t, ctx: t.Context()}, open(t)) })
	t.Run("what may be seen", func(t *testing.T) { scanRestricted(&fixture{T: t, ctx: t.Context()}, open(t)) })
	t.Run("refused", func(t *testing.T) { scanRefused(&fixture{T: t, ctx: t.Context()}, open(t)) })
}

// indexed says by what a resource is found.
func indexed(r *fhir.Resource) (search.Index, error) {
	d, err := element.Parse(r.JSON)
	if err != nil {
		return search.Index{}, err
	}
	return search.Extract(d, 0, base)
}

// errPause breaks a scan off.
var errPause = errors.New("enough")

// scanned returns what a scan brings, by id, some at a time; it is broken off and gone on
// with at random. What comes twice is an error.
func (f *fixture) scanned(s Scanner, scan search.Scan, rng *rand.Rand) map[string]string {
	f.Helper()
	all := map[string]string{}
	for {
		scan.Query.Count = 1 + rng.IntN(9)
		err := s.Scan(f.ctx, &scan, indexed, func(found []fhir.Resource, after string) error {
			if rng.IntN(4) == 0 {
				return errPause // nothing of this page has been taken
			}
			for i := range found {
				r := &found[i]
				if was, twice := all[r.Ref.ID]; twice {
					f.Errorf("%s comes twice: %.80s and %.80s", r.Ref, was, r.JSON)
				}
				all[r.Ref.ID] = string(r.JSON)
			}
			scan.After = after
			if rng.IntN(3) == 0 {
				return errPause
			}
			return nil
		})
		if err == nil {
			return all
		}
		if !errors.Is(err, errPause) {
			f.Fatal(err)
		}
	}
}

// seenOf is one of a patient, with a code.
func seenOf(id, code, patient string) string {
	return fmt.Sprintf(`{"resourceType":"Observation","id":%q,"status":"final","code":{"coding":[{"code":%q}]},"subject":{"reference":"Patient/%s"}}`, id, code, patient)
}

// scanAsOf holds scans against the history of what was written while they went on.
func scanAsOf(f *fixture, s Scanner) {
	f.s = s
	f.load(`{"resourceType":"Patient","id":"p1"}`, `{"resourceType":"Patient","id":"p2"}`)
	const ids = 60
	ctx, stop := context.WithCancel(f.ctx)
	var writers sync.WaitGroup
	var mu sync.Mutex
	acknowledged := 0 // versions
	for w := range 3 {
		rng := rand.New(rand.NewPCG(7, uint64(w)))
		writers.Go(func() {
			for ctx.Err() == nil {
				id := fmt.Sprintf("o%d", rng.IntN(ids))
				c := resource(f, seenOf(id, []string{"x", "y"}[rng.IntN(2)], []string{"p1", "p2"}[rng.IntN(2)]))
				if rng.IntN(4) == 0 {
					c = remove("Observation/" + id)
				}
				results, err := s.Apply(f.ctx, &bundle.Batch{Changes: []bundle.Change{c}})
				if err != nil && fhir.CodeOf(err) != fhir.Conflict {
					f.Error(err)
					return
				}
				if err == nil && (results[0].Outcome == bundle.Created || results[0].Outcome == bundle.Updated || results[0].Outcome == bundle.Removed) {
					mu.Lock()
					acknowledged++
					mu.Unlock()
				}
			}
		})
	}
	type look struct {
		text   string
		at     time.Time
		before int
		found  map[string]string
	}
	var looks []look
	rng := rand.New(rand.NewPCG(11, 13))
	for _, text := range []string{"Observation", "Observation?code=x", "Observation", "Observation?code=y&patient=p1", "Observation?patient:Patient._id=p2"} {
		before := 0
		for enough := 100 * (len(looks)/2 + 1); before < enough && !f.Failed(); time.Sleep(time.Millisecond) {
			mu.Lock()
			before = acknowledged
			mu.Unlock()
		}
		at, err := s.Moment(f.ctx)
		if err != nil {
			f.Fatal(err)
		}
		q := query(f, text)
		q.Restriction = search.Unrestricted
		looks = append(looks, look{text, at, before, f.scanned(s, search.Scan{Query: *q, At: at}, rng)})
		looks = append(looks, look{text, at, before, f.scanned(s, search.Scan{Query: *q, At: at}, rng)})
	}
	stop()
	writers.Wait()
	versions := f.everyVersion(s)
	for _, l := range looks[:8] {
		want, count := asOf(versions, l.at)
		if count < l.before {
			f.Errorf("as of %s there are %d versions, and %d were acknowledged before", l.at, count, l.before)
		}
		q := query(f, l.text)
		for id, r := range want {
			ix, err := indexed(&r)
			if err != nil {
				f.Fatal(err)
			}
			if ok, err := search.Holds(search.And(q.Where), &search.Subject{Ref: r.Ref.Current(), Updated: r.Updated, Index: &ix}); err != nil || !ok {
				delete(want, id)
			}
		}
		same(f, l.text, l.found, want)
	}
	// What other resources decide is decided by what there is now, but each comes as it was.
	for _, l := range looks[8:] {
		was, _ := asOf(versions, l.at)
		for id, got := range l.found {
			if got != string(was[id].JSON) {
				f.Errorf("%s: %s is %s, and was %s", l.text, id, got, was[id].JSON)
			}
		}
	}
}

func same(f *fixture, text string, got map[string]string, want map[string]fhir.Resource) {
	f.Helper()
	if len(want) == 0 {
		f.Errorf("%s: nothing was to be found, which shows nothing", text)
	}
	for id, r := range want {
		if got[id] != string(r.JSON) {
			f.Errorf("%s: %s is %q, and was %s", text, id, got[id], r.JSON)
		}
	}
	for id := range got {
		if _, ok := want[id]; !ok {
			f.Errorf("%s: %s is there, and was not", text, id)
		}
	}
}

// everyVersion returns all versions of Observations.
func (f *fixture) everyVersion(s Store) (all []fhir.Resource) {
	f.Helper()
	h := search.History{Type: "Observation", Count: 500, Restriction: search.Unrestricted}
	for {
		page, err := s.History(f.ctx, &h)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, page.Entries...)
		if h.After = page.Next; h.After == "" {
			return all
		}
	}
}

// asOf returns what was there at a moment, by id, and how many versions there were.
func asOf(versions []fhir.Resource, at time.Time) (map[string]fhir.Resource, int) {
	last, n := map[string]fhir.Resource{}, 0
	for _, v := range versions {
		if v.Updated.After(at) {
			continue
		}
		if n++; v.Ref.Version > last[v.Ref.ID].Ref.Version {
			last[v.Ref.ID] = v
		}
	}
	for id, v := range last {
		if v.Deleted() {
			delete(last, id)
		}
	}
	return last, n
}

// scanRestricted: what has changed since the moment is shown as it was, to those who may see it now.
func scanRestricted(f *fixture, s Scanner) {
	f.s = s
	f.load(`{"resourceType":"Patient","id":"p1"}`, `{"resourceType":"Patient","id":"p2"}`,
		seenOf("stays", "x", "p1"), seenOf("other", "x", "p2"), seenOf("leaves", "x", "p1"),
		seenOf("comes", "x", "p2"), seenOf("changes", "x", "p1"), seenOf("goes", "x", "p1"))
	at, err := s.Moment(f.ctx)
	if err != nil {
		f.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond)
	f.load(seenOf("leaves", "x", "p2"), seenOf("comes", "x", "p1"), seenOf("changes", "y", "p1"), seenOf("new", "x", "p1"))
	f.apply(remove("Observation/goes"))
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		text string
		at   time.Time
		only *search.Restriction
		want []string
	}{
		{"Observation", at, only(f, "p1"), []string{"stays", "comes", "changes", "goes"}},
		{"Observation?code=x", at, only(f, "p1"), []string{"stays", "comes", "changes", "goes"}},
		{"Observation?code=y", at, only(f, "p1"), nil},
		{"Observation?code=y", time.Time{}, only(f, "p1"), []string{"changes"}},
		{"Observation", time.Time{}, only(f, "p1"), []string{"stays", "comes", "changes", "new"}},
		{"Observation", at, search.Unrestricted, []string{"stays", "other", "leaves", "comes", "changes", "goes"}},
		{"Encounter", at, only(f, "p1"), nil},
		{"Patient", at, only(f, "p2"), []string{"p2"}},
		{"Observation", at, &search.Restriction{}, nil},
	} {
		q := query(f, c.text)
		q.Restriction = c.only
		got := f.scanned(s, search.Scan{Query: *q, At: c.at}, rng)
		for _, id := range c.want {
			if got[id] == "" {
				f.Errorf("%s: %s is missing", c.text, id)
			}
			delete(got, id)
		}
		for id := range got {
			f.Errorf("%s: %s is shown", c.text, id)
		}
	}
}

func scanRefused(f *fixture, s Scanner) {
	nobody := func([]fhir.Resource, string) error { return errors.New("called") }
	for name, scan := range map[string]search.Scan{
		"no restriction": {Query: search.Query{Type: "Patient"}},
		"no type":        {Query: search.Query{Restriction: search.Unrestricted}},
		"no such type":   {Query: search.Query{Type: "Paper", Restriction: search.Unrestricted}},
		"the future":     {Query: search.Query{Type: "Patient", Restriction: search.Unrestricted}, At: time.Now().Add(time.Hour)},
		"no such place":  {Query: search.Query{Type: "Patient", Restriction: search.Unrestricted}, After: "x"},
	} {
		if err := s.Scan(f.ctx, &scan, indexed, nobody); err == nil || err.Error() == "called" {
			f.Errorf("%s: %v", name, err)
		}
	}
}
