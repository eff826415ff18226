package main

import (
	"context"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
)

// noteAfter is how long a follower of changes goes on, at most, without noting how far it
// is when it had nothing to do: whoever takes over looks at those changes once more, which
// costs less than a transaction for each handful of them.
const noteAfter = 15 * time.Second

// ahead waits until there are changes after a mark of which one matters, and returns up to
// limit of them. So that the place can be noted now and then, it also returns changes of
// which none does, noteAfter it was called at the earliest.
// Errors: store.ErrOtherHistory, and that of ctx.
func (o *opened) ahead(ctx context.Context, after fhir.Mark, limit int, matters func(fhir.Ref) bool) ([]fhir.Change, error) {
	began := time.Now()
	for {
		changes, err := o.Feed().Changes(ctx, after, limit)
		switch {
		case err != nil:
			return nil, err
		case len(changes) == 0:
			if err := o.Feed().Wait(ctx, after); err != nil {
				return nil, err
			}
			continue
		case time.Since(began) >= noteAfter || slices.ContainsFunc(changes, func(c fhir.Change) bool { return matters(c.Ref) }):
			return changes, nil
		}
		after = changes[len(changes)-1].At
	}
}
