package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
)

// binaryFormat asks for binary in all parameters or columns.
var binaryFormat = []int16{1}

// call is one statement of a round trip: a prepared one by its name, or SQL.
type call struct {
	name string
	sql  string
	keep bool // SQL is to stay prepared on the connection, with one plan for all arguments
	args [][]byte
	row  func(columns []pgconn.FieldDescription, values [][]byte) error // nil when no rows are expected
}

// trip sends all calls at once and then reads what they return. Outside of an
// open transaction they are one transaction. The first error ends it.
func trip(ctx context.Context, conn *pgconn.PgConn, calls ...call) error {
	kept := keptOf(conn)
	pipeline := conn.StartPipeline(ctx)
	var fresh []string // SQL that this trip prepares
	for i := range calls {
		c := &calls[i]
		switch {
		case c.name != "":
			pipeline.SendQueryPrepared(c.name, c.args, binaryFormat, binaryFormat)
		case c.keep:
			name, known := kept.name(c.sql)
			if !known {
				pipeline.SendPrepare(name, c.sql, nil)
				fresh = append(fresh, c.sql)
			}
			pipeline.SendQueryPrepared(name, c.args, binaryFormat, binaryFormat)
		default:
			pipeline.SendQueryParams(c.sql, c.args, nil, binaryFormat, binaryFormat)
		}
	}
	if old := kept.surplus(); old != "" {
		pipeline.SendDeallocate(old)
	}
	err := pipeline.Sync()
	for i := 0; err == nil && i < len(calls); i++ {
		err = receive(pipeline, &calls[i])
	}
	if closeErr := pipeline.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		kept.forget(fresh) // they may not have come to be prepared
		if conn.IsClosed() {
			err = broken{err}
		}
	}
	return failure(err)
}

// broken is an error after which a connection is of no use.
type broken struct{ error }

func (b broken) Unwrap() error { return b.error }

// receive reads the result of one call.
func receive(pipeline *pgconn.Pipeline, c *call) error {
	result, err := pipeline.GetResults()
	if _, prepared := result.(*pgconn.StatementDescription); prepared && err == nil {
		result, err = pipeline.GetResults()
	}
	if err != nil {
		return err
	}
	reader, ok := result.(*pgconn.ResultReader)
	if !ok {
		return fmt.Errorf("expected a result, got %T", result)
	}
	for reader.NextRow() {
		if c.row == nil {
			continue
		}
		if err = c.row(reader.FieldDescriptions(), reader.Values()); err != nil {
			break
		}
	}
	if _, closeErr := reader.Close(); err == nil {
		err = closeErr
	}
	return err
}

// notAllEntries is the code of a division by zero, by which stmtPutEntriesWith fails.
const notAllEntries = "22012"

// pgError is an error of PostgreSQL that means nothing particular here. Its text may
// quote a value, so that only its code is told.
type pgError struct{ code, table, routine string }

func (e *pgError) Error() string {
	return fmt.Sprintf("PostgreSQL error %s in %s %s", e.code, e.table, e.routine)
}

// failure gives an error of PostgreSQL the meaning it has here: ErrMoved when
// another transaction was in the way, fhir.Unavailable when the server cannot
// answer now.
//
// See https://www.postgresql.org/docs/15/errcodes-appendix.html.
func failure(err error) error {
	if err == nil {
		return nil
	}
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &connect):
	case !errors.As(err, &pg):
		if !lost(err) {
			return err
		}
	case inTheWay[pg.Code], pg.Code == "23502" && pg.TableName == "resource" && pg.ColumnName == "version":
		return fmt.Errorf("%w: %s", store.ErrMoved, pg.Code)
	case len(pg.Code) == 5 && (pg.Code[:2] == "53" || pg.Code[:3] == "57P" || pg.Code[:2] == "08" || tooLong[pg.Code]):
	default:
		return &pgError{pg.Code, pg.TableName, pg.Routine}
	}
	return fmt.Errorf("%w: %w", fhir.Errorf(fhir.Unavailable, "the database cannot answer now"), err)
}

// lost reports whether an error means that the connection broke, as it does when the server
// dies, and not that somebody here gave up waiting.
func lost(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var off broken
	var network interface { // as package net has it
		error
		Timeout() bool
		Temporary() bool
	}
	return errors.As(err, &off) || errors.As(err, &network)
}

// tooLong are the errors of what the operator of the database lets take only so long: a
// statement, a transaction, and one that waits for this program, which may have stood still.
var tooLong = map[string]bool{"57014": true, "25P03": true, "25P04": true}

// tookTooLong reports whether that has happened.
func tookTooLong(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && tooLong[pg.Code]
}

// inTheWay are the errors after which another attempt may succeed: a unique key
// that another transaction took, a conflict of snapshots, a deadlock, a lock that
// was not to be waited for.
var inTheWay = map[string]bool{"23505": true, "40001": true, "40P01": true, "55P03": true}
