package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

func insertPerson(conn *sqlite.Conn, key int64, p *index.Person) error {
	err := run(conn, `INSERT INTO person (rkey, print, keys, features) VALUES (?1, ?2, ?3, ?4)`, key, p.Print, pack(p.Keys), p.Features)
	for _, k := range p.Keys {
		if err == nil {
			err = run(conn, `INSERT INTO person_key (key, rkey) VALUES (?1, ?2)`, k, key)
		}
	}
	return err
}

func deletePerson(conn *sqlite.Conn, key int64, _ *index.Person) error {
	var keys []int64
	err := each(conn, `SELECT keys FROM person WHERE rkey = ?1`, key, func(s *sqlite.Stmt) { keys = unpack(bytesOf(s, 0)) })
	for _, k := range keys {
		if err == nil {
			err = run(conn, `DELETE FROM person_key WHERE key = ?1 AND rkey = ?2`, k, key)
		}
	}
	if err != nil {
		return err
	}
	return run(conn, `DELETE FROM person WHERE rkey = ?1`, key)
}

// People calls found with the row key and features of the Patients that have one of the
// keys: of each key at most the first most, by their row keys, and not those that share
// one key alone with more than store.FewSharers. The features are good for the call.
func (s *Store) People(ctx context.Context, keys []int64, most int, found func(key int64, features []byte)) error {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return err
	}
	defer s.readers.Put(conn)
	stmt, err := conn.Prepare(`SELECT rkey FROM person_key WHERE key = ?1 ORDER BY rkey LIMIT ?2`)
	if err != nil {
		return err
	}
	shared, rare := map[int64]int{}, map[int64]bool{}
	for _, key := range keys {
		stmt.BindInt64(1, key)
		stmt.BindInt64(2, int64(most))
		var sharers []int64
		if err := steps(stmt, func(stmt *sqlite.Stmt) { sharers = append(sharers, stmt.ColumnInt64(0)) }); err != nil {
			return err
		}
		for _, s := range sharers {
			shared[s]++
			rare[s] = rare[s] || len(sharers) <= store.FewSharers
		}
	}
	if stmt, err = conn.Prepare(`SELECT features FROM person WHERE rkey = ?1`); err != nil {
		return err
	}
	for key, n := range shared {
		if n == 1 && !rare[key] {
			continue
		}
		stmt.BindInt64(1, key)
		if err := steps(stmt, func(stmt *sqlite.Stmt) { found(key, bytesOf(stmt, 0)) }); err != nil {
			return err
		}
	}
	return nil
}
