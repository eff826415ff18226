package main

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// callers holds each address to so many requests of those who need no token of the API:
// websockets say who they are only once they are open, and cost a read of the database
// then. It is for this server alone: several servers allow as many times as much.
type callers struct {
	burst float64       // requests at once
	every time.Duration // one more after this time
	now   func() time.Time

	mu  sync.Mutex
	all map[netip.Prefix]*calls
}

// calls is what an address may still ask.
type calls struct {
	left float64
	at   time.Time // when left was so much
}

// mostCallers is how many addresses are kept apart: some 100 bytes each.
const mostCallers = 20_000

// newCallers returns the limit of websockets: a clinic of which everybody comes back at
// once, from behind one address, does not notice it.
func newCallers() *callers {
	return &callers{burst: 200, every: 500 * time.Millisecond, now: time.Now, all: map[netip.Prefix]*calls{}}
}

// before puts the limit before next.
func (c *callers) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if wait := c.take(networkOf(r)); wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			http.Error(w, "too many requests from this address", http.StatusTooManyRequests)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// take takes one request from what an address may ask, and returns how long it has to wait
// where there is none left; 0 when it need not.
func (c *callers) take(from netip.Prefix) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	a := c.all[from]
	if a == nil {
		c.room(now)
		a = &calls{left: c.burst, at: now}
		c.all[from] = a
	}
	c.refill(a, now)
	if a.left < 1 {
		return time.Duration(math.Ceil((1 - a.left) * float64(c.every)))
	}
	a.left--
	return 0
}

func (c *callers) refill(a *calls, now time.Time) {
	if passed := now.Sub(a.at); passed > 0 {
		a.left = min(c.burst, a.left+float64(passed)/float64(c.every))
	}
	a.at = now
}

// room forgets addresses that may ask all they ever might, and where that is not enough
// any other one: memory stays bounded, whoever asks.
func (c *callers) room(now time.Time) {
	if len(c.all) < mostCallers {
		return
	}
	for from, a := range c.all {
		if c.refill(a, now); a.left >= c.burst {
			delete(c.all, from)
		}
	}
	for from := range c.all {
		if len(c.all) < mostCallers {
			return
		}
		delete(c.all, from)
	}
}

// networkOf returns whom a request is counted for: an address, and of IPv6 the network of
// 64 bits that one subscriber has.
func networkOf(r *http.Request) netip.Prefix {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	bits, address := 32, from.Addr().Unmap().WithZone("")
	if address.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(address, bits).Masked()
}
