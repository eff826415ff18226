package sqlite

import (
	"os"
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/storetest"
)

// TestUpgrade: a file of the first schema loses nothing.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "amate.db")
	conn, err := sqlite.OpenConn(path)
	if err != nil {
		t.Fatal(err)
	}
	exec := func(sql string, args ...any) {
		t.Helper()
		if err := run(conn, sql, args...); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	first, err := os.ReadFile("../../migrations/sqlite/0001_start.sql")
	if err != nil {
		t.Fatal(err)
	}
	const marks = "\nPRAGMA user_version = 1;\nPRAGMA application_id = 1634558324;\n"
	if err := sqlitex.ExecuteScript(conn, string(first)+marks, nil); err != nil {
		t.Fatal(err)
	}
	write := func(all []storetest.Old) {
		keys := map[fhir.Ref]int64{}
		for i := range all {
			keys[all[i].Ref.Current()] = all[i].Key
		}
		for i := range all {
			o := &all[i]
			rows := index.Make(&o.Index, func(ref fhir.Ref) int64 { return keys[ref] })
			typ, updated := int64(index.TypeNumber(o.Ref.Type)), o.Updated.UnixMicro()
			exec(`INSERT INTO resource VALUES (?1, ?2, ?3, 1, ?4, 1, ?5)`, o.Key, typ, o.Ref.ID, updated, pack(rows.Postings))
			exec(`INSERT INTO version VALUES (?1, 1, ?2, ?3, 2, ?4)`, o.Key, typ, updated, store.Compress(o.JSON))
			for _, p := range rows.Postings {
				exec(`INSERT INTO posting VALUES (?1, ?2)`, p, o.Key)
			}
			for _, d := range rows.Dates {
				exec(`INSERT INTO date_value VALUES (?1, ?2, ?3, ?4, ?5)`, param(d.Param), d.Lo, o.Key, d.Hi, int64(d.Mark))
			}
			for _, n := range rows.Numbers {
				exec(`INSERT INTO number_value VALUES (?1, ?2, NULL, NULL, nullif(?3, 0), nullif(?4, 0), nullif(?5, 0), ?6, ?7)`,
					param(n.Param), n.Value, n.Units[0], n.Units[1], n.Units[2], o.Key, int64(n.Mark))
			}
			for _, s := range rows.Strings {
				exec(`INSERT INTO string_value VALUES (?1, ?2, nullif(?3, ''), ?4, ?5)`, param(s.Param), s.Folded, s.Exact, o.Key, int64(s.Mark))
			}
		}
		exec(`INSERT INTO counter VALUES ('rkey', 100)`)
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	storetest.Upgrade(t, write, func() storetest.Store {
		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	})
}
