package main

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/fhir/rest"
)

// health answers the two questions that a supervisor asks.
type health struct {
	store    rest.Store
	draining atomic.Bool // set once the server no longer takes new requests
}

// readyWithin is how long the store may take to say that it is there.
const readyWithin = 2 * time.Second

// live answers /health/live: the process runs. It never looks at the store: a
// supervisor that restarts the server over a database that is away helps nobody.
func (h *health) live(w http.ResponseWriter, _ *http.Request) {
	plain(w, http.StatusOK, "live\n")
}

// ready answers /health/ready: requests can be answered now.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() {
		plain(w, http.StatusServiceUnavailable, "stopping\n")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	if err := h.store.Ready(ctx); err != nil {
		plain(w, http.StatusServiceUnavailable, "the store does not answer\n")
		return
	}
	plain(w, http.StatusOK, "ready\n")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
