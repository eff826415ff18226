package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/amate-health/amate/store/storetest"
)

func openAt(t *testing.T, now func() time.Time) storetest.State {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "amate.db"), Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestEntries(t *testing.T) { storetest.Entries(t, openAt) }

func TestEntriesAreSwept(t *testing.T) {
	storetest.Swept(t, openAt, func(s storetest.State) (n int) {
		err := s.(*Store).writer.do(t.Context(), func(conn *sqlite.Conn) (err error) {
			stmt, err := conn.Prepare(`SELECT count(*) FROM entry`)
			if err == nil {
				n, err = sqlitex.ResultInt(stmt)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	})
}
