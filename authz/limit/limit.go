// Package limit holds callers to what people and programs do who have a reason to
// look: so many requests a second, so many different patients, and so few guesses.
//
// Two patterns stand out. Who reads one patient after another by id goes through the
// register rather than treats anybody; and who asks for patients that are not there
// guesses ids, CURPs or names. Either is stopped for a while, and told to whoever
// keeps watch.
package limit

import (
	"context"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

// Config says how much is allowed. Zero of a number sets no limit.
type Config struct {
	PerSecond int           // requests of one caller, over time
	Burst     int           // requests of one caller at once; 0 is twice PerSecond
	Patients  int           // different patients that a person opens by id within Window
	Misses    int           // requests for patients that are not there, within Window
	Window    time.Duration // 0 is ten minutes
	Callers   int           // how many callers are remembered; 0 is 10,000

	// Exempt lists roles for which Patients does not hold: systems that synchronise.
	Exempt []string

	// Alarm is told once when a caller is stopped; what is "patients" or "misses".
	Alarm func(ctx context.Context, what string)

	Now func() time.Time // nil is time.Now
}

// Limiter counts. It is safe for many goroutines.
type Limiter struct {
	Config
	seed maphash.Seed

	mu      sync.Mutex
	callers map[string]*caller
	oldest  []string // keys in the order in which they came
}

// caller is what is remembered of one.
type caller struct {
	tokens   float64 // requests left
	filled   time.Time
	began    time.Time           // of the window
	patients map[uint64]struct{} // hashes of ids, at most Patients+1
	misses   int
	until    time.Time // stopped until then
}

// New returns a Limiter.
func New(cfg Config) *Limiter {
	if cfg.Window == 0 {
		cfg.Window = 10 * time.Minute
	}
	if cfg.Callers == 0 {
		cfg.Callers = 10_000
	}
	if cfg.Burst == 0 {
		cfg.Burst = 2 * cfg.PerSecond
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Alarm == nil {
		cfg.Alarm = func(context.Context, string) {}
	}
	return &Limiter{Config: cfg, seed: maphash.MakeSeed(), callers: map[string]*caller{}}
}

// key names who calls: the account and its app, or where a stranger comes from.
func key(p *authz.Principal, from string) string {
	if p != nil {
		return p.ID + "\x00" + p.Client
	}
	if at := strings.LastIndexByte(from, ':'); at > 0 {
		from = from[:at]
	}
	return "\x00" + from
}

// of returns what is remembered of a caller. The one that came first is forgotten when
// there are too many; l.mu is held.
func (l *Limiter) of(key string, now time.Time) *caller {
	c := l.callers[key]
	if c == nil {
		for len(l.callers) >= l.Callers {
			l.forget(now)
		}
		c = &caller{tokens: float64(l.Burst), filled: now, began: now}
		l.callers[key] = c
		l.oldest = append(l.oldest, key)
	}
	if now.Sub(c.began) >= l.Window {
		c.began, c.patients, c.misses = now, nil, 0
	}
	return c
}

// forget drops the oldest caller. Those that are stopped go to the end of the line
// once, so that a flood of others does not set them free at once.
func (l *Limiter) forget(now time.Time) {
	for range 16 {
		first := l.oldest[0]
		l.oldest = l.oldest[1:]
		if !l.callers[first].until.After(now) {
			delete(l.callers, first)
			return
		}
		l.oldest = append(l.oldest, first)
	}
	delete(l.callers, l.oldest[0])
	l.oldest = l.oldest[1:]
}

// Request counts a request of whoever ctx is for, who comes from an address.
// Errors: fhir.Throttled.
func (l *Limiter) Request(ctx context.Context, from string) error {
	if l.PerSecond <= 0 {
		return nil
	}
	now := l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.of(key(authz.From(ctx), from), now)
	c.tokens = min(float64(l.Burst), c.tokens+now.Sub(c.filled).Seconds()*float64(l.PerSecond))
	c.filled = now
	if c.tokens < 1 {
		wait := time.Duration((1 - c.tokens) / float64(l.PerSecond) * float64(time.Second))
		return throttled(wait, "more than %d requests a second", l.PerSecond)
	}
	c.tokens--
	return nil
}

// Stopped reports whether a caller is stopped for now.
// Errors: fhir.Throttled.
func (l *Limiter) Stopped(ctx context.Context, from string) error {
	now := l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.callers[key(authz.From(ctx), from)]
	if c == nil || !c.until.After(now) {
		return nil
	}
	return throttled(c.until.Sub(now), "too many patients were asked for one after another, or too many that are not there")
}

func throttled(wait time.Duration, format string, args ...any) error {
	e := fhir.Errorf(fhir.Throttled, format, args...)
	e.RetryAfter = int(wait/time.Second) + 1
	return e
}

// Saw notes what an access came to.
func (l *Limiter) Saw(ctx context.Context, a *rest.Access) {
	opened, missed := look(a)
	if opened == "" && !missed {
		return
	}
	p := authz.From(ctx)
	if opened != "" && (l.Patients <= 0 || l.exempt(p)) || missed && l.Misses <= 0 {
		return
	}
	if what := l.count(key(p, a.From), opened, missed); what != "" {
		l.Alarm(ctx, what)
	}
}

// count returns what a caller was stopped for just now, "" when it was not.
func (l *Limiter) count(key, opened string, missed bool) (what string) {
	now := l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.of(key, now)
	switch {
	case c.until.After(now):
		return ""
	case missed:
		if c.misses++; c.misses > l.Misses {
			what = "misses"
		}
	default:
		if c.patients == nil {
			c.patients = map[uint64]struct{}{}
		}
		c.patients[maphash.String(l.seed, opened)] = struct{}{}
		if len(c.patients) > l.Patients {
			what = "patients"
		}
	}
	if what != "" {
		c.until = c.began.Add(l.Window)
		if least := now.Add(l.Window / 10); c.until.Before(least) {
			c.until = least
		}
		c.patients, c.misses = nil, 0
	}
	return what
}

// exempt reports whether a caller may open as many patients as it likes.
func (l *Limiter) exempt(p *authz.Principal) bool {
	if p == nil {
		return false
	}
	for _, role := range p.Roles {
		for _, free := range l.Exempt {
			if role == free {
				return true
			}
		}
	}
	return false
}

// look returns the patient that an access opened by id, and whether it asked for one
// that is not there.
func look(a *rest.Access) (opened string, missed bool) {
	switch a.Interaction {
	case rest.Read, rest.VRead, rest.HistoryInstance:
	case rest.Operation:
		if a.ID == "" {
			return "", false
		}
	case rest.SearchType:
		// Who looks for a patient by what they know of them guesses when nobody is found.
		return "", a.Type == "Patient" && a.Code == 0 && len(a.Refs) == 0 && len(a.Params) > 0
	default:
		return "", false
	}
	switch {
	case a.Type != "Patient":
		return "", false
	case a.Code == fhir.NotFound || a.Code == fhir.Gone || a.Code == fhir.Forbidden:
		return "", true
	case a.Code != 0:
		return "", false
	}
	return a.ID, false
}
