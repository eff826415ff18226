package rest_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/amate-health/amate/fhir/rest"
)

// sorts are orders to turn pages in: by columns, by values, by several keys, by one
// that some resources lack.
var sorts = []string{
	"", "_sort=_id", "_sort=-_lastUpdated", "_sort=birthdate", "_sort=-birthdate", "_sort=family,-birthdate", "_sort=-family,_id", "_sort=birthdate,-_lastUpdated",
}

// TestPagesUnderWrites turns pages while writers create, change the values that are
// sorted by, and delete: what was there before, and stays as it is until the end, is
// met once, and nothing that was not is met twice in one state.
func TestPagesUnderWrites(t *testing.T) {
	bothEngines(t, func(t *testing.T, open func(testing.TB) rest.Store) {
		s := charted(t, open(t))
		const still, restless = 60, 20
		var entries, want []string
		for i := range still {
			id := fmt.Sprint("still", i)
			entries = append(entries, entry("", "PUT", "Patient/"+id, aged(id, i), ""))
			want = append(want, "Patient/"+id)
		}
		for i := range restless {
			id := fmt.Sprint("restless", i)
			entries = append(entries, entry("", "PUT", "Patient/"+id, aged(id, i), ""))
		}
		s.want(200, s.do("POST", "/", bundleOf("transaction", entries...)))
		slices.Sort(want)

		var done atomic.Bool
		var writers sync.WaitGroup
		for w := range 3 {
			writers.Go(func() { s.disturb(&done, w, restless) })
		}
		var readers sync.WaitGroup
		for r := range 4 {
			readers.Go(func() {
				for i := r; i < 2*len(sorts); i += 4 {
					s.turn(sorts[i%len(sorts)], 3+4*(i%3), want)
				}
			})
		}
		readers.Wait()
		done.Store(true)
		writers.Wait()
	})
}

// aged returns a patient with values to sort by: many alike, some missing.
func aged(id string, i int) string {
	var parts []string
	if i%5 != 0 {
		parts = append(parts, fmt.Sprintf(`"birthDate":"19%02d"`, 40+i%7))
	}
	if i%4 != 0 {
		parts = append(parts, fmt.Sprintf(`"name":[{"family":"F%d"}]`, i%6))
	}
	return patient(id, "1", append(parts, `"active":true`)...)
}

// disturb writes until done: new patients, old ones with other values, deletions.
func (s *server) disturb(done *atomic.Bool, seed, restless int) {
	r := rand.New(rand.NewPCG(uint64(seed), 7))
	for n := 0; !done.Load(); n++ {
		id := fmt.Sprint("restless", r.IntN(restless))
		if r.IntN(4) == 0 {
			id = fmt.Sprintf("new%d.%d", seed, n)
		}
		status := 0
		if r.IntN(4) == 0 {
			status = s.do("DELETE", "/Patient/"+id, "").status
		} else {
			status = s.do("PUT", "/Patient/"+id, aged(id, r.IntN(100))).status
		}
		if status >= 400 {
			s.t.Errorf("writing %s: %d", id, status)
			return
		}
	}
}

// turn reads all pages of the patients in an order, and holds them to want: what
// begins with "still", each once. Others, which come and go, it counts by version.
func (s *server) turn(sort string, count int, want []string) {
	var got []string
	seen := map[string]bool{}
	next := fmt.Sprintf("/Patient?active=true&_count=%d&%s", count, sort)
	for pages := 0; next != "" && pages < 500; pages++ {
		a := s.do("GET", next, "")
		if a.status != 200 {
			s.t.Errorf("%s: %d %s", sort, a.status, a.body)
			return
		}
		b := a.bundle(s.t)
		page := b.ids()
		if len(page) > count || len(slices.Compact(slices.Sorted(slices.Values(page)))) != len(page) {
			s.t.Errorf("%s: a page of %v", sort, page)
		}
		for _, e := range b.Entry {
			version := string(e.Resource)
			if seen[version] {
				s.t.Errorf("%s: met twice, without having changed: %s", sort, version)
			}
			seen[version] = true
		}
		for _, id := range page {
			if strings.HasPrefix(id, "Patient/still") {
				got = append(got, id)
			}
		}
		next = b.link("next")
	}
	if next != "" {
		s.t.Errorf("%s: no end of pages", sort)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		s.t.Errorf("%s by %d: met %d of %d: %v", sort, count, len(got), len(want), got)
	}
}

// TestEverythingUnderWrites: the same of $everything.
func TestEverythingUnderWrites(t *testing.T) {
	bothEngines(t, func(t *testing.T, open func(testing.TB) rest.Store) {
		s := charted(t, open(t))
		var entries, want []string
		entries = append(entries, entry("", "PUT", "Patient/p", patient("p", "1"), ""))
		for i := range 40 {
			id := fmt.Sprint("o", i)
			entries = append(entries, entry("", "PUT", "Observation/"+id, observation(id, "Patient/p"), ""))
			want = append(want, "Observation/"+id)
		}
		s.want(200, s.do("POST", "/", bundleOf("transaction", entries...)))
		want = append(want, "Patient/p")
		slices.Sort(want)
		n := 0
		for _, count := range []int{1, 3, 7} {
			var got []string
			for next := fmt.Sprint("/Patient/p/$everything?_count=", count); next != ""; {
				b := s.want(200, s.do("GET", next, "")).bundle(t)
				for _, id := range b.ids() {
					if !strings.HasPrefix(id, "Observation/x") {
						got = append(got, id)
					}
				}
				next = b.link("next")
				n++
				s.put(observation(fmt.Sprint("x", n%5), "Patient/p"))
				if n%2 == 0 {
					s.want(204, s.do("DELETE", fmt.Sprint("/Observation/x", n%5), ""))
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("by %d: %v, want %v", count, got, want)
			}
		}
	})
}
