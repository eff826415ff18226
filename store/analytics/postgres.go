package analytics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/amate-health/amate/fhir/table"
)

// Role is the role of PostgreSQL that reaches what analysts read, and nothing else. It
// cannot log in: those who may are its members.
const Role = "amate_analyst"

// postgresTypes are the types of columns.
//
// See https://www.postgresql.org/docs/15/datatype.html.
var postgresTypes = map[kind]string{textKind: `text COLLATE "C"`, booleanKind: "boolean", integerKind: "bigint", decimalKind: "numeric", listKind: "jsonb"}

func postgresType(k kind) string { name, _, _ := strings.Cut(postgresTypes[k], " "); return name }

type postgresKeeper struct{ pool *pgxpool.Pool }

// OpenPostgres opens the tables in the database at url, and makes what is missing. The
// role of the server makes the schemas, or owns them: 'amate migrate --grant' sees to that.
// missing says what analysts lack because that role may not make it; nil for nothing.
func OpenPostgres(ctx context.Context, url string) (k Keeper, missing, err error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, nil, errors.New("the database URL cannot be read") // the cause would quote its password
	}
	config.MaxConns = 2
	parameters := config.ConnConfig.RuntimeParams
	parameters["application_name"], parameters["search_path"], parameters["jit"] = "amate-analytics", "analytics_rows", "off"
	parameters["standard_conforming_strings"], parameters["client_min_messages"] = "on", "warning"
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, fmt.Errorf("open the tables of analysts: %w", err)
	}
	p := &postgresKeeper{pool: pool}
	if err := p.prepare(ctx); err != nil {
		pool.Close()
		return nil, nil, fmt.Errorf("open the tables of analysts: %w", err)
	}
	return p, p.admit(ctx), nil
}

// prepareLock keeps two servers from preparing at once: a number of ours among advisory locks.
const prepareLock = 0x616d617465_616e

// prepared are the tables that are always there.
var preparedTables = []string{
	`CREATE TABLE IF NOT EXISTS analytics_rows.progress (one boolean PRIMARY KEY DEFAULT true CHECK (one), version bigint NOT NULL, value jsonb NOT NULL)`,
	`INSERT INTO analytics_rows.progress (version, value) VALUES (0, '{}') ON CONFLICT DO NOTHING`,
	`CREATE TABLE IF NOT EXISTS analytics.dictionary (table_name text NOT NULL, column_name text NOT NULL, position integer NOT NULL,
sql_type text NOT NULL, fhir_type text NOT NULL, description text NOT NULL, PRIMARY KEY (table_name, position))`,
	`COMMENT ON TABLE analytics.dictionary IS 'What the tables and columns of this schema mean. The line at position 0 is about a table.'`,
}

func (p *postgresKeeper) prepare(ctx context.Context) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, prepareLock); err != nil {
			return err
		}
		var ready bool
		const there = `SELECT to_regclass('analytics_rows.progress') IS NOT NULL AND to_regclass('analytics.dictionary') IS NOT NULL`
		if err := tx.QueryRow(ctx, there).Scan(&ready); err != nil || ready {
			return err
		}
		made := false
		for _, schema := range []string{"analytics", "analytics_rows"} {
			var has bool
			if err := tx.QueryRow(ctx, `SELECT to_regnamespace($1) IS NOT NULL`, schema).Scan(&has); err != nil {
				return err
			}
			if has {
				continue
			}
			if _, err := tx.Exec(ctx, `CREATE SCHEMA `+schema); err != nil {
				return fmt.Errorf("make the schema %s, for which the role of the server may need 'amate migrate --grant': %w", schema, err)
			}
			made = true
		}
		const about = `COMMENT ON SCHEMA analytics IS 'De-identified rows, one or more for each person or event. They are no statistics: small groups of them can still tell who somebody is.'`
		if made {
			if _, err := tx.Exec(ctx, about); err != nil {
				return err
			}
		}
		for _, sql := range preparedTables {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// States of PostgreSQL that are told apart.
//
// See https://www.postgresql.org/docs/15/errcodes-appendix.html.
const (
	stateDuplicate = "42710"
	stateUnique    = "23505"
	stateDenied    = "42501"
	stateCancelled = "57014"
	stateUnknown   = "42704"

	stateConnections = "53300" // there are as many as there may be
	stateStopped     = "57P"   // begins those of a server that stops, or starts
)

func state(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// admit lets the role of analysts in, and makes it where that is allowed. Servers that start
// at once do so one after another: of two that grant the same, PostgreSQL refuses one.
func (p *postgresKeeper) admit(ctx context.Context) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, prepareLock); err != nil {
			return err
		}
		if err := makeRole(ctx, tx); err != nil {
			return err
		}
		for _, sql := range []string{`GRANT USAGE ON SCHEMA analytics TO ` + Role, `GRANT SELECT ON analytics.dictionary TO ` + Role} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// makeRole makes the role of analysts, unless it is there: it is of all databases of a
// server, and one of another may come in between.
func makeRole(ctx context.Context, tx pgx.Tx) error {
	var there bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, Role).Scan(&there); err != nil || there {
		return err
	}
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `CREATE ROLE `+Role+` NOLOGIN`)
		return err
	})
	if s := state(err); err != nil && s != stateDuplicate && s != stateUnique {
		return fmt.Errorf("the role %s is not there, and the role of the server cannot make it: let an administrator CREATE ROLE %s NOLOGIN, and GRANT it to the role of the server: %w", Role, Role, err)
	}
	return nil
}

