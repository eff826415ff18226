package postgres

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

const (
	// A row that says the same but for the day is left as it is. Of a Patient who is not
	// there any more, none is written.
	saveVaccinees = `INSERT INTO vaccinee AS v (rkey, print, schedule, assessed, again, born, soonest, overdue, place, sex, doubts, home, post, due, given)
SELECT x.* FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::integer[], $5::integer[], $6::integer[], $7::integer[], $8::integer[], $9::integer[],
  $10::smallint[], $11::smallint[], $12::text[], $13::text[], $14::bytea[], $15::bytea[]) AS x (rkey, print, schedule, assessed, again, born, soonest, overdue,
  place, sex, doubts, home, post, due, given)
WHERE EXISTS (SELECT 1 FROM resource r WHERE r.rkey = x.rkey AND r.live AND r.type = $16::smallint)
ON CONFLICT (rkey) DO UPDATE SET print = excluded.print, schedule = excluded.schedule, assessed = excluded.assessed, again = excluded.again, born = excluded.born,
  soonest = excluded.soonest, overdue = excluded.overdue, place = excluded.place, sex = excluded.sex, doubts = excluded.doubts, home = excluded.home,
  post = excluded.post, due = excluded.due, given = excluded.given
WHERE (v.print, v.schedule, v.again, v.born, v.soonest, v.overdue, v.place, v.sex, v.doubts, v.home, v.post, v.due, v.given) IS DISTINCT FROM
  (excluded.print, excluded.schedule, excluded.again, excluded.born, excluded.soonest, excluded.overdue, excluded.place, excluded.sex, excluded.doubts,
  excluded.home, excluded.post, excluded.due, excluded.given)`

	dropVaccinees = `DELETE FROM vaccinee v USING resource r WHERE v.rkey = r.rkey AND r.type = $1 AND r.id = ANY ($2::text[])`

	eraseVaccinees = `DELETE FROM vaccinee WHERE rkey = ANY ($1::bigint[])`

	addVaccineeSchedule = `INSERT INTO vaccinee_schedule (number, name, version, groups, antigens) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`
	vaccineeSchedules   = `SELECT number, name, version, groups, antigens FROM vaccinee_schedule ORDER BY name, version, number`
)

// SaveVaccinees writes rows by their keys, over those that are there.
func (s *Store) SaveVaccinees(ctx context.Context, all []fhir.Vaccinee) error {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b fhir.Vaccinee) int { return cmp.Compare(a.Key, b.Key) }) // so that two servers cannot wait for each other
	var c struct {
		key, print, schedule                           []int64
		assessed, again, born, soonest, overdue, place []int32
		sex, doubts                                    []int16
		home, post                                     []string
		due, given                                     [][]byte
	}
	for i := range all {
		v := &all[i]
		c.key, c.print, c.schedule = append(c.key, v.Key), append(c.print, v.Print), append(c.schedule, v.Schedule)
		c.assessed, c.again, c.born = append(c.assessed, v.Assessed), append(c.again, v.Again), append(c.born, v.Born)
		c.soonest, c.overdue, c.place = append(c.soonest, v.Soonest), append(c.overdue, v.Overdue), append(c.place, v.Place)
		c.sex, c.doubts = append(c.sex, int16(v.Sex)), append(c.doubts, v.Doubts)
		c.home, c.post = append(c.home, v.Home), append(c.post, v.Post)
		c.due, c.given = append(c.due, notNull(v.Due)), append(c.given, notNull(v.Given))
	}
	_, err := s.pool.Exec(ctx, saveVaccinees, c.key, c.print, c.schedule, c.assessed, c.again, c.born, c.soonest, c.overdue, c.place,
		c.sex, c.doubts, c.home, c.post, c.due, c.given, index.TypeNumber("Patient"))
	return failure(err)
}

func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// DropVaccinees removes the rows of Patients, by their ids.
func (s *Store) DropVaccinees(ctx context.Context, patients []string) error {
	_, err := s.pool.Exec(ctx, dropVaccinees, index.TypeNumber("Patient"), patients)
	return failure(err)
}

// Vaccinees calls each with the rows that are asked for, until that fails. They are good
// for the call.
func (s *Store) Vaccinees(ctx context.Context, q *fhir.VaccineeQuery, each func(*fhir.Vaccinee) error) error {
	from, args := store.VaccineeWhere(q, func(n int) string { return "$" + strconv.Itoa(n) }, func(mark string) (string, any) {
		return "r.type = " + strconv.Itoa(int(index.TypeNumber("Patient"))) + " AND r.id = ANY (" + mark + "::text[])", q.Patients
	})
	var v fhir.Vaccinee
	var sex int16
	sql, columns := store.VaccineeColumns, []any{
		&v.Key, &v.Patient, &v.Print, &v.Schedule, &v.Assessed, &v.Again, &v.Born, &v.Soonest, &v.Overdue, &v.Place, &sex, &v.Doubts, &v.Home, &v.Post, &v.Due, &v.Given,
	}
	if q.Lean {
		sql, columns = store.VaccineeLean, []any{&v.Key, &v.Schedule, &v.Born, &v.Place, &sex, &v.Home, &v.Post, &v.Given}
	}
	rows, err := s.pool.Query(ctx, `SELECT `+sql+` FROM `+from, args...)
	if err != nil {
		return failure(err)
	}
	_, err = pgx.ForEachRow(rows, columns, func() error {
		v.Sex = uint8(sex)
		return each(&v)
	})
	return failure(err)
}

// AddVaccineeSchedule adds what rows are written by, unless it is there.
func (s *Store) AddVaccineeSchedule(ctx context.Context, v fhir.VaccineeSchedule) error {
	_, err := s.pool.Exec(ctx, addVaccineeSchedule, v.Number, v.Name, v.Version, store.Names(v.Groups), store.Names(v.Antigens))
	return failure(err)
}

// VaccineeSchedules returns what rows may be written by.
func (s *Store) VaccineeSchedules(ctx context.Context) ([]fhir.VaccineeSchedule, error) {
	return all(ctx, s, vaccineeSchedules, nil, func(r pgx.Rows) (v fhir.VaccineeSchedule, err error) {
		var groups, antigens string
		if err = r.Scan(&v.Number, &v.Name, &v.Version, &groups, &antigens); err != nil {
			return v, err
		}
		if v.Groups, err = store.ReadNames(groups); err == nil {
			v.Antigens, err = store.ReadNames(antigens)
		}
		return v, err
	})
}

// forgotten returns the call that removes the rows of Patients who are deleted.
func forgotten(writes []store.Write) (calls []call) {
	keys := store.DeletedPatients(writes)
	if len(keys) == 0 {
		return nil
	}
	return []call{{sql: eraseVaccinees, keep: true, args: [][]byte{appendInt64s(nil, keys)}}}
}
