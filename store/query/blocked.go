package query

import (
	"maps"
	"slices"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// unblocked appends that the row is live, and that none of the patients whom it is
// about carries a label. What was deleted no longer says whom it is about.
func (w *where) unblocked(params, through []int64, label int64) {
	w.Add("(", w.Row, ".live")
	if len(params) > 0 {
		w.Add(" AND NOT EXISTS (SELECT 1 FROM ")
		switch {
		case len(through) > 0:
			w.TargetsThrough(append(slices.Clip(params), through...), through, search.ConcernIDs())
		case len(params) == 1:
			w.Targets(uint16(params[0]))
		default:
			w.TargetsOfAny(params)
		}
		w.Add(" CROSS JOIN posting b WHERE b.posting = ").Int(index.Token(label)).Add(" AND b.rkey = l.rkey")
		w.Fence().Add(")")
	}
	w.Add(")")
}

// unblockedAny appends the same for rows of several types, whose conditions share one.
func (w *where) unblockedAny(byType map[int64]search.Unblocked) {
	if len(byType) == 0 {
		return
	}
	var params, through []int64
	var label int64
	for _, e := range byType {
		label = e.Label
		params, through = idsOf(params, e.Params), idsOf(through, e.Through)
	}
	slices.Sort(params)
	w.Add(" AND (NOT (")
	w.AnyInt(w.Row+".type", slices.Sorted(maps.Keys(byType)))
	w.Add(") OR ")
	w.unblocked(params, through, label)
	w.Add(")")
}
