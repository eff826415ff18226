package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

// Expire drops the months before the one called before, such as 202111. Each gets a
// final checkpoint first, which stays, so that Verify knows what was there. A chain
// in which Verify finds a fault is not dropped.
func Expire(ctx context.Context, chains Chains, signer *Signer, before int, now time.Time) (dropped []int, err error) {
	months, err := chains.EventMonths(ctx)
	if err != nil {
		return nil, err
	}
	trusted := []PublicKey{signer.Public()}
	for _, m := range months {
		if m >= before {
			continue
		}
		if err := sound(ctx, chains, trusted, m); err != nil {
			return dropped, err
		}
		err := chains.PutCheckpoints(ctx, []int{m}, func(last fhir.Checkpoint, heads []fhir.Event) ([]fhir.Checkpoint, error) {
			return signer.checkpoints(last, heads, now, true)
		})
		if err == nil {
			err = chains.DropEvents(ctx, m)
		}
		if err != nil {
			return dropped, err
		}
		dropped = append(dropped, m)
	}
	return dropped, nil
}

// sound returns an error when a month has a fault.
func sound(ctx context.Context, chains Chains, trusted []PublicKey, m int) error {
	v := &verification{chains: chains, trusted: trusted, report: new(Report), signed: map[int][]*statement{}}
	if err := v.checkpoints(ctx); err != nil {
		return err
	}
	if err := v.month(ctx, m); err != nil {
		return err
	}
	for _, f := range v.report.Faults {
		if f.Month == m {
			return fmt.Errorf("month %d is kept, as it is not sound: %s", m, f)
		}
	}
	return nil
}

// Export calls f for each event as an AuditEvent, the oldest first: those about a
// patient, or all when that is "". names tells what people are called.
func Export(ctx context.Context, chains Chains, names rest.Store, base, patient string, from, until time.Time, f func(event []byte) error) error {
	x := &renderer{base: base}
	x.names.read = names.Read
	q := &fhir.EventQuery{From: from, Until: until, Oldest: true, Limit: verifyPage}
	if patient != "" {
		q.Keys = [][]int64{{keyPatient(patient)}}
	}
	for {
		events, err := chains.Events(ctx, q)
		if err != nil {
			return err
		}
		for i := range events {
			r, err := x.render(ctx, &events[i])
			if err != nil {
				return fmt.Errorf("event %s cannot be read: %w", r.Ref.ID, err)
			}
			if err := f(r.JSON); err != nil {
				return err
			}
		}
		if len(events) < q.Limit {
			return nil
		}
		q.After = events[len(events)-1].ID
	}
}
