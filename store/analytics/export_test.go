package analytics

import (
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
