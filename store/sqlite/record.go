package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

const (
	recordColumns = `SELECT r.rkey, r.type, r.id, v.version, v.updated, v.method, v.content `

	recordPatients = recordColumns + `FROM resource r JOIN version v ON v.rkey = r.rkey AND v.version = r.version
WHERE r.type = ?1 AND r.live AND r.rkey > ?2 ORDER BY r.rkey LIMIT ?3`

	recordSome = recordColumns + `FROM json_each(?4) x JOIN resource r ON r.id = x.value AND r.type = ?1 JOIN version v ON v.rkey = r.rkey AND v.version = r.version
WHERE r.live AND r.rkey > ?2 ORDER BY r.rkey LIMIT ?3`

	recordLinked = recordColumns + `FROM posting p CROSS JOIN resource r ON r.rkey = p.rkey CROSS JOIN version v ON v.rkey = r.rkey AND v.version = r.version
WHERE p.posting = ?1 AND r.live AND r.type = ?2 `
	recordAmong = `AND EXISTS (SELECT 1 FROM json_each(?3) x JOIN posting q ON q.posting = x.value AND q.rkey = p.rkey) `
	recordOrder = `ORDER BY p.rkey`
)

// Records returns Patients with what belongs to their records.
func (s *Store) Records(ctx context.Context, q *search.PatientQuery) ([]search.PatientRecord, error) {
	conn, err := s.readers.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer s.readers.Put(conn)
	records := store.NewRecords(q)
	sql, args := recordPatients, []any{int64(index.TypeNumber("Patient")), q.After, int64(q.Limit)}
	if q.Patients != nil {
		sql, args = recordSome, append(args, store.Names(q.Patients))
	}
	err = rowsOf(conn, sql, args, func(stmt *sqlite.Stmt) error {
		f := scan(stmt)
		return records.Patient(&f)
	})
	for i := range q.Links {
		if err == nil {
			err = recordLink(conn, records, &q.Links[i])
		}
	}
	return records.Found(), err
}

func recordLink(conn *sqlite.Conn, records *store.Records, link *search.PatientLink) error {
	sql, args := recordLinked, []any{nil, int64(index.TypeNumber(link.Type))}
	if among := store.Among(link); among != nil {
		sql, args = sql+recordAmong, append(args, store.Names(among))
	}
	for _, posting := range records.Postings(link) {
		args[0] = posting
		err := rowsOf(conn, sql+recordOrder, args, func(stmt *sqlite.Stmt) error {
			f := scan(stmt)
			return records.Resource(posting, &f)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
