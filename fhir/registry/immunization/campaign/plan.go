package campaign

import (
	"context"
	"fmt"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/document/page"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/registry/immunization/plan"
	"github.com/amate-health/amate/fhir/registry/immunization/recommend"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// planned is a plan with what it is written from.
type planned struct {
	call    *operation.Call
	patient *element.Doc
	book    *recommend.Book
	on      schedule.Date
	until   schedule.Date
	visits  []plan.Visit
	titles  map[string]string
}

// mostAhead is how far ahead a plan reaches at most, in days.
const mostAhead = 20 * 366

// plan answers Patient/[id]/$immunization-plan: the visits by which somebody is up to date
// again. It is made for those alone who may see all that it rests on.
func (d *Desk) plan(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	f := formOf(call, "date", "until", "vaccine", "unavailable", "max-per-visit", "gather")
	today := d.today()
	p := &planned{call: call, on: f.date("date", today)}
	p.until = f.date("until", p.on.Add(schedule.Period{Months: 24, Set: true}))
	o := plan.Options{Until: p.until, Most: f.number("max-per-visit", 20, 0), Gather: f.number("gather", 60, 14), Refused: f.list("unavailable", 30)}
	names := f.list("vaccine", 30)
	switch {
	case f.err != nil:
	case p.on < today:
		f.fail("date", p.on.String(), "is today or later: a plan is of visits to come")
	case p.until < p.on || p.until > p.on+mostAhead:
		f.fail("until", p.until.String(), "is after date, 20 years at most")
	}
	for i, cvx := range o.Refused {
		known, ok := code.CVX(code.SystemCVX, cvx)
		if !ok {
			f.fail("unavailable", cvx, "is a code of CVX")
		}
		o.Refused[i] = known
	}
	if f.err != nil {
		return nil, f.err
	}
	var err error
	if p.book, err = d.Library.Find(d.Schedule, p.on); err != nil {
		return nil, err
	}
	for _, name := range names {
		g := groupNamed(p.book.Schedule, name)
		if g == nil {
			return nil, unknownVaccine(p.book.Schedule, name)
		}
		o.Only = append(o.Only, g.Name)
	}
	desk := recommend.Desk{Store: d.Store, Library: d.Library, Schedule: d.Schedule, Zone: d.Zone, Now: d.Now}
	patient, kept, partial, err := desk.Known(ctx, call, p.book)
	if err != nil {
		return nil, err
	}
	if partial {
		return nil, fhir.Errorf(fhir.Forbidden, "there are records of this person's vaccinations that you may not see, and a plan without them would be wrong")
	}
	assessor, err := p.book.Assessor()
	if err != nil {
		return nil, err
	}
	if p.titles, err = d.titles(p.on); err != nil {
		return nil, err
	}
	p.patient, p.visits = patient, plan.CatchUp(assessor, &kept.History, p.on, o)
	switch call.Media {
	case mediaPDF:
		raw, err := p.page().PDF()
		return &operation.Answer{Media: mediaPDF, Raw: raw}, err
	case mediaHTML:
		raw, err := p.page().HTML()
		return &operation.Answer{Media: mediaHTML, Raw: raw}, err
	}
	return &operation.Answer{JSON: p.carePlan()}, nil
}

// carePlan writes the plan as a proposal: an activity for each vaccine of each visit.
//
// See https://hl7.org/fhir/R4/careplan.html.
func (p *planned) carePlan() []byte {
	activities := []compose.Object{}
	for n, v := range p.visits {
		for _, g := range v.Gives {
			activities = append(activities, compose.Object{"detail": compose.Object{
				"status": "not-started", "code": p.vaccine(g.CVX), "description": fmt.Sprintf("Visita %d: %s", n+1, p.doses(&g)),
				"scheduledPeriod": compose.Object{"start": v.Date.String()},
			}})
		}
	}
	care := compose.Object{
		"status": "draft", "intent": "proposal", "title": "Plan de vacunación", "subject": compose.Reference(p.call.Ref()),
		"description": "Por el esquema " + p.book.Name() + ". Cada visita supone que las anteriores se cumplieron.",
		"created":     p.on.String(), "period": compose.Object{"start": p.on.String(), "end": p.until.String()},
		"category": []compose.Object{compose.Concept(code.SystemSNOMED, "33879002", "Administration of vaccine to produce active immunity")},
	}
	if len(activities) > 0 {
		care["activity"] = activities
	}
	return append([]byte(`{"resourceType":"CarePlan",`), compose.JSON(care)[1:]...)
}

// vaccine is a vaccine to be given, in all code systems that it is known in.
func (p *planned) vaccine(cvx string) compose.Object {
	var codings []compose.Object
	for _, c := range code.Codings(cvx) {
		codings = append(codings, compose.Coding(c.System, c.Code, c.Display))
	}
	if codings == nil {
		codings = []compose.Object{compose.Coding(code.SystemCVX, cvx, "")}
	}
	return compose.Object{"coding": codings, "text": p.named(cvx)}
}

// named is what people call a vaccine.
func (p *planned) named(cvx string) string {
	if v, ok := code.Lookup(cvx); ok {
		return v.Name
	}
	return "CVX " + cvx
}

// doses names the doses that a vaccine is given for.
func (p *planned) doses(g *plan.Give) string {
	var all []string
	for _, t := range g.Groups {
		all = append(all, fmt.Sprintf("%s, dosis %d", p.titles[t.Group], t.Number))
	}
	return strings.Join(all, "; ")
}

// page writes the plan for those who go.
func (p *planned) page() *page.Page {
	c := contactOf(p.patient)
	blocks := []page.Block{
		page.Heading{Level: 1, Text: "Plan de vacunación"},
		page.Facts{Columns: 3, Items: []page.Fact{{Label: "Nombre", Value: c.name, Wide: 2}, {Label: "Fecha de nacimiento", Value: c.born}, {Label: "Desde", Value: p.on.String()}, {Label: "Hasta", Value: p.until.String()}}},
	}
	if len(p.visits) == 0 {
		blocks = append(blocks, page.Paragraph{Spans: []page.Span{{Text: "No falta ninguna vacuna en estas fechas."}}})
	} else {
		table := page.Table{Caption: "Visitas", Head: []string{"Visita", "Desde el día", "Vacuna", "Dosis"}, Widths: []float64{1, 2, 4, 5}}
		for n, v := range p.visits {
			for _, g := range v.Gives {
				table.Rows = append(table.Rows, []string{fmt.Sprint(n + 1), v.Date.String(), p.named(g.CVX), p.doses(&g)})
			}
		}
		blocks = append(blocks, table)
	}
	blocks = append(blocks, page.Paragraph{Spans: []page.Span{{Text: "Acuda a su unidad de salud el día indicado o lo antes posible después de él, y lleve siempre la cartilla de vacunación. Si una visita se retrasa, pida un plan nuevo: las fechas siguientes cambian. El personal de salud decide qué vacuna se aplica ese día."}}})
	return &page.Page{
		Title: "Plan de vacunación", Lang: "es-MX", Created: p.on.Time(), Foot: "Esquema " + p.book.Name(), Blocks: blocks,
	}
}
