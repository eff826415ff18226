package recommend

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// Standing is a row of a [fhir.Vaccinee], unpacked.
type Standing struct {
	Groups   []GroupStanding   // those of the schedule, in its order
	Antigens []AntigenStanding // likewise
}

// GroupStanding is how far a person is with a vaccine group: the part of an
// [immunization.Forecast] that lists and counts need.
type GroupStanding struct {
	Group      string
	Status     immunization.SeriesStatus
	Number, Of int // of the next dose and of its series; 0 for none

	Earliest, Recommended, PastDue, Latest schedule.Date
}

// Due reports whether a dose should be given on a day.
func (g *GroupStanding) Due(on schedule.Date) bool {
	f := immunization.Forecast{Status: g.Status, Recommended: g.Recommended, Latest: g.Latest}
	return f.Due(on)
}

// Overdue reports whether a dose should have been given before a day.
func (g *GroupStanding) Overdue(on schedule.Date) bool {
	f := immunization.Forecast{Status: g.Status, Recommended: g.Recommended, PastDue: g.PastDue, Latest: g.Latest}
	return f.Overdue(on)
}

// AntigenStanding holds the days of the valid doses of an antigen, ascending.
type AntigenStanding struct {
	Antigen string
	Valid   []schedule.Date
}

// packed are the statuses by the numbers that stand for them; they are stored.
var packed = []immunization.SeriesStatus{
	immunization.NotRecommended, immunization.NotComplete, immunization.Complete, immunization.Immune, immunization.Contraindicated, immunization.AgedOut,
}

// ScheduleRow names the version of a schedule for rows that are written by it.
func ScheduleRow(s *schedule.Schedule) fhir.VaccineeSchedule {
	v := fhir.VaccineeSchedule{Name: s.Name, Version: s.Version, Groups: groupsOf(s), Antigens: antigensOf(s)}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", v.Name, v.Version, v.Groups, v.Antigens))
	v.Number = int64(binary.BigEndian.Uint64(sum[:8]))
	return v
}

// packDue writes what is due: of each group a byte for its status, and for one that is
// not complete the number of the dose, those of the series, and four days after birth, a
// 0 for none.
func packDue(b []byte, born schedule.Date, all []immunization.Forecast) []byte {
	for i := range all {
		f := &all[i]
		b = append(b, byte(max(0, slices.Index(packed, f.Status))))
		if f.Status != immunization.NotComplete {
			continue
		}
		b = binary.AppendUvarint(b, uint64(max(0, f.Number)))
		b = binary.AppendUvarint(b, uint64(max(0, f.Of)))
		for _, d := range [...]schedule.Date{f.Earliest, f.Recommended, f.PastDue, f.Latest} {
			b = binary.AppendUvarint(b, after(born, d))
		}
	}
	return b
}

// after is a day counted from birth, which is 1; 0 for none. There is none before.
func after(born, d schedule.Date) uint64 {
	if d.IsZero() {
		return 0
	}
	return uint64(max(1, d-born+1))
}

// packGiven writes the valid doses: of each antigen how many, and each day after the one
// before, the first after birth.
func packGiven(b []byte, h *immunization.History, a *immunization.Assessment, antigens []string) []byte {
	days := make([][]schedule.Date, len(antigens))
	for i := range a.Evaluations {
		e := &a.Evaluations[i]
		if at := slices.Index(antigens, e.Antigen); at >= 0 && e.Status == immunization.Valid {
			days[at] = append(days[at], h.Doses[e.Dose].Date)
		}
	}
	for _, of := range days {
		slices.Sort(of)
		b = binary.AppendUvarint(b, uint64(len(of)))
		from := h.Born
		for _, d := range of {
			b = binary.AppendUvarint(b, uint64(max(0, d-from)))
			from = max(from, d)
		}
	}
	return b
}

// Unpack reads a row that was written by a version of a schedule into s, whose slices are
// used again. Errors: the row was written by another.
func (s *Standing) Unpack(v *fhir.Vaccinee, by *fhir.VaccineeSchedule) error {
	if v.Schedule != by.Number {
		return fmt.Errorf("the row is of another version of the schedule than %s|%s", by.Name, by.Version)
	}
	born := schedule.Date(v.Born)
	r := reader{b: v.Due}
	s.Groups = slices.Grow(s.Groups[:0], len(by.Groups))
	for _, name := range by.Groups {
		g := GroupStanding{Group: name, Status: r.status()}
		if g.Status == immunization.NotComplete {
			g.Number, g.Of = int(r.next()), int(r.next())
			for _, d := range [...]*schedule.Date{&g.Earliest, &g.Recommended, &g.PastDue, &g.Latest} {
				if n := r.next(); n > 0 {
					*d = born + schedule.Date(n-1)
				}
			}
		}
		s.Groups = append(s.Groups, g)
	}
	if r.bad || len(r.b) > 0 {
		return unreadable(by)
	}
	return s.UnpackGiven(v, by)
}

// UnpackGiven is Unpack of the antigens alone: a Lean row has no more.
func (s *Standing) UnpackGiven(v *fhir.Vaccinee, by *fhir.VaccineeSchedule) error {
	if v.Schedule != by.Number {
		return fmt.Errorf("the row is of another version of the schedule than %s|%s", by.Name, by.Version)
	}
	r := reader{b: v.Given}
	s.Antigens = slices.Grow(s.Antigens[:0], len(by.Antigens))[:len(by.Antigens)]
	for i, name := range by.Antigens {
		a := &s.Antigens[i]
		a.Antigen, a.Valid = name, a.Valid[:0]
		from := schedule.Date(v.Born)
		n := r.next()
		if n > uint64(len(r.b)) { // each takes a byte at least
			r.bad, n = true, 0
		}
		for range n {
			from += schedule.Date(r.next())
			a.Valid = append(a.Valid, from)
		}
	}
	if r.bad || len(r.b) > 0 {
		return unreadable(by)
	}
	return nil
}

func unreadable(by *fhir.VaccineeSchedule) error {
	return fmt.Errorf("a row of what is due cannot be read as one of %s|%s", by.Name, by.Version)
}

// reader reads packed numbers.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) next() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > 1<<31 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) status() immunization.SeriesStatus {
	n := r.next()
	if n >= uint64(len(packed)) {
		r.bad = true
		return immunization.NotRecommended
	}
	return packed[n]
}
