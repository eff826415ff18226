package sqlite

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
)

const (
	insertInbox   = `INSERT INTO audit_inbox (id, content) VALUES (?1, ?2)`
	selectInbox   = `SELECT id, content FROM audit_inbox ORDER BY id LIMIT ?1`
	deleteInbox   = `DELETE FROM audit_inbox WHERE id = ?1`
	eventThere    = `SELECT 1 FROM audit WHERE id = ?1`
	lastOfMonth   = `SELECT month, seq, id, hash, content FROM audit WHERE month = ?1 ORDER BY seq DESC LIMIT 1`
	insertEvent   = `INSERT INTO audit (month, seq, id, hash, content) VALUES (?1, ?2, ?3, ?4, ?5)`
	insertKey     = `INSERT INTO audit_key (key, id) VALUES (?1, ?2) ON CONFLICT DO NOTHING`
	oneEvent      = `SELECT month, seq, id, hash, content FROM audit WHERE id = ?1`
	oneInbox      = `SELECT 0, 0, id, x'', content FROM audit_inbox WHERE id = ?1`
	chainOfMonth  = `SELECT month, seq, id, hash, content FROM audit WHERE month = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3`
	keysOfEvent   = `SELECT key FROM audit_key WHERE id = ?1`
	nextMonth     = `SELECT min(month) FROM audit WHERE month > ?1`
	checkpoints   = `SELECT number, month, seq, final, content FROM audit_checkpoint WHERE number > ?1 ORDER BY number LIMIT ?2`
	newCheckpoint = `INSERT INTO audit_checkpoint (number, month, seq, final, content) VALUES (?1, ?2, ?3, ?4, ?5)`
	lastSigned    = `SELECT number, month, seq, final, content FROM audit_checkpoint ORDER BY number DESC LIMIT 1`
	dropKeys      = `DELETE FROM audit_key WHERE (key, id) IN (SELECT k.key, k.id FROM audit a JOIN audit_key k ON k.id = a.id WHERE a.month = ?1)`
	dropEvents    = `DELETE FROM audit WHERE month = ?1`
)

// writeEvents puts the events that go with writes into the inbox.
func writeEvents(conn *sqlite.Conn, writes []store.Write) error {
	for i := range writes {
		for _, e := range writes[i].Events {
			if err := run(conn, insertInbox, e.ID[:], e.Content); err != nil {
				return err
			}
		}
	}
	return nil
}

// LinkEvents takes up to inbox events out of the inbox and adds them and fresh to
// their chains, all or none. With again, those of fresh that are there already are
// passed over. It returns how many came out of the inbox.
func (s *Store) LinkEvents(ctx context.Context, fresh []fhir.Event, again bool, inbox int, link store.Linker) (taken int, err error) {
	err = s.writer.do(ctx, func(conn *sqlite.Conn) error {
		events, err := takeInbox(conn, inbox)
		if err != nil {
			return err
		}
		taken = len(events)
		for _, e := range fresh {
			there := false
			if again {
				if there, err = exists(conn, eventThere, e.ID[:]); err != nil {
					return err
				}
			}
			if !there {
				events = append(events, e)
			}
		}
		for _, chain := range store.ByMonth(events) {
			if err := linkChain(conn, chain, link); err != nil {
				return err
			}
		}
		return nil
	})
	return taken, err
}

func takeInbox(conn *sqlite.Conn, limit int) (events []fhir.Event, err error) {
	err = rows(conn, selectInbox, func(r *sqlite.Stmt) {
		e := fhir.Event{Content: bytesOf(r, 1)}
		copy(e.ID[:], bytesOf(r, 0))
		e.Month = store.EventMonth(e.ID)
		events = append(events, e)
	}, int64(limit))
	for i := 0; err == nil && i < len(events); i++ {
		err = run(conn, deleteInbox, events[i].ID[:])
	}
	return events, err
}

