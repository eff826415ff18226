package main

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/amate-health/amate/telehealth/portal"
)

// callers holds each address to so many requests of those who need no token of the API:
// websockets say who they are only once they are open, and cost a read of the database
// then.
type callers struct{ *portal.Limiter }

// callersRate is what an address may ask: a clinic of which everybody comes back at once,
// from behind one address, does not notice it.
var callersRate = portal.Rate{Burst: 200, Every: 500 * time.Millisecond}

func newCallers(now func() time.Time) callers { return callers{portal.NewLimiter(callersRate, now)} }

// before puts the limit before next.
func (c callers) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wait := c.Take(portal.AddressOf(r), 1); wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			http.Error(w, "too many requests from this address", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}
