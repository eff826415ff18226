package sqlite

import (
	"context"
	"errors"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/query"
)

// Attempt runs f. An attempt that is not locked reads on any connection and
// hands its writes to the writer; a locked one is run by the writer as a whole.
func (s *Store) Attempt(ctx context.Context, locked bool, f func(store.Tx) error) error {
	if !locked {
		return f(&racingTx{reader: reader{s}, began: time.Now()})
	}
	tx := &lockedTx{s: s}
	err := s.writer.do(ctx, func(conn *sqlite.Conn) error {
		*tx = lockedTx{s: s, conn: conn}
		return f(tx)
	})
	if err == nil {
		tx.remember()
	}
	return err
}

// racingTx is an attempt without locks.
type racingTx struct {
	reader
	began        time.Time // before its writes took their time
	reindexings  int64     // that there had been when the state of resources was read
	placeholders []store.Write
}

func (t *racingTx) Lock(context.Context, []string) error {
	return errors.New("lock outside of a locked attempt")
}

func (t *racingTx) Current(ctx context.Context, refs []fhir.Ref) ([]store.Row, error) {
	conn, err := t.readers.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer t.readers.Put(conn)
	if t.reindexings, err = reindexings(conn); err != nil {
		return nil, err
	}
	return current(conn, refs)
}

func (t *racingTx) Keys(ctx context.Context, refs []fhir.Ref) (map[fhir.Ref]int64, error) {
	known, err := t.Known(ctx, refs)
	if err != nil {
		return nil, err
	}
	t.placeholders, err = placeholders(refs, known, func(n int) ([]int64, error) { return t.NewKeys(ctx, n) })
	return known, err
}

// placeholders returns a row for each of refs that known lacks, and adds its key there.
func placeholders(refs []fhir.Ref, known map[fhir.Ref]int64, newKeys func(int) ([]int64, error)) ([]store.Write, error) {
	var rows []store.Write
	for _, ref := range refs {
		if known[ref] == 0 {
			rows = append(rows, store.Write{Ref: ref, Fresh: true})
		}
	}
	if len(rows) == 0 {
		return nil, nil
	}
	keys, err := newKeys(len(rows))
	if err != nil {
		return nil, err
	}
	for i := range rows {
		rows[i].Key = keys[i]
		known[rows[i].Ref] = keys[i]
	}
	return rows, nil
}

func (t *racingTx) NewKeys(ctx context.Context, n int) ([]int64, error) {
	return t.free.take(n, func(n int64) (first int64, err error) {
		err = t.writer.do(ctx, func(conn *sqlite.Conn) error {
			first, err = reserve(conn, n)
			return err
		})
		return first, err
	})
}

func (t *racingTx) Write(ctx context.Context, writes []store.Write) error {
	epoch := t.keys.Epoch()
	words := t.words.New(writes)
	err := t.writer.do(ctx, func(conn *sqlite.Conn) error {
		if err := store.InTime(t.began, momentSlack, func() (time.Time, error) { return given(conn) }); err != nil {
			return err
		}
		if err := insertPlaceholders(conn, t.placeholders); err != nil {
			return err
		}
		if err := t.sameRows(conn, writes); err != nil {
			return err
		}
		return write(conn, writes, words, t.moment())
	})
	if err == nil {
		t.feed.Wake()
		t.words.Put(t.words.Epoch(), words)
		remember(t.keys, epoch, t.placeholders)
		remember(t.keys, epoch, writes)
	}
	return err
}

// remember puts the keys of new rows, now on disk, into the cache.
func remember(keys *store.KeyCache, epoch int64, writes []store.Write) {
	for i := range writes {
		if writes[i].Fresh {
			keys.Put(epoch, writes[i].Ref.Current(), writes[i].Key)
		}
	}
}

// lockedTx is an attempt that has the database to itself.
type lockedTx struct {
	s            *Store
	conn         *sqlite.Conn
	placeholders []store.Write
	written      []store.Write
	words        []search.Word // that the dictionary gets
}

func (t *lockedTx) remember() {
	t.s.feed.Wake()
	epoch := t.s.keys.Epoch()
	remember(t.s.keys, epoch, t.placeholders)
	remember(t.s.keys, epoch, t.written)
	t.s.words.Put(t.s.words.Epoch(), t.words)
}

