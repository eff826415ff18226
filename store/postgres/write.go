package postgres

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

// copyFrom is from how many new resources on COPY pays for its round trips.
const copyFrom = 100

// Write writes everything and commits.
func (t *tx) Write(ctx context.Context, writes []store.Write) error {
	t.written = writes
	return t.writeNow(ctx, writes)
}

// writeNow writes everything and commits. Whether every row is still at the version
// it was read at shows when the version after it is inserted: that has a unique key.
func (t *tx) writeNow(ctx context.Context, writes []store.Write) error {
	var fresh, moved []*store.Write
	for i := range writes {
		if writes[i].Fresh {
			fresh = append(fresh, &writes[i])
		} else if writes[i].Key != 0 {
			moved = append(moved, &writes[i])
		}
	}
	for i := range t.placeholders {
		fresh = append(fresh, &t.placeholders[i])
	}
	if len(fresh) >= copyFrom {
		return t.writeLarge(ctx, writes, fresh, moved)
	}
	var calls []call
	if len(fresh) > 0 {
		calls = append(calls, call{name: stmtResources, args: resources(fresh)})
	}
	calls = append(calls, moves(moved)...)
	calls = append(calls, call{name: stmtInsVersion, args: versions(newArrays(6), writes).arrays(oidInt8, oidInt8, oidInt4, oidInt2, oidInt2, oidBytea)})
	calls = append(calls, feedCall(writes)...)
	calls = append(calls, values(writes, gone, deleting)...)
	calls = append(calls, values(writes, added, inserting)...)
	calls = append(calls, erasures(writes)...)
	calls = append(calls, forgotten(writes)...)
	calls = append(calls, blobs(writes)...)
	calls = append(calls, t.dictionary(writes)...)
	calls = append(calls, t.entries(writes)...)
	calls = append(calls, births(writes)...)
	return t.commit(ctx, append(calls, inbox(writes)...))
}

// commit makes the last round trip. Without a transaction the calls are one by themselves.
func (t *tx) commit(ctx context.Context, calls []call) error {
	if t.locked {
		calls = append(calls, call{sql: "COMMIT"})
	}
	err := t.send(ctx, calls...)
	t.committed = err == nil
	if t.committed {
		t.s.words.Put(t.wordsFrom, t.words)
	}
	return err
}

