package recommend

import (
	"cmp"
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
)

// atOnce is how many resources are written in one transaction.
const atOnce = 100

// work is what one call of a Keeper has to write.
type work struct {
	*Keeper
	rows    []fhir.Vaccinee
	shapes  []*fhir.VaccineeSchedule
	changed []*draft
	gone    []string // Patients of whom nothing is kept
	missing []string // Patients who are not there
	refused []string // ids of recommendations
	tally   Tally
}

// run writes resources first and rows after them: a row says what was written, so that
// whoever is stopped in between does it again.
func (w *work) run(ctx context.Context) error {
	for some := range slices.Chunk(w.changed, atOnce) {
		if err := w.write(ctx, some); err != nil {
			return err
		}
	}
	if !w.RowsOnly {
		if err := w.remove(ctx, w.gone, false); err != nil {
			return err
		}
		if err := w.remove(ctx, w.missing, true); err != nil {
			return err
		}
	}
	if err := w.shape(ctx); err != nil {
		return err
	}
	for i := range w.rows {
		if slices.Contains(w.refused, ForecastID(w.rows[i].Patient)) {
			w.rows[i].Print = 0 // it is tried again
		}
	}
	if len(w.rows) > 0 {
		w.tally.Rows = len(w.rows)
		if err := w.Store.SaveVaccinees(ctx, w.rows); err != nil {
			return err
		}
	}
	if none := append(w.gone, w.missing...); len(none) > 0 {
		return w.Store.DropVaccinees(ctx, none)
	}
	return nil
}

// shape makes sure that it is known what the rows are written by.
func (w *work) shape(ctx context.Context) error {
	for _, s := range w.shapes {
		w.mu.Lock()
		known := w.added[s.Number]
		w.mu.Unlock()
		if known {
			continue
		}
		if err := w.Store.AddVaccineeSchedule(ctx, *s); err != nil {
			return err
		}
		w.mu.Lock()
		w.added[s.Number] = true
		w.mu.Unlock()
	}
	return nil
}

// write writes the resources that are not as they should be.
func (w *work) write(ctx context.Context, drafts []*draft) error {
	patients := make([]string, len(drafts))
	for i, d := range drafts {
		patients[i] = d.patient
	}
	stored, err := w.stored(ctx, patients)
	if err != nil {
		return err
	}
	maker, on := w.Maker(""), w.Today()
	var changes []bundle.Change
	for _, d := range drafts {
		json := d.json(on)
		id := ForecastID(d.patient)
		if r := stored[id]; r != nil && same(r.JSON, json) {
			continue
		}
		source, err := bundle.Parse(json)
		if err != nil {
			return err
		}
		change, err := maker.Update(source, fhir.Ref{Type: "ImmunizationRecommendation", ID: id}, false)
		if err != nil {
			return err
		}
		changes = append(changes, change)
	}
	return w.apply(ctx, changes, &w.tally.Written)
}

// apply writes a batch, and counts it. Where it is refused, its changes are written one by
// one: what a hold or a rule keeps from being written does not keep the others.
func (w *work) apply(ctx context.Context, changes []bundle.Change, n *int) error {
	if len(changes) == 0 {
		return nil
	}
	results, err := w.Write(ctx, &bundle.Batch{Changes: changes})
	switch code := fhir.CodeOf(err); {
	case err == nil:
		w.wrote(results)
		*n += len(changes)
		return nil
	case ctx.Err() != nil || code != fhir.Conflict && code != fhir.Unprocessable && code != fhir.Invalid && code != fhir.Forbidden:
		return err
	case len(changes) > 1:
		for i := range changes {
			if err := w.apply(ctx, changes[i:i+1], n); err != nil {
				return err
			}
		}
		return nil
	}
	w.Log.Warn("an immunization recommendation is refused", "id", changes[0].Ref.ID, "error", err)
	w.tally.Refused++
	w.refused = append(w.refused, changes[0].Ref.ID)
	return nil
}

// remove removes the resources of Patients; of those who are not there any more, for good
// where that can be done.
func (w *work) remove(ctx context.Context, patients []string, forGood bool) error {
	if len(patients) == 0 {
		return nil
	}
	stored, err := w.stored(ctx, patients)
	if err != nil || len(stored) == 0 {
		return err
	}
	var changes []bundle.Change
	var refs []fhir.Ref
	for _, r := range stored {
		refs = append(refs, r.Ref.Current())
	}
	slices.SortFunc(refs, func(a, b fhir.Ref) int { return cmp.Compare(a.ID, b.ID) })
	if forGood && w.Purge != nil {
		if err := w.Purge(ctx, refs); err == nil {
			w.tally.Removed += len(refs)
			return nil
		}
		w.Log.Warn("recommendations of patients who are gone cannot be removed for good, and are deleted", "count", len(refs))
	}
	for _, ref := range refs {
		changes = append(changes, bundle.Change{Op: bundle.Delete, Ref: ref})
	}
	return w.apply(ctx, changes, &w.tally.Removed)
}
