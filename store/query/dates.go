package query

import (
	"cmp"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/store/index"
)

// dates are parts of an Or that ask the same of several date parameters, so that one
// look at the dates of a resource answers them all.
type dates struct {
	params []uint16
	value  *search.Value // nil asks for any value
}

// gatherDates takes out of the parts of an Or those that ask the same of dates.
func gatherDates(parts search.Or) (same []dates, others search.Or) {
	for _, e := range parts {
		m, ok := e.(search.Match)
		any := ok && m.Modifier == "missing" && len(m.Values) == 1 && !m.Values[0].Bool
		if !ok || m.Compared != spec.Date || index.IsPair(&m) || !any && (m.Modifier != "" || len(m.Values) != 1) {
			others = append(others, e)
			continue
		}
		d := dates{value: &m.Values[0]}
		if any {
			d.value = nil
		}
		i := 0
		for i < len(same) && !same[i].like(&d) {
			i++
		}
		if i == len(same) {
			same = append(same, d)
		}
		same[i].params = append(same[i].params, m.Param.ID)
	}
	return same, others
}

// like reports whether d and e ask the same.
func (d *dates) like(e *dates) bool {
	if d.value == nil || e.value == nil {
		return d.value == e.value
	}
	return cmp.Or(d.value.Prefix, "eq") == cmp.Or(e.value.Prefix, "eq") && d.value.Lo == e.value.Lo && d.value.Hi == e.value.Hi
}
