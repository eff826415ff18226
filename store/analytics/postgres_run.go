package analytics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/table"
)

type postgresRunner struct {
	pool   *pgxpool.Pool
	limits Limits
	turns  chan struct{} // one for each query that is under way in the database
	closed chan struct{}
	ration *ration
}

// Standing is how the queries of a Runner stand among what else the database does.
type Standing struct {
	Records bool  // their login can read the records too
	Equal   error // why they do not yield to others; nil when they do
}

// RunPostgres returns what runs queries in the database at url.
//
// A query is one of Parse; it runs in a transaction that reads only, as Role, with little
// memory for sorting, and is cut off when its time is over. Where the login of url is a
// member of Role and nothing else, as Admit makes it, the database by itself keeps it
// from all else. Where it is that of the server, Parse keeps a query from becoming that
// again: standing says so. Where the database is on this machine, and the system permits it,
// the processes that run queries have a small part of a processor while others are served.
func RunPostgres(ctx context.Context, url string, limits Limits) (r Runner, standing Standing, err error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, standing, errors.New("the database URL of analysts cannot be read") // the cause would quote its password
	}
	config.MaxConns = int32(limits.Connections) + 1 // to look whether queries that were broken off have ended
	for name, value := range map[string]string{
		"application_name": "amate-analyst", "search_path": "analytics", "default_transaction_read_only": "on", "jit": "off", "work_mem": "16MB",
		"statement_timeout": strconv.FormatInt((limits.Time + time.Second).Milliseconds(), 10), "idle_in_transaction_session_timeout": strconv.FormatInt((2 * limits.Time).Milliseconds(), 10),
		"lock_timeout": "5000", "max_parallel_workers_per_gather": "0", "standard_conforming_strings": "on", "timezone": "UTC", "datestyle": "ISO, YMD", "intervalstyle": "iso_8601",
	} {
		config.ConnConfig.RuntimeParams[name] = value
	}
	run := &postgresRunner{limits: limits, turns: make(chan struct{}, limits.Connections), closed: make(chan struct{}), ration: openRation()}
	defer func() {
		if err != nil {
			err = errors.Join(err, run.ration.close())
		}
	}()
	var equal atomic.Pointer[error]
	config.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		if err := run.ration.holdBack(conn); err != nil {
			equal.Store(&err)
		}
		return nil
	}
	run.pool, err = pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, standing, fmt.Errorf("open the database of analysts: %w", err)
	}
	const reaches = `SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname IN ('resource', 'version', 'progress')
AND c.relkind IN ('r', 'p') AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'))`
	if err := run.pool.QueryRow(ctx, reaches).Scan(&standing.Records); err != nil {
		run.pool.Close()
		return nil, standing, fmt.Errorf("open the database of analysts: %w", err)
	}
	if why := equal.Load(); why != nil {
		standing.Equal = *why
	}
	return run, standing, nil
}

func (r *postgresRunner) Dialect() string { return "postgresql" }

func (r *postgresRunner) Close() error {
	close(r.closed)
	r.pool.Close()
	return r.ration.close()
}

// rationLook is how often it is looked whether others are served.
const rationLook = 50 * time.Millisecond

// pace holds queries back while others are served, until ctx ends.
func (r *postgresRunner) pace(ctx context.Context) {
	if r.limits.Busy == nil {
		return
	}
	for ctx.Err() == nil {
		if r.ration.hold(r.limits.Busy()) != nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(rationLook):
		}
	}
}

// postgresArguments are the types that parameters have.
var postgresArguments = map[string]string{"integer": "bigint", "positiveInt": "bigint", "unsignedInt": "bigint", "decimal": "numeric", "boolean": "boolean"}

