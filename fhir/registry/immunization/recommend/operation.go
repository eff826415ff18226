package recommend

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
)

// ForecastURL is the canonical URL of the OperationDefinition of $immds-forecast.
const ForecastURL = "http://hl7.org/fhir/us/immds/OperationDefinition/immds-forecast"

// StatusURL is that of $immunization-status.
const StatusURL = "https://github.com/amate-health/amate/fhir/OperationDefinition/immunization-status"

// Desk answers the operations. All fields must be set.
type Desk struct {
	Store interface {
		Search(ctx context.Context, q *search.Query) (*search.Result, error)
		Records(ctx context.Context, q *search.PatientQuery) ([]search.PatientRecord, error)
	}
	Library  *Library
	Schedule string         // which schedule is meant where none is named, as Library.Find takes it
	Zone     *time.Location // whose day it is
	Now      func() time.Time
}

// Operations returns $immds-forecast and Patient/[id]/$immunization-status.
func (d *Desk) Operations() []operation.Operation {
	return []operation.Operation{
		{Name: "immds-forecast", URL: ForecastURL, Scope: operation.OnSystem, Run: d.forecast},
		{Name: "immunization-status", URL: StatusURL, Scope: operation.OnInstance, Types: []string{"Patient"}, Quotes: true, Whole: true, Run: d.status},
	}
}

// asked is what a call asks for beside its resources.
type asked struct {
	on      schedule.Date
	book    *Book
	explain bool
	spanish bool
}

// Names of parameters.
const (
	paramDate         = "date"
	paramAssessment   = "assessmentDate"
	paramPatient      = "patient"
	paramImmunization = "immunization"
	paramResource     = "resource"
	paramSchedule     = "schedule"
	paramExplain      = "explain"
)

// ask reads the parameters of a call that are no resources. date is the name of that of
// the day, others are those that are read elsewhere.
func (d *Desk) ask(call *operation.Call, date string, others ...string) (*asked, error) {
	names := append([]string{date, paramSchedule, paramExplain}, others...)
	for _, name := range call.In.Names() {
		if !slices.Contains(names, name) && !call.Lenient {
			return nil, fhir.Errorf(fhir.Invalid, "the operation does not take this parameter").
				With("it takes %s, not %.100q%s", strings.Join(names, ", "), name, search.Nearest(name, names))
		}
	}
	a := &asked{on: schedule.DateOf(d.Now().In(d.Zone)), spanish: !strings.HasPrefix(strings.ToLower(strings.TrimSpace(call.Language)), "en")}
	text, err := call.In.Text(date)
	if err != nil {
		return nil, err
	}
	if text != "" {
		if a.on, err = schedule.ParseDate(text); err != nil {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter %s is a full date, YYYY-MM-DD", date).With("%s=%.50q", date, text)
		}
	} else if v, given, err := call.In.One(date); err != nil || given && v.Node >= 0 && v.Doc != nil {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter %s is a full date, YYYY-MM-DD", date)
	}
	switch text, err := call.In.Text(paramExplain); {
	case err != nil:
		return nil, err
	case text == "true":
		a.explain = true
	case text != "" && text != "false":
		return nil, fhir.Errorf(fhir.Invalid, "the parameter %s is true or false", paramExplain).With("%s=%.50q", paramExplain, text)
	}
	which, err := call.In.Text(paramSchedule)
	if err != nil {
		return nil, err
	}
	if which == "" {
		which = d.Schedule
	}
	a.book, err = d.Library.Find(which, a.on)
	return a, err
}

// answer assesses, and writes the answer of both operations. more writes parameters that
// come last.
func (a *asked) answer(p *paper, more func(w *writer)) (*operation.Answer, error) {
	var text string
	var err error
	if a.explain {
		p.found, text, err = a.book.Explain(&p.kept.History, a.on)
	} else {
		p.found, err = a.book.Assess(&p.kept.History, a.on)
	}
	if err != nil {
		return nil, err
	}
	var w writer
	w.open('{')
	w.text("resourceType", "Parameters")
	w.name("parameter")
	w.open('[')
	for i := range p.found.Evaluations {
		part(&w, "evaluation", "resource", func() { p.evaluation(&w, &p.found.Evaluations[i]) })
	}
	part(&w, "recommendation", "resource", func() { p.recommendation(&w, a.on, func() {}) })
	a.scheduled(&w)
	if text != "" {
		w.open('{')
		w.text("name", "explanation")
		w.text("valueString", text)
		w.close('}')
	}
	doubts(&w, p)
	more(&w)
	w.close(']')
	w.close('}')
	return &operation.Answer{JSON: w.b}, nil
}

// scheduled names the version that was assessed by.
func (a *asked) scheduled(w *writer) {
	w.open('{')
	w.text("name", paramSchedule)
	w.text("valueString", a.book.Name())
	w.close('}')
}

// part writes a parameter whose value is an object.
func part(w *writer, name, value string, write func()) {
	w.open('{')
	w.text("name", name)
	w.name(value)
	write()
	w.close('}')
}

// doubts writes what of the history could not be counted, or was with a reserve.
func doubts(w *writer, p *paper) {
	if len(p.kept.Doubts) == 0 {
		return
	}
	issues := make([]fhir.Issue, len(p.kept.Doubts))
	for i, o := range p.kept.Doubts {
		issues[i] = fhir.Issue{Severity: "warning", Type: "incomplete", Rule: string(o.Rule), Diagnostics: o.Text, Expression: o.Expression}
		if o.Ref.ID != "" {
			issues[i].Diagnostics = o.Ref.String() + ": " + o.Text
		}
	}
	part(w, "doubts", "resource", func() { w.raw(operation.AppendOutcome(nil, issues)) })
}
