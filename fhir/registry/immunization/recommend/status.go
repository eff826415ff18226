package recommend

import (
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// status answers Patient/[id]/$immunization-status: what the schedule says of a Patient by
// what is recorded. To those who may not see all that it rests on, it says that, and gives
// no day: a date that leaves out a dose would be wrong.
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
	docs, partial, err := d.seen(ctx, call, a.book, patient, all[0].Resources)
	if err != nil {
		return nil, err
	}
	p := &paper{book: a.book, patient: patientRef(call.ID), spanish: a.spanish}
	if p.kept, err = a.book.Reader.Read(patient, docs); err != nil {
		return nil, err
	}
	if partial {
		return a.partly(p)
	}
	return a.answer(p, func(w *writer) { told(w, false) })
}

// told writes whether only a part was seen.
func told(w *writer, partial bool) {
	w.open('{')
	w.text("name", "partial")
	w.name("valueBoolean")
	w.b = append(w.b, map[bool]string{true: "true", false: "false"}[partial]...)
	w.close('}')
}

// partly writes the answer to those who see only a part.
func (a *asked) partly(p *paper) (*operation.Answer, error) {
	found, err := a.book.Assess(&p.kept.History, a.on)
	if err != nil {
		return nil, err
	}
	p.found = found
	var w writer
	w.open('{')
	w.text("resourceType", "Parameters")
	w.name("parameter")
	w.open('[')
	part(&w, "recommendation", "resource", func() { p.recommendation(&w, a.on, true, func() {}) })
	a.scheduled(&w)
	text := "Hay registros de vacunación de esta persona que quien pregunta no puede ver: no se puede decir qué vacuna le toca ni cuándo."
	if !a.spanish {
		text = "There are records of this person's vaccinations that the caller may not see: which vaccine is due, and when, cannot be said."
	}
	issues := []fhir.Issue{{Severity: "warning", Type: "incomplete", Rule: "partial", Diagnostics: text}}
	part(&w, "doubts", "resource", func() { w.raw(operation.AppendOutcome(nil, issues)) })
	told(&w, true)
	w.close(']')
	w.close('}')
	return &operation.Answer{JSON: w.b}, nil
}

// seen returns those resources of a record that the caller may see, and whether any is
// missing that says something of vaccinations.
func (d *Desk) seen(ctx context.Context, call *operation.Call, book *Book, patient *element.Doc, all []fhir.Resource) (docs []*element.Doc, partial bool, err error) {
	visible, err := d.visible(ctx, call, all)
	if err != nil {
		return nil, false, err
	}
	for i := range all {
		doc, err := element.Parse(all[i].JSON)
		if err != nil {
			return nil, false, err
		}
		if visible[all[i].Ref.Current()] {
			docs = append(docs, doc)
			continue
		}
		alone, err := book.Reader.Read(patient, []*element.Doc{doc})
		if err != nil {
			return nil, false, err
		}
		partial = partial || len(alone.Doses)+len(alone.Observations)+len(alone.Doubts) > 0
	}
	return docs, partial, nil
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