func (p *postgresKeeper) Close() error {
	p.pool.Close()
	return nil
}

func (p *postgresKeeper) Load(ctx context.Context) (*Progress, error) {
	out := &Progress{}
	var value []byte
	if err := p.pool.QueryRow(ctx, `SELECT version, value::text FROM progress`).Scan(&out.Version, &value); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(value, out); err != nil {
		return nil, err
	}
	if out.Tables == nil {
		out.Tables = map[string]*Kept{}
	}
	return out, nil
}

// stored runs f in a transaction that stores progress too.
func (p *postgresKeeper) stored(ctx context.Context, progress *Progress, f func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		value, err := json.Marshal(progress)
		if err != nil {
			return err
		}
		done, err := tx.Exec(ctx, `UPDATE progress SET version = version + 1, value = $2::text::jsonb WHERE version = $1`, progress.Version, string(value))
		if err == nil && done.RowsAffected() == 0 {
			err = ErrMoved
		}
		if err != nil {
			return err
		}
		return f(tx)
	})
	if err == nil {
		progress.Version++
	}
	return err
}

func (p *postgresKeeper) Write(ctx context.Context, progress *Progress, changes ...Replacement) error {
	return p.stored(ctx, progress, func(tx pgx.Tx) error {
		for i := range changes {
			if err := replaceRows(ctx, tx, &changes[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func replaceRows(ctx context.Context, tx pgx.Tx, r *Replacement) error {
	base := pgx.Identifier{r.Base}
	if _, err := tx.Exec(ctx, `DELETE FROM `+base.Sanitize()+` WHERE `+keyColumn+` = ANY ($1)`, r.Keys); err != nil || len(r.Rows) == 0 {
		return err
	}
	names := []string{keyColumn}
	kinds := make([]kind, len(r.Columns))
	for i := range r.Columns {
		names = append(names, r.Columns[i].Name)
		kinds[i] = kindOf(&r.Columns[i])
	}
	_, err := tx.CopyFrom(ctx, base, names, pgx.CopyFromSlice(len(r.Rows), func(i int) ([]any, error) {
		values := []any{r.Rows[i].Key}
		for j := range r.Rows[i].Cells {
			values = append(values, postgresValue(&r.Rows[i].Cells[j], kinds[j]))
		}
		return values, nil
	}))
	return err
}

// postgresValue returns a cell for pgx; nil for one that does not fit its column.
func postgresValue(c *table.Cell, k kind) any {
	if !fits(c, k) {
		return nil
	}
	switch k {
	case booleanKind:
		return c.Text == "true"
	case integerKind, decimalKind:
		var n pgtype.Numeric
		if n.Scan(c.Text) != nil {
			return nil
		}
		if k == decimalKind {
			return n
		}
		whole, err := n.Int64Value()
		if err != nil {
			return nil
		}
		return whole.Int64
	}
	return strings.ReplaceAll(textOf(c, k), "\x00", "")
}

func (p *postgresKeeper) Create(ctx context.Context, progress *Progress, t *Table, base string) error {
	return p.stored(ctx, progress, func(tx pgx.Tx) error {
		name := pgx.Identifier{base}.Sanitize()
		parts := []string{keyColumn + ` bytea NOT NULL`}
		for i := range t.Columns {
			parts = append(parts, pgx.Identifier{t.Columns[i].Name}.Sanitize()+" "+postgresTypes[kindOf(&t.Columns[i])])
		}
		for _, sql := range []string{`DROP TABLE IF EXISTS ` + name, `CREATE TABLE ` + name + ` (` + strings.Join(parts, ", ") + `)`, `CREATE INDEX ON ` + name + ` (` + keyColumn + `)`} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// literalText returns text as it stands in SQL where no parameter can.
func literalText(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }

func (p *postgresKeeper) Publish(ctx context.Context, progress *Progress, all ...Shown) error {
	return p.stored(ctx, progress, func(tx pgx.Tx) error {
		for i := range all {
			if err := settle(ctx, tx, all[i].Base); err != nil {
				return err
			}
		}
		for i := range all {
			if err := show(ctx, tx, all[i].Table, all[i].Base, all[i].Old); err != nil {
				return err
			}
		}
		return nil
	})
}

// settle puts rows into the order of their keys: that in which they were written is also
// that of another release.
func settle(ctx context.Context, tx pgx.Tx, base string) error {
	rows := pgx.Identifier{"analytics_rows", base}.Sanitize()
	var index string
	if err := tx.QueryRow(ctx, `SELECT quote_ident(c.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1::text::regclass`, rows).Scan(&index); err != nil {
		return err
	}
	for _, sql := range []string{`CLUSTER ` + rows + ` USING ` + index, `ANALYZE ` + rows} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func show(ctx context.Context, tx pgx.Tx, t *Table, base, old string) error {
	view := pgx.Identifier{"analytics", t.Name}.Sanitize()
	var columns []string
	for i := range t.Columns {
		columns = append(columns, pgx.Identifier{t.Columns[i].Name}.Sanitize())
	}
	rows := pgx.Identifier{"analytics_rows", base}.Sanitize()
	statements := []string{
		`DROP VIEW IF EXISTS ` + view, `CREATE VIEW ` + view + ` AS SELECT ` + strings.Join(columns, ", ") + ` FROM ` + rows,
		`COMMENT ON VIEW ` + view + ` IS ` + literalText(t.Description),
		`DELETE FROM analytics.dictionary WHERE table_name = ` + literalText(t.Name),
	}
	for i := range t.Columns {
		statements = append(statements, `COMMENT ON COLUMN `+view+`.`+columns[i]+` IS `+literalText(t.Columns[i].Description))
	}
	if old != "" {
		statements = append(statements, `DROP TABLE IF EXISTS `+pgx.Identifier{"analytics_rows", old}.Sanitize())
	}
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	const insert = `INSERT INTO analytics.dictionary (table_name, column_name, position, sql_type, fhir_type, description) VALUES ($1, $2, $3, $4, $5, $6)`
	for _, e := range t.entries(postgresType) {
		if _, err := tx.Exec(ctx, insert, e.Table, e.Column, e.Position, e.SQL, e.FHIR, e.Description); err != nil {
			return err
		}
	}
	var there bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, Role).Scan(&there); err != nil || !there {
		return err
	}
	_, err := tx.Exec(ctx, `GRANT SELECT ON `+view+` TO `+Role)
	return err
}

func (p *postgresKeeper) Retire(ctx context.Context, progress *Progress, name string, bases ...string) error {
	return p.stored(ctx, progress, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DROP VIEW IF EXISTS `+pgx.Identifier{"analytics", name}.Sanitize()); err != nil {
			return err
		}
		for _, base := range bases {
			if _, err := tx.Exec(ctx, `DROP TABLE IF EXISTS `+pgx.Identifier{"analytics_rows", base}.Sanitize()); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `DELETE FROM analytics.dictionary WHERE table_name = $1`, name)
		return err
	})
}

func (p *postgresKeeper) Dictionary(ctx context.Context) ([]Entry, error) {
	rows, err := p.pool.Query(ctx, `SELECT table_name, column_name, position, sql_type, fhir_type, description FROM analytics.dictionary ORDER BY table_name, position`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Entry])
}

func (p *postgresKeeper) Count(ctx context.Context, base string) (n int64, err error) {
	err = p.pool.QueryRow(ctx, `SELECT count(*) FROM `+pgx.Identifier{"analytics_rows", base}.Sanitize()).Scan(&n)
	return n, err
}

// admitted are the settings of a login of Admit. All of them but the last a session may change
// for itself: they keep who means well from taking a database away from others.
//
// See https://www.postgresql.org/docs/15/runtime-config-resource.html.
var admitted = []string{
	`SET search_path = analytics`, `SET default_transaction_read_only = on`, `SET statement_timeout = '10min'`, `SET idle_in_transaction_session_timeout = '5min'`,
	`SET lock_timeout = '5s'`, `SET work_mem = '16MB'`, `SET hash_mem_multiplier = 1`, `SET max_parallel_workers_per_gather = 0`, `SET jit = off`,
	`CONNECTION LIMIT 5`,
}

// boundFiles is the setting that bounds the files which queries of a session sort in. Only a
// superuser may give it, or who was granted to.
const boundFiles = `SET temp_file_limit = '2GB'`

// Admit lets a role of PostgreSQL that can log in read what analysts read: it is made when
// it is not there, without a password. Who calls it may make roles. unbounded says that its
// queries may fill the disk, since who calls may not bound them; nil where they are bound.
func Admit(ctx context.Context, url, login string) (unbounded, err error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the database URL cannot be read") // the cause would quote its password
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	name := pgx.Identifier{login}.Sanitize()
	if _, err := conn.Exec(ctx, `CREATE ROLE `+name+` LOGIN NOINHERIT`); err != nil && state(err) != stateDuplicate {
		return nil, fmt.Errorf("create the role: %w", err)
	}
	all := []string{`ALTER ROLE ` + name + ` INHERIT`, `GRANT ` + Role + ` TO ` + name}
	for _, setting := range admitted {
		all = append(all, `ALTER ROLE `+name+` `+setting)
	}
	for _, sql := range all {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	bound := `ALTER ROLE ` + name + ` ` + boundFiles
	switch _, err := conn.Exec(ctx, bound); {
	case state(err) == stateDenied:
		return fmt.Errorf("queries of the login may fill the disk with what they sort: let an administrator %s: %w", bound, err), nil
	default:
		return nil, err
	}
}
