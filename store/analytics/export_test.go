package analytics

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Printed is what is sent of s, with its parameters as they were.
func Printed(s *Statement) string { return s.print(func(name string) string { return ":" + name }) }

// TryUnparsed runs SQL that nobody has checked over a connection of a Runner.
func TryUnparsed(path, sql string) error {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := prepareAnalyst(conn); err != nil {
		return err
	}
	return sqlitex.ExecuteTransient(conn, sql, nil)
}

// PrepareLock is the advisory lock of a server that prepares.
const PrepareLock = prepareLock

// AdmitAgain lets the role of analysts in once more.
func AdmitAgain(ctx context.Context, k Keeper) error { return k.(*postgresKeeper).admit(ctx) }

// PostgresFault says what an error of PostgreSQL means to who wrote the query.
func PostgresFault(err error) error { return postgresFault(err, time.Second) }
