package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// together calls f for 0 to n-1 at once.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	wg.Wait()
}

var raceTests = map[string]func(*fixture){
	"a hundred conditional creates make one": func(f *fixture) {
		var created atomic.Int64
		together(100, func(i int) {
			c := f.when("Patient?identifier=urn:curp|1", creating(f, identified(fmt.Sprintf("p%d", i), "1")))
			r, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: []bundle.Change{c}})
			if err != nil {
				f.Error(err)
				return
			}
			if r[0].Outcome == bundle.Created {
				created.Add(1)
			}
		})
		if n := created.Load(); n != 1 {
			f.Errorf("%d were created", n)
		}
		if n := len(f.search(query(f, "Patient?identifier=1")).Matches); n != 1 {
			f.Errorf("%d are there", n)
		}
	},
	"conditional creates make one, whichever way they name the identifier": func(f *fixture) {
		criteria := []string{"Patient?identifier=urn:curp|1", "Patient?identifier=1", "Patient?_lastUpdated=gt2000&identifier=1"}
		together(60, func(i int) {
			c := f.when(criteria[i%len(criteria)], creating(f, identified(fmt.Sprintf("p%d", i), "1")))
			if _, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: []bundle.Change{c}}); err != nil {
				f.Error(err)
			}
		})
		if n := len(f.search(query(f, "Patient?identifier=1")).Matches); n != 1 {
			f.Errorf("%d are there", n)
		}
	},
	"of parallel updates of a version one wins": func(f *fixture) {
		f.apply(update("Patient/a", "start", search.Index{}))
		for version := int64(1); version < 4; version++ {
			var won, lost atomic.Int64
			together(30, func(i int) {
				c := update("Patient/a", fmt.Sprint(version, i), search.Index{})
				c.IfMatch = version
				_, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: []bundle.Change{c}})
				switch {
				case err == nil:
					won.Add(1)
				case fhir.CodeOf(err) == fhir.Stale:
					lost.Add(1)
				default:
					f.Error(err)
				}
			})
			if won.Load() != 1 || lost.Load() != 29 {
				f.Errorf("version %d: %d won, %d lost", version, won.Load(), lost.Load())
			}
		}
	},
	"parallel updates all become versions": func(f *fixture) {
		const writers, rounds = 10, 5
		together(writers, func(i int) {
			for j := range rounds {
				c := update("Patient/hot", fmt.Sprint(i, " ", j), search.Index{})
				if _, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: []bundle.Change{c}}); err != nil {
					f.Error(err)
				}
			}
		})
		if v := f.versions(search.History{Type: "Patient", ID: "hot"}, 7); len(v) != writers*rounds || v[0].Ref.Version != writers*rounds {
			f.Errorf("%s", names(v))
		}
	},
	"parallel creates of one id": func(f *fixture) {
		var created, refused atomic.Int64
		together(20, func(i int) {
			_, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: []bundle.Change{create("Patient/a", fmt.Sprint(i), search.Index{})}})
			switch {
			case err == nil:
				created.Add(1)
			case fhir.CodeOf(err) == fhir.Conflict:
				refused.Add(1)
			default:
				f.Error(err)
			}
		})
		if created.Load() != 1 || refused.Load() != 19 {
			f.Errorf("%d created, %d refused", created.Load(), refused.Load())
		}
	},
	"batches in opposite order": func(f *fixture) {
		const n = 12
		together(16, func(i int) {
			var changes []bundle.Change
			for j := range n {
				k := j
				if i%2 == 1 {
					k = n - 1 - j
				}
				changes = append(changes, update(fmt.Sprintf("Patient/p%d", k), fmt.Sprint(i), search.Index{}))
			}
			if _, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: changes}); err != nil {
				f.Error(err)
			}
		})
		first, err := f.s.Read(f.ctx, ref("Patient/p0"))
		if err != nil {
			f.Fatal(err)
		}
		for j := range n {
			if r, err := f.s.Read(f.ctx, ref(fmt.Sprintf("Patient/p%d", j))); err != nil || r.Ref.Version != first.Ref.Version {
				f.Errorf("p%d: %v %v, want version %d", j, r.Ref, err, first.Ref.Version)
			}
		}
	},
	"no part of a batch is seen": func(f *fixture) {
		const n = 5
		write := func(text string) {
			var changes []bundle.Change
			for j := range n {
				changes = append(changes, update(fmt.Sprintf("Patient/p%d", j), text, search.Index{}))
			}
			f.apply(changes...)
		}
		write("0")
		done := make(chan struct{})
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					m := f.search(query(f, "Patient?_sort=_id")).Matches
					for i := range m {
						if m[i].Ref.Version != m[0].Ref.Version || len(m) != n {
							f.Errorf("a reader saw %s", names(m))
							return
						}
					}
				}
			})
		}
		for i := range 40 {
			write(fmt.Sprint(i + 1))
		}
		close(done)
		wg.Wait()
	},
	"placeholders are made once": func(f *fixture) {
		together(20, func(i int) {
			targets := []search.Link{{Param: 1, Target: ref("Patient/x")}, {Param: 1, Target: ref("Patient/y")}, {Param: 2, Target: ref("Patient/x")}}
			c := create(fmt.Sprintf("Observation/o%d", i), "x", search.Index{Links: targets})
			if _, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: []bundle.Change{c}}); err != nil {
				f.Error(err)
			}
		})
		f.apply(update("Patient/x", "now", search.Index{}))
		f.is("Patient/x", 1, "now")
	},
	"read your own writes": func(f *fixture) {
		together(8, func(i int) {
			for j := range 10 {
				id := fmt.Sprintf("p%d-%d", i, j)
				if _, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: []bundle.Change{resource(f, identified(id, id))}}); err != nil {
					f.Error(err)
					return
				}
				r, err := f.s.Search(f.ctx, query(f, "Patient?identifier="+id))
				if err != nil || ids(r.Matches) != id {
					f.Errorf("%s after its write: %v %v", id, r, err)
					return
				}
			}
		})
	},
}
