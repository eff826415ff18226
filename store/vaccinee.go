package store

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// VaccineeColumns are the columns of a Vaccinee as both engines read them, from vaccinee
// v and the resource r of its Patient.
const VaccineeColumns = `v.rkey, r.id, v.print, v.schedule, v.assessed, v.again, v.born, v.soonest, v.overdue, v.place, v.sex, v.doubts, v.home, v.post, v.due, v.given`

// VaccineeLean are the columns of one of which no more is asked for.
const VaccineeLean = `v.rkey, v.schedule, v.born, v.place, v.sex, v.home, v.post, v.given`

// VaccineeWhere returns what follows FROM in a query for Vaccinees, and its arguments;
// mark names the n-th of them. Patients are matched by list, given what stands for them.
func VaccineeWhere(q *fhir.VaccineeQuery, mark func(n int) string, patients func(mark string) (condition string, arg any)) (string, []any) {
	// The row of a Patient who is deleted goes with them: to count, it need not be looked.
	tables, where, args := `vaccinee v JOIN resource r ON r.rkey = v.rkey`, []string{"r.live"}, []any(nil)
	if q.Lean {
		tables, where = `vaccinee v`, []string{"v.born > 0"}
	}
	add := func(condition string, v any) {
		args = append(args, v)
		where = append(where, strings.ReplaceAll(condition, "?", mark(len(args))))
	}
	if q.Patients != nil && !q.Lean {
		condition, arg := patients(mark(1))
		args, where = append(args, arg), append(where, condition)
	}
	for _, c := range []struct{ condition, value string }{
		{"v.home = ? AND v.home <> ''", q.Home}, {"v.post = ? AND v.post <> ''", q.Post},
		{"(v.home = ? AND v.home <> '' OR v.post = ? AND v.post <> '')", q.Facility},
	} {
		if c.value != "" {
			add(c.condition, c.value)
		}
	}
	if q.Place != 0 {
		add("v.place >= ?", int64(q.Place))
		add("v.place < ?", int64(max(q.PlaceEnd, q.Place+1)))
	}
	for _, c := range []struct {
		condition string
		value     int32
	}{
		{"v.born >= ?", q.BornFrom}, {"v.born <= ?", q.BornTo},
		{"v.soonest > 0 AND v.soonest <= ?", q.Soonest}, {"v.overdue > 0 AND v.overdue <= ?", q.Overdue}, {"v.again > 0 AND v.again <= ?", q.Again},
	} {
		if c.value != 0 {
			add(c.condition, int64(c.value))
		}
	}
	if q.After != 0 {
		add("v.rkey > ?", q.After)
	}
	sql := tables + ` WHERE ` + strings.Join(where, " AND ")
	if q.Limit > 0 {
		sql += ` ORDER BY v.rkey LIMIT ` + mark(len(args)+1)
		args = append(args, int64(q.Limit))
	}
	return sql, args
}

// Names writes a list of names, or of numbers, for a column or an argument, and ReadNames
// reads it.
func Names[T string | int64](all []T) string {
	text, err := json.Marshal(all)
	if err != nil {
		panic(err) // strings and numbers
	}
	return string(text)
}

// ReadNames reads what Names has written.
func ReadNames(text string) (all []string, err error) {
	err = json.Unmarshal([]byte(text), &all)
	return all, err
}

// DeletedPatients returns the row keys of the Patients that are deleted, ascending: what
// was derived from them goes in the same transaction.
func DeletedPatients(writes []Write) (keys []int64) {
	for i := range writes {
		if w := &writes[i]; w.Ref.Type == "Patient" && w.Method == fhir.DELETE && !w.Reindex {
			keys = append(keys, w.Key)
		}
	}
	slices.Sort(keys)
	return keys
}
