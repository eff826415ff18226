package store

import (
	"sync"
	"time"
)

// Weights remembers how many rows there are of something, for a while: what a search
// begins with depends on it, and nothing else. Its size is bounded.
type Weights struct {
	now func() time.Time

	mu    sync.RWMutex
	known map[uint64]weight
}

type weight struct {
	n    int
	till time.Time
}

const (
	maxWeights = 50_000
	// A count is believed for a time that grows with it, as a large one changes slowly.
	weightTime = 10 * time.Second
	fewRows    = 1000
	longTime   = 5 * time.Minute
)

// NewWeights returns empty Weights with the clock now.
func NewWeights(now func() time.Time) *Weights {
	return &Weights{now: now, known: map[uint64]weight{}}
}

// Get returns what was counted for key, if that is known still.
func (w *Weights) Get(key uint64) (n int, known bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	at, ok := w.known[key]
	return at.n, ok && w.now().Before(at.till)
}

// Put remembers a count.
func (w *Weights) Put(key uint64, n int) {
	life := weightTime
	if n >= fewRows {
		life = longTime
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.known) >= maxWeights {
		clear(w.known)
	}
	w.known[key] = weight{n, w.now().Add(life)}
}
