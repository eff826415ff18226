package sqlite

import (
	"context"
	"slices"
	"strconv"

	"zombiezen.com/go/sqlite"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/index"
)

const (
	// A row that says the same but for the day is left as it is. Of a Patient who is not
	// there any more, none is written.
	saveVaccinee = `INSERT INTO vaccinee (rkey, print, schedule, assessed, again, born, soonest, overdue, place, sex, doubts, home, post, due, given)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15 WHERE EXISTS (SELECT 1 FROM resource r WHERE r.rkey = ?1 AND r.live AND r.type = ?16)
ON CONFLICT (rkey) DO UPDATE SET print = ?2, schedule = ?3, assessed = ?4, again = ?5, born = ?6, soonest = ?7, overdue = ?8, place = ?9, sex = ?10, doubts = ?11,
  home = ?12, post = ?13, due = ?14, given = ?15
WHERE (print, schedule, again, born, soonest, overdue, place, sex, doubts, home, post, due, given) <> (?2, ?3, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)`

	dropVaccinee = `DELETE FROM vaccinee WHERE rkey = (SELECT r.rkey FROM resource r WHERE r.id = ?2 AND r.type = ?1)`

	eraseVaccinee = `DELETE FROM vaccinee WHERE rkey = ?1`

	addVaccineeSchedule = `INSERT INTO vaccinee_schedule (number, name, version, groups, antigens) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING`
	vaccineeSchedules   = `SELECT number, name, version, groups, antigens FROM vaccinee_schedule ORDER BY name, version, number`
)

// SaveVaccinees writes rows by their keys, over those that are there.
func (s *Store) SaveVaccinees(ctx context.Context, all []fhir.Vaccinee) error {
	patient := int64(index.TypeNumber("Patient"))
	return s.writer.do(ctx, func(conn *sqlite.Conn) error {
		for i := range all {
			v := &all[i]
			err := run(conn, saveVaccinee, v.Key, v.Print, v.Schedule, int64(v.Assessed), int64(v.Again), int64(v.Born), int64(v.Soonest), int64(v.Overdue),
				int64(v.Place), int64(v.Sex), int64(v.Doubts), v.Home, v.Post, notNull(v.Due), notNull(v.Given), patient)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// DropVaccinees removes the rows of Patients, by their ids.
func (s *Store) DropVaccinees(ctx context.Context, patients []string) error {
	return s.writer.do(ctx, func(conn *sqlite.Conn) error {
		for _, id := range patients {
			if err := run(conn, dropVaccinee, int64(index.TypeNumber("Patient")), id); err != nil {
				return err
			}
		}
		return nil
	})
}

// Vaccinees calls each with the rows that are asked for, until that fails. They are good
// for the call.
func (s *Store) Vaccinees(ctx context.Context, q *fhir.VaccineeQuery, each func(*fhir.Vaccinee) error) error {
	from, args := store.VaccineeWhere(q, func(n int) string { return "?" + strconv.Itoa(n) }, func(mark string) (string, any) {
		return "r.type = " + strconv.Itoa(int(index.TypeNumber("Patient"))) + " AND r.id IN (SELECT value FROM json_each(" + mark + "))", store.Names(q.Patients)
	})
	var v fhir.Vaccinee
	if q.Lean {
		return s.rows(ctx, `SELECT `+store.VaccineeLean+` FROM `+from, args, func(stmt *sqlite.Stmt) error {
			v = fhir.Vaccinee{
				Key: stmt.ColumnInt64(0), Schedule: stmt.ColumnInt64(1), Born: int32(stmt.ColumnInt64(2)), Place: int32(stmt.ColumnInt64(3)), Sex: uint8(stmt.ColumnInt64(4)),
				Home: stmt.ColumnText(5), Post: stmt.ColumnText(6), Given: bytesInto(stmt, 7, v.Given[:0]),
			}
			return each(&v)
		})
	}
	return s.rows(ctx, `SELECT `+store.VaccineeColumns+` FROM `+from, args, func(stmt *sqlite.Stmt) error {
		day := func(column int) int32 { return int32(stmt.ColumnInt64(column)) }
		v = fhir.Vaccinee{
			Key: stmt.ColumnInt64(0), Patient: stmt.ColumnText(1), Print: stmt.ColumnInt64(2), Schedule: stmt.ColumnInt64(3), Assessed: day(4), Again: day(5),
			Born: day(6), Soonest: day(7), Overdue: day(8), Place: day(9), Sex: uint8(stmt.ColumnInt64(10)), Doubts: int16(stmt.ColumnInt64(11)),
			Home: stmt.ColumnText(12), Post: stmt.ColumnText(13), Due: bytesOf(stmt, 14), Given: bytesOf(stmt, 15),
		}
		return each(&v)
	})
}

// bytesInto reads a column into room that is there.
func bytesInto(stmt *sqlite.Stmt, column int, room []byte) []byte {
	n := stmt.ColumnLen(column)
	room = slices.Grow(room, n)[:n]
	stmt.ColumnBytes(column, room)
	return room
}

// AddVaccineeSchedule adds what rows are written by, unless it is there.
func (s *Store) AddVaccineeSchedule(ctx context.Context, v fhir.VaccineeSchedule) error {
	return s.writer.do(ctx, func(conn *sqlite.Conn) error {
		return run(conn, addVaccineeSchedule, v.Number, v.Name, v.Version, store.Names(v.Groups), store.Names(v.Antigens))
	})
}

// VaccineeSchedules returns what rows may be written by.
func (s *Store) VaccineeSchedules(ctx context.Context) (all []fhir.VaccineeSchedule, err error) {
	err = s.rows(ctx, vaccineeSchedules, nil, func(stmt *sqlite.Stmt) error {
		v := fhir.VaccineeSchedule{Number: stmt.ColumnInt64(0), Name: stmt.ColumnText(1), Version: stmt.ColumnText(2)}
		var err error
		if v.Groups, err = store.ReadNames(stmt.ColumnText(3)); err == nil {
			v.Antigens, err = store.ReadNames(stmt.ColumnText(4))
		}
		all = append(all, v)
		return err
	})
	return all, err
}

// forget removes the rows of Patients who are deleted.
func forget(conn *sqlite.Conn, writes []store.Write) error {
	for _, key := range store.DeletedPatients(writes) {
		if err := run(conn, eraseVaccinee, key); err != nil {
			return err
		}
	}
	return nil
}
