package bulk

import (
	"context"
	"fmt"
	"slices"

	"github.com/amate-health/amate/fhir/search"
)

// count looks up how many resources there are to export, about, where that is cheap beside
// the export: when no search picks them, and nothing but their type says who sees them.
func (e *exporting) count(ctx context.Context) error {
	if err := e.renew(ctx); err != nil {
		return err
	}
	if len(e.Filters) > 0 || e.records != nil {
		return nil
	}
	var total int64
	for _, typ := range e.Types {
		if where, _ := e.shows.Restriction.Of(typ); len(where) > 0 {
			return nil
		}
		q, err := e.query(typ)
		if err != nil {
			return err
		}
		q.Total = search.TotalEstimate
		found, err := e.Search(ctx, q)
		if err != nil {
			return err
		}
		total += found.Total
	}
	e.total = total
	return nil
}

// progress notes that so many resources are done, and the type that is at work.
func (e *exporting) progress(done int64, typ string) {
	note := typ
	if i := slices.Index(e.Types, typ); i >= 0 {
		note = fmt.Sprintf("%s, type %d of %d", typ, i+1, len(e.Types))
	}
	total := e.total
	if total > 0 {
		total = max(total, done+1) // it is about so many, and not done yet
	}
	e.run.Progress(done, total, note)
}
