package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/query"
)

// tx is a transaction. When it is locked, it is open on its connection from the
// first statement on; else all of it is one round trip.
type tx struct {
	connection
	locked       bool
	begun        bool
	committed    bool
	pending      []call // to go out with the next round trip
	placeholders []store.Write
	written      []store.Write
	words        []search.Word // that the dictionary gets
	wordsFrom    int64         // epoch of the cache of words then
}

// Attempt runs f. Without locks no connection is held: each step is a round trip of
// its own, perhaps shared with other attempts.
func (s *Store) Attempt(ctx context.Context, locked bool, f func(store.Tx) error) error {
	epoch := s.keys.Epoch()
	if !locked {
		t := &racingTx{s: s, began: time.Now()}
		if err := f(t); err != nil {
			return entryMoved(err)
		}
		s.remember(epoch, t.placeholders, t.written)
		return nil
	}
	return s.with(ctx, func(c *connection) error {
		t := &tx{connection: *c, locked: true}
		err := f(t)
		if err == nil && !t.committed {
			err = t.end(ctx, "COMMIT") // nothing to write, but a placeholder may have been made
		}
		if err = t.finish(ctx, err); err == nil {
			s.remember(epoch, nil, t.written)
		}
		return entryMoved(err)
	})
}

// entryMoved says what it means that not all entries of a batch could be written.
func entryMoved(err error) error {
	var pg *pgError
	if errors.As(err, &pg) && pg.code == notAllEntries && !errors.Is(err, store.ErrMoved) {
		return store.EntryMoved()
	}
	return err
}

// finish rolls back after an error.
func (t *tx) finish(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	return errors.Join(err, t.end(context.WithoutCancel(ctx), "ROLLBACK"))
}

// remember puts the keys of new rows, now committed, into the cache.
func (s *Store) remember(epoch int64, placeholders, written []store.Write) {
	s.analyst.written.Add(int64(len(written)))
	if len(written) > 0 {
		s.feed.Wake()
	}
	for _, rows := range [][]store.Write{placeholders, written} {
		for i := range rows {
			if rows[i].Fresh {
				s.keys.Put(epoch, rows[i].Ref.Current(), rows[i].Key)
			}
		}
	}
}

// end ends the transaction, if there is one and the connection lives.
func (t *tx) end(ctx context.Context, how string) error {
	if !t.begun || t.committed || t.pg.IsClosed() {
		return nil
	}
	t.committed = true
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return failure(t.pg.Exec(ctx, how).Close())
}

// send makes a round trip with the calls, after what is pending.
func (t *tx) send(ctx context.Context, calls ...call) error {
	if t.locked && !t.begun {
		t.begun = true
		t.pending = append([]call{{sql: "BEGIN"}}, t.pending...)
	}
	calls = append(t.pending, calls...)
	t.pending = nil
	return trip(ctx, t.pg, calls...)
}

// Lock takes advisory locks that last until the transaction ends.
//
// See https://www.postgresql.org/docs/15/explicit-locking.html#ADVISORY-LOCKS.
func (t *tx) Lock(_ context.Context, names []string) error {
	if !t.locked {
		return errors.New("lock outside of a locked attempt")
	}
	numbers := make([]int64, len(names))
	for i, name := range names {
		sum := sha256.Sum256([]byte(name))
		numbers[i] = int64(binary.BigEndian.Uint64(sum[:8]))
	}
	slices.Sort(numbers)
	for _, n := range slices.Compact(numbers) {
		t.pending = append(t.pending, call{name: stmtLock, args: [][]byte{int64Bytes(n)}})
	}
	return nil
}

// Select begins the transaction and takes the locks first. Each statement has a
// snapshot of its own, made after that.
func (t *tx) Select(ctx context.Context, statements ...*query.Statement) ([]store.Rows, error) {
	if err := t.settle(ctx); err != nil {
		return nil, err
	}
	return t.connection.Select(ctx, statements...)
}

