package postgres

import (
	"bytes"
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

// copyFrom is from how many new resources on COPY pays for its round trips.
const copyFrom = 100

// Write writes everything and commits. Whether every row is still at the version
// it was read at shows when the version after it is inserted: that has a unique key.
func (t *tx) Write(ctx context.Context, writes []store.Write) error {
	t.written = writes
	var fresh, moved []*store.Write
	for i := range writes {
		if writes[i].Fresh {
			fresh = append(fresh, &writes[i])
		} else {
			moved = append(moved, &writes[i])
		}
	}
	if !t.locked {
		for i := range t.placeholders {
			fresh = append(fresh, &t.placeholders[i])
		}
	}
	if len(fresh) >= copyFrom {
		return t.writeLarge(ctx, writes, fresh, moved)
	}
	var calls []call
	switch {
	case len(fresh) == 1:
		calls = append(calls, call{name: stmtResource, args: resourceArgs(fresh[0])})
	case len(fresh) > 1:
		calls = append(calls, call{name: stmtResources, args: resourcesArgs(fresh)})
	}
	calls = append(calls, moves(moved)...)
	calls = append(calls, call{name: stmtInsVersion, args: versions(newArrays(6), writes).arrays(oidInt8, oidInt8, oidInt4, oidInt2, oidInt2, oidBytea)})
	calls = append(calls, removals(writes)...)
	calls = append(calls, additions(writes)...)
	return t.commit(ctx, calls)
}

// commit makes the last round trip. Without a transaction the calls are one by themselves.
func (t *tx) commit(ctx context.Context, calls []call) error {
	if t.locked {
		calls = append(calls, call{sql: "COMMIT"})
	}
	err := t.send(ctx, calls...)
	t.committed = err == nil
	return err
}

// writeLarge is Write with COPY for all that is inserted.
//
// See https://www.postgresql.org/docs/15/populate.html#POPULATE-COPY-FROM.
func (t *tx) writeLarge(ctx context.Context, writes []store.Write, fresh, moved []*store.Write) error {
	t.locked = true // it needs a transaction of several round trips
	resources := newCopy()
	for _, w := range fresh {
		resources.row(7)
		resourceRow(resources, w)
		resources.int64s(w.Index.Postings)
	}
	if err := t.copy(ctx, "resource (rkey, version, updated, type, live, id, postings)", resources); err != nil {
		return err
	}
	if err := t.copy(ctx, "version (rkey, updated, version, type, method, content)", versions(newCopy(), writes)); err != nil {
		return err
	}
	if err := t.copy(ctx, "date_value (lo, hi, rkey, param, mark)", dates(newCopy(), writes)); err != nil {
		return err
	}
	if err := t.copy(ctx, "number_value (value, rkey, param, mark, lo, hi, unit1, unit2, unit3)", numbers(newCopy(), writes)); err != nil {
		return err
	}
	if err := t.copy(ctx, "string_value (rkey, param, mark, folded, exact)", texts(newCopy(), writes)); err != nil {
		return err
	}
	return t.commit(ctx, append(moves(moved), removals(writes)...))
}

// copy sends rows into a table; into has its name and columns.
func (t *tx) copy(ctx context.Context, into string, rows *encoder) error {
	if rows.rows == 0 {
		return nil
	}
	if err := t.settle(ctx); err != nil {
		return err
	}
	_, err := t.pg.CopyFrom(ctx, bytes.NewReader(rows.copied()), "COPY "+into+" FROM STDIN (FORMAT binary)")
	return failure(err)
}

// resourceRow writes the columns of a resource but for its postings.
func resourceRow(e *encoder, w *store.Write) {
	e.int64(w.Key)
	e.int64(w.Ref.Version)
	e.int64(updated(w))
	e.int16(index.TypeNumber(w.Ref.Type))
	e.bool(live(w))
	e.text(w.Ref.ID)
}

// live reports whether w leaves a resource that exists; a placeholder and a deletion do not.
func live(w *store.Write) bool { return w.Ref.Version > 0 && w.Method != fhir.DELETE }

// updated is the time of w in microseconds, 0 for a placeholder.
func updated(w *store.Write) int64 {
	if w.Ref.Version == 0 {
		return 0
	}
	return w.Updated.UnixMicro()
}

func resourceArgs(w *store.Write) [][]byte {
	return [][]byte{
		int64Bytes(w.Key), int64Bytes(w.Ref.Version), int64Bytes(updated(w)), int16Bytes(index.TypeNumber(w.Ref.Type)),
		{boolByte(live(w))}, []byte(w.Ref.ID), appendInt64s(nil, w.Index.Postings),
	}
}

func resourcesArgs(fresh []*store.Write) [][]byte {
	e := newArrays(8)
	var postings []int64
	for _, w := range fresh {
		e.row(8)
		resourceRow(e, w)
		e.int32(int32(len(postings) + 1))
		postings = append(postings, w.Index.Postings...)
		e.int32(int32(len(postings)))
	}
	args := e.arrays(oidInt8, oidInt8, oidInt8, oidInt2, oidBool, oidText, oidInt4, oidInt4)
	return append(args, appendInt64s(nil, postings))
}

func moves(moved []*store.Write) []call {
	calls := make([]call, len(moved))
	for i, w := range moved {
		calls[i] = call{name: stmtMove, args: [][]byte{
			int64Bytes(w.Key), int64Bytes(w.Ref.Version), int64Bytes(updated(w)), {boolByte(live(w))},
			appendInt64s(nil, w.Index.Postings), int64Bytes(w.Was),
		}}
	}
	return calls
}

func versions(e *encoder, writes []store.Write) *encoder {
	for i := range writes {
		w := &writes[i]
		e.row(6)
		e.int64(w.Key)
		e.int64(updated(w))
		e.int32(int32(w.Ref.Version))
		e.int16(index.TypeNumber(w.Ref.Type))
		e.int16(int16(w.Method))
		e.bytes(w.Content)
	}
	return e
}

// additions inserts the index rows that are new.
func additions(writes []store.Write) []call {
	var calls []call
	if e := dates(newArrays(5), writes); e.rows > 0 {
		calls = append(calls, call{name: stmtInsDate, args: e.arrays(oidInt8, oidInt8, oidInt8, oidInt2, oidInt2)})
	}
	if e := numbers(newArrays(9), writes); e.rows > 0 {
		calls = append(calls, call{name: stmtInsNumber,
			args: e.arrays(oidFloat8, oidInt8, oidInt2, oidInt2, oidFloat8, oidFloat8, oidInt8, oidInt8, oidInt8)})
	}
	if e := texts(newArrays(5), writes); e.rows > 0 {
		calls = append(calls, call{name: stmtInsString, args: e.arrays(oidInt8, oidInt2, oidInt2, oidText, oidText)})
	}
	return calls
}

func dates(e *encoder, writes []store.Write) *encoder {
	for i := range writes {
		for j := range writes[i].Added.Dates {
			dateRow(e, writes[i].Key, &writes[i].Added.Dates[j])
		}
	}
	return e
}

func dateRow(e *encoder, key int64, d *index.Date) {
	e.row(5)
	e.int64(d.Lo)
	e.int64(d.Hi)
	e.int64(key)
	e.int16(int16(d.Param))
	e.int16(d.Mark)
}

func numbers(e *encoder, writes []store.Write) *encoder {
	for i := range writes {
		for j := range writes[i].Added.Numbers {
			numberRow(e, writes[i].Key, &writes[i].Added.Numbers[j])
		}
	}
	return e
}

func numberRow(e *encoder, key int64, n *index.Number) {
	e.row(9)
	e.float(n.Value)
	e.int64(key)
	e.int16(int16(n.Param))
	e.int16(n.Mark)
	if n.Plain() {
		e.null()
		e.null()
	} else {
		e.float(n.Lo)
		e.float(n.Hi)
	}
	for _, unit := range n.Units {
		if unit == 0 {
			e.null()
		} else {
			e.int64(unit)
		}
	}
}

func texts(e *encoder, writes []store.Write) *encoder {
	for i := range writes {
		for j := range writes[i].Added.Strings {
			stringRow(e, writes[i].Key, &writes[i].Added.Strings[j])
		}
	}
	return e
}

func stringRow(e *encoder, key int64, s *index.String) {
	e.row(5)
	e.int64(key)
	e.int16(int16(s.Param))
	e.int16(s.Mark)
	e.text(s.Folded)
	if s.Exact == "" {
		e.null()
	} else {
		e.text(s.Exact)
	}
}

// removals deletes the index rows that are gone.
func removals(writes []store.Write) []call {
	var calls []call
	for i := range writes {
		key, gone := writes[i].Key, &writes[i].Gone
		for j := range gone.Dates {
			e := newArrays(5)
			dateRow(e, key, &gone.Dates[j])
			calls = append(calls, call{name: stmtDelDate, args: e.fields()})
		}
		for j := range gone.Numbers {
			e := newArrays(9)
			numberRow(e, key, &gone.Numbers[j])
			calls = append(calls, call{name: stmtDelNumber, args: e.fields()})
		}
		for j := range gone.Strings {
			e := newArrays(5)
			stringRow(e, key, &gone.Strings[j])
			calls = append(calls, call{name: stmtDelString, args: e.fields()})
		}
	}
	return calls
}
