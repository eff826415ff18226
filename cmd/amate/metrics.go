package main

import (
	"net/http"
	"runtime"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/amate-health/amate/fhir/rest"
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

// gauge registers a figure that goes up and down, and is asked for at every scrape.
func (m *metrics) gauge(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// count registers a figure that only rises, and is asked for at every scrape.
func (m *metrics) count(name, help string, value func() float64) {
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value))
}
