package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
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

// read returns the current version of ref, nil when there is none.
func (c *connection) read(ctx context.Context, ref fhir.Ref) (*store.Found, error) {
	return c.one(ctx, stmtRead, int16Bytes(index.TypeNumber(ref.Type)), []byte(ref.ID))
}

// readVersion returns the version that ref names, nil when there is none.
func (c *connection) readVersion(ctx context.Context, ref fhir.Ref) (*store.Found, error) {
	if ref.Version > math.MaxInt32 {
		return nil, nil
	}
	return c.one(ctx, stmtVersion, int16Bytes(index.TypeNumber(ref.Type)), []byte(ref.ID), int32Bytes(int32(ref.Version)))
}

// one runs a prepared statement that finds at most one version.
func (c *connection) one(ctx context.Context, name string, args ...[]byte) (*store.Found, error) {
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

// Select runs the statements. They stay prepared: one plan is good for all arguments.
func (c *connection) Select(ctx context.Context, statements ...*query.Statement) ([]store.Rows, error) {
	out := make([]store.Rows, len(statements))
	calls := make([]call, 0, len(statements))
	for i, s := range statements {
		calls = append(calls, call{sql: s.SQL, keep: true, args: encodeArgs(s.Args), row: func(columns []pgconn.FieldDescription, values [][]byte) error {
			f := fields{values: values}
			if s.Number {
				out[i].Number = f.int64()
				return f.err()
			}
			if out[i].Cut {
				return nil // what else comes is not kept
			}
			found := scan(&f)
			for range s.Keys {
				found.Order = append(found.Order, f.ordered(columns[f.at]))
			}
			if s.Postings {
				found.Postings = f.int64s()
			}
			out[i].Add(s, found)
			return f.err()
		}})
	}
	return out, trip(ctx, c.pg, calls...)
}

// Explain has PostgreSQL carry s out and tell how. It is prepared, so that the plan is
// the one that searches get, in which placeholders stand for values.
//
// See https://www.postgresql.org/docs/15/sql-explain.html.
func (c *connection) Explain(ctx context.Context, s *query.Statement) (string, time.Duration, error) {
	const name = "amate_explained"
	args, err := c.literals(s.Args)
	if err != nil {
		return "", 0, err
	}
	if err := c.run(ctx, "PREPARE "+name+" AS "+s.SQL, nil); err != nil {
		return "", 0, err
	}
	var b strings.Builder
	start := time.Now()
	err = c.run(ctx, "EXPLAIN (ANALYZE, BUFFERS) EXECUTE "+name+args, func(line []byte) {
		b.Write(line)
		b.WriteByte('\n')
	})
	took := time.Since(start)
	if dropErr := c.run(context.WithoutCancel(ctx), "DEALLOCATE "+name, nil); err == nil {
		err = dropErr
	}
	return b.String(), took, err
}

// run executes SQL by the simple protocol, and calls row for the one column of each row.
func (c *connection) run(ctx context.Context, sql string, row func([]byte)) error {
	results := c.pg.Exec(ctx, sql)
	for results.NextResult() {
		for reader := results.ResultReader(); reader.NextRow(); {
			row(reader.Values()[0])
		}
	}
	return failure(results.Close())
}

// literals returns arguments as EXECUTE takes them.
func (c *connection) literals(args []any) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	all := make([]string, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case int64:
			all[i] = strconv.FormatInt(arg, 10)
		case float64:
			all[i] = "'" + strconv.FormatFloat(arg, 'g', -1, 64) + "'"
		case []int64:
			all[i] = "'{" + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(arg)), ","), "[]") + "}'"
		case string:
			text, err := c.pg.EscapeString(arg)
			if err != nil {
				return "", err
			}
			all[i] = "'" + text + "'"
		case []string:
			texts := make([]string, len(arg))
			for j, t := range arg {
				text, err := c.pg.EscapeString(t)
				if err != nil {
					return "", err
				}
				texts[j] = "'" + text + "'"
			}
			all[i] = "ARRAY[" + strings.Join(texts, ", ") + "]::text[]"
		}
	}
	return "(" + strings.Join(all, ", ") + ")", nil
}

// Known asks the cache, then the database.
func (c *connection) Known(ctx context.Context, refs []fhir.Ref) (map[fhir.Ref]int64, error) {
	known, left := c.s.keys.Known(refs)
	return known, c.lookUp(ctx, left, known, true)
}

// lookUp adds the row keys of those refs that have one to known; to the cache only
// when they are committed for certain.
func (c *connection) lookUp(ctx context.Context, refs []fhir.Ref, known map[fhir.Ref]int64, committed bool) error {
	if len(refs) == 0 {
		return nil
	}
	epoch := c.s.keys.Epoch()
	return trip(ctx, c.pg, call{name: stmtKnown, args: placeArgs(refs), row: func(_ []pgconn.FieldDescription, values [][]byte) error {
		f := fields{values: values}
		ref := refs[f.int64()-1]
		known[ref] = f.int64()
		if committed {
			c.s.keys.Put(epoch, ref, known[ref])
		}
		return f.err()
	}})
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

func (c *connection) Weights() *store.Weights { return c.s.weights }

// Estimate asks the planner. Small results are counted: the planner's guess at them is poor.
func (c *connection) Estimate(ctx context.Context, count, guess *query.Statement) (int64, bool, error) {
	var plan []struct {
		Plan struct {
			Rows  float64 `json:"Plan Rows"`
			Plans []struct {
				Rows float64 `json:"Plan Rows"`
			}
		}
	}
	explain := call{sql: "EXPLAIN (FORMAT JSON) " + guess.SQL, args: encodeArgs(guess.Args),
		row: func(_ []pgconn.FieldDescription, values [][]byte) error { return json.Unmarshal(values[0], &plan) }}
	if err := trip(ctx, c.pg, explain); err != nil {
		return 0, false, err
	}
	if len(plan) != 1 || len(plan[0].Plan.Plans) == 0 {
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
