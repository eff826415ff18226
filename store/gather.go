package store

import (
	"context"
	"sync"

	"github.com/amate-health/amate/fhir"
)

var errClosed = fhir.Errorf(fhir.Unavailable, "the store is closed")

// Gatherer runs what waits together in one go. While one round trip, or one wait
// for the disk, is under way, others queue up and share the next: a server under
// load then asks once for many, which costs both sides far less, and one alone
// waits for nobody.
type Gatherer[J any] struct {
	jobs  chan J
	ended sync.WaitGroup

	mu     sync.RWMutex // held for reading while a job is handed in
	closed bool
}

// NewGatherer starts workers that call run with up to most jobs at a time.
func NewGatherer[J any](workers, most int, run func([]J)) *Gatherer[J] {
	g := &Gatherer[J]{jobs: make(chan J, workers*most)}
	for range workers {
		g.ended.Go(func() {
			for first := range g.jobs {
				run(g.waiting(first, most))
			}
		})
	}
	return g
}

// waiting returns first and what else is there, up to most.
func (g *Gatherer[J]) waiting(first J, most int) []J {
	jobs := []J{first}
	for len(jobs) < most {
		select {
		case j, ok := <-g.jobs:
			if !ok {
				return jobs
			}
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

// Hand gives a job to the workers. Whoever calls it waits for the job to say it is done.
// Errors: fhir.Unavailable after Close; that of ctx.
func (g *Gatherer[J]) Hand(ctx context.Context, j J) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return errClosed
	}
	select {
	case g.jobs <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close waits until all jobs that were handed in are done.
func (g *Gatherer[J]) Close() {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		close(g.jobs)
	}
	g.mu.Unlock()
	g.ended.Wait()
}
