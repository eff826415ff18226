package sqlite

import (
	"cmp"
	"context"
	"slices"

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
WHERE p.posting = ?1 AND r.live AND r.type = ?2 ORDER BY p.rkey`

	// What has one of many postings is told by the list that each resource has of its own.
	recordListed = `SELECT r.rkey, r.postings FROM posting p CROSS JOIN resource r ON r.rkey = p.rkey
WHERE p.posting = ?1 AND r.live AND r.type = ?2 ORDER BY p.rkey`
	recordOne = recordColumns + `FROM resource r JOIN version v ON v.rkey = r.rkey AND v.version = r.version WHERE r.rkey = ?1 AND r.live`
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
	among := store.Among(link)
	slices.Sort(among)
	typ := int64(index.TypeNumber(link.Type))
	for _, posting := range records.Postings(link) {
		add := func(stmt *sqlite.Stmt) error {
			f := scan(stmt)
			return records.Resource(posting, &f)
		}
		if link.Among == nil {
			if err := rowsOf(conn, recordLinked, []any{posting, typ}, add); err != nil {
				return err
			}
			continue
		}
		var keys []int64
		err := rowsOf(conn, recordListed, []any{posting, typ}, func(stmt *sqlite.Stmt) error {
			if common(unpack(bytesOf(stmt, 1)), among) {
				keys = append(keys, stmt.ColumnInt64(0))
			}
			return nil
		})
		for _, key := range keys {
			if err == nil {
				err = rowsOf(conn, recordOne, []any{key}, add)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// common reports whether two ascending lists have a number in common.
func common(a, b []int64) bool {
	for len(a) > 0 && len(b) > 0 {
		switch cmp.Compare(a[0], b[0]) {
		case -1:
			a = a[1:]
		case 1:
			b = b[1:]
		default:
			return true
		}
	}
	return false
}
