package main

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// gate holds work for analysts back while others are served: what reads everything, and
// has time. One such work would else take one of the few processors as long as it lasts.
type gate struct {
	second atomic.Int64 // since 1970, in which now counts
	now    atomic.Int64 // requests of others in that second
	before atomic.Int64 // and in the one before

	pause chan struct{} // held by the one who rests: several rest one after the other, so that together they do no more
}

func newGate() *gate { return &gate{pause: make(chan struct{}, 1)} }

const (
	// gateBusy is how many requests in one to two seconds are others that are served: below
	// that, hardly any of them meets the work.
	gateBusy = 10
	// gateRest is how many times as long as it has worked such work then rests, with two
	// processors: at one part of twenty it is hardly one request of twenty that it can delay.
	// With more processors it meets fewer requests, and rests less.
	gateRest = 19
	// gatePage is how many resources are read at a time meanwhile.
	gatePage = 100
	// gateLongest is how long it rests at once.
	gateLongest = 3 * time.Second
)

// unhurried are the operations that read much and whose callers have time.
var unhurried = []string{"/$viewdefinition-", "/$run", "/$sql-", "/$export", "/$import", "/$bulk-", "/$evaluate-measure"}

// count counts a request of those who are served first.
func (g *gate) count(at time.Time) {
	now := at.Unix()
	if was := g.second.Swap(now); was != now {
		last := g.now.Swap(0)
		if was != now-1 {
			last = 0
		}
		g.before.Store(last)
	}
	g.now.Add(1)
}

// busy reports whether others are served.
func (g *gate) busy(at time.Time) bool {
	if g == nil {
		return false
	}
	switch at.Unix() - g.second.Load() {
	case 0:
		return g.now.Load()+g.before.Load() >= gateBusy
	case 1:
		return g.now.Load() >= gateBusy
	}
	return false
}

// around counts the requests that h is asked, but those of analysts.
func (g *gate) around(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g != nil && served(r.URL.Path) {
			g.count(time.Now())
		}
		h.ServeHTTP(w, r)
	})
}

// served reports whether a path is of those who are served first.
func served(path string) bool {
	for _, p := range unhurried {
		if strings.Contains(path, p) {
			return false
		}
	}
	return !strings.HasPrefix(path, "/health/") && path != "/metrics" && !strings.HasPrefix(path, "/datos")
}

// rest is called by work for analysts that has gone on for some time, and lets others have
// theirs. Errors: that of ctx.
func (g *gate) rest(ctx context.Context, worked time.Duration) error {
	if !g.busy(time.Now()) {
		return ctx.Err()
	}
	select {
	case g.pause <- struct{}{}:
		defer func() { <-g.pause }()
	case <-ctx.Done():
		return ctx.Err()
	}
	n := time.Duration(max(2, runtime.GOMAXPROCS(0)))
	over := time.NewTimer(min(gateRest*4*worked/(n*n), gateLongest))
	defer over.Stop()
	select {
	case <-over.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gateYielding is which part of its time work counts that runs in a process of its own, and only
// when nobody else wants the processor.
const gateYielding = 4

// yielding is rest for such work.
func (g *gate) yielding(ctx context.Context, worked time.Duration) error {
	return g.rest(ctx, worked/gateYielding)
}

// errPace ends a scan that is to go on with pages of another size.
var errPace = errors.New("others are served now, or no longer")

// paced scans in small pages with rests between them while others are served, and as fast
// as it can while they are not.
func (o *opened) paced(ctx context.Context, s *search.Scan, scan func(context.Context, *search.Scan, func([]fhir.Resource, string) error) error, page func([]fhir.Resource, string) error) error {
	one := *s
	for {
		slow := o.gate.busy(time.Now())
		if slow {
			one.Query.Count = gatePage
		} else {
			one.Query.Count = s.Query.Count
		}
		began := time.Now()
		err := scan(ctx, &one, func(found []fhir.Resource, after string) error {
			if err := page(found, after); err != nil {
				return err
			}
			if err := o.gate.rest(ctx, time.Since(began)); err != nil {
				return err
			}
			began, one.After = time.Now(), after
			if o.gate.busy(began) != slow {
				return errPace
			}
			return nil
		})
		if !errors.Is(err, errPace) {
			return err
		}
	}
}