func (r *postgresRunner) Run(ctx context.Context, q *Query, begin func([]table.Column) error, row func([]table.Cell) error) (more bool, err error) {
	began, cancel := context.WithTimeout(ctx, r.limits.Time)
	defer cancel()
	select {
	case r.turns <- struct{}{}:
	case <-began.Done():
		return false, cmp.Or(ctx.Err(), tooSlow(r.limits.Time))
	}
	var pid uint32
	defer func() {
		if began.Err() == nil || pid == 0 {
			<-r.turns
			return
		}
		go func() { r.ended(pid); <-r.turns }()
	}()
	go r.pace(began)
	err = r.run(began, &pid, q, begin, func(cells []table.Cell) error {
		if q.Rows--; q.Rows < 0 {
			more = true
			return errEnough
		}
		return row(cells)
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if began.Err() != nil && ctx.Err() == nil {
		err = tooSlow(r.limits.Time)
	}
	return more, postgresFault(err, r.limits.Time)
}

var errEnough = errors.New("there are rows enough")

// ended waits until the process of the database has ended that worked on a query which was
// broken off. Some functions look up only when they are done, which may take hours.
func (r *postgresRunner) ended(pid uint32) {
	const there = `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND application_name = 'amate-analyst' AND state <> 'idle')`
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		var still bool
		err := r.pool.QueryRow(ctx, there, pid).Scan(&still)
		cancel()
		if err == nil && !still {
			return
		}
		select {
		case <-r.closed:
			return
		case <-time.After(wait):
		}
	}
}

func (r *postgresRunner) run(ctx context.Context, pid *uint32, q *Query, begin func([]table.Column) error, row func([]table.Cell) error) error {
	limit := q.Rows + 1
	var args []any
	at := map[string]string{}
	for i, name := range q.Names {
		a := q.Arguments[name]
		typ := postgresArguments[a.Type]
		if typ == "" {
			typ = "text"
		}
		at[name] = fmt.Sprintf("$%d::text::%s", i+1, typ)
		args = append(args, a.Text)
	}
	sql := q.print(func(name string) string { return at[name] })
	tx, err := r.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // nothing was written
	*pid = tx.Conn().PgConn().PID()
	if _, err := tx.Exec(ctx, `SET LOCAL ROLE `+Role); err != nil {
		return err
	}
	// What is prepared is one statement, whatever it holds.
	described, err := tx.Conn().PgConn().Prepare(ctx, "", sql, nil)
	if err != nil {
		return err
	}
	columns, outer, err := outerOf(described.Fields, sql)
	if err != nil {
		return err
	}
	if err := begin(columns); err != nil {
		return err
	}
	// A cursor is of a query that changes nothing, and hands out some rows at a time.
	if _, err := tx.Exec(ctx, fmt.Sprintf("DECLARE amate NO SCROLL CURSOR FOR %s LIMIT %d", outer, limit), append([]any{pgx.QueryExecModeExec}, args...)...); err != nil {
		return err
	}
	cells := make([]table.Cell, len(columns))
	for {
		n, err := r.fetch(ctx, tx, described.Fields, cells, row)
		if err != nil || n < fetchRows {
			return err
		}
	}
}

// fetchRows is how many rows are read at a time.
const fetchRows = 100

func (r *postgresRunner) fetch(ctx context.Context, tx pgx.Tx, fields []pgconn.FieldDescription, cells []table.Cell, row func([]table.Cell) error) (n int, err error) {
	result := tx.Conn().PgConn().ExecParams(ctx, fmt.Sprintf("FETCH %d FROM amate", fetchRows), nil, nil, nil, nil)
	defer func() {
		_, closed := result.Close()
		if err == nil {
			err = closed
		}
	}()
	longest := valueIn(len(cells))
	for result.NextRow() {
		n++
		for i, raw := range result.Values() {
			if len(raw) > longest {
				return n, tooLong()
			}
			if cells[i], err = postgresCell(fields[i].DataTypeOID, raw); err != nil {
				return n, err
			}
		}
		if err := row(cells); err != nil {
			return n, err
		}
	}
	return n, nil
}

// outerOf returns the columns of a result, and a query around that which makes it: its
// values are cut just behind what they may have, so that none takes much memory here.
func outerOf(fields []pgconn.FieldDescription, sql string) (columns []table.Column, outer string, err error) {
	if len(fields) > mostColumns {
		return nil, "", tooWide()
	}
	var names, values []string
	for i := range fields {
		f := &fields[i]
		c := table.Column{Name: f.Name, Type: postgresFHIR[f.DataTypeOID]}
		for j := range columns {
			if columns[j].Name == c.Name {
				return nil, "", refuse("two columns of the result have the same name: give one another by AS").With("%.100q", c.Name)
			}
		}
		c.Collection = f.DataTypeOID == pgtype.JSONBOID
		columns = append(columns, c)
		name := "c" + strconv.Itoa(i+1)
		names = append(names, name)
		if numeric[f.DataTypeOID] {
			values = append(values, name)
		} else {
			values = append(values, fmt.Sprintf("left(%s::text, %d)", name, valueIn(len(fields))+1))
		}
	}
	if len(columns) == 0 {
		return nil, "", refuse("the query has no columns")
	}
	return columns, "SELECT " + strings.Join(values, ", ") + " FROM (" + sql + ") AS q(" + strings.Join(names, ", ") + ")", nil
}

// postgresFHIR are the types of FHIR for those of PostgreSQL.
var postgresFHIR = map[uint32]string{
	pgtype.BoolOID: "boolean", pgtype.Int2OID: "integer", pgtype.Int4OID: "integer", pgtype.Int8OID: "integer64", pgtype.NumericOID: "decimal",
	pgtype.Float4OID: "decimal", pgtype.Float8OID: "decimal", pgtype.TextOID: "string", pgtype.VarcharOID: "string", pgtype.DateOID: "date",
	pgtype.TimestamptzOID: "instant",
}

var numeric = map[uint32]bool{
	pgtype.BoolOID: true, pgtype.Int2OID: true, pgtype.Int4OID: true, pgtype.Int8OID: true, pgtype.NumericOID: true, pgtype.Float4OID: true, pgtype.Float8OID: true,
}

// postgresCell returns a value as PostgreSQL writes it in text.
func postgresCell(oid uint32, raw []byte) (table.Cell, error) {
	if raw == nil {
		return table.Cell{}, nil
	}
	text := string(raw)
	switch {
	case oid == pgtype.BoolOID:
		return table.Cell{Kind: table.Boolean, Text: strconv.FormatBool(text == "t")}, nil
	case numeric[oid]:
		if strings.ContainsAny(text, "IN") {
			return table.Cell{}, nil // Infinity and NaN are no numbers of JSON
		}
		return table.Cell{Kind: table.Number, Text: text}, nil
	case oid == pgtype.TimestamptzOID:
		return table.Cell{Kind: table.String, Text: strings.Replace(strings.TrimSuffix(text, "+00")+"Z", " ", "T", 1)}, nil
	case oid == pgtype.JSONBOID:
		return listCell(text)
	}
	return table.Cell{Kind: table.String, Text: text}, nil
}

// renewed are the states of a query that met the renewal of its tables, which takes them
// for itself for a moment: it gave up waiting, or each of the two waited for the other.
var renewed = map[string]bool{"55P03": true, "40P01": true, "40001": true}

// postgresFault says what an error of PostgreSQL means to who wrote the query.
func postgresFault(err error, limit time.Duration) error {
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	if !errors.As(err, &pg) {
		if errors.As(err, &connect) {
			return fhir.Errorf(fhir.Unavailable, "the database of analysts cannot be reached")
		}
		return err
	}
	switch class := pg.Code[:2]; {
	case pg.Code == stateCancelled:
		return tooSlow(limit)
	case pg.Code == stateUnknown && strings.Contains(pg.Message, Role), pg.Code == stateDenied && strings.Contains(pg.Message, "set role"):
		return fhir.Errorf(fhir.Unavailable, "the role %s of PostgreSQL is not there for queries: the operator makes it", Role)
	case renewed[pg.Code]:
		return fhir.Errorf(fhir.Unavailable, "the tables were renewed while the query waited for them: try again")
	case pg.Code == stateConnections, strings.HasPrefix(pg.Code, stateStopped):
		return fhir.Errorf(fhir.Unavailable, "the database of analysts cannot answer now")
	case pg.Code == stateDenied:
		return fhir.Errorf(fhir.Forbidden, "the query reads what is not for analysts").With("%.500s", pg.Message)
	case class == "53" || class == "54" || class == "57":
		return fhir.Errorf(fhir.TooCostly, "the query takes more than the database has for it").With("%.500s", pg.Message)
	case class == "42" || class == "22" || class == "0A" || class == "21" || class == "25":
		return refuse("the database does not run this query; the table dictionary tells which tables and columns there are").With("%.500s", pg.Message)
	}
	return err
}
