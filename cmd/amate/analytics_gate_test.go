package main

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// A scan meets everything once, in order, whoever is served meanwhile.
func TestPaced(t *testing.T) {
	const all = 1000
	o := &opened{gate: newGate()}
	engine := func(ctx context.Context, s *search.Scan, page func([]fhir.Resource, string) error) error {
		from, _ := strconv.Atoi(s.After)
		count := s.Query.Count
		if count == 0 {
			count = 200
		}
		for from < all {
			var found []fhir.Resource
			for n := from; n < min(from+count, all); n++ {
				found = append(found, fhir.Resource{Ref: fhir.Ref{ID: fmt.Sprint(n)}})
			}
			from = min(from+count, all)
			if err := page(found, fmt.Sprint(from)); err != nil {
				return err
			}
		}
		return nil
	}
	var met, pages int
	var small bool
	err := o.paced(t.Context(), &search.Scan{}, engine, func(found []fhir.Resource, _ string) error {
		for i := range found {
			if found[i].Ref.ID != fmt.Sprint(met) {
				t.Fatalf("%s in place of %d", found[i].Ref.ID, met)
			}
			met++
		}
		small = small || len(found) == gatePage
		if pages++; pages == 2 {
			for range 2 * gateBusy {
				o.gate.count(time.Now())
			}
		}
		return nil
	})
	if err != nil || met != all || !small {
		t.Errorf("%d of %d in %d pages, %v", met, all, pages, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range gateBusy {
		o.gate.count(time.Now())
	}
	if err := o.gate.rest(gone, time.Hour); err == nil {
		t.Error("it rests although nobody waits for the work")
	}
}

// Others are served while there are requests of theirs, and for a second or two after.
func TestGate(t *testing.T) {
	g, at := newGate(), time.Unix(1_000_000, 0)
	for n := range 3 * gateBusy {
		g.count(at.Add(time.Duration(n) * 100 * time.Millisecond))
	}
	end := at.Add(3*gateBusy*100*time.Millisecond - time.Millisecond)
	for after, want := range map[time.Duration]bool{0: true, time.Second: true, 2 * time.Second: false, time.Hour: false} {
		if g.busy(end.Add(after)) != want {
			t.Errorf("%s after the last: %t", after, !want)
		}
	}
	if newGate().busy(at) || (*gate)(nil).busy(at) {
		t.Error("nobody is served, and it is busy")
	}
	for path, want := range map[string]bool{"/fhir/Patient/1": true, "/fhir": true, "/fhir/Patient/1/$everything": true, "/fhir/$sql-run": false, "/fhir/ViewDefinition/a/$viewdefinition-run": false,
		"/metrics": false, "/health/live": false, "/datos/x": false} {
		if served(path) != want {
			t.Errorf("%s: %t", path, !want)
		}
	}
}
