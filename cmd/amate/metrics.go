package main

import (
	"context"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// metrics are the figures that /metrics shows. They live in a registry of their
// own, so that two servers in one process (as in tests) do not mix theirs.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec   // by interaction and status
	duration *prometheus.HistogramVec // by interaction
	bytes    *prometheus.CounterVec   // by direction
	store    *prometheus.HistogramVec // by operation
}

// buckets of time in seconds: from a read by id to a large transaction.
var buckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "amate_http_requests_total", Help: "FHIR requests answered.",
		}, []string{"interaction", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "amate_http_request_duration_seconds", Help: "Time from the head of a FHIR request to the end of its answer.", Buckets: buckets,
		}, []string{"interaction"}),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "amate_http_body_bytes_total", Help: "Bytes of bodies: in as received, out before compression.",
		}, []string{"direction"}),
		store: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "amate_store_duration_seconds", Help: "Time the store takes for one operation.", Buckets: buckets,
		}, []string{"operation"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "amate_build_info", Help: "Always 1; the labels say what was built.",
		ConstLabels: prometheus.Labels{"version": release, "revision": revision(), "go": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.requests, m.duration, m.bytes, m.store, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// handler answers /metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// request counts one request.
func (m *metrics) request(r *rest.Record) {
	interaction := string(r.Interaction)
	if interaction == "" {
		interaction = "none"
	}
	m.requests.WithLabelValues(interaction, strconv.Itoa(r.Status)).Inc()
	m.duration.WithLabelValues(interaction).Observe(r.Duration.Seconds())
	m.bytes.WithLabelValues("in").Add(float64(r.BytesIn))
	m.bytes.WithLabelValues("out").Add(float64(r.BytesOut))
}

// gauge registers a figure that is asked for at every scrape.
func (m *metrics) gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// timed measures what passes through to a store.
type timed struct {
	rest.Store
	read, history, search, apply prometheus.Observer
}

// time returns s, measured.
func (m *metrics) time(s rest.Store) rest.Store {
	return &timed{
		Store:   s,
		read:    m.store.WithLabelValues("read"),
		history: m.store.WithLabelValues("history"),
		search:  m.store.WithLabelValues("search"),
		apply:   m.store.WithLabelValues("apply"),
	}
}

func since(o prometheus.Observer, start time.Time) { o.Observe(time.Since(start).Seconds()) }

func (t *timed) Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error) {
	defer since(t.read, time.Now())
	return t.Store.Read(ctx, ref)
}

func (t *timed) History(ctx context.Context, q *search.History) (*search.Versions, error) {
	defer since(t.history, time.Now())
	return t.Store.History(ctx, q)
}

func (t *timed) Search(ctx context.Context, q *search.Query) (*search.Result, error) {
	defer since(t.search, time.Now())
	return t.Store.Search(ctx, q)
}

func (t *timed) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	defer since(t.apply, time.Now())
	return t.Store.Apply(ctx, b)
}
