package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
)

const stmtInbox = "amate_audit_inbox"

// eventStatements are the prepared statements of the audit trail.
var eventStatements = map[string]string{
	stmtInbox: `INSERT INTO audit_inbox (id, content) SELECT x.id::uuid, x.content FROM unnest($1::text[], $2::bytea[]) AS x (id, content)`,
}

// auditLock is the advisory lock of whoever adds to a chain ("amaud" in ASCII).
const auditLock = 0x616d617564

const eventColumns = `a.month, a.seq, a.id, a.hash, a.content`

// inbox puts the events that go with writes into the inbox.
func inbox(writes []store.Write) []call {
	e := newArrays(2)
	for i := range writes {
		for _, event := range writes[i].Events {
			e.row(2)
			e.text(uuid.UUID(event.ID).String())
			e.bytes(event.Content)
		}
	}
	if e.rows == 0 {
		return nil
	}
	return []call{{name: stmtInbox, args: e.arrays(oidText, oidBytea)}}
}

// LinkEvents takes up to inbox events out of the inbox and adds them and fresh to
// their chains, all or none. With again, those of fresh that are there already are
// passed over. It returns how many came out of the inbox.
func (s *Store) LinkEvents(ctx context.Context, fresh []fhir.Event, again bool, inbox int, link store.Linker) (taken int, err error) {
	err = s.inAudit(ctx, func(tx pgx.Tx) error {
		events, err := takeInbox(ctx, tx, inbox)
		if err != nil {
			return err
		}
		taken = len(events)
		if again {
			if fresh, err = notThere(ctx, tx, fresh); err != nil {
				return err
			}
		}
		for _, chain := range store.ByMonth(append(events, fresh...)) {
			if err := linkChain(ctx, tx, chain, link); err != nil {
				return err
			}
		}
		return nil
	})
	return taken, err
}

// inAudit runs f in a transaction, alone with the audit trail.
func (s *Store) inAudit(ctx context.Context, f func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(auditLock)); err != nil {
			return err
		}
		return f(tx)
	})
	return failure(err)
}

func takeInbox(ctx context.Context, tx pgx.Tx, limit int) ([]fhir.Event, error) {
	const sql = `DELETE FROM audit_inbox WHERE id IN (SELECT id FROM audit_inbox ORDER BY id LIMIT $1) RETURNING id, content`
	rows, err := tx.Query(ctx, sql, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e fhir.Event, err error) {
		err = row.Scan(&e.ID, &e.Content)
		e.Month = store.EventMonth(e.ID)
		return e, err
	})
}

// notThere returns those of events whose IDs the trail does not have.
func notThere(ctx context.Context, tx pgx.Tx, events []fhir.Event) ([]fhir.Event, error) {
	var ids []string
	var months []int32
	for _, e := range events {
		ids = append(ids, uuid.UUID(e.ID).String())
		months = append(months, int32(e.Month))
	}
	const sql = `SELECT a.id FROM unnest($1::integer[], $2::text[]) AS x (month, id) JOIN audit a ON a.month = x.month AND a.id = x.id::uuid`
	rows, err := tx.Query(ctx, sql, months, ids)
	if err != nil {
		return nil, err
	}
	there := map[[16]byte]bool{}
	for rows.Next() {
		var id [16]byte
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		there[id] = true
	}
	var left []fhir.Event
	for _, e := range events {
		if !there[e.ID] {
			left = append(left, e)
		}
	}
	return left, rows.Err()
}

func linkChain(ctx context.Context, tx pgx.Tx, chain []fhir.Event, link store.Linker) error {
	month := chain[0].Month
	if err := prepareMonth(ctx, tx, month); err != nil {
		return err
	}
	last, err := lastOf(ctx, tx, month)
	if err != nil {
		return err
	}
	if err := link(last, chain); err != nil {
		return err
	}
	columns := []string{"month", "seq", "id", "hash", "keys", "content"}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"audit"}, columns, pgx.CopyFromSlice(len(chain), func(i int) ([]any, error) {
		e := &chain[i]
		return []any{int32(e.Month), e.Seq, e.ID, e.Hash, e.Keys, e.Content}, nil
	}))
	return err
}

// lastOf returns the newest event of a month, the zero Event when there is none.
func lastOf(ctx context.Context, tx pgx.Tx, month int) (fhir.Event, error) {
	rows, err := tx.Query(ctx, `SELECT `+eventColumns+` FROM audit a WHERE a.month = $1 ORDER BY a.seq DESC LIMIT 1`, month)
	if err != nil {
		return fhir.Event{}, err
	}
	last, err := pgx.CollectOneRow(rows, scanEvent)
	if errors.Is(err, pgx.ErrNoRows) {
		return fhir.Event{}, nil
	}
	return last, err
}

