package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

const (
	recordColumns = `r.rkey, r.type, r.id, v.version, v.updated, v.method, v.content`

	// OFFSET 0 keeps each step a look into an index, whatever the planner thinks of tables
	// that were filled a moment ago.
	recordVersion = ` CROSS JOIN LATERAL (SELECT v.version, v.updated, v.method, v.content FROM version v WHERE v.rkey = r.rkey AND v.version = r.version OFFSET 0) v `

	recordPatients = `SELECT 0::bigint, ` + recordColumns + ` FROM (SELECT rkey, type, id, version FROM resource WHERE type = $1::smallint AND live
  AND rkey > $2::bigint ORDER BY rkey LIMIT $3::bigint) r` + recordVersion + `ORDER BY r.rkey`

	recordSome = `SELECT 0::bigint, ` + recordColumns + ` FROM (SELECT rkey, type, id, version FROM resource WHERE type = $1::smallint AND live
  AND rkey > $2::bigint AND id = ANY ($4::text[]) ORDER BY rkey LIMIT $3::bigint) r` + recordVersion + `ORDER BY r.rkey`

	recordLinked = `SELECT p.posting, ` + recordColumns + ` FROM unnest($2::bigint[]) u (posting)
CROSS JOIN LATERAL (SELECT p.posting, p.rkey FROM posting p WHERE p.posting = u.posting OFFSET 0) p
CROSS JOIN LATERAL (SELECT r.rkey, r.type, r.id, r.version FROM resource r WHERE r.rkey = p.rkey AND r.live AND r.type = $1::smallint OFFSET 0) r` + recordVersion + `WHERE true `
	recordAmong = `AND EXISTS (SELECT 1 FROM posting q WHERE q.rkey = p.rkey AND q.posting = ANY ($3::bigint[])) `
	recordOrder = `ORDER BY p.rkey`
)

// Records returns Patients with what belongs to their records.
func (s *Store) Records(ctx context.Context, q *search.PatientQuery) ([]search.PatientRecord, error) {
	records := store.NewRecords(q)
	sql, args := recordPatients, []any{index.TypeNumber("Patient"), q.After, int64(q.Limit)}
	if q.Patients != nil {
		sql, args = recordSome, append(args, q.Patients)
	}
	err := s.recorded(ctx, sql, args, func(_ int64, f *store.Found) error { return records.Patient(f) })
	for i := range q.Links {
		if err != nil || !records.Some() {
			break
		}
		link := &q.Links[i]
		sql, args := recordLinked, []any{index.TypeNumber(link.Type), records.Postings(link)}
		if among := store.Among(link); among != nil {
			sql, args = sql+recordAmong, append(args, among)
		}
		err = s.recorded(ctx, sql+recordOrder, args, records.Resource)
	}
	return records.Found(), err
}

func (s *Store) recorded(ctx context.Context, sql string, args []any, each func(posting int64, f *store.Found) error) error {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return failure(err)
	}
	var posting, updated int64
	var typ, method int16
	var version int32
	var id string
	var f store.Found
	_, err = pgx.ForEachRow(rows, []any{&posting, &f.Key, &typ, &id, &version, &updated, &method, &f.Content}, func() error {
		f.Resource = fhir.Resource{
			Ref:     fhir.Ref{Type: index.TypeName(typ), ID: id, Version: int64(version)},
			Updated: time.UnixMicro(updated).UTC(), Method: fhir.Method(method),
		}
		return each(posting, &f)
	})
	return failure(err)
}
