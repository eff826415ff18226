package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/audit"
	"github.com/amate-health/amate/authz/limit"
	"github.com/amate-health/amate/fhir/rest"
)

// rates says how much one caller may ask: an account with its app, or an address.
type rates struct {
	PerSecond int           `help:"Requests a second of one caller, over time; 0 for no limit." default:"0"`
	Burst     int           `help:"Requests of one caller at once; 0 is twice --rate-per-second." default:"0"`
	Patients  int           `help:"Different patients that one caller opens by id within --rate-window, before it is stopped and an alarm is recorded; 0 for no limit." default:"300"`
	Misses    int           `help:"Requests for patients that are not there within --rate-window, before a caller is stopped and an alarm is recorded; 0 for no limit." default:"100"`
	Window    time.Duration `help:"Over what time that is counted." default:"10m"`
	Exempt    []string      `help:"Roles that may open any number of patients." default:"system" placeholder:"ROLE"`
}

// alarms are what an operator is to look at.
var alarms = map[string]string{
	"patients": "one patient after another was opened by id: the caller is stopped for a while",
	"misses":   "many patients were asked for that are not there: the caller is stopped for a while",
}

// limiter returns what holds callers to r, nil without access control.
func (r *rates) limiter(store *opened, m *metrics, log *slog.Logger) *limit.Limiter {
	if store.access == nil || store.trail == nil {
		return nil
	}
	var stopped atomic.Int64
	m.count("amate_access_alarms_total", "How often a caller was stopped who went through patients or guessed.",
		func() float64 { return float64(stopped.Load()) })
	l := limit.New(limit.Config{
		PerSecond: r.PerSecond, Burst: r.Burst, Patients: r.Patients, Misses: r.Misses, Window: r.Window, Exempt: r.Exempt,
		Alarm: func(ctx context.Context, what string) {
			stopped.Add(1)
			account := ""
			if p := authz.From(ctx); p != nil {
				account = p.ID
			}
			log.WarnContext(ctx, "access alarm", "what", alarms[what], "account", account)
			err := store.trail.Record(ctx, audit.Record{Kind: audit.Alarm, Outcome: audit.MinorFailure, From: rest.From(ctx), Detail: alarms[what]})
			if err != nil {
				log.ErrorContext(ctx, "record an alarm", "error", err)
			}
		},
	})
	store.trail.Watch = l.Saw
	return l
}

// guarded puts l before g.
func guarded(g rest.Guard, l *limit.Limiter) rest.Guard {
	if l == nil {
		return g
	}
	return limit.Guard{Guard: g, Limiter: l}
}

// admitted counts requests after admit has let them in.
func admitted(admit func(context.Context, *rest.Request) error, l *limit.Limiter) func(context.Context, *rest.Request) error {
	if l == nil {
		return admit
	}
	return func(ctx context.Context, req *rest.Request) error {
		if admit != nil {
			if err := admit(ctx, req); err != nil {
				return err
			}
		}
		return l.Request(ctx, rest.From(ctx))
	}
}

// outermost puts around everything what holds for every request.
func (s *serve) outermost(base string, store *opened, next http.Handler, log *slog.Logger) (http.Handler, error) {
	behind, err := parseProxies(s.TrustedProxies)
	if err != nil {
		return nil, err
	}
	if err := checkOrigins(s.CORSOrigins); err != nil {
		return nil, err
	}
	path := "/fhir"
	if u, err := url.Parse(base); err == nil {
		path = u.Path
	}
	return behind.resolve(strict(base, ownHostsOnly(base, s.origins(store, log).below(path, next)))), nil
}