func scanEvent(row pgx.CollectableRow) (e fhir.Event, err error) {
	err = row.Scan(&e.Month, &e.Seq, &e.ID, &e.Hash, &e.Content)
	return e, err
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// prepareMonth makes the table of a month, unless it is there.
func prepareMonth(ctx context.Context, q querier, month int) error {
	var there bool
	if err := q.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, fmt.Sprintf("audit_%d", month)).Scan(&there); err != nil || there {
		return err
	}
	rows, err := q.Query(ctx, `SELECT audit_prepare($1)`, month)
	if err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

// PrepareEvents makes the table of a month ahead of time.
func (s *Store) PrepareEvents(ctx context.Context, month int) error {
	return s.inAudit(ctx, func(tx pgx.Tx) error { return prepareMonth(ctx, tx, month) })
}

// Event returns an event, without its Keys. One that is not linked yet has Seq 0.
// Errors: fhir.NotFound.
func (s *Store) Event(ctx context.Context, id [16]byte) (e fhir.Event, err error) {
	const sql = `SELECT ` + eventColumns + ` FROM audit a WHERE a.month = $1 AND a.id = $2
UNION ALL SELECT $1, 0, i.id, ''::bytea, i.content FROM audit_inbox i WHERE i.id = $2 LIMIT 1`
	rows, err := s.pool.Query(ctx, sql, store.EventMonth(id), id)
	if err != nil {
		return e, failure(err)
	}
	e, err = pgx.CollectOneRow(rows, scanEvent)
	if errors.Is(err, pgx.ErrNoRows) {
		return e, fhir.Errorf(fhir.NotFound, "there is no such event in the audit trail")
	}
	return e, failure(err)
}

// Events returns linked events, without their Keys.
func (s *Store) Events(ctx context.Context, q *fhir.EventQuery) ([]fhir.Event, error) {
	from, until, first, last := store.EventRange(q)
	order := " DESC"
	if q.Oldest {
		order = ""
	}
	args := []any{first, last, from, until, q.Limit}
	where := ` FROM audit a WHERE a.month BETWEEN $1 AND $2 AND a.id >= $3 AND a.id < $4`
	sorted := ` ORDER BY a.month` + order + `, a.id` + order
	sql := `SELECT ` + eventColumns + where + sorted + ` LIMIT $5`
	if len(q.Keys) > 0 {
		var keys strings.Builder
		for _, k := range q.Keys {
			args = append(args, k)
			fmt.Fprintf(&keys, " AND a.keys && $%d::bigint[]", len(args))
		}
		// The planner is to look the keys up, and not to walk through time until it has met enough.
		sql = `WITH hit AS MATERIALIZED (SELECT a.month, a.id` + where + keys.String() + `),
page AS (SELECT a.month, a.id FROM hit a` + sorted + ` LIMIT $5)
SELECT ` + eventColumns + ` FROM page p JOIN audit a ON a.month = p.month AND a.id = p.id` + sorted
	}
	return s.events(ctx, sql, args...)
}

func (s *Store) events(ctx context.Context, sql string, args ...any) ([]fhir.Event, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, failure(err)
	}
	events, err := pgx.CollectRows(rows, scanEvent)
	return events, failure(err)
}

// Chain returns up to limit events of a month, in order, from after seq on.
func (s *Store) Chain(ctx context.Context, month int, after int64, limit int) ([]fhir.Event, error) {
	const sql = `SELECT ` + eventColumns + `, a.keys FROM audit a WHERE a.month = $1 AND a.seq > $2 ORDER BY a.seq LIMIT $3`
	rows, err := s.pool.Query(ctx, sql, month, after, limit)
	if err != nil {
		return nil, failure(err)
	}
	events, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e fhir.Event, err error) {
		err = row.Scan(&e.Month, &e.Seq, &e.ID, &e.Hash, &e.Content, &e.Keys)
		return e, err
	})
	return events, failure(err)
}

// EventMonths returns the months that have events, in order.
func (s *Store) EventMonths(ctx context.Context) (months []int, err error) {
	for month := 0; ; {
		var found *int
		if err := s.pool.QueryRow(ctx, `SELECT min(month) FROM audit WHERE month > $1`, month).Scan(&found); err != nil {
			return nil, failure(err)
		}
		if found == nil {
			return months, nil
		}
		month = *found
		months = append(months, month)
	}
}

const checkpointColumns = `SELECT number, month, seq, final, content FROM audit_checkpoint`

func scanCheckpoint(row pgx.CollectableRow) (c fhir.Checkpoint, err error) {
	err = row.Scan(&c.Number, &c.Month, &c.Seq, &c.Final, &c.Content)
	return c, err
}

// Checkpoints returns up to limit checkpoints, in order, from after number on.
func (s *Store) Checkpoints(ctx context.Context, after int64, limit int) ([]fhir.Checkpoint, error) {
	rows, err := s.pool.Query(ctx, checkpointColumns+` WHERE number > $1 ORDER BY number LIMIT $2`, after, limit)
	if err != nil {
		return nil, failure(err)
	}
	all, err := pgx.CollectRows(rows, scanCheckpoint)
	return all, failure(err)
}

// PutCheckpoints adds checkpoints. sign makes them, from the last one there is (the
// zero Checkpoint for none) and the newest event of each of months that has any.
func (s *Store) PutCheckpoints(ctx context.Context, months []int, sign func(last fhir.Checkpoint, heads []fhir.Event) ([]fhir.Checkpoint, error)) error {
	return s.inAudit(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, checkpointColumns+` ORDER BY number DESC LIMIT 1`)
		if err != nil {
			return err
		}
		last, err := pgx.CollectOneRow(rows, scanCheckpoint)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		var heads []fhir.Event
		for _, month := range months {
			head, err := lastOf(ctx, tx, month)
			if err != nil {
				return err
			}
			if head.Seq > 0 {
				heads = append(heads, head)
			}
		}
		signed, err := sign(last, heads)
		if err != nil {
			return err
		}
		for _, c := range signed {
			const sql = `INSERT INTO audit_checkpoint (number, month, seq, final, content) VALUES ($1, $2, $3, $4, $5)`
			if _, err := tx.Exec(ctx, sql, c.Number, c.Month, c.Seq, c.Final, c.Content); err != nil {
				return err
			}
		}
		return nil
	})
}

// DropEvents removes a month whose final checkpoint is there. Only the owner of the
// schema may.
func (s *Store) DropEvents(ctx context.Context, month int) error {
	_, err := s.pool.Exec(ctx, `SELECT audit_drop($1)`, month)
	return failure(err)
}
