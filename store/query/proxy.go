package query

import (
	"maps"

	"github.com/amate-health/amate/fhir/search"
)

// proxied appends that the row is live, and that it refers to nothing by the parameter,
// or to a resource that the restriction shows. What stands for another resource is of
// another type than that.
func (w *where) proxied(e *search.Proxied) error {
	switch {
	case w.restriction == nil:
		return ErrUnrestricted
	case w.restriction.Open():
		w.Add(w.Row, ".live")
		return nil
	}
	rest := &search.Restriction{Types: maps.Collect(w.restriction.All())}
	delete(rest.Types, e.Param.Base)
	w.Add("(", w.Row, ".live AND (NOT EXISTS (SELECT 1 FROM ")
	w.Targets(e.Param.ID)
	w.Add(") OR ")
	next := w.next()
	next.restriction = rest
	err := w.Refers(e.Param.ID, next.Row, func() error { return next.visible("", false) })
	w.Add("))")
	return err
}
