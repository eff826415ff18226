package postgres

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/storetest"
)

// TestUpgrade: a database of the first schema loses nothing.
func TestUpgrade(t *testing.T) {
	url := storetest.EmptyPostgres(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	first, err := os.ReadFile("../../migrations/postgres/0001_start.sql")
	if err != nil {
		t.Fatal(err)
	}
	exec(string(first), pgx.QueryExecModeSimpleProtocol)
	exec(`INSERT INTO migration VALUES (1, '0001_start.sql', now())`)
	write := func(all []storetest.Old) {
		keys := map[fhir.Ref]int64{}
		for i := range all {
			keys[all[i].Ref.Current()] = all[i].Key
		}
		for i := range all {
			o := &all[i]
			rows := index.Make(&o.Index, func(ref fhir.Ref) int64 { return keys[ref] })
			typ, updated := index.TypeNumber(o.Ref.Type), o.Updated.UnixMicro()
			exec(`INSERT INTO resource VALUES ($1, 1, $2, $3, true, $4, $5)`, o.Key, updated, typ, o.Ref.ID, rows.Postings)
			exec(`INSERT INTO version VALUES ($1, $2, 1, $3, 2, $4)`, o.Key, updated, typ, store.Compress(o.JSON))
			for _, d := range rows.Dates {
				exec(`INSERT INTO date_value VALUES ($1, $2, $3, $4, $5)`, d.Lo, d.Hi, o.Key, int16(d.Param), d.Mark)
			}
			for _, n := range rows.Numbers {
				exec(`INSERT INTO number_value VALUES ($1, $2, $3, $4, NULL, NULL, nullif($5::bigint, 0), nullif($6::bigint, 0), nullif($7::bigint, 0))`,
					n.Value, o.Key, int16(n.Param), n.Mark, n.Units[0], n.Units[1], n.Units[2])
			}
			for _, s := range rows.Strings {
				exec(`INSERT INTO string_value VALUES ($1, $2, $3, $4, nullif($5, ''))`, o.Key, int16(s.Param), s.Mark, s.Folded, s.Exact)
			}
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	storetest.Upgrade(t, write, func() storetest.Store {
		s, err := Open(t.Context(), url, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	})
}
