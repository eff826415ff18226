package postgres

import (
	"context"
	"sync"
)

// gatherer runs what waits together in one go. While one round trip is under way,
// others queue up and share the next: a server under load then asks PostgreSQL
// once for many, which costs both sides far less, and one alone waits for nobody.
type gatherer[J any] struct {
	jobs  chan J
	ended sync.WaitGroup

	mu     sync.RWMutex // held for reading while a job is handed in
	closed bool
}

// newGatherer starts workers that call run with up to most jobs at a time.
func newGatherer[J any](workers, most int, run func([]J)) *gatherer[J] {
	g := &gatherer[J]{jobs: make(chan J, workers*most)}
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
func (g *gatherer[J]) waiting(first J, most int) []J {
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

// hand gives a job to the workers. Whoever calls it waits for the job to say it is done.
func (g *gatherer[J]) hand(ctx context.Context, j J) error {
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

// close waits until all jobs that were handed in are done.
func (g *gatherer[J]) close() {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		close(g.jobs)
	}
	g.mu.Unlock()
	g.ended.Wait()
}