// settle sends what is pending.
func (t *tx) settle(ctx context.Context) error {
	if len(t.pending) == 0 && (t.begun || !t.locked) {
		return nil
	}
	return t.send(ctx)
}

// Weights: criteria are few, and select by identifiers. Nothing is counted for them.
func (t *tx) Weights() *store.Weights { return nil }

func (t *tx) Known(ctx context.Context, refs []fhir.Ref) (map[fhir.Ref]int64, error) {
	if err := t.settle(ctx); err != nil {
		return nil, err
	}
	known, left := t.s.keys.Known(refs)
	return known, t.lookUp(ctx, left, known, false)
}

// Current locks the rows of refs, in the order of their ids, so that two attempts do
// not wait for one another, and then reads where they stand.
func (t *tx) Current(ctx context.Context, refs []fhir.Ref) ([]store.Row, error) {
	sorted := slices.Clone(refs)
	slices.SortFunc(sorted, compareRefs)
	if err := t.send(ctx, call{name: stmtLockRows, args: placeArgs(sorted)}); err != nil {
		return nil, err
	}
	return t.connection.current(ctx, refs)
}

// current reads where refs stand.
func (c *connection) current(ctx context.Context, refs []fhir.Ref) ([]store.Row, error) {
	rows := make([]store.Row, len(refs))
	return rows, trip(ctx, c.pg, call{name: stmtCurrent, args: placeArgs(refs), row: func(_ []pgconn.FieldDescription, values [][]byte) error {
		f := fields{values: values}
		n := f.int64() - 1
		scanCurrent(&f, refs[n], &rows[n])
		return f.err()
	}})
}

func compareRefs(a, b fhir.Ref) int {
	if c := strings.Compare(a.Type, b.Type); c != 0 {
		return c
	}
	return strings.Compare(a.ID, b.ID)
}

// scanCurrent reads a row of stmtCurrent, after its first column.
func scanCurrent(f *fields, ref fhir.Ref, row *store.Row) {
	row.Key = f.int64()
	row.Resource = fhir.Resource{Ref: ref.Current()}
	row.Resource.Ref.Version = f.int64()
	row.Resource.Updated = time.UnixMicro(f.int64()).UTC()
	row.Stamp = f.int64()
	live := f.bool()
	row.Index.Postings = f.int64s()
	if f.isNull() { // a placeholder has no version
		return
	}
	row.Resource.Method = fhir.Method(f.int16())
	content := f.bytes()
	if !live {
		return
	}
	row.Content = content
	for _, b := range f.array() {
		d := f.record(b)
		row.Index.Dates = append(row.Index.Dates, index.Date{Param: uint16(d.int16()), Lo: d.int64(), Hi: d.int64(), Mark: d.int16(), Pair: scanPair(d)})
		f.bad = f.bad || d.bad
	}
	for _, b := range f.array() {
		row.Index.Numbers = append(row.Index.Numbers, scanNumber(f, f.record(b)))
	}
	for _, b := range f.array() {
		d := f.record(b)
		row.Index.Strings = append(row.Index.Strings, index.String{Param: uint16(d.int16()), Folded: d.text(), Mark: d.int16(), Exact: d.text(), Pair: scanPair(d)})
		f.bad = f.bad || d.bad
	}
	for _, b := range f.array() {
		d := f.record(b)
		row.Index.Places = append(row.Index.Places, search.Place{Param: uint16(d.int16()), Lat: d.float(), Lon: d.float()})
		f.bad = f.bad || d.bad
	}
	if !f.isNull() {
		row.Index.Texts = []index.FullText{{Print: f.int64()}}
	} else {
		f.skip()
	}
	if !f.isNull() {
		row.Index.People = []index.Person{{Print: f.int64()}}
	}
}

