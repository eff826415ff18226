package migrations

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Privileges that are less than reading and writing rows. What the serving role has
// added, it cannot take back.
var lesser = map[string]string{
	"migration":        "SELECT",
	"setting":          "SELECT, INSERT",
	"version":          "SELECT, INSERT", // every version of every resource
	"feed":             "SELECT, INSERT",
	"audit":            "SELECT, INSERT",
	"audit_checkpoint": "SELECT, INSERT",
	"audit_inbox":      "SELECT, INSERT, DELETE", // its rows go to audit
	"birth":            "SELECT, INSERT, UPDATE",
	"birth_event":      "SELECT, INSERT",
}

const duplicateObject = "42710"

// Grant lets role serve a database that is up to date, and do no more: it reads and
// writes rows, and cannot alter tables, nor change or remove versions and the audit
// trail. The role is made when it is not there, able to log in, without a password.
// Whoever calls it owns the schema.
//
// See https://www.postgresql.org/docs/15/ddl-priv.html.
func Grant(ctx context.Context, conn *pgx.Conn, role string) error {
	if err := CheckPostgres(ctx, conn); err != nil {
		return err
	}
	name := pgx.Identifier{role}.Sanitize()
	var pg *pgconn.PgError
	if _, err := conn.Exec(ctx, `CREATE ROLE `+name+` LOGIN`); err != nil && !(errors.As(err, &pg) && pg.Code == duplicateObject) {
		return fmt.Errorf("create the role: %w", err)
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		statements, err := grants(ctx, tx, name)
		if err != nil {
			return err
		}
		for _, sql := range statements {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("grant: %w", err)
			}
		}
		return nil
	})
}

// analystGrants let a role keep the tables of analysts in schemas of their own, and let
// analysts read them. Tables that another role has made there are removed: the server makes
// them again.
func analystGrants(role string) []string {
	owner := `'` + strings.ReplaceAll(role, `'`, `''`) + `'::regrole`
	return []string{
		`CREATE SCHEMA IF NOT EXISTS analytics`, `CREATE SCHEMA IF NOT EXISTS analytics_rows`,
		`GRANT USAGE, CREATE ON SCHEMA analytics, analytics_rows TO ` + role,
		`DO $$ DECLARE t record; BEGIN
FOR t IN SELECT c.oid::regclass AS name, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname IN ('analytics', 'analytics_rows') AND c.relkind IN ('r', 'v') AND c.relowner <> ` + owner + ` ORDER BY c.relkind DESC LOOP
  EXECUTE 'DROP ' || CASE t.relkind WHEN 'v' THEN 'VIEW ' ELSE 'TABLE ' END || t.name || ' CASCADE';
END LOOP; END $$`,
		`DO $$ BEGIN CREATE ROLE amate_analyst NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
		`GRANT amate_analyst TO ` + role,
		`GRANT USAGE ON SCHEMA analytics TO amate_analyst`,
	}
}

// grants returns what is to be done for a role, quoted already.
func grants(ctx context.Context, tx pgx.Tx, role string) ([]string, error) {
	var database, schema string
	if err := tx.QueryRow(ctx, `SELECT current_database(), current_schema()`).Scan(&database, &schema); err != nil {
		return nil, err
	}
	database, schema = pgx.Identifier{database}.Sanitize(), pgx.Identifier{schema}.Sanitize()
	all := []string{
		`GRANT CONNECT ON DATABASE ` + database + ` TO ` + role,
		`REVOKE ALL ON SCHEMA ` + schema + ` FROM ` + role,
		`GRANT USAGE ON SCHEMA ` + schema + ` TO ` + role,
		`REVOKE ALL ON ALL TABLES IN SCHEMA ` + schema + ` FROM ` + role,
		`GRANT USAGE ON ALL SEQUENCES IN SCHEMA ` + schema + ` TO ` + role,
		`GRANT EXECUTE ON FUNCTION audit_prepare(integer) TO ` + role,
	}
	all = append(all, analystGrants(role)...)
	// A partition is written through its parent only.
	const tables = `SELECT c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace
AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY c.relname`
	rows, err := tx.Query(ctx, tables)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	for _, table := range names {
		rights, ok := lesser[table]
		if !ok {
			rights = "SELECT, INSERT, UPDATE, DELETE"
		}
		all = append(all, `GRANT `+rights+` ON `+pgx.Identifier{table}.Sanitize()+` TO `+role)
	}
	return all, nil
}
