package portal

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// Rate is how often one address may ask. A token that is none costs as much as several
// that are, so that trying ends soon where a counter with many clients does not notice.
type Rate struct {
	Burst int           // documents at once
	Every time.Duration // one more after this time
}

// DefaultRate suits a civil registry office behind one address.
var DefaultRate = Rate{Burst: 60, Every: time.Second}

// What a request costs of the Burst.
const (
	costHit  = 1
	costMiss = 4 // beside costHit
)

// mostAddresses is how many addresses are kept apart: some 100 bytes each.
const mostAddresses = 20_000

// Limiter counts by address. It is for this server alone: several servers allow as many
// times as much. It may be used by several goroutines.
type Limiter struct {
	rate Rate
	now  func() time.Time

	mu  sync.Mutex
	all map[netip.Prefix]*account
}

// account is what an address may still ask.
type account struct {
	left float64
	at   time.Time // when left was so much
}

// NewLimiter returns one that has counted nothing yet; now tells the time.
func NewLimiter(rate Rate, now func() time.Time) *Limiter {
	return &Limiter{rate: rate, now: now, all: map[netip.Prefix]*account{}}
}

// Take takes from what an address may ask, and returns how long it has to wait where that
// is not enough; 0 when it need not.
func (l *Limiter) Take(address netip.Prefix, cost float64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	a := l.all[address]
	if a == nil {
		l.room(now)
		a = &account{left: float64(l.rate.Burst), at: now}
		l.all[address] = a
	}
	l.refill(a, now)
	if a.left < cost {
		if cost > costHit {
			a.left = 0
		}
		return time.Duration(math.Ceil((cost - a.left) * float64(l.rate.Every)))
	}
	a.left -= cost
	return 0
}

func (l *Limiter) refill(a *account, now time.Time) {
	if passed := now.Sub(a.at); passed > 0 {
		a.left = min(float64(l.rate.Burst), a.left+float64(passed)/float64(l.rate.Every))
	}
	a.at = now
}

// room forgets addresses that may ask all they ever might, and where that is not enough
// any other one: memory stays bounded, whoever asks.
func (l *Limiter) room(now time.Time) {
	if len(l.all) < mostAddresses {
		return
	}
	for address, a := range l.all {
		if l.refill(a, now); a.left >= float64(l.rate.Burst) {
			delete(l.all, address)
		}
	}
	for address := range l.all {
		if len(l.all) < mostAddresses {
			return
		}
		delete(l.all, address)
	}
}

// AddressOf returns whom a request is counted for: an address, and of IPv6 the network of
// 64 bits that one subscriber has.
func AddressOf(r *http.Request) netip.Prefix {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	bits := 32
	address := from.Addr().Unmap().WithZone("")
	if address.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(address, bits).Masked()
}

func seconds(wait time.Duration) string {
	return strconv.Itoa(int(math.Ceil(wait.Seconds())))
}
