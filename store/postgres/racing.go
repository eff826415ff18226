package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/query"
)

// racingTx is an attempt without locks. It holds no connection between its steps.
type racingTx struct {
	s            *Store
	began        time.Time // before its writes took their time
	placeholders []store.Write
	written      []store.Write
}

func (t *racingTx) Dialect() index.Dialect { return index.Postgres }

func (t *racingTx) Weights() *store.Weights { return nil }

// The criteria of a batch are only ever looked at under locks.
var errUnlocked = errors.New("asked for in an attempt without locks")

func (t *racingTx) Lock(context.Context, []string) error { return errUnlocked }

// Select tells what there was a moment ago: what is tied to something that changes.
func (t *racingTx) Select(ctx context.Context, statements ...*query.Statement) (rows []store.Rows, err error) {
	err = t.s.with(ctx, func(c *connection) error {
		rows, err = c.Select(ctx, statements...)
		return err
	})
	return rows, err
}

func (t *racingTx) Estimate(context.Context, *query.Statement, *query.Statement) (int64, bool, error) {
	return 0, false, errUnlocked
}

func (t *racingTx) Known(ctx context.Context, refs []fhir.Ref) (map[fhir.Ref]int64, error) {
	known, left := t.s.keys.Known(refs)
	if len(left) == 0 {
		return known, nil
	}
	err := t.s.with(ctx, func(c *connection) error { return c.lookUp(ctx, left, known, true) })
	return known, err
}

// Current shares its round trip with others, unless it asks for much.
func (t *racingTx) Current(ctx context.Context, refs []fhir.Ref) (rows []store.Row, err error) {
	if len(refs) > sharedJobs {
		err = t.s.with(ctx, func(c *connection) (err error) {
			rows, err = c.current(ctx, refs)
			return err
		})
		return rows, err
	}
	j := &currentJob{refs: refs, done: make(chan error, 1)}
	err = await(ctx, t.s.currents, j, j.done)
	if err != nil {
		return nil, err
	}
	return j.rows, nil
}

// Keys gives keys to what has no row; the placeholders are written with the rest.
func (t *racingTx) Keys(ctx context.Context, refs []fhir.Ref) (map[fhir.Ref]int64, error) {
	known, err := t.Known(ctx, refs)
	if err != nil {
		return nil, err
	}
	missing := unknown(refs, known)
	if len(missing) == 0 {
		return known, nil
	}
	keys, err := t.NewKeys(ctx, len(missing))
	if err != nil {
		return nil, err
	}
	for i, ref := range missing {
		t.placeholders = append(t.placeholders, store.Write{Ref: ref, Key: keys[i], Fresh: true})
		known[ref] = keys[i]
	}
	return known, nil
}

func (t *racingTx) NewKeys(ctx context.Context, n int) (keys []int64, err error) {
	if keys := t.s.free.left(n); keys != nil {
		return keys, nil
	}
	err = t.s.with(ctx, func(c *connection) (err error) {
		keys, err = c.newKeys(ctx, n)
		return err
	})
	return keys, err
}

// Write shares its transaction with others, unless it is large.
func (t *racingTx) Write(ctx context.Context, writes []store.Write) error {
	t.written = writes
	if len(writes) > sharedJobs {
		return t.s.with(ctx, func(c *connection) error {
			if err := c.inTime(ctx, t.began); err != nil {
				return err
			}
			alone := &tx{connection: *c, placeholders: t.placeholders}
			return alone.finish(ctx, alone.writeNow(ctx, writes))
		})
	}
	j := &writeJob{ctx: ctx, began: t.began, writes: writes, placeholders: t.placeholders, done: make(chan error, 1)}
	return await(ctx, t.s.writes, j, j.done)
}