func (t *lockedTx) Dialect() index.Dialect { return index.SQLite }

// criteriaTime is how long the criteria of a batch may take. Until they are known, all
// other writers wait.
const criteriaTime = 20 * time.Second

// Select ends with ctx, or after criteriaTime, so that a search that takes too long
// does not keep all other writers waiting. Only reads may be stopped: a write that is
// stopped would undo the jobs that share its transaction.
func (t *lockedTx) Select(ctx context.Context, statements ...*query.Statement) ([]store.Rows, error) {
	bounded, cancel := context.WithTimeout(ctx, t.s.criteriaTime)
	defer cancel()
	defer t.conn.SetInterrupt(t.conn.SetInterrupt(bounded.Done()))
	rows, err := selectOn(transient(t.conn), statements)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return nil, fhir.Errorf(fhir.TooCostly, "a search criterion takes too long while other changes wait; name an identifier, or search first and then change by id")
	}
	return rows, err
}

// Weights: criteria are few, and select by identifiers. Nothing is counted for them.
func (t *lockedTx) Weights() *store.Weights { return nil }

func (t *lockedTx) Estimate(context.Context, *query.Statement, *query.Statement) (int64, bool, error) {
	return 0, false, errors.New("estimate within a transaction")
}

func (t *lockedTx) Known(_ context.Context, refs []fhir.Ref) (map[fhir.Ref]int64, error) {
	known, left := t.s.keys.Known(refs)
	err := lookUp(t.conn, left, func(ref fhir.Ref, key int64) { known[ref] = key })
	return known, err
}

func (t *lockedTx) Lock(context.Context, []string) error { return nil }

func (t *lockedTx) Current(_ context.Context, refs []fhir.Ref) ([]store.Row, error) {
	return current(t.conn, refs)
}

func (t *lockedTx) Keys(ctx context.Context, refs []fhir.Ref) (map[fhir.Ref]int64, error) {
	known, err := t.Known(ctx, refs)
	if err != nil {
		return nil, err
	}
	t.placeholders, err = placeholders(refs, known, func(n int) ([]int64, error) { return t.NewKeys(ctx, n) })
	if err != nil {
		return nil, err
	}
	return known, insertPlaceholders(t.conn, t.placeholders)
}

func (t *lockedTx) NewKeys(_ context.Context, n int) ([]int64, error) {
	return t.s.writer.block.take(n, func(n int64) (int64, error) { return reserve(t.conn, n) })
}

func (t *lockedTx) Write(_ context.Context, writes []store.Write) error {
	t.written = writes
	t.words = t.s.words.New(writes)
	return write(t.conn, writes, t.words, t.s.moment())
}

// keyBlock hands out row keys from blocks that are reserved in the file.
type keyBlock struct{ next, end int64 }

// blockSize is how many row keys are reserved at a time, at least.
const blockSize = 1024

// take returns n keys, with another block from reserve when the last is used up.
func (b *keyBlock) take(n int, reserve func(n int64) (first int64, err error)) ([]int64, error) {
	keys := make([]int64, 0, n)
	for {
		for ; b.next < b.end && len(keys) < n; b.next++ {
			keys = append(keys, b.next)
		}
		if len(keys) == n {
			return keys, nil
		}
		size := int64(max(blockSize, n-len(keys)))
		first, err := reserve(size)
		if err != nil {
			return nil, err
		}
		b.next, b.end = first, first+size
	}
}

// sharedBlock is a keyBlock for many goroutines.
type sharedBlock struct {
	mu    sync.Mutex
	block keyBlock
}

func (b *sharedBlock) take(n int, reserve func(n int64) (int64, error)) ([]int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.block.take(n, reserve)
}

// reserve takes n row keys out of the file's stock and returns the first.
func reserve(conn *sqlite.Conn, n int64) (int64, error) {
	const sql = `INSERT INTO counter (name, next) VALUES ('rkey', 1 + ?1)
ON CONFLICT (name) DO UPDATE SET next = next + ?1 RETURNING next - ?1`
	stmt, err := conn.Prepare(sql)
	if err != nil {
		return 0, err
	}
	stmt.BindInt64(1, n)
	ok, err := stmt.Step()
	var first int64
	if ok {
		first = stmt.ColumnInt64(0)
		_, err = stmt.Step()
	}
	return first, errors.Join(err, stmt.Reset())
}
