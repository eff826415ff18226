package history

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// CDC's codes of observations that take more than a code to read.
const (
	pregnant       = "007"
	pregnancyOnset = "170"
)

// LOINC codes of what tells how far a pregnancy is.
const (
	lastPeriod       = "8665-2"  // first day of the last menstrual period
	deliveryDate     = "11778-8" // estimated
	deliveryByUS     = "11781-2"
	weeksOfPregnancy = "18185-9"
	weeksByUS        = "11888-5"
	weeksByPeriod    = "11885-1"
	weeksEstimated   = "11884-4"
	weeksReported    = "49051-6"
)

const (
	daysPerWeek  = 7
	pregnancy    = 40 * daysPerWeek // days from the last period to the estimated day of delivery
	longest      = 43 * daysPerWeek // days after which a pregnancy is over, whatever the record says
	positive     = "10828004"       // SNOMED CT
	detected     = "260373001"      // SNOMED CT
	positiveLA   = "LA6576-8"       // LOINC answer
	detectedLA   = "LA11882-0"      // LOINC answer
	interpretPOS = "POS"            // v3-ObservationInterpretation
	interpretDET = "DET"            // v3-ObservationInterpretation
)

// know notes an observation.
func (g *gathered) know(code string, from, end schedule.Date) {
	g.kept.Observations = append(g.kept.Observations, immunization.Observation{Code: code, Date: from, End: end})
}

// condition reads a Condition.
//
// See https://hl7.org/fhir/R4/condition.html.
func (g *gathered) condition(d *element.Doc) {
	verified := d.Get(0, "verificationStatus")
	if has(d, verified, "refuted", "entered-in-error", "unconfirmed", "provisional", "differential") {
		return
	}
	kinds := []string{problem, allergy}
	if has(d, verified, "confirmed") {
		kinds = append(kinds, confirmed)
	}
	begin, ok := g.day(text(d, d.Get(0, "onsetDateTime")))
	if !ok {
		begin, _ = g.day(text(d, d.Get(d.Get(0, "onsetPeriod"), "start")))
	}
	recorded := begin
	if begin.IsZero() {
		recorded, _ = g.day(text(d, d.Get(0, "recordedDate")))
	}
	end, over := g.day(text(d, d.Get(0, "abatementDateTime")))
	if !over {
		over = has(d, d.Get(0, "clinicalStatus"), "inactive", "remission", "resolved")
	}
	g.meant(codings(d, d.Get(0, "code")), func(f fact) {
		switch {
		case f.code == pregnant:
			g.pregnancy(begin, recorded, end, over)
		case !f.passes:
			g.know(f.code, recorded, schedule.NoDate)
		case !over || !end.IsZero():
			g.know(f.code, recorded, end)
		}
	}, kinds...)
}

// pregnancy notes a pregnancy told by a Condition. Its onset, where one is given, stands
// for the begin of the pregnancy unless an Observation dates it; since problems are
// noted after they begin, weeks counted from it are never too many.
func (g *gathered) pregnancy(onset, recorded, end schedule.Date, over bool) {
	if over && end.IsZero() || recorded.IsZero() {
		return
	}
	if end.IsZero() {
		end = recorded + longest
	}
	g.know(pregnant, recorded, end)
	if !onset.IsZero() {
		g.onsets = append(g.onsets, onset)
	}
}

// dated notes a pregnancy whose begin is known.
func (g *gathered) dated(begin schedule.Date) {
	if begin <= schedule.NoDate {
		return
	}
	g.know(pregnant, begin, begin+longest)
	g.know(pregnancyOnset, begin, begin+longest)
}

// observation reads an Observation.
//
// See https://hl7.org/fhir/R4/observation.html.
func (g *gathered) observation(d *element.Doc) {
	switch text(d, d.Get(0, "status")) {
	case "final", "amended", "corrected", "preliminary":
	default:
		return
	}
	when, _ := g.day(text(d, d.Get(0, "effectiveDateTime")))
	if when.IsZero() {
		when, _ = g.day(text(d, d.Get(d.Get(0, "effectivePeriod"), "start")))
	}
	asked, answered := codings(d, d.Get(0, "code")), d.Get(0, "valueCodeableConcept")
	if g.dating(d, asked, when) {
		return
	}
	note := func(f fact) {
		end := schedule.NoDate
		if f.code == pregnant {
			if when.IsZero() {
				return
			}
			end = when + longest
		}
		g.know(f.code, when, end)
	}
	// A fact as the answer to a question, such as pregnancy status.
	g.meant(codings(d, answered), note, problem, confirmed)
	yes := d.Get(0, "valueBoolean") != element.None && d.Kind(d.Get(0, "valueBoolean")) == element.True
	if yes || isPositive(d, answered) {
		g.meant(asked, note, problem, confirmed, lab)
	}
}

func isPositive(d *element.Doc, answer element.Node) bool {
	if has(d, answer, positive, detected, positiveLA, detectedLA) {
		return true
	}
	return slices.ContainsFunc(list(d, d.Get(0, "interpretation")), func(n element.Node) bool {
		return has(d, n, interpretPOS, interpretDET)
	})
}

