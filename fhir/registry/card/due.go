package card

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/registry/immunization/history"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
)

// next is what is to be given next.
type next struct {
	vaccine string
	number  string
	from    schedule.Date
	due     schedule.Date
	state   string
}

// due returns what is due and what comes, nil where that cannot be told. Vaccines of which
// something that the caller may not see says otherwise are left out, and withheld is set: a
// paper that leaves out a pregnancy would send somebody to a vaccine that harms.
func (s *service) due(ctx context.Context, call *operation.Call, r *record) (all []next, withheld bool, err error) {
	if s.Assessor == nil {
		return nil, false, nil
	}
	today := schedule.DateOf(s.Now().In(s.Zone))
	a, err := s.Assessor(today)
	if err != nil {
		return nil, false, err
	}
	reader := history.For(a.Schedule())
	reader.Zone = s.Zone
	shown, given, err := s.assess(ctx, r, a, reader, call.Restriction, today)
	if err != nil || shown == nil {
		return nil, false, err
	}
	whole := shown
	if call.Restriction != search.Unrestricted {
		var recorded int
		if whole, recorded, err = s.assess(ctx, r, a, reader, search.Unrestricted, today); err != nil || whole == nil {
			return nil, false, err
		}
		if recorded != given {
			return nil, true, nil // a dose is hidden: one day alone would tell of which vaccine
		}
	}
	titles := map[string]string{}
	for _, g := range a.Schedule().Groups {
		titles[g.Name] = g.Title
	}
	for i := range shown.Forecasts {
		n, ok := upcoming(&shown.Forecasts[i], today, titles)
		other, also := upcoming(&whole.Forecasts[i], today, titles) // both are in the order of the schedule
		switch {
		case ok != also || n != other:
			withheld = true
		case ok:
			all = append(all, n)
		}
	}
	slices.SortStableFunc(all, func(x, y next) int { return cmp.Compare(x.due, y.due) })
	return all, withheld, nil
}

// assess tells what the schedule says by what some may see, and by how many doses. nil is
// for somebody whose day of birth is not known.
func (s *service) assess(ctx context.Context, r *record, a immunization.Assessor, reader *history.Reader, only *search.Restriction, today schedule.Date) (*immunization.Assessment, int, error) {
	var docs []*element.Doc
	for _, typ := range []string{"Immunization", "Condition", "AllergyIntolerance", "Observation"} {
		more, err := s.told(ctx, r.ref, typ, reader, only)
		if err != nil {
			return nil, 0, err
		}
		docs = append(docs, more...)
	}
	kept, err := reader.Read(r.doc, docs)
	if err != nil {
		return nil, 0, nil
	}
	return a.Assess(&kept.History, today), len(kept.Doses), nil
}

var escape = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`)

// told returns the resources of a type about a Patient that some may see; Observations only
// if they can say something to the schedule, by their code or by their value.
func (s *service) told(ctx context.Context, patient fhir.Ref, typ string, reader *history.Reader, only *search.Restriction) (docs []*element.Doc, err error) {
	q, err := search.Parse(typ, []search.Param{{Name: "patient", Value: patient.String()}}, search.Options{})
	if err != nil {
		return nil, err
	}
	if typ == "Observation" {
		var values []string
		for _, c := range reader.ObservationCodes() {
			values = append(values, escape.Replace(c))
		}
		var any search.Or
		for _, name := range []string{"code", "value-concept"} {
			one, err := search.Parse(typ, []search.Param{{Name: name, Value: strings.Join(values, ",")}}, search.Options{})
			if err != nil {
				return nil, err
			}
			any = append(any, search.And(one.Where))
		}
		q.Where = append(q.Where, any)
	}
	q.Count, q.Bytes, q.Restriction = mostDoses, mostBytes, only
	for {
		found, err := s.Store.Search(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range found.Matches {
			d, err := element.Parse(found.Matches[i].JSON)
			if err != nil {
				return nil, err
			}
			docs = append(docs, d)
		}
		if q.After = found.Next; q.After == "" {
			return docs, nil
		}
	}
}

// soon is how far a cartilla looks ahead.
var soon = schedule.Period{Months: 24, Set: true}

// mostBytes is how many bytes of resources are read at a time.
const mostBytes = 16 << 20

// upcoming is what one forecast says to a family: nothing of doses that are years away.
func upcoming(f *immunization.Forecast, today schedule.Date, titles map[string]string) (next, bool) {
	if f.Status != immunization.NotComplete || f.Recommended.IsZero() || f.Recommended > today.Add(soon) {
		return next{}, false
	}
	n := next{vaccine: titles[f.Group], from: f.Earliest, due: f.Recommended, state: "Próxima"}
	if n.vaccine == "" && len(f.CVX) > 0 {
		v, _ := code.Lookup(f.CVX[0])
		n.vaccine = v.Name
	}
	n.vaccine = cmp.Or(n.vaccine, f.Group)
	if f.Number > 0 {
		n.number = fmt.Sprint(f.Number)
	}
	switch {
	case f.Overdue(today):
		n.state = "Atrasada"
	case f.Due(today):
		n.state = "Corresponde ahora"
	}
	return n, true
}
