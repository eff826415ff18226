package recommend

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization/history"
	"github.com/amate-health/amate/fhir/search"
)

// Known returns the Patient that a call is on, what is recorded of them that the caller may
// see, and whether there is more that says something of vaccinations.
// Errors: fhir.NotFound; those of history.Reader.
func (d *Desk) Known(ctx context.Context, call *operation.Call, book *Book) (patient *element.Doc, kept *history.Kept, partial bool, err error) {
	found, err := d.Store.Search(ctx, &search.Query{
		Type: "Patient", Where: []search.Expr{search.IDs{Any: []string{call.ID}}}, Count: 1, Restriction: call.Restriction,
	})
	if err != nil {
		return nil, nil, false, err
	}
	links, err := linksOf(book.Reader)
	if err != nil {
		return nil, nil, false, err
	}
	all, err := d.Store.Records(ctx, &search.PatientQuery{Patients: []string{call.ID}, Limit: 1, Links: links})
	if err != nil {
		return nil, nil, false, err
	}
	if len(found.Matches) == 0 || len(all) == 0 {
		return nil, nil, false, fhir.Errorf(fhir.NotFound, "there is no such resource or version")
	}
	if patient, err = element.Parse(found.Matches[0].JSON); err != nil {
		return nil, nil, false, err
	}
	visible, err := d.visible(ctx, call, all[0].Resources)
	if err != nil {
		return nil, nil, false, err
	}
	var docs []*element.Doc
	for i := range all[0].Resources {
		doc, err := element.Parse(all[0].Resources[i].JSON)
		if err != nil {
			return nil, nil, false, err
		}
		if visible[all[0].Resources[i].Ref.Current()] {
			docs = append(docs, doc)
			continue
		}
		alone, err := book.Reader.Read(patient, []*element.Doc{doc})
		if err != nil {
			return nil, nil, false, err
		}
		partial = partial || len(alone.Doses)+len(alone.Observations)+len(alone.Doubts) > 0
	}
	kept, err = book.Reader.Read(patient, docs)
	return patient, kept, partial, err
}
