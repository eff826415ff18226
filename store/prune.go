package store

import (
	"context"
	"time"

	"github.com/amate-health/amate/fhir"
)

// FeedAge is a row of the change feed, and when its version was written.
type FeedAge struct {
	At      fhir.Mark
	Updated time.Time // zero when the version was removed for good
}

// FeedPruner is an engine that can shorten its change feed.
type FeedPruner interface {
	// OldestFeed returns the first rows of the feed, in their order.
	OldestFeed(ctx context.Context, limit int) ([]FeedAge, error)

	// DropFeed removes the rows before a mark.
	DropFeed(ctx context.Context, before fhir.Mark) error
}

// PruneFeed removes rows of the change feed that are older than a time: at most most,
// from the first on, and never the last one, from which those that come are numbered. It
// returns how many it removed, and the mark of the first row that is left. Whoever comes
// with a mark before that is told ErrOtherHistory, and has to begin anew.
func PruneFeed(ctx context.Context, p FeedPruner, older time.Time, most int) (first fhir.Mark, removed int, err error) {
	rows, err := p.OldestFeed(ctx, most+1)
	if err != nil || len(rows) == 0 {
		return fhir.Mark{}, 0, err
	}
	for i := range rows[:len(rows)-1] {
		at := rows[i].Updated
		if at.IsZero() {
			continue // it is as old as what comes behind it
		}
		if !at.Before(older) {
			break
		}
		removed = i + 1
	}
	first = rows[removed].At
	if removed == 0 {
		return first, 0, nil
	}
	if err = p.DropFeed(ctx, first); err != nil {
		return first, removed, err
	}
	if s, ok := p.(interface{ Feed() *Feed }); ok {
		s.Feed().pruned(first) // which others see by the age of their marks
	}
	return first, removed, nil
}
