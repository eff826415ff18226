package immunization

import (
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// Explanation is an assessment with the reasons for it.
type Explanation struct {
	Assessment *Assessment
	Steps      []Step // in the order in which they were taken
}

// Step is one check that was made.
type Step struct {
	Rule    string // section of the CDSi Logic Specification, or its business rule
	Antigen string
	Series  string
	Dose    int    // index into History.Doses; -1 for a step about the series
	Text    string // for people who maintain schedules
}

// Explain assesses as [Engine.Assess] does and gives the reasons.
func (e *Engine) Explain(h *History, on schedule.Date) *Explanation {
	tr := &trace{h: h, plan: e.plan}
	return &Explanation{Assessment: e.assess(h, on, tr), Steps: tr.steps}
}

// String writes all steps for people, by antigen and series.
func (x *Explanation) String() string { return x.write(func(string) bool { return true }) }

// Of writes the steps of the antigens of a vaccine group, all when it is nil.
func (x *Explanation) Of(g *schedule.Group) string {
	return x.write(func(antigen string) bool { return g == nil || slices.Contains(g.Antigens, antigen) })
}

// write writes the steps of some antigens.
func (x *Explanation) write(wanted func(antigen string) bool) string {
	var b strings.Builder
	antigen, series := "", ""
	for i := range x.Steps {
		s := &x.Steps[i]
		if !wanted(s.Antigen) {
			continue
		}
		if s.Antigen != antigen || s.Series != series {
			antigen, series = s.Antigen, s.Series
			fmt.Fprintf(&b, "%s: %s\n", antigen, series)
		}
		fmt.Fprintf(&b, "  %-16s %s\n", s.Rule, s.Text)
	}
	return b.String()
}

// trace gathers the steps of one assessment.
type trace struct {
	h     *History
	plan  *plan
	steps []Step
}

// add notes a step about a series.
func (t *trace) add(rule string, s *series, text string) {
	t.steps = append(t.steps, Step{Rule: rule, Antigen: t.plan.antigens[s.antigen].def.Name, Series: s.def.Name, Dose: -1, Text: text})
}

// dose notes a step about the n-th record of a series.
func (t *trace) dose(rule string, s *patientSeries, a *assessing, n int, text string) {
	g := &a.given[a.records[s.antigen][n]]
	head := fmt.Sprintf("dose of %s (CVX %s)", g.date, t.h.Doses[g.dose].CVX)
	if s.next < len(s.doses) {
		head += fmt.Sprintf(" for target dose %d", s.next+1)
	}
	t.steps = append(t.steps, Step{
		Rule: rule, Antigen: a.plan.antigens[s.antigen].def.Name, Series: s.def.Name, Dose: g.dose, Text: head + ": " + text,
	})
}

// age notes how the age compares.
func (t *trace) age(s *patientSeries, a *assessing, n int, row *ageRow, date schedule.Date, reason reasons) {
	outcome := "valid age"
	switch {
	case reason == asTooOld:
		outcome = "too old: Extraneous"
	case reason == asTooYoung:
		outcome = "too young: Not Valid"
	case row.min != 0 && date < a.ages[row.min]:
		outcome = "valid age in the grace period"
	}
	t.dose("6.4", s, a, n, fmt.Sprintf("%s; absolute minimum %s, minimum %s, maximum before %s",
		outcome, orNone(a.ageDate(row.absMin)), orNone(a.ageDate(row.min)), orNone(a.ageDate(row.max))))
}

// interval notes how an interval compares.
func (t *trace) interval(rule string, s *patientSeries, a *assessing, n int, k *interval, from, date schedule.Date, ok bool) {
	outcome := "interval kept"
	switch {
	case !ok:
		outcome = "too soon"
	case k.min.Set && date < from.Add(k.min):
		outcome = "interval kept in the grace period"
	}
	t.dose(rule, s, a, n, fmt.Sprintf("%s; from %s: absolute minimum %s (%s), minimum %s",
		outcome, from, from.Add(k.absMin), k.absMin, orNone(from.Add(k.min))))
}

// conflict notes how a conflict with an earlier dose compares.
func (t *trace) conflict(s *patientSeries, a *assessing, n, with int, begin, end schedule.Date) {
	g := &a.given[with]
	date := a.given[a.records[s.antigen][n]].date
	outcome := "no conflict"
	if date >= begin && date < end {
		outcome = "conflict: Not Valid"
	}
	t.dose("6.7", s, a, n, fmt.Sprintf("%s with CVX %s of %s; from %s to before %s",
		outcome, t.h.Doses[g.dose].CVX, g.date, begin, end))
}

// skip notes a set of conditions that is met.
func (t *trace) skip(s *patientSeries, w skipping, set *skipSet) {
	t.add(w.chapter, s.series, fmt.Sprintf("target dose %d is skipped, seen on %s: %s", s.next+1, w.reference, set.text))
}

// date notes a candidate for the earliest date.
func (t *trace) date(rule string, s *patientSeries, of string, date schedule.Date) {
	t.add(rule, s.series, fmt.Sprintf("target dose %d, %s: %s", s.next+1, of, date))
}

// from notes an interval that a date of the forecast is counted by.
func (t *trace) from(s *patientSeries, p schedule.Period, from schedule.Date) {
	t.add("7.5", s.series, fmt.Sprintf("target dose %d, interval: %s from %s is %s", s.next+1, p, from, from.Add(p)))
}

// forecastDates notes the dates of a series, and what gave the unadjusted ones.
func (t *trace) forecastDates(s *patientSeries, wantedBy, lateBy string) {
	late := ""
	if !s.late.IsZero() {
		late = fmt.Sprintf(" (unadjusted %s, %s)", s.late, lateBy)
	}
	t.add("7.5", s.series, fmt.Sprintf("target dose %d: earliest %s, recommended %s (unadjusted %s, %s), past due %s%s, latest %s",
		s.next+1, s.earliest, s.recommended, s.wanted, wantedBy, orNone(s.pastDue), late, orNone(s.latest)))
}

// score notes the points of a series.
func (t *trace) score(s *patientSeries) {
	t.add("8.7", s.series, fmt.Sprintf("score %d with %d valid doses, preference %d", s.score, s.valid, s.def.Select.Preference))
}

// orNone writes a date, "none" for no date.
func orNone(d schedule.Date) string {
	if d.IsZero() {
		return "none"
	}
	return d.String()
}