// dating reads what dates a pregnancy, and reports whether the Observation is that.
func (g *gathered) dating(d *element.Doc, asked []coding, when schedule.Date) bool {
	for _, c := range asked {
		if c.system != loinc {
			continue
		}
		switch c.code {
		case lastPeriod:
			if day, ok := g.day(text(d, d.Get(0, "valueDateTime"))); ok {
				g.periods = append(g.periods, day)
			}
			return true
		case deliveryDate, deliveryByUS:
			if day, ok := g.day(text(d, d.Get(0, "valueDateTime"))); ok {
				g.dated(day - pregnancy)
			}
			return true
		case weeksOfPregnancy, weeksByUS, weeksByPeriod, weeksEstimated, weeksReported:
			if days, ok := duration(d, d.Get(0, "valueQuantity")); ok && !when.IsZero() {
				g.dated(when - days)
			}
			return true
		}
	}
	return false
}

// allergy reads an AllergyIntolerance. Only one that is severe is a contraindication:
// of high criticality, or with a severe or anaphylactic reaction.
//
// See https://hl7.org/fhir/R4/allergyintolerance.html.
func (g *gathered) allergy(d *element.Doc) {
	if has(d, d.Get(0, "verificationStatus"), "refuted", "entered-in-error") || has(d, d.Get(0, "clinicalStatus"), "resolved") {
		return
	}
	found := codings(d, d.Get(0, "code"))
	severe := text(d, d.Get(0, "criticality")) == "high"
	for _, r := range list(d, d.Get(0, "reaction")) {
		found = append(found, codings(d, d.Get(r, "substance"))...)
		severe = severe || text(d, d.Get(r, "severity")) == "severe"
		for _, m := range list(d, d.Get(r, "manifestation")) {
			severe = severe || has(d, m, "39579001", "T78.2", "T80.5")
		}
	}
	since, _ := g.day(text(d, d.Get(0, "onsetDateTime")))
	if since.IsZero() {
		since, _ = g.day(text(d, d.Get(0, "recordedDate")))
	}
	mild := false
	g.meant(found, func(f fact) {
		if severe {
			g.know(f.code, since, schedule.NoDate)
		} else {
			mild = true
		}
	}, allergy)
	if mild {
		g.doubt(fhir.Ref{Type: "AllergyIntolerance", ID: text(d, d.Get(0, "id"))}, "AllergyIntolerance.criticality", Severity,
			"an allergy to a vaccine or a part of one, which is a contraindication only when it is severe; nothing says that it is")
	}
}

// duration reads a Quantity of weeks or days as days, up to those of a pregnancy.
func duration(d *element.Doc, q element.Node) (schedule.Date, bool) {
	value := d.Get(q, "value")
	if value == element.None || d.Kind(value) != element.Number {
		return 0, false
	}
	n, err := strconv.ParseFloat(d.Text(value), 64)
	if err != nil {
		return 0, false
	}
	unit := text(d, d.Get(q, "code"))
	if unit == "" {
		unit = text(d, d.Get(q, "unit"))
	}
	switch strings.ToLower(unit) {
	case "wk", "week", "weeks", "semanas", "sem", "":
		n *= daysPerWeek
	case "d", "day", "days", "días", "dias":
	default:
		return 0, false
	}
	if !(n >= 0 && n <= longest) {
		return 0, false
	}
	return schedule.Date(n), true
}

// youngest is the age, in years, before which nobody is pregnant: the weeks of pregnancy in
// the record of a newborn are those after which they were born.
const youngest = 8

// observations dates the pregnancies, leaves out those that are the mother's, and puts
// what is known in order, each fact once.
func (g *gathered) observations() {
	for _, dates := range [][]schedule.Date{g.periods, g.onsets} {
		var more []immunization.Observation
		for _, day := range dates {
			if o, ok := g.undated(day); ok {
				more = append(more, immunization.Observation{Code: pregnancyOnset, Date: day, End: o.End})
			}
		}
		g.kept.Observations = append(g.kept.Observations, more...)
	}
	first := g.kept.Born.Add(schedule.Period{Months: 12 * youngest, Set: true})
	g.kept.Observations = slices.DeleteFunc(g.kept.Observations, func(o immunization.Observation) bool {
		return (o.Code == pregnant || o.Code == pregnancyOnset) && !o.Date.IsZero() && o.Date < first
	})
	slices.SortFunc(g.kept.Observations, func(a, b immunization.Observation) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Date, b.Date), cmp.Compare(a.End, b.End))
	})
	g.kept.Observations = slices.Compact(g.kept.Observations)
}

// undated returns the pregnancy that a day may be the begin of, unless its begin is
// known already.
func (g *gathered) undated(day schedule.Date) (found immunization.Observation, ok bool) {
	near := func(o immunization.Observation) bool { return o.Date-longest < day && day <= o.Date+longest }
	for _, o := range g.kept.Observations {
		switch {
		case o.Code == pregnancyOnset && near(o):
			return found, false
		case o.Code == pregnant && o.Date-longest < day && day <= o.Date && !ok:
			found, ok = o, true
		}
	}
	return found, ok
}
