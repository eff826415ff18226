package dose

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/registry/immunization/history"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
)

// told are the types of what a person's history is read from, beside the Patient.
var told = []string{"Immunization", "Condition", "AllergyIntolerance", "Observation"}

// recorded reads what is known of a patient, as the caller may see it. Of Observations it
// reads those that can say something to the schedule.
func (s *Service) recorded(ctx context.Context, only *search.Restriction, patient fhir.Ref) ([]parsed, error) {
	observed, err := s.observed()
	if err != nil {
		return nil, err
	}
	var all []parsed
	for _, typ := range told {
		where, err := byReference(typ, "patient", patient)
		if err != nil {
			return nil, err
		}
		if typ == "Observation" {
			where = append(where, observed)
		}
		err = s.find(ctx, only, typ, where, func(r *fhir.Resource) (bool, error) {
			d, err := parse(r)
			all = append(all, d)
			return true, err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// observed is the condition of an Observation that can say something to the schedule of
// today, by its code or by its value.
func (s *Service) observed() (search.Expr, error) {
	a, err := s.Assessor(s.today())
	if err != nil {
		return nil, err
	}
	if known, ok := s.conditions.Load(a.Schedule()); ok {
		return known.(search.Or), nil
	}
	var values []string
	for _, c := range history.For(a.Schedule()).ObservationCodes() {
		system, value, _ := strings.Cut(c, "|")
		values = append(values, escape.Replace(system)+"|"+escape.Replace(value))
	}
	var any search.Or
	for _, name := range []string{"code", "value-concept"} {
		q, err := search.Parse("Observation", []search.Param{{Name: name, Value: strings.Join(values, ",")}}, search.Options{})
		if err != nil {
			return nil, err
		}
		any = append(any, search.And(q.Where))
	}
	s.conditions.Store(a.Schedule(), any)
	return any, nil
}

// judgement is what a dose means.
type judgement struct {
	kept *history.Kept
	// Evaluations of the dose, one for each antigen; nil when it could not be judged.
	evaluations []immunization.Evaluation
	now         *immunization.Assessment // with the dose, today; nil when nothing can be judged
	title       map[string]string        // of vaccine groups, for people
	disease     map[string]string        // of antigens: SNOMED CT codes
	schedule    *schedule.Schedule

	// veiled are the groups whose forecast rests on what is not shown to the caller.
	veiled map[string]bool
}

// judge assesses a history with a dose in it, whose reference is ref; a zero ref asks for
// the forecast alone.
func (s *Service) judge(patient parsed, resources []parsed, ref fhir.Ref) (*judgement, error) {
	if born, ok := readSpan(text(patient.Doc, 0, "birthDate"), s.Zone); !ok || !born.day {
		return &judgement{}, nil // nothing can be said of somebody whose age is not known
	}
	docs := make([]*element.Doc, len(resources))
	for i := range resources {
		docs[i] = resources[i].Doc
	}
	today := s.today()
	a, err := s.Assessor(today)
	if err != nil {
		return nil, err
	}
	reader := history.For(a.Schedule())
	reader.Zone = s.Zone
	kept, err := reader.Read(patient.Doc, docs)
	if err != nil {
		return nil, err
	}
	j := &judgement{kept: kept, now: a.Assess(&kept.History, today), title: map[string]string{}, disease: map[string]string{}, schedule: a.Schedule()}
	for _, g := range j.schedule.Groups {
		j.title[g.Name] = g.Title
	}
	for _, antigen := range j.schedule.Antigens {
		j.disease[antigen.Name] = antigen.Disease
	}
	for _, e := range j.now.Evaluations {
		if at := kept.Refs[e.Dose]; ref.ID != "" && at.ID == ref.ID {
			j.evaluations = append(j.evaluations, e)
		}
	}
	return j, nil
}

// rules name the warnings of the schedule by its reasons.
var rules = map[immunization.Reason][2]string{
	immunization.TooYoung:    {"too-young", "the patient is too young for this dose: it does not count"},
	immunization.TooOld:      {"too-old", "the patient is too old for this dose"},
	immunization.TooSoon:     {"too-soon", "the dose comes too soon after the one before: it does not count"},
	immunization.Conflict:    {"live-conflict", "another live vaccine was given too shortly before: the dose does not count"},
	immunization.Inadvertent: {"inadvertent", "this vaccine does not count for this dose: it is given by mistake"},
	immunization.WrongType:   {"wrong-vaccine", "the schedule has another vaccine for this dose"},
	immunization.BadStorage:  {"bad-storage", "the dose was badly stored: it does not count"},
	immunization.Partial:     {"partial-dose", "the dose was given in part: it does not count"},
	immunization.Recalled:    {"lot-recalled", "the lot was recalled"},
	immunization.Unknown:     {"not-in-schedule", "the schedule does not know this vaccine, so that it counts for nothing"},
	immunization.Unneeded:    {"not-needed", "the dose is not needed: the series is complete, or the patient past it"},
	immunization.Expired:     {"lot-expired", "the lot had expired on the day of the dose"},
}

// warn turns what the schedule says of a dose into findings.
func (p *posting) warn(j *judgement) {
	if j.now == nil {
		p.odd("birth-date-unknown", "the birth date of the patient is not known, so that nothing can be said of the dose", "patient")
		return
	}
	if p.time.day && p.ref.ID != "" && !slices.ContainsFunc(j.kept.Refs, func(r fhir.Ref) bool { return r.ID == p.ref.ID }) {
		p.odd("same-day", "another dose of the day holds the same antigens: this one counts for nothing", "vaccine")
	}
	needless, counted := 0, 0
	var order []immunization.Reason
	named := map[immunization.Reason][]string{}
	for i := range j.evaluations {
		e := &j.evaluations[i]
		counted++
		if e.Status == immunization.Extraneous || slices.Contains(e.Reasons, immunization.Unneeded) {
			needless++
			continue
		}
		for _, reason := range e.Reasons {
			if named[reason] == nil {
				order = append(order, reason)
			}
			named[reason] = append(named[reason], nameOfDose(e))
		}
	}
	for _, reason := range order {
		rule, ok := rules[reason]
		names := strings.Trim(strings.Join(slices.Compact(named[reason]), ", "), ", ")
		switch {
		case reason == immunization.WrongSex && !p.past():
			p.wrong("dose-sex", "the schedule has this vaccine for the other sex"+paren(names), "vaccine")
		case reason == immunization.BeforeBirth:
			p.wrong("dose-before-birth", "the dose would have been given before the patient was born", "when")
		case ok:
			p.odd(rule[0], rule[1]+paren(names), "vaccine")
		default:
			p.odd("not-valid", "the dose does not count: "+string(reason)+paren(names), "vaccine")
		}
	}
	if counted > 0 && needless == counted { // of a combined vaccine something was needed otherwise
		rule := rules[immunization.Unneeded]
		p.odd(rule[0], rule[1], "vaccine")
	}
}

// nameOfDose says which antigen, and which dose of it, an evaluation is of; "" for none.
func nameOfDose(e *immunization.Evaluation) string {
	name := e.Antigen
	if a, ok := code.LookupAntigen(e.Antigen); ok {
		name = a.Title
	}
	if name == "" || e.Number == 0 {
		return name
	}
	return fmt.Sprintf("%s dose %d", name, e.Number)
}

// contraindicated warns of a vaccine that the patient should not get, by what was known
// before it.
func (p *posting) contraindicated(s *Service, before []parsed) error {
	j, err := s.judge(p.patient, before, fhir.Ref{})
	if err != nil || j.now == nil {
		return err
	}
	vaccine, _ := code.Lookup(p.cvx)
	for i := range j.now.Forecasts {
		f := &j.now.Forecasts[i]
		if f.Status != immunization.Contraindicated {
			continue
		}
		for _, g := range j.schedule.Groups {
			if g.Name == f.Group && slices.ContainsFunc(vaccine.Antigens, func(a string) bool { return slices.Contains(g.Antigens, a) }) {
				p.odd("contraindicated", "the patient has a contraindication to this vaccine"+paren(f.Why), "vaccine")
			}
		}
	}
	return nil
}

func paren(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

// meaning are the parts of an answer that say what a dose means, and what comes next.
func (j *judgement) meaning(today schedule.Date) []object {
	var parts []object
	for i := range j.evaluations {
		parts = append(parts, object{"name": "evaluation", "part": j.evaluated(&j.evaluations[i])})
	}
	if j.now == nil {
		return parts
	}
	var next schedule.Date
	for i := range j.now.Forecasts {
		f := &j.now.Forecasts[i]
		parts = append(parts, object{"name": "forecast", "part": j.forecast(f, today)})
		if j.veiled[f.Group] || f.Status != immunization.NotComplete || f.Recommended.IsZero() || !f.Latest.IsZero() && f.Latest < today {
			continue
		}
		if on := max(f.Recommended, today); next.IsZero() || on < next {
			next = on
		}
	}
	if !next.IsZero() {
		parts = append(parts, part("nextVisit", "Date", next.String()))
	}
	return append(parts, part("schedule", "String", j.now.Schedule+" "+j.now.Version))
}

func (j *judgement) evaluated(e *immunization.Evaluation) []object {
	var parts []object
	if e.Antigen != "" {
		parts = append(parts, part("antigen", "String", e.Antigen))
	}
	if e.Group != "" {
		parts = append(parts, part("group", "String", e.Group))
	}
	if e.Number > 0 {
		parts = append(parts, part("number", "PositiveInt", e.Number))
	}
	if e.Of > 0 {
		parts = append(parts, part("of", "PositiveInt", e.Of))
	}
	parts = append(parts, part("status", "String", string(e.Status)))
	for _, r := range e.Reasons {
		parts = append(parts, part("reason", "String", string(r)))
	}
	return parts
}

func (j *judgement) forecast(f *immunization.Forecast, today schedule.Date) []object {
	parts := []object{part("group", "String", f.Group)}
	if t := j.title[f.Group]; t != "" {
		parts = append(parts, part("title", "String", t))
	}
	if j.veiled[f.Group] {
		return append(parts, part("status", "String", veiledStatus))
	}
	parts = append(parts, part("status", "String", string(f.Status)))
	if f.Status != immunization.NotComplete {
		return parts
	}
	parts = append(parts, part("due", "Boolean", f.Due(today)), part("overdue", "Boolean", f.Overdue(today)))
	if f.Number > 0 {
		parts = append(parts, part("number", "PositiveInt", f.Number))
	}
	for _, d := range []struct {
		name string
		on   schedule.Date
	}{{"earliest", f.Earliest}, {"recommended", f.Recommended}, {"pastDue", f.PastDue}, {"latest", f.Latest}} {
		if !d.on.IsZero() {
			parts = append(parts, part(d.name, "Date", d.on.String()))
		}
	}
	for _, cvx := range f.CVX {
		c := object{"system": systemCVX, "code": cvx}
		if v, ok := code.Lookup(cvx); ok {
			c["display"] = v.Name
		}
		parts = append(parts, part("vaccine", "Coding", c))
	}
	return parts
}
