package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/query"
)

// connection is one connection while it is borrowed from the pool.
type connection struct {
	s  *Store
	pg *pgconn.PgConn
}

func (c *connection) Dialect() index.Dialect { return index.Postgres }

// read returns the version that ref names, nil when there is none.
func (c *connection) read(ctx context.Context, ref fhir.Ref) (*store.Found, error) {
	name, args := stmtRead, [][]byte{int16Bytes(index.TypeNumber(ref.Type)), []byte(ref.ID)}
	if ref.Version != 0 {
		if int64(int32(ref.Version)) != ref.Version {
			return nil, nil
		}
		name, args = stmtVersion, append(args, []byte{byte(ref.Version >> 24), byte(ref.Version >> 16), byte(ref.Version >> 8), byte(ref.Version)})
	}
	reader := c.pg.ExecPrepared(ctx, name, args, binaryFormat, binaryFormat)
	var found *store.Found
	var err error
	for reader.NextRow() {
		f := fields{values: reader.Values()}
		r := scan(&f)
		found, err = &r, f.err()
	}
	if _, closeErr := reader.Close(); closeErr != nil {
		return nil, failure(closeErr)
	}
	return found, err
}

// scan reads the fixed columns of a row.
func scan(f *fields) store.Found {
	found := store.Found{Key: f.int64()}
	found.Resource.Ref = fhir.Ref{Type: index.TypeName(f.int16()), ID: f.text(), Version: int64(f.int32())}
	found.Resource.Updated = time.UnixMicro(f.int64()).UTC()
	found.Resource.Method = fhir.Method(f.int16())
	found.Content = f.bytes()
	return found
}

// Select sends the statements unnamed, so that each is planned for its arguments.
func (c *connection) Select(ctx context.Context, statements ...*query.Statement) ([]store.Rows, error) {
	out := make([]store.Rows, len(statements))
	calls := make([]call, len(statements))
	for i, s := range statements {
		calls[i] = call{sql: s.SQL, args: encodeArgs(s.Args), row: func(columns []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			if s.Number {
				out[i].Number = f.int64()
				return f.err()
			}
			found := scan(&f)
			for range s.Keys {
				found.Order = append(found.Order, f.ordered(columns[f.at]))
			}
			if s.Postings {
				found.Postings = f.int64s()
			}
			out[i].Found = append(out[i].Found, found)
			return f.err()
		}}
	}
	return out, trip(ctx, c.pg, calls...)
}

// Known asks the cache, then the database.
func (c *connection) Known(ctx context.Context, refs []fhir.Ref) (map[fhir.Ref]int64, error) {
	return c.known(ctx, refs, true)
}

// known is Known; what it finds goes into the cache only when it is committed for certain.
func (c *connection) known(ctx context.Context, refs []fhir.Ref, remember bool) (map[fhir.Ref]int64, error) {
	epoch := c.s.keys.Epoch()
	known := make(map[fhir.Ref]int64, len(refs))
	var left []fhir.Ref
	for _, ref := range refs {
		if key := c.s.keys.Get(ref); key != 0 {
			known[ref] = key
		} else {
			left = append(left, ref)
		}
	}
	if len(left) == 0 {
		return known, nil
	}
	err := trip(ctx, c.pg, call{name: stmtKnown, args: placeArgs(left), row: func(_ []pgconn.FieldDescription, values [][]byte) error {
		f := fields{values: values}
		ref := left[f.int64()-1]
		known[ref] = f.int64()
		if remember {
			c.s.keys.Put(epoch, ref, known[ref])
		}
		return f.err()
	}})
	return known, err
}

// placeArgs returns types and ids as two arrays.
func placeArgs(refs []fhir.Ref) [][]byte {
	e := newArrays(2)
	for _, ref := range refs {
		e.row(2)
		e.int16(index.TypeNumber(ref.Type))
		e.text(ref.ID)
	}
	return e.arrays(oidInt2, oidText)
}

// Few leaves planning to PostgreSQL.
func (c *connection) Few(context.Context, []int64) bool { return false }

// Estimate asks the planner. Small results are counted: the planner's guess at them is poor.
func (c *connection) Estimate(ctx context.Context, count *query.Statement) (int64, bool, error) {
	var plan []struct {
		Plan struct {
			Rows  float64 `json:"Plan Rows"`
			Plans []struct {
				Rows float64 `json:"Plan Rows"`
			}
		}
	}
	explain := call{sql: "EXPLAIN (FORMAT JSON) " + count.SQL, args: encodeArgs(count.Args),
		row: func(_ []pgconn.FieldDescription, values [][]byte) error { return json.Unmarshal(values[0], &plan) }}
	if err := trip(ctx, c.pg, explain); err != nil {
		return 0, false, err
	}
	if len(plan) != 1 || len(plan[0].Plan.Plans) != 1 {
		return 0, false, fmt.Errorf("a count has a plan of another form than expected")
	}
	if rows := plan[0].Plan.Plans[0].Rows; rows > 10_000 {
		return int64(rows), false, nil
	}
	rows, err := c.Select(ctx, count)
	if err != nil {
		return 0, false, err
	}
	return rows[0].Number, true, nil
}
