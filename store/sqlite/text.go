package sqlite

import (
	"zombiezen.com/go/sqlite"

	"github.com/amate-health/amate/store/index"
)

func insertFullText(conn *sqlite.Conn, key int64, t *index.FullText) error {
	err := run(conn, `INSERT INTO text_value (rowid, words) VALUES (?1, ?2)`, key, index.WordList(t.Words))
	if err != nil {
		return err
	}
	return run(conn, `INSERT INTO text_print (rkey, print) VALUES (?1, ?2)`, key, t.Print)
}

func deleteFullText(conn *sqlite.Conn, key int64, _ *index.FullText) error {
	if err := run(conn, `DELETE FROM text_value WHERE rowid = ?1`, key); err != nil {
		return err
	}
	return run(conn, `DELETE FROM text_print WHERE rkey = ?1`, key)
}
