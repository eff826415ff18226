package recommend

import (
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/registry/immunization/history"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// SystemForecast is the system of the identifier that marks the ImmunizationRecommendation
// which this server keeps of a Patient.
const SystemForecast = "https://github.com/amate-health/amate/fhir/NamingSystem/immunization-forecast"

// paper is what resources are written from.
type paper struct {
	book    *Book
	patient string // reference; "" for a Patient without an id
	spanish bool
	kept    *history.Kept
	found   *immunization.Assessment
	hidden  []bool // by vaccine group: it rests on what the caller may not see; nil for none
}

// antigen returns the antigen of the schedule with a name; nil for none.
func (p *paper) antigen(name string) *schedule.Antigen {
	for i := range p.book.Schedule.Antigens {
		if a := &p.book.Schedule.Antigens[i]; a.Name == name {
			return a
		}
	}
	return nil
}

// snomed returns the SNOMED CT code of the disease of an antigen; "" where there is none.
func (p *paper) snomed(name string) string {
	if a := p.antigen(name); a != nil && a.Disease != "" {
		return a.Disease
	}
	known, _ := code.LookupAntigen(name)
	return known.SNOMED
}

// titled returns a title of a schedule, or what else it goes by.
func titled(title, name string) string {
	if title != "" {
		return title
	}
	return name
}

// authority names who publishes the recommendations.
func (p *paper) authority(w *writer) {
	s := p.book.Schedule
	w.refer("authority", "", titled(s.Title, s.Name)+" ("+s.Version+")")
}

// disease writes targetDisease for antigens of a vaccine group.
func (p *paper) disease(w *writer, text string, antigens []string) {
	w.name("targetDisease")
	w.open('{')
	first := true
	for _, name := range antigens {
		disease := p.snomed(name)
		if disease == "" {
			continue
		}
		if first {
			w.name("coding")
			w.open('[')
			first = false
		}
		w.coding(code.SystemSNOMED, disease, "")
	}
	if !first {
		w.close(']')
	}
	w.text("text", text)
	w.close('}')
}

// immunization returns a reference to the Immunization of a dose, or what it is called.
func (p *paper) immunization(dose int) (reference, display string) {
	if ref := p.kept.Refs[dose]; ref.ID != "" {
		return ref.String(), ""
	}
	return "", p.kept.Doses[dose].ID
}

// evaluation writes an ImmunizationEvaluation.
//
// See https://hl7.org/fhir/R4/immunizationevaluation.html.
func (p *paper) evaluation(w *writer, e *immunization.Evaluation) {
	w.open('{')
	w.text("resourceType", "ImmunizationEvaluation")
	w.text("status", "completed")
	w.refer("patient", p.patient, "Patient")
	w.date("date", p.found.On)
	p.authority(w)
	switch a := p.antigen(e.Antigen); {
	case a != nil:
		p.disease(w, titled(a.Title, a.Name), []string{a.Name})
	case p.spanish:
		p.disease(w, "Desconocida", nil)
	default:
		p.disease(w, "Unknown", nil)
	}
	reference, display := p.immunization(e.Dose)
	w.refer("immunizationEvent", reference, display)
	valid := e.Status == immunization.Valid
	w.concept("doseStatus", systemDoseStatus, doseStatuses[valid], p.spanish)
	if !valid {
		p.reasons(w, e)
	}
	w.text("description", p.about(e))
	w.text("series", e.Series)
	w.number("doseNumberPositiveInt", e.Number)
	w.number("seriesDosesPositiveInt", e.Of)
	w.close('}')
}

// reasons writes why a dose does not count.
func (p *paper) reasons(w *writer, e *immunization.Evaluation) {
	reasons := e.Reasons
	if len(reasons) == 0 {
		reasons = []immunization.Reason{immunization.Unneeded}
	}
	w.name("doseStatusReason")
	w.open('[')
	for _, r := range reasons {
		one := reasonOf(r)
		w.open('{')
		w.name("coding")
		w.open('[')
		w.coding(SystemDoseReason, one.code, one.display)
		if one.r4.code != "" {
			w.coding(systemDoseReason, one.r4.code, one.r4.display)
		}
		w.close(']')
		w.text("text", one.in(p.spanish))
		w.close('}')
	}
	w.close(']')
}

// about says in a line what became of a dose.
func (p *paper) about(e *immunization.Evaluation) string {
	d := &p.kept.Doses[e.Dose]
	status := doseStatuses[e.Status == immunization.Valid]
	text := vaccine(d.CVX, p.spanish) + ", " + d.Date.String() + ": " + strings.ToLower(status.in(p.spanish))
	for _, r := range e.Reasons {
		one := reasonOf(r)
		text += "; " + strings.ToLower(one.in(p.spanish))
	}
	return text
}

// vaccine returns what a vaccine is called.
func vaccine(cvx string, spanish bool) string {
	v, ok := code.Lookup(cvx)
	switch {
	case !ok:
		return "CVX " + cvx
	case spanish && v.Name != "":
		return v.Name
	}
	return v.Display
}

// recommendation writes an ImmunizationRecommendation; head writes what comes before the
// patient. Of vaccine groups that rest on what the caller may not see, it says that, and
// gives no day.
//
// See https://hl7.org/fhir/R4/immunizationrecommendation.html.
func (p *paper) recommendation(w *writer, date schedule.Date, head func()) {
	w.open('{')
	w.text("resourceType", "ImmunizationRecommendation")
	head()
	w.refer("patient", p.patient, "Patient")
	w.date("date", date)
	p.authority(w)
	w.name("recommendation")
	w.open('[')
	for i := range p.found.Forecasts {
		p.group(w, i, p.hidden != nil && p.hidden[i])
	}
	w.close(']')
	w.close('}')
}

// group writes what is said of one vaccine group.
func (p *paper) group(w *writer, i int, partial bool) {
	f, g := &p.found.Forecasts[i], &p.book.Schedule.Groups[i]
	w.open('{')
	if !partial {
		p.vaccines(w, f)
	}
	antigens := f.Antigens
	if len(antigens) == 0 || partial {
		antigens = g.Antigens
	}
	p.disease(w, titled(g.Title, g.Name), antigens)
	if partial {
		w.concept("forecastStatus", SystemForecastStatus, conditional, p.spanish)
		w.close('}')
		return
	}
	p.status(w, f)
	p.days(w, f)
	w.text("description", p.told(f, g))
	w.text("series", f.Series)
	w.number("doseNumberPositiveInt", f.Number)
	if f.Series != "" {
		w.number("seriesDosesPositiveInt", f.Of)
	}
	p.supporting(w, f)
	w.close('}')
}

// vaccines writes vaccineCode: what may be given, the preferred one first.
func (p *paper) vaccines(w *writer, f *immunization.Forecast) {
	if len(f.CVX) == 0 {
		return
	}
	w.name("vaccineCode")
	w.open('[')
	for _, cvx := range f.CVX {
		w.open('{')
		w.name("coding")
		w.open('[')
		w.coding(code.SystemCVX, cvx, vaccine(cvx, false))
		w.close(']')
		w.text("text", vaccine(cvx, p.spanish))
		w.close('}')
	}
	w.close(']')
}

// status writes forecastStatus and forecastReason.
func (p *paper) status(w *writer, f *immunization.Forecast) {
	status := forecastStatuses[f.Status]
	w.name("forecastStatus")
	w.open('{')
	w.name("coding")
	w.open('[')
	w.coding(SystemForecastStatus, status.code, status.display)
	if r4, ok := r4Statuses[f.Status]; ok {
		w.coding(systemStatus, r4.code, r4.display)
	}
	w.close(']')
	w.text("text", status.in(p.spanish))
	w.close('}')
	reason, ok := forecastReasons[f.Status]
	if !ok {
		return
	}
	if f.Status == immunization.NotRecommended && strings.Contains(f.Why, "season") {
		reason = word{"seasonalPast", "Past seasonal end date", "Terminó la temporada"}
	}
	w.name("forecastReason")
	w.open('[')
	w.open('{')
	w.name("coding")
	w.open('[')
	w.coding(SystemForecastReason, reason.code, reason.display)
	w.close(']')
	w.text("text", reason.in(p.spanish))
	w.close('}')
	w.close(']')
}

// days writes dateCriterion.
func (p *paper) days(w *writer, f *immunization.Forecast) {
	first := true
	for i := range criteria {
		c := &criteria[i]
		day := c.day(f)
		if day.IsZero() {
			continue
		}
		if first {
			w.name("dateCriterion")
			w.open('[')
			first = false
		}
		w.open('{')
		w.concept("code", systemLOINC, c.word, p.spanish)
		w.date("value", day)
		w.close('}')
	}
	if !first {
		w.close(']')
	}
}

// supporting writes supportingImmunization: the doses of the group that count.
func (p *paper) supporting(w *writer, f *immunization.Forecast) {
	first, last := true, -1
	for i := range p.found.Evaluations {
		e := &p.found.Evaluations[i]
		if e.Group != f.Group || e.Status != immunization.Valid || e.Dose == last {
			continue
		}
		last = e.Dose
		if first {
			w.name("supportingImmunization")
			w.open('[')
			first = false
		}
		reference, display := p.immunization(e.Dose)
		w.open('{')
		w.text("reference", reference)
		w.text("display", display)
		w.close('}')
	}
	if !first {
		w.close(']')
	}
}

// told says in a line what is recommended.
func (p *paper) told(f *immunization.Forecast, g *schedule.Group) string {
	name := titled(g.Title, g.Name)
	if f.Number == 0 || f.Status != immunization.NotComplete {
		status := forecastStatuses[f.Status]
		return name + ": " + strings.ToLower(status.in(p.spanish))
	}
	dose, of := "dosis ", " de "
	if !p.spanish {
		dose, of = "dose ", " of "
	}
	text := name + ": " + dose + strconv.Itoa(f.Number)
	if f.Of >= f.Number {
		text += of + strconv.Itoa(f.Of)
	}
	words := [...]string{"desde", "recomendada", "atrasada después de", "hasta"}
	if !p.spanish {
		words = [...]string{"from", "recommended", "overdue after", "until"}
	}
	for i := range criteria {
		if day := criteria[i].day(f); !day.IsZero() {
			text += ", " + words[i] + " " + day.String()
		}
	}
	return text
}

// patientRef returns the reference to a Patient.
func patientRef(id string) string {
	if id == "" {
		return ""
	}
	return fhir.Ref{Type: "Patient", ID: id}.String()
}

// groupsOf and antigensOf name what the places of a packed row stand for.
func groupsOf(s *schedule.Schedule) []string {
	return names(s.Groups, func(g *schedule.Group) string { return g.Name })
}

func antigensOf(s *schedule.Schedule) []string {
	return names(s.Antigens, func(a *schedule.Antigen) string { return a.Name })
}

func names[T any](all []T, name func(*T) string) []string {
	out := make([]string, 0, len(all))
	for i := range all {
		out = append(out, name(&all[i]))
	}
	return slices.Clip(out)
}
