package migrations

import (
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// applicationID marks a SQLite file as ours ("amat" in ASCII).
//
// See https://www.sqlite.org/pragma.html#pragma_application_id.
const applicationID = 0x616d6174

// ErrForeignFile says that a SQLite file was made by some other program.
var ErrForeignFile = errors.New("the SQLite file belongs to another program")

// SQLite applies what the database lacks, all in one transaction that excludes
// other writers. It returns a *VersionError when the database is newer than the
// program, and ErrForeignFile for a file that is not ours.
func SQLite(conn *sqlite.Conn) (err error) {
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return fmt.Errorf("lock for migration: %w", err)
	}
	defer end(&err)
	have, err := sqliteVersion(conn)
	if err != nil {
		return err
	}
	left, err := missing("sqlite", have)
	if err != nil {
		return err
	}
	for _, s := range left {
		script := s.sql + fmt.Sprintf("\nPRAGMA user_version = %d;\nPRAGMA application_id = %d;\n", s.number, applicationID)
		if err := sqlitex.ExecuteScript(conn, script, nil); err != nil {
			return fmt.Errorf("migration %s: %w", s.name, err)
		}
	}
	return nil
}

// CheckSQLite returns a *VersionError unless the database is at the program's version.
func CheckSQLite(conn *sqlite.Conn) error {
	have, err := sqliteVersion(conn)
	if err != nil {
		return err
	}
	return check("sqlite", have)
}

// sqliteVersion returns the number of the newest migration applied, 0 for an empty database.
func sqliteVersion(conn *sqlite.Conn) (int, error) {
	var numbers [3]int
	for i, pragma := range [...]string{
		"PRAGMA user_version", "PRAGMA application_id", "SELECT count(*) FROM sqlite_schema",
	} {
		n, err := readInt(conn, pragma)
		if err != nil {
			return 0, fmt.Errorf("read the schema version: %w", err)
		}
		numbers[i] = n
	}
	version, application, objects := numbers[0], numbers[1], numbers[2]
	if objects > 0 && application != applicationID {
		return 0, ErrForeignFile
	}
	return version, nil
}

func readInt(conn *sqlite.Conn, query string) (int, error) {
	stmt, _, err := conn.PrepareTransient(query)
	if err != nil {
		return 0, err
	}
	n, err := sqlitex.ResultInt(stmt)
	return n, errors.Join(err, stmt.Finalize())
}
