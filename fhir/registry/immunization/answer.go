package immunization

import (
	"slices"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// answer writes the assessment down.
func (a *assessing) answer(s *schedule.Schedule) *Assessment {
	out := &Assessment{On: a.on, Schedule: s.Name, Version: s.Version}
	a.writeEvaluations(out)
	a.writeForecasts(out)
	return out
}

// writeEvaluations writes one evaluation for each dose and antigen.
func (a *assessing) writeEvaluations(out *Assessment) {
	size := len(a.unused)
	for i := range a.records {
		size += len(a.records[i])
	}
	out.Evaluations = make([]Evaluation, 0, size)
	said := make([]Reason, 0, size) // of all; it grows where doses have several
	clear(a.cursor)
	next := 0
	for i := range a.given {
		for next < len(a.unused) && a.unused[next].given == i {
			said = a.writeEvaluation(out, said, a.unused[next])
			next++
		}
		if a.given[i].vaccine < 0 {
			continue
		}
		for _, h := range a.plan.vaccines[a.given[i].vaccine].holds {
			n := a.cursor[h.antigen]
			if list := a.records[h.antigen]; n < len(list) && int(list[n]) == i {
				a.cursor[h.antigen]++
				said = a.writeEvaluation(out, said, a.judge(i, h.antigen, n))
			}
		}
	}
}

// writeEvaluation writes one evaluation; said is room for its reasons.
func (a *assessing) writeEvaluation(out *Assessment, said []Reason, j judged) []Reason {
	e := Evaluation{Dose: a.given[j.given].dose, Number: j.verdict.number, Status: j.verdict.status}
	if j.antigen >= 0 {
		p := &a.plan.antigens[j.antigen]
		e.Antigen = p.def.Name
		e.Group = a.plan.groups[p.group].def.Name
	}
	if j.series != nil {
		e.Series, e.Of = j.series.def.Name, len(j.series.doses)
	}
	from := len(said)
	if e.Status == SubStandard {
		said = append(said, a.h.Doses[e.Dose].Condition)
	} else {
		said = j.verdict.reasons.appendTo(said)
	}
	if from < len(said) {
		e.Reasons = said[from:len(said):len(said)]
	}
	out.Evaluations = append(out.Evaluations, e)
	return said
}

// judge returns what the n-th record of an antigen is worth: by the best series that the
// forecast of its vaccine group follows, or another best one where the dose is valid.
func (a *assessing) judge(i, antigen, n int) judged {
	j := judged{given: i, antigen: antigen}
	at := a.ofAntigen[antigen]
	for k := at.first; k < at.end; k++ {
		s := &a.series[k]
		v := a.verdicts[s.verdicts.first+n]
		if j.series == nil || better(s, v, j.series, j.verdict) {
			j.series, j.verdict = s, v
		}
	}
	if j.series == nil {
		j.verdict = a.withoutSeries(antigen)
	}
	return j
}

// better reports whether a verdict in s is to be given rather than that in another
// series: best series count first, then those in which the dose is valid.
func better(s *patientSeries, v verdict, other *patientSeries, w verdict) bool {
	if s.best != other.best {
		return s.best
	}
	if (v.status == Valid) != (w.status == Valid) {
		return v.status == Valid
	}
	return !s.best && s.valid > other.valid
}

// withoutSeries returns the verdict on a dose for an antigen that has no series for the
// person.
func (a *assessing) withoutSeries(antigen int) verdict {
	list := a.plan.antigens[antigen].series
	for i := range list {
		if list[i].def.Type != schedule.Risk && a.bornWithin(&list[i]) && !a.ofSex(&list[i]) {
			return verdict{status: NotValid, reasons: because(WrongSex)}
		}
	}
	return verdict{status: Extraneous, reasons: asUnneeded}
}

// writeForecasts writes one forecast for each vaccine group.
func (a *assessing) writeForecasts(out *Assessment) {
	out.Forecasts = make([]Forecast, len(a.plan.groups))
	a.texts = a.texts[:0]
	a.blend = a.blend[:0]
	for i := range a.plan.groups {
		a.writeForecast(&out.Forecasts[i], &a.plan.groups[i])
	}
	// One array holds the lists of all forecasts.
	texts := slices.Clone(a.texts)
	at := 0
	take := func(n int) []string {
		if n == 0 {
			return nil
		}
		at += n
		return texts[at-n : at : at]
	}
	for i := range out.Forecasts {
		f := &out.Forecasts[i]
		f.Antigens, f.CVX = take(len(f.Antigens)), take(len(f.CVX))
	}
}

// writeForecast writes the forecast of a vaccine group.
func (a *assessing) writeForecast(out *Forecast, g *group) {
	f := a.forecastGroup(g)
	out.Group = g.def.Name
	if f.followed == nil {
		out.Status, out.Why = NotRecommended, "no series is for this person"
		return
	}
	out.Status, out.Why = f.status, f.followed.why
	out.Series, out.Of = f.followed.def.Name, len(f.followed.doses)
	if f.status != NotComplete {
		if f.followed.status != f.status {
			out.Why = whyOf(f)
		}
		return
	}
	out.Number = f.number
	out.Earliest, out.Recommended, out.PastDue, out.Latest = f.earliest, f.recommended, f.pastDue, f.latest
	from := len(a.texts)
	for _, s := range f.from {
		if s.status == NotComplete { // FORECASTVG-8
			a.texts = append(a.texts, a.plan.antigens[s.antigen].def.Name)
		}
	}
	out.Antigens = a.texts[from:]
	from = len(a.texts)
	a.recommendVaccines(g, &f)
	out.CVX = a.texts[from:]
}

// whyOf returns the reason of the series that gives a group its status.
func whyOf(f groupForecast) string {
	for _, s := range f.from {
		if s.status == f.status {
			return s.why
		}
	}
	return f.followed.why
}

// recommendVaccines appends the CVX codes to recommend (FORECASTVG-9). Where the
// schedule flags none for the target dose, it is the vaccine that stands for the group,
// or else the preferable ones.
func (a *assessing) recommendVaccines(g *group, f *groupForecast) {
	from := len(a.texts)
	a.recommendFrom(f, from, true)
	if len(a.texts) > from {
		return
	}
	if g.def.CVX != "" {
		a.texts = append(a.texts, g.def.CVX)
		return
	}
	a.recommendFrom(f, from, false)
}

// recommendFrom appends the recommended vaccines of each series to be completed, the
// followed one first, each once.
func (a *assessing) recommendFrom(f *groupForecast, from int, flagged bool) {
	a.recommendOf(f.followed, from, flagged)
	for _, s := range f.from {
		if s != f.followed {
			a.recommendOf(s, from, flagged)
		}
	}
}

// recommendOf applies rule FORECASTRECVAC-1 to the target dose forecast of a series;
// without flagged, to vaccines that are not flagged for it. A dose that is late is given
// on the day of the assessment at the soonest, so its vaccine is one for that age.
func (a *assessing) recommendOf(s *patientSeries, from int, flagged bool) {
	if s.status != NotComplete {
		return
	}
	d := &s.doses[s.next]
	for i := range d.preferable {
		p := &d.preferable[i]
		cvx := a.plan.vaccines[p.vaccine].cvx
		if p.forecast == flagged && !a.vaccineContraindicated(s, p.vaccine) &&
			(a.within(max(a.on, s.earliest), p.begin, p.end) || a.within(max(a.on, s.recommended), p.begin, p.end)) &&
			!slices.Contains(a.texts[from:], cvx) {
			a.texts = append(a.texts, cvx)
		}
	}
}
