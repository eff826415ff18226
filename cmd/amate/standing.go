package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/amate-health/amate/store/job"
)

// A standing job is one that there always is: it follows what is written, or comes again and
// again. The queue gives a job up that fails again and again, as it must; but what stands is
// begun anew then, also by servers that have run for long.

// stands are the kinds of the standing jobs of a server.
type stands struct {
	sync.Mutex
	kinds []string
}

// standingEvery is how often it is looked whether standing jobs are there.
const standingEvery = time.Minute

// stand has a standing job of a kind be there, now and as long as keepStanding goes on.
func (o *opened) stand(ctx context.Context, kind string) error {
	o.stands.Lock()
	o.stands.kinds = append(o.stands.kinds, kind)
	o.stands.Unlock()
	return o.stood(ctx, kind)
}

// stood queues a job of a kind unless one is there that has not ended. Servers that do so at
// once queue one between them: it is named for the end of the last.
func (o *opened) stood(ctx context.Context, kind string) error {
	open, err := o.jobs.Open(ctx, kind)
	if err != nil || len(open) > 0 {
		return err
	}
	ended, err := o.jobs.Ended(ctx, kind)
	if err != nil {
		return err
	}
	id, last := kind, time.Time{}
	for i := range ended {
		if ended[i].Ended.After(last) {
			last = ended[i].Ended
			id = fmt.Sprintf("%s-%d", kind, last.UnixMilli())
		}
	}
	_, err = o.jobs.Add(ctx, job.New{ID: id, Kind: kind})
	return err
}

// keepStanding begins standing jobs anew that were given up, until ctx ends.
func (o *opened) keepStanding(ctx context.Context) {
	tick := time.NewTicker(standingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		o.stands.Lock()
		kinds := o.stands.kinds
		o.stands.Unlock()
		for _, kind := range kinds {
			if err := o.stood(ctx, kind); err != nil && ctx.Err() == nil {
				o.log.Warn("it cannot be seen whether a job that stands is there; it is looked again", "kind", kind, "error", err)
			}
		}
	}
}
