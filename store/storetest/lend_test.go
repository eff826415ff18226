package storetest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestEachTestGetsItsOwnDatabase(t *testing.T) {
	ctx := context.Background()
	for range 2 {
		conn, err := pgx.Connect(ctx, Postgres(t))
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if err := conn.QueryRow(ctx, `SELECT count(*) FROM resource`).Scan(&n); err != nil || n != 0 {
			t.Errorf("a fresh database has %d resources, %v", n, err)
		}
		if _, err := conn.Exec(ctx, `INSERT INTO resource VALUES (1, 0, 0, 1, false, 'a', '{}')`); err != nil {
			t.Error(err)
		}
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
	}
}