func linkChain(conn *sqlite.Conn, chain []fhir.Event, link store.Linker) error {
	var last fhir.Event
	if err := rows(conn, lastOfMonth, func(r *sqlite.Stmt) { last = scanEvent(r) }, int64(chain[0].Month)); err != nil {
		return err
	}
	if err := link(last, chain); err != nil {
		return err
	}
	type pair struct {
		key int64
		id  []byte
	}
	var keys []pair
	rows, err := conn.Prepare(insertEvent)
	if err != nil {
		return err
	}
	for i := range chain {
		e := &chain[i]
		rows.BindInt64(1, int64(e.Month))
		rows.BindInt64(2, e.Seq)
		rows.BindBytes(3, e.ID[:])
		rows.BindBytes(4, e.Hash)
		rows.BindBytes(5, e.Content)
		if err := step(rows); err != nil {
			return err
		}
		for _, k := range e.Keys {
			keys = append(keys, pair{k, e.ID[:]})
		}
	}
	slices.SortFunc(keys, func(a, b pair) int { // in the order of the table
		switch {
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		return slices.Compare(a.id, b.id)
	})
	found, err := conn.Prepare(insertKey)
	if err != nil {
		return err
	}
	for _, k := range keys {
		found.BindInt64(1, k.key)
		found.BindBytes(2, k.id)
		if err := step(found); err != nil {
			return err
		}
	}
	return nil
}

// step executes a statement that returns nothing, whose arguments are bound.
func step(stmt *sqlite.Stmt) error {
	_, err := stmt.Step()
	if resetErr := stmt.Reset(); err == nil {
		err = resetErr
	}
	return err
}

// PrepareEvents readies the chain of a month; here there is nothing to do.
func (s *Store) PrepareEvents(context.Context, int) error { return nil }

// Event returns an event, without its Keys. One that is not linked yet has Seq 0.
// Errors: fhir.NotFound.
func (s *Store) Event(ctx context.Context, id [16]byte) (e fhir.Event, err error) {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return e, err
	}
	defer s.readers.Put(conn)
	for _, sql := range []string{oneEvent, oneInbox, oneEvent} { // it may be linked in between
		found := false
		err := rows(conn, sql, func(r *sqlite.Stmt) { e, found = scanEvent(r), true }, id[:])
		if err != nil || found {
			e.Month = store.EventMonth(e.ID)
			return e, err
		}
	}
	return e, fhir.Errorf(fhir.NotFound, "there is no such event in the audit trail")
}

// Events returns linked events, without their Keys.
func (s *Store) Events(ctx context.Context, q *fhir.EventQuery) (events []fhir.Event, err error) {
	from, until, _, _ := store.EventRange(q)
	order := " DESC"
	if q.Oldest {
		order = ""
	}
	args := []any{from[:], until[:], int64(q.Limit)}
	list := func(keys []int64) string {
		var marks []string
		for _, k := range keys {
			args = append(args, k)
			marks = append(marks, "?"+strconv.Itoa(len(args)))
		}
		return "(" + strings.Join(marks, ", ") + ")"
	}
	sql := `SELECT id FROM audit x WHERE id >= ?1 AND id < ?2 ORDER BY id` + order + ` LIMIT ?3`
	for i, keys := range q.Keys {
		if i == 0 {
			sql = `SELECT DISTINCT id FROM audit_key x WHERE id >= ?1 AND id < ?2 AND key IN ` + list(keys)
			continue
		}
		sql += ` AND EXISTS (SELECT 1 FROM audit_key k WHERE k.id = x.id AND k.key IN ` + list(keys) + `)`
	}
	if len(q.Keys) > 0 {
		sql += ` ORDER BY id` + order + ` LIMIT ?3`
	}
	sql = `SELECT a.month, a.seq, a.id, a.hash, a.content FROM (` + sql + `) h JOIN audit a ON a.id = h.id ORDER BY a.id` + order
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.readers.Put(conn)
	err = rows(conn, sql, func(r *sqlite.Stmt) { events = append(events, scanEvent(r)) }, args...)
	return events, err
}

// Chain returns up to limit events of a month, in order, from after seq on.
func (s *Store) Chain(ctx context.Context, month int, after int64, limit int) (events []fhir.Event, err error) {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.readers.Put(conn)
	err = rows(conn, chainOfMonth, func(r *sqlite.Stmt) { events = append(events, scanEvent(r)) }, int64(month), after, int64(limit))
	for i := 0; err == nil && i < len(events); i++ {
		e := &events[i]
		err = rows(conn, keysOfEvent, func(r *sqlite.Stmt) { e.Keys = append(e.Keys, r.ColumnInt64(0)) }, e.ID[:])
	}
	return events, err
}

