package query

import (
	"maps"
	"slices"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// fewBlocked is up to how many labels it is less to look for each of them beside a row
// than to look at what the row refers to.
const fewBlocked = 8

// fewWays is up to how many parameters that is so: most types have their patient, and
// search.Owner.
const fewWays = 2

// unblocked appends that the row is live, and that none of the patients whom it is
// about carries a label. What was deleted no longer says whom it is about.
func (w *where) unblocked(params, through []int64, label int64) {
	w.Add("(", w.Row, ".live")
	if len(params) > 0 && !w.counts {
		w.Add(" AND NOT EXISTS (SELECT 1 FROM ")
		switch {
		case len(through) > 0:
			w.TargetsThrough(append(slices.Clip(params), through...), through, search.ConcernIDs())
			w.labelled(label)
		case len(params) <= fewWays && w.fewLabels(label):
			for i, p := range params { // a list of both would be gathered anew for each row
				if i > 0 {
					w.Fence().Add(") AND NOT EXISTS (SELECT 1 FROM ")
				}
				from, _ := index.LinkSpan(uint16(p))
				w.Add("posting b CROSS JOIN posting x WHERE b.posting = ").Int(index.Token(label))
				w.Add(" AND x.posting = (").Int(from).Add(" | b.rkey) AND x.rkey = ", w.Row, ".rkey")
			}
		case len(params) == 1:
			w.Targets(uint16(params[0]))
			w.labelled(label)
		default:
			w.TargetsOfAny(params)
			w.labelled(label)
		}
		w.Fence().Add(")")
	}
	w.Add(")")
}

// labelled appends to a list of targets l that one has the label.
func (w *where) labelled(label int64) {
	w.Add(" CROSS JOIN posting b WHERE b.posting = ").Int(index.Token(label)).Add(" AND b.rkey = l.rkey")
}

// fewLabels reports whether it is known that few resources have the label.
func (w *where) fewLabels(label int64) bool {
	sub := w.separate()
	sub.Add("SELECT count(*) FROM (SELECT 1 FROM posting z WHERE z.posting = ").Int(index.Token(label)).Add(" LIMIT ").Int(fewBlocked + 1).Add(") c")
	n, known := w.count(sub)
	return known && n <= fewBlocked
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