// writeLarge is writeNow with COPY for all that is inserted.
//
// See https://www.postgresql.org/docs/15/populate.html#POPULATE-COPY-FROM.
func (t *tx) writeLarge(ctx context.Context, writes []store.Write, fresh, moved []*store.Write) error {
	t.locked = true // it needs a transaction of several round trips
	rows := newCopy()
	for _, w := range fresh {
		rows.row(7)
		resourceRow(rows, w)
		rows.int64s(w.Index.Postings)
	}
	for _, table := range []struct {
		into string
		rows *encoder
	}{
		{"resource (rkey, version, updated, type, live, id, postings)", rows},
		{"version (rkey, updated, version, type, method, content)", versions(newCopy(), writes)},
		{"feed (rkey, version, targets)", changed(newCopy(), writes)},
		{"posting (posting, rkey)", postings(newCopy(), writes, added)},
		{"date_value (lo, hi, rkey, param, mark, pair_code, pair_both)", dates(newCopy(), writes, added)},
		{"number_value (value, rkey, param, mark, lo, hi, unit1, unit2, unit3, pair_code, pair_both)", numbers(newCopy(), writes, added)},
		{"string_value (rkey, param, mark, folded, exact, pair_code, pair_both)", texts(newCopy(), writes, added)},
		{"place_value (lat, lon, rkey, param)", positions(newCopy(), writes, added)},
		{"text_value (rkey, print, words)", fullTextRows(writes)},
		{"person (rkey, print, keys, features)", personRows(writes)},
		{"person_key (key, rkey)", personKeys(newCopy(), writes)},
	} {
		if err := t.copy(ctx, table.into, table.rows); err != nil {
			return err
		}
	}
	calls := append(moves(moved), values(writes, gone, deleting)...)
	calls = append(calls, forgotten(writes)...)
	calls = append(calls, blobs(writes)...)
	calls = append(calls, t.dictionary(writes)...)
	calls = append(calls, t.entries(writes)...)
	calls = append(calls, births(writes)...)
	return t.commit(ctx, append(calls, inbox(writes)...))
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

// resourceRow writes the columns of a new resource but for its postings.
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

// resources returns the arguments that insert new resources. The postings of all
// are one array, of which each row takes its part.
func resources(fresh []*store.Write) [][]byte {
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

// moves takes resources to their next version.
func moves(moved []*store.Write) []call {
	if len(moved) == 0 {
		return nil
	}
	e := newArrays(8)
	var postings []int64
	for _, w := range moved {
		e.row(8)
		e.int64(w.Key)
		e.int64(w.Ref.Version)
		e.int64(updated(w))
		e.bool(live(w))
		e.int64(w.Was)
		e.int64(w.Stamp)
		e.int32(int32(len(postings) + 1))
		postings = append(postings, w.Index.Postings...)
		e.int32(int32(len(postings)))
	}
	args := e.arrays(oidInt8, oidInt8, oidInt8, oidBool, oidInt8, oidInt8, oidInt4, oidInt4)
	return []call{{name: stmtMove, args: append(args, appendInt64s(nil, postings))}}
}

func versions(e *encoder, writes []store.Write) *encoder {
	for i := range writes {
		w := &writes[i]
		if w.Reindex {
			continue
		}
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

// gone and added say which of a write's index rows are meant.
func gone(w *store.Write) *index.Rows  { return &w.Gone }
func added(w *store.Write) *index.Rows { return &w.Added }

// valueStatements are the prepared statements for rows of the tables of values.
type valueStatements struct {
	posting, date, number, text, place, fullText string
	people                                       func([]store.Write) []call
}

var (
	inserting = valueStatements{stmtInsPosting, stmtInsDate, stmtInsNumber, stmtInsString, stmtInsPlace, stmtInsText, insertPeople}
	deleting  = valueStatements{stmtDelPosting, stmtDelDate, stmtDelNumber, stmtDelString, stmtDelPlace, stmtDelText, deletePeople}
)

// values returns the calls that insert or delete rows of the tables of values.
func values(writes []store.Write, which func(*store.Write) *index.Rows, by valueStatements) []call {
	var calls []call
	add := func(name string, e *encoder, oids ...uint32) {
		if e.rows > 0 {
			calls = append(calls, call{name: name, args: e.arrays(oids...)})
		}
	}
	add(by.posting, postings(newArrays(2), writes, which), oidInt8, oidInt8)
	add(by.date, dates(newArrays(7), writes, which), oidInt8, oidInt8, oidInt8, oidInt2, oidInt2, oidInt8, oidInt8)
	add(by.number, numbers(newArrays(11), writes, which),
		oidFloat8, oidInt8, oidInt2, oidInt2, oidFloat8, oidFloat8, oidInt8, oidInt8, oidInt8, oidInt8, oidInt8)
	add(by.text, texts(newArrays(7), writes, which), oidInt8, oidInt2, oidInt2, oidText, oidText, oidInt8, oidInt8)
	add(by.place, positions(newArrays(4), writes, which), oidFloat8, oidFloat8, oidInt8, oidInt2)
	calls = append(calls, fullTexts(writes, which, by.fullText)...)
	return append(calls, by.people(writes)...)
}

// dictionary returns the call that adds new words. They come last in a transaction,
// in one order for all, so that those who add the same wait for one another shortly
// and never in turn.
func (t *tx) dictionary(writes []store.Write) []call {
	t.wordsFrom = t.s.words.Epoch()
	t.words = t.s.words.New(writes)
	if len(t.words) == 0 {
		return nil
	}
	e := newArrays(4)
	for i := range t.words {
		w := &t.words[i]
		e.row(4)
		e.int64(w.Posting)
		e.int16(int16(w.Param))
		e.int16(int16(w.Kind))
		e.text(w.Text)
	}
	return []call{{name: stmtInsWord, args: e.arrays(oidInt8, oidInt2, oidInt2, oidText)}}
}

// postings writes the rows of all writes in the order of their index, so that those of
// one posting are neighbours in the table as well.
func postings(e *encoder, writes []store.Write, which func(*store.Write) *index.Rows) *encoder {
	type row struct{ posting, key int64 }
	var rows []row
	for i := range writes {
		for _, p := range index.Sought(which(&writes[i]).Postings) {
			rows = append(rows, row{p, writes[i].Key})
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.posting, b.posting), cmp.Compare(a.key, b.key))
	})
	for _, r := range rows {
		e.row(2)
		e.int64(r.posting)
		e.int64(r.key)
	}
	return e
}

func pair(e *encoder, p search.Pair) {
	for _, hash := range []int64{p.Code, p.Both} {
		if hash == 0 {
			e.null()
		} else {
			e.int64(hash)
		}
	}
}

func positions(e *encoder, writes []store.Write, which func(*store.Write) *index.Rows) *encoder {
	for i := range writes {
		for _, p := range which(&writes[i]).Places {
			e.row(4)
			e.float(p.Lat)
			e.float(p.Lon)
			e.int64(writes[i].Key)
			e.int16(int16(p.Param))
		}
	}
	return e
}

func dates(e *encoder, writes []store.Write, which func(*store.Write) *index.Rows) *encoder {
	for i := range writes {
		for _, d := range which(&writes[i]).Dates {
			e.row(7)
			e.int64(d.Lo)
			e.int64(d.Hi)
			e.int64(writes[i].Key)
			e.int16(int16(d.Param))
			e.int16(d.Mark)
			pair(e, d.Pair)
		}
	}
	return e
}

func numbers(e *encoder, writes []store.Write, which func(*store.Write) *index.Rows) *encoder {
	for i := range writes {
		rows := which(&writes[i]).Numbers
		for j := range rows {
			numberRow(e, writes[i].Key, &rows[j])
		}
	}
	return e
}

func numberRow(e *encoder, key int64, n *index.Number) {
	e.row(11)
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
	pair(e, n.Pair)
}

func texts(e *encoder, writes []store.Write, which func(*store.Write) *index.Rows) *encoder {
	for i := range writes {
		for _, s := range which(&writes[i]).Strings {
			e.row(7)
			e.int64(writes[i].Key)
			e.int16(int16(s.Param))
			e.int16(s.Mark)
			e.text(s.Folded)
			if s.Exact == "" {
				e.null()
			} else {
				e.text(s.Exact)
			}
			pair(e, s.Pair)
		}
	}
	return e
}