// EventMonths returns the months that have events, in order.
func (s *Store) EventMonths(ctx context.Context) (months []int, err error) {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.readers.Put(conn)
	for month := int64(0); ; {
		before := month
		err = rows(conn, nextMonth, func(r *sqlite.Stmt) { month = r.ColumnInt64(0) }, before)
		if err != nil || month <= before {
			return months, err
		}
		months = append(months, int(month))
	}
}

// Checkpoints returns up to limit checkpoints, in order, from after number on.
func (s *Store) Checkpoints(ctx context.Context, after int64, limit int) (all []fhir.Checkpoint, err error) {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.readers.Put(conn)
	err = rows(conn, checkpoints, func(r *sqlite.Stmt) { all = append(all, scanCheckpoint(r)) }, after, int64(limit))
	return all, err
}

// PutCheckpoints adds checkpoints. sign makes them, from the last one there is (the
// zero Checkpoint for none) and the newest event of each of months that has any.
func (s *Store) PutCheckpoints(ctx context.Context, months []int, sign func(last fhir.Checkpoint, heads []fhir.Event) ([]fhir.Checkpoint, error)) error {
	return s.writer.do(ctx, func(conn *sqlite.Conn) error {
		var last fhir.Checkpoint
		if err := rows(conn, lastSigned, func(r *sqlite.Stmt) { last = scanCheckpoint(r) }); err != nil {
			return err
		}
		var heads []fhir.Event
		for _, month := range months {
			if err := rows(conn, lastOfMonth, func(r *sqlite.Stmt) { heads = append(heads, scanEvent(r)) }, int64(month)); err != nil {
				return err
			}
		}
		signed, err := sign(last, heads)
		if err != nil {
			return err
		}
		for _, c := range signed {
			final := int64(0)
			if c.Final {
				final = 1
			}
			if err := run(conn, newCheckpoint, c.Number, int64(c.Month), c.Seq, final, c.Content); err != nil {
				return err
			}
		}
		return nil
	})
}

// DropEvents removes a month whose final checkpoint is there.
func (s *Store) DropEvents(ctx context.Context, month int) error {
	return s.writer.do(ctx, func(conn *sqlite.Conn) error {
		if err := run(conn, dropKeys, int64(month)); err != nil {
			return err
		}
		return run(conn, dropEvents, int64(month))
	})
}

func scanEvent(r *sqlite.Stmt) fhir.Event {
	e := fhir.Event{Month: int(r.ColumnInt64(0)), Seq: r.ColumnInt64(1), Hash: bytesOf(r, 3), Content: bytesOf(r, 4)}
	copy(e.ID[:], bytesOf(r, 2))
	return e
}

func scanCheckpoint(r *sqlite.Stmt) fhir.Checkpoint {
	return fhir.Checkpoint{
		Number: r.ColumnInt64(0), Month: int(r.ColumnInt64(1)), Seq: r.ColumnInt64(2), Final: r.ColumnInt64(3) != 0, Content: bytesOf(r, 4),
	}
}

// rows calls f for every row that a statement returns. Each argument is an int64 or []byte.
func rows(conn *sqlite.Conn, sql string, f func(*sqlite.Stmt), args ...any) error {
	stmt, err := conn.Prepare(sql)
	if err != nil {
		return err
	}
	for i, arg := range args {
		switch arg := arg.(type) {
		case int64:
			stmt.BindInt64(i+1, arg)
		case []byte:
			stmt.BindBytes(i+1, arg)
		}
	}
	for {
		ok, err := stmt.Step()
		if err != nil || !ok {
			if resetErr := stmt.Reset(); err == nil {
				err = resetErr
			}
			return err
		}
		f(stmt)
	}
}

func exists(conn *sqlite.Conn, sql string, args ...any) (found bool, err error) {
	err = rows(conn, sql, func(*sqlite.Stmt) { found = true }, args...)
	return found, err
}
