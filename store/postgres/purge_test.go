package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/storetest"
)

// tables of which every row is looked through, with bytes as text as far as they are.
const everyTable = `SELECT c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' ORDER BY 1`

func contents(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	rows, err := pool.Query(t.Context(), everyTable)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	var all strings.Builder
	for _, name := range names {
		var text string
		// bytea is written so that what can be printed stands as it is
		err := pool.QueryRow(t.Context(), `SELECT coalesce(string_agg(x::text, ' '), '') FROM (SELECT * FROM "`+name+`") x`).Scan(&text)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(text)
	}
	return all.String()
}

func TestPurging(t *testing.T) {
	storetest.Purging(t, func(t *testing.T) storetest.Purger {
		s := open(t)
		if _, err := s.pool.Exec(t.Context(), `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET bytea_output = escape', current_database()); END $$`); err != nil {
			t.Fatal(err)
		}
		s.pool.Reset()
		return storetest.Purger{
			Store: s,
			Purge: func(ctx context.Context, refs []fhir.Ref) (int, int, error) {
				done, err := s.Purge(ctx, refs, storetest.IndexOf)
				if err == nil {
					err = s.Scrub(ctx, false)
				}
				return done.Resources, done.Versions, err
			},
			Remnants: func(ctx context.Context, typ string) (found []fhir.Resource, err error) {
				all, err := s.Remnants(ctx, typ, 0, 10)
				for _, r := range all {
					found = append(found, r.Resource)
				}
				return found, err
			},
			Contents: func() string { return contents(t, s.pool) },
		}
	})
}
