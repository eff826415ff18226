package immunization

import (
	"time"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// candidateEarliest returns the first day on which the next target dose counts.
//
// See the CDSi Logic Specification, 7.4, rule FORECASTDTCAN-1.
func (a *assessing) candidateEarliest(s *patientSeries, d *targetDose) schedule.Date {
	earliest := a.h.Born
	take := func(rule string, date schedule.Date) {
		if !date.IsZero() && a.tr != nil {
			a.tr.date("FORECASTDTCAN-1", s, rule, date)
		}
		earliest = max(earliest, date)
	}
	if row := d.agesOn(a.on); row != nil {
		take("minimum age", a.ageDate(row.min))
	}
	take("minimum interval", a.latestInterval(s, d, minimumOf))
	take("end of vaccine conflict", a.forecastConflictEnd(s, d))
	if s.evaluated > 0 {
		// Records are in order: this is the latest inadvertent administration, too.
		take("latest dose", a.given[a.records[s.antigen][s.evaluated-1]].date)
	}
	start, _ := d.seasonAt(max(a.on, earliest))
	take("start of season", start)
	return earliest
}

// generateDates forecasts the days of the next target dose, d.
//
// See the CDSi Logic Specification, 7.5 "Generate forecast dates and recommended
// vaccines", rules FORECASTDT-1 to FORECASTDT-6.
func (a *assessing) generateDates(s *patientSeries, d *targetDose) {
	row := d.agesOn(a.on)
	if row == nil {
		row = &ageRow{}
	}
	wantedBy, lateBy := byAgeOf, byAgeOf
	s.wanted = a.ageDate(row.earliest) // FORECASTDT-2
	if s.wanted.IsZero() {
		s.wanted, wantedBy = a.latestInterval(s, d, earliestOf), byIntervalOf
	}
	if s.wanted.IsZero() {
		s.wanted, wantedBy = s.earliest, byEarliestDate
	}
	s.late = a.ageDate(row.latest) // FORECASTDT-3
	if s.late.IsZero() {
		s.late, lateBy = a.latestInterval(s, d, latestOf), byIntervalOf
	}
	if !s.late.IsZero() {
		s.late--
	}
	if s.latest = a.ageDate(row.max); !s.latest.IsZero() { // FORECASTDT-4
		s.latest--
	}
	s.recommended = max(s.earliest, s.wanted) // FORECASTDT-5
	s.pastDue = schedule.NoDate               // FORECASTDT-6
	if !s.late.IsZero() {
		s.pastDue = max(s.earliest, s.late)
	}
	if a.tr != nil {
		a.tr.forecastDates(s, wantedBy, lateBy)
	}
}

// What gives an unadjusted date, for an explanation.
const (
	byAgeOf        = "by age"
	byIntervalOf   = "by interval"
	byEarliestDate = "the earliest date"
)

// ageDate returns the day of an age, NoDate for none.
func (a *assessing) ageDate(n age) schedule.Date {
	if n == 0 {
		return schedule.NoDate
	}
	return a.ages[n]
}

// Parts of an interval.
func minimumOf(k *interval) schedule.Period  { return k.min }
func earliestOf(k *interval) schedule.Period { return k.earliest }
func latestOf(k *interval) schedule.Period   { return k.latest }

// latestInterval returns the latest day that the intervals of a target dose give, by one
// of their parts (CALCDTINT-4 to CALCDTINT-6); NoDate for none.
func (a *assessing) latestInterval(s *patientSeries, d *targetDose, part func(*interval) schedule.Period) schedule.Date {
	latest := schedule.NoDate
	for i := range d.intervals {
		k := &d.intervals[i]
		p := part(k)
		if !p.Set || !inForce(a.on, k.effective, k.cessation) {
			continue
		}
		if from := a.referenceDate(s, k, len(a.records[s.antigen])); !from.IsZero() {
			latest = max(latest, from.Add(p))
			if a.tr != nil {
				a.tr.from(s, p, from)
			}
		}
	}
	return latest
}

// forecastConflictEnd returns the day on which the last vaccine that harms a preferable
// one of the target dose no longer does (CALCDTCONFLICT-3); NoDate for none.
func (a *assessing) forecastConflictEnd(s *patientSeries, d *targetDose) schedule.Date {
	end := schedule.NoDate
	for i := range d.preferable {
		v := &a.plan.vaccines[d.preferable[i].vaccine]
		if v.harmful == nil {
			continue
		}
		for k := range a.given {
			if g := &a.given[k]; v.harmful.has(g.vaccine) {
				end = max(end, g.date.Add(v.endAfter(g.vaccine)))
			}
		}
	}
	return end
}

// endAfter returns the length of the longest conflict with a previous vaccine.
func (v *vaccine) endAfter(previous int) schedule.Period {
	longest := schedule.Period{}
	for i := range v.conflicts {
		if c := &v.conflicts[i]; c.previous == previous && (!longest.Set || c.end.Months*31+c.end.Days > longest.Months*31+longest.Days) {
			longest = c.end
		}
	}
	return longest
}

// seasonOf returns the first and the last day of the season of a target dose that is
// under way on the day of the assessment, or else the next one.
func (a *assessing) seasonOf(d *targetDose) (start, end schedule.Date) { return d.seasonAt(a.on) }

// seasonAt returns the first and the last day of the season of a target dose, NoDate
// where it has no bound. A yearly season is the one that is under way on a day, or else
// the next one.
func (d *targetDose) seasonAt(on schedule.Date) (start, end schedule.Date) {
	t := &d.season
	if !t.Yearly || t.Start.IsZero() || t.End.IsZero() {
		return t.Start, t.End
	}
	year := on.Time().Year()
	for y := year - 1; ; y++ {
		start, end = inYear(t.Start, y), inYear(t.End, y)
		if end < start {
			end = inYear(t.End, y+1)
		}
		if on <= end {
			return start, end
		}
	}
}

// inYear returns the day of a year with the month and day of d; 29 February is 1 March
// in a year that lacks it.
func inYear(d schedule.Date, year int) schedule.Date {
	t := d.Time()
	return schedule.Day(year, time.Month(t.Month()), t.Day())
}
