package limit

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// clock is a time that only moves when it is told to.
type clock struct{ now time.Time }

func (c *clock) time() time.Time { return c.now }

func lab(cfg Config) (*Limiter, *clock, *[]string) {
	c, alarms := &clock{time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}, new([]string)
	cfg.Now = c.time
	cfg.Alarm = func(_ context.Context, what string) { *alarms = append(*alarms, what) }
	return New(cfg), c, alarms
}

func as(id string, roles ...string) context.Context {
	return (&authz.Principal{ID: id, Client: "app", Roles: roles}).With(context.Background())
}

// waits returns the Retry-After of a refusal, 0 when there is none.
func waits(t *testing.T, err error) int {
	t.Helper()
	var e *fhir.Error
	if err == nil {
		return 0
	}
	if !errors.As(err, &e) || e.Code != fhir.Throttled || e.RetryAfter < 1 {
		t.Fatalf("error %#v", err)
	}
	return e.RetryAfter
}

func TestRequest(t *testing.T) {
	l, c, _ := lab(Config{PerSecond: 10, Burst: 5})
	for range 5 {
		if waits(t, l.Request(as("a"), "")) != 0 {
			t.Fatal("refused within the burst")
		}
	}
	if waits(t, l.Request(as("a"), "")) != 1 {
		t.Error("not refused after the burst")
	}
	if waits(t, l.Request(as("b"), "")) != 0 {
		t.Error("another account pays for it")
	}
	c.now = c.now.Add(100 * time.Millisecond)
	if waits(t, l.Request(as("a"), "")) != 0 || waits(t, l.Request(as("a"), "")) == 0 {
		t.Error("after a tenth of a second there is one more")
	}
	for range 5 {
		_ = l.Request(context.Background(), "10.0.0.1:5")
	}
	if waits(t, l.Request(context.Background(), "10.0.0.1:6")) == 0 || waits(t, l.Request(context.Background(), "10.0.0.2:5")) != 0 {
		t.Error("strangers are told apart by their address, not by the port")
	}
}

// reading is an access to Patient/n that came to code.
func reading(n int, code fhir.Code) *rest.Access {
	return &rest.Access{Interaction: rest.Read, Type: "Patient", ID: fmt.Sprint(n), Code: code}
}

func TestEnumeration(t *testing.T) {
	search := func(found int) *rest.Access {
		a := &rest.Access{Interaction: rest.SearchType, Type: "Patient", Params: []search.Param{{Name: "identifier", Value: "x"}}}
		for range found {
			a.Refs = append(a.Refs, fhir.Ref{Type: "Patient", ID: "1"})
		}
		return a
	}
	for name, one := range map[string]struct {
		access func(n int) *rest.Access
		roles  []string
		after  int    // accesses after which the caller is stopped; 0 for never
		alarm  string //
	}{
		"many patients":               {func(n int) *rest.Access { return reading(n, 0) }, nil, 6, "patients"},
		"the same patient":            {func(int) *rest.Access { return reading(1, 0) }, nil, 0, ""},
		"a system that synchronises":  {func(n int) *rest.Access { return reading(n, 0) }, []string{"system"}, 0, ""},
		"ids that are not there":      {func(n int) *rest.Access { return reading(n, fhir.NotFound) }, nil, 4, "misses"},
		"ids that may not be seen":    {func(n int) *rest.Access { return reading(n, fhir.Forbidden) }, nil, 4, "misses"},
		"a system that guesses":       {func(n int) *rest.Access { return reading(n, fhir.NotFound) }, []string{"system"}, 4, "misses"},
		"searches that find nobody":   {func(int) *rest.Access { return search(0) }, nil, 4, "misses"},
		"searches that find somebody": {func(int) *rest.Access { return search(1) }, nil, 0, ""},
		"everything of many patients": {func(n int) *rest.Access {
			return &rest.Access{Interaction: rest.Operation, Type: "Patient", ID: fmt.Sprint(n)}
		}, nil, 6, "patients"},
		"histories of many patients": {func(n int) *rest.Access {
			return &rest.Access{Interaction: rest.HistoryInstance, Type: "Patient", ID: fmt.Sprint(n)}
		}, nil, 6, "patients"},
		"observations": {func(n int) *rest.Access {
			return &rest.Access{Interaction: rest.Read, Type: "Observation", ID: fmt.Sprint(n)}
		}, nil, 0, ""},
		"requests that were not allowed": {func(n int) *rest.Access { return reading(n, fhir.Invalid) }, nil, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l, c, alarms := lab(Config{Patients: 5, Misses: 3, Window: time.Minute, Exempt: []string{"system"}})
			ctx := as("a", one.roles...)
			for n := 1; n <= 20; n++ {
				l.Saw(ctx, one.access(n))
				if stopped := waits(t, l.Stopped(ctx, "")) > 0; stopped != (one.after > 0 && n >= one.after) {
					t.Fatalf("after %d: stopped %v", n, stopped)
				}
			}
			if one.after == 0 {
				if len(*alarms) > 0 {
					t.Errorf("alarms %v", *alarms)
				}
				return
			}
			if len(*alarms) != 1 || (*alarms)[0] != one.alarm {
				t.Errorf("alarms %v, want one", *alarms)
			}
			if waits(t, l.Stopped(as("b"), "")) > 0 {
				t.Error("another account is stopped as well")
			}
			c.now = c.now.Add(time.Minute)
			if waits(t, l.Stopped(ctx, "")) > 0 {
				t.Error("it is stopped for longer than the window")
			}
		})
	}
}

// guard lets everybody do everything, and counts.
type guard struct{ asked int }

func (g *guard) Check(context.Context, *rest.Request) (rest.Decision, error) {
	g.asked++
	return rest.Decision{}, nil
}

func TestGuard(t *testing.T) {
	l, _, _ := lab(Config{Misses: 1, Window: time.Minute})
	inner := new(guard)
	g := Guard{Guard: inner, Limiter: l}
	for n := range 4 {
		l.Saw(as("a"), reading(n, fhir.NotFound))
		_, err := g.Check(as("a"), &rest.Request{})
		if (waits(t, err) > 0) != (n > 0) {
			t.Errorf("%d: %v", n, err)
		}
	}
	if inner.asked != 1 {
		t.Errorf("the other guard was asked %d times", inner.asked)
	}
}

// TestMemory: however many callers come, few are remembered, and those that are
// stopped stay so while a moderate crowd passes.
func TestMemory(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		l, c, _ := lab(Config{PerSecond: 1, Misses: 2, Patients: 3, Window: time.Minute, Callers: 50})
		for range 3 {
			l.Saw(as("bad"), reading(1, fhir.NotFound))
		}
		for n := range rapid.IntRange(0, 400).Draw(r, "callers") {
			ctx := as(fmt.Sprint("crowd", n))
			_ = l.Request(ctx, "")
			l.Saw(ctx, reading(n, fhir.Code(rapid.IntRange(0, 8).Draw(r, "code"))))
			c.now = c.now.Add(time.Millisecond)
			if len(l.callers) > 50 || len(l.oldest) != len(l.callers) {
				r.Fatalf("%d callers are remembered, %d in line", len(l.callers), len(l.oldest))
			}
			if l.Stopped(as("bad"), "") == nil {
				r.Fatalf("set free by caller %d", n)
			}
		}
	})
}