func scanNumber(f, d *fields) index.Number {
	n := index.Number{Param: uint16(d.int16()), Value: d.float(), Mark: d.int16()}
	n.Lo, n.Hi = n.Value, n.Value
	if d.isNull() {
		d.at += 2
	} else {
		n.Lo, n.Hi = d.float(), d.float()
	}
	for i := range n.Units {
		if d.isNull() {
			d.skip()
		} else {
			n.Units[i] = d.int64()
		}
	}
	n.Pair = scanPair(d)
	f.bad = f.bad || d.bad
	return n
}

func scanPair(d *fields) search.Pair { return search.Pair{Code: d.nullable(), Both: d.nullable()} }

// Keys makes placeholders for what has no row.
func (t *tx) Keys(ctx context.Context, refs []fhir.Ref) (map[fhir.Ref]int64, error) {
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
	return known, t.place(ctx, missing, keys, known)
}

// unknown returns those refs that known lacks, in order.
func unknown(refs []fhir.Ref, known map[fhir.Ref]int64) []fhir.Ref {
	var missing []fhir.Ref
	for _, ref := range refs {
		if known[ref] == 0 {
			missing = append(missing, ref)
		}
	}
	slices.SortFunc(missing, compareRefs)
	return missing
}

// place inserts placeholders, and takes over the keys of those that another
// transaction made first.
func (t *tx) place(ctx context.Context, refs []fhir.Ref, keys []int64, known map[fhir.Ref]int64) error {
	e := newArrays(3)
	for i, ref := range refs {
		e.row(3)
		e.int64(keys[i])
		e.int16(index.TypeNumber(ref.Type))
		e.text(ref.ID)
	}
	return t.send(ctx,
		call{name: stmtPlace, args: e.arrays(oidInt8, oidInt2, oidText)},
		call{name: stmtKnown, args: placeArgs(refs), row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			ref := refs[f.int64()-1]
			known[ref] = f.int64()
			return f.err()
		}})
}

func (t *tx) NewKeys(ctx context.Context, n int) ([]int64, error) {
	if err := t.settle(ctx); err != nil {
		return nil, err
	}
	return t.connection.newKeys(ctx, n)
}

func (c *connection) newKeys(ctx context.Context, n int) ([]int64, error) {
	return c.s.free.take(n, func(blocks int) (firsts []int64, err error) {
		args := [][]byte{int32Bytes(int32(blocks))}
		err = trip(ctx, c.pg, call{name: stmtNewKeys, args: args, row: func(_ []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			firsts = append(firsts, f.int64()-blockSize+1)
			return f.err()
		}})
		return firsts, err
	})
}

// blockSize is how many row keys one step of the sequence stands for.
const blockSize = 1024

// keyBlocks hands out row keys from blocks that the sequence gave to this process.
type keyBlocks struct {
	mu        sync.Mutex
	next, end int64
}

func (b *keyBlocks) reset() {
	b.mu.Lock()
	b.next, b.end = 0, 0
	b.mu.Unlock()
}

// left returns n keys if that many are at hand, else nil.
func (b *keyBlocks) left(n int) []int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.end-b.next < int64(n) {
		return nil
	}
	keys := make([]int64, n)
	for i := range keys {
		keys[i] = b.next
		b.next++
	}
	return keys
}

// take returns n keys; more gets blocks, each by its first key.
func (b *keyBlocks) take(n int, more func(blocks int) (firsts []int64, err error)) ([]int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	keys := make([]int64, 0, n)
	var firsts []int64
	for {
		for ; b.next < b.end && len(keys) < n; b.next++ {
			keys = append(keys, b.next)
		}
		if len(keys) == n {
			return keys, nil
		}
		if len(firsts) == 0 {
			var err error
			if firsts, err = more((n - len(keys) + blockSize - 1) / blockSize); err != nil {
				return nil, err
			}
		}
		b.next, b.end = firsts[0], firsts[0]+blockSize
		firsts = firsts[1:]
	}
}
