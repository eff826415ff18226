package recommend

import (
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/search"
)

// status answers Patient/[id]/$immunization-status: what the schedule says of a Patient by
// what is recorded. Of vaccine groups that rest on something that the caller may not see
// it says that, and gives no day: a date that leaves something out would be wrong.
func (d *Desk) status(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	a, err := d.ask(call, paramDate)
	if err != nil {
		return nil, err
	}
	found, err := d.Store.Search(ctx, &search.Query{
		Type: "Patient", Where: []search.Expr{search.IDs{Any: []string{call.ID}}}, Count: 1, Restriction: call.Restriction,
	})
	if err != nil {
		return nil, err
	}
	links, err := linksOf(a.book.Reader)
	if err != nil {
		return nil, err
	}
	all, err := d.Store.Records(ctx, &search.PatientQuery{Patients: []string{call.ID}, Limit: 1, Links: links})
	if err != nil {
		return nil, err
	}
	if len(found.Matches) == 0 || len(all) == 0 {
		return nil, fhir.Errorf(fhir.NotFound, "there is no such resource or version")
	}
	patient, err := element.Parse(found.Matches[0].JSON)
	if err != nil {
		return nil, err
	}
	seen, err := d.seen(ctx, call, a.book, patient, all[0].Resources)
	if err != nil {
		return nil, err
	}
	p := &paper{book: a.book, patient: patientRef(call.ID), spanish: a.spanish}
	if p.kept, err = a.book.Reader.Read(patient, seen.shown); err != nil {
		return nil, err
	}
	if seen.partial {
		return a.partly(p, patient, seen)
	}
	return a.answer(p, func(w *writer) { told(w, false) })
}

// told writes whether something rests on what was not seen.
func told(w *writer, partial bool) {
	w.open('{')
	w.text("name", "partial")
	w.name("valueBoolean")
	w.b = append(w.b, map[bool]string{true: "true", false: "false"}[partial]...)
	w.close('}')
}

// partly writes the answer to those who see only a part: that of which the rest changes
// nothing. Where doses are hidden nothing is left of it.
func (a *asked) partly(p *paper, patient *element.Doc, s *sight) (*operation.Answer, error) {
	found, err := a.book.Assess(&p.kept.History, a.on)
	if err != nil {
		return nil, err
	}
	p.found, p.hidden = found, make([]bool, len(found.Forecasts))
	whole := found
	if !s.doses {
		kept, err := a.book.Reader.Read(patient, s.all)
		if err != nil {
			return nil, err
		}
		if whole, err = a.book.Assess(&kept.History, a.on); err != nil {
			return nil, err
		}
	}
	partial := false
	for i := range p.hidden {
		p.hidden[i] = s.doses || !alike(&found.Forecasts[i], &whole.Forecasts[i])
		partial = partial || p.hidden[i]
	}
	if !partial {
		a.explain = false // the steps would tell of what changes nothing
		return a.answer(p, func(w *writer) { told(w, false) })
	}
	var w writer
	w.open('{')
	w.text("resourceType", "Parameters")
	w.name("parameter")
	w.open('[')
	part(&w, "recommendation", "resource", func() { p.recommendation(&w, a.on, func() {}) })
	a.scheduled(&w)
	text := "Hay registros de esta persona que quien pregunta no puede ver: de algunas vacunas no se puede decir si le tocan ni cuándo. Consulte a su médico."
	if !a.spanish {
		text = "There are records of this person that the caller may not see: of some vaccines it cannot be said whether they are due, and when. Ask their physician."
	}
	issues := []fhir.Issue{{Severity: "warning", Type: "incomplete", Rule: "partial", Diagnostics: text}}
	part(&w, "doubts", "resource", func() { w.raw(operation.AppendOutcome(nil, issues)) })
	told(&w, true)
	w.close(']')
	w.close('}')
	return &operation.Answer{JSON: w.b}, nil
}

// alike reports whether two forecasts tell the same.
func alike(f, g *immunization.Forecast) bool {
	return f.Status == g.Status && f.Series == g.Series && f.Number == g.Number && f.Of == g.Of && f.Earliest == g.Earliest &&
		f.Recommended == g.Recommended && f.PastDue == g.PastDue && f.Latest == g.Latest && slices.Equal(f.CVX, g.CVX) && slices.Equal(f.Antigens, g.Antigens)
}

// sight is what of a record a caller sees.
type sight struct {
	shown, all []*element.Doc
	partial    bool // something is hidden that says something of vaccinations
	doses      bool // and that is a dose, or a doubt
}

// seen returns what of a record the caller sees.
func (d *Desk) seen(ctx context.Context, call *operation.Call, book *Book, patient *element.Doc, all []fhir.Resource) (*sight, error) {
	visible, err := d.visible(ctx, call, all)
	if err != nil {
		return nil, err
	}
	s := &sight{}
	for i := range all {
		doc, err := element.Parse(all[i].JSON)
		if err != nil {
			return nil, err
		}
		s.all = append(s.all, doc)
		if visible[all[i].Ref.Current()] {
			s.shown = append(s.shown, doc)
			continue
		}
		alone, err := book.Reader.Read(patient, []*element.Doc{doc})
		if err != nil {
			return nil, err
		}
		s.doses = s.doses || all[i].Ref.Type == "Immunization" && len(alone.Doses)+len(alone.Doubts) > 0
		s.partial = s.partial || len(alone.Doses)+len(alone.Observations)+len(alone.Doubts) > 0
	}
	return s, nil
}

// visible returns which resources the caller may see.
func (d *Desk) visible(ctx context.Context, call *operation.Call, all []fhir.Resource) (map[fhir.Ref]bool, error) {
	ids := map[string][]string{}
	for i := range all {
		ids[all[i].Ref.Type] = append(ids[all[i].Ref.Type], all[i].Ref.ID)
	}
	visible := map[fhir.Ref]bool{}
	for _, typ := range types {
		for some := range slices.Chunk(ids[typ], atOnce) {
			found, err := d.Store.Search(ctx, &search.Query{
				Type: typ, Where: []search.Expr{search.IDs{Any: some}}, Count: len(some), Restriction: call.Restriction,
			})
			if err != nil {
				return nil, err
			}
			for i := range found.Matches {
				visible[found.Matches[i].Ref.Current()] = true
			}
		}
	}
	return visible, nil
}
