package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/amate-health/amate/fhir/rest"
)

// observer turns the record of a request into a line of the log and into metrics.
// A record holds no id and no query value, so neither do they.
type observer struct {
	log     *slog.Logger
	metrics *metrics
}

// Observe implements rest.Observer.
func (o *observer) Observe(ctx context.Context, r *rest.Record) {
	o.metrics.request(r)
	level := slog.LevelInfo
	if r.Status >= http.StatusInternalServerError && r.Status != http.StatusNotImplemented { // which is no fault of ours
		level = slog.LevelError
	}
	if !o.log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 12)
	attrs = append(attrs,
		slog.String("request", r.ID),
		slog.String("method", r.Method),
		slog.String("interaction", string(r.Interaction)),
		slog.String("type", r.Type),
		slog.Int("status", r.Status),
		slog.Float64("ms", float64(r.Duration)/float64(time.Millisecond)),
		slog.Int64("in", r.BytesIn),
		slog.Int64("out", r.BytesOut),
	)
	if r.Principal != "" {
		attrs = append(attrs, slog.String("principal", r.Principal))
	}
	if r.Entries > 0 {
		attrs = append(attrs, slog.Int("entries", r.Entries))
	}
	if r.Err != nil {
		attrs = append(attrs, slog.Any("error", r.Err))
	}
	o.log.LogAttrs(ctx, level, "request", attrs...)
}
