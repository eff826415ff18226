package sqlite

import (
	"fmt"
	"testing"

	"zombiezen.com/go/sqlite"
)

// TestPreparedStatementsAreFew uses more statements than are kept, some again and again.
func TestPreparedStatementsAreFew(t *testing.T) {
	conn, err := sqlite.OpenConn(":memory:")
	if err != nil {
		t.Fatal(err)
	}
	var p prepared
	ask := func(n int) {
		t.Helper()
		stmt, end, err := p.of(conn).get(fmt.Sprintf("SELECT ?1 + %d", n))
		if err != nil {
			t.Fatal(err)
		}
		stmt.BindInt64(1, 1)
		if _, err := stmt.Step(); err != nil || stmt.ColumnInt64(0) != int64(n)+1 {
			t.Errorf("1 + %d is %d, %v", n, stmt.ColumnInt64(0), err)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 3 * keptStatements {
		ask(0) // never the oldest
		ask(n)
	}
	kept := p.of(conn).used
	if len(kept) != keptStatements {
		t.Errorf("%d statements are kept, want %d", len(kept), keptStatements)
	}
	for _, n := range []int{0, 3*keptStatements - 1} {
		if _, ok := kept[fmt.Sprintf("SELECT ?1 + %d", n)]; !ok {
			t.Errorf("statement %d is not kept", n)
		}
	}
	if err := conn.Close(); err != nil { // it would name statements that nobody ended
		t.Error(err)
	}
}
