package store

import (
	"context"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Wait returns when there may be a change after a mark, or with the error of ctx.
func (f *Feed) Wait(ctx context.Context, after fhir.Mark) error {
	f.mu.Lock()
	if f.end != after {
		f.mu.Unlock()
		return nil
	}
	more := f.more
	if f.waiters++; f.waiters == 1 {
		watching, stop := context.WithCancel(context.Background())
		f.stop = stop
		go f.watch(watching)
	}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.waiters--; f.waiters == 0 {
			f.stop()
		}
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-more:
		return nil
	}
}

// watch looks for what is new for all who wait. That it cannot be read at times is no
// fault of theirs: they ask for it themselves when they have waited long enough.
func (f *Feed) watch(ctx context.Context) {
	tick := time.NewTicker(feedPause / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = f.Refresh(ctx)
		}
	}
}
