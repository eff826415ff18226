package history

import (
	"slices"
	"strings"
)

// ObservationCodes returns, as "system|code", the codes by which an Observation can say
// something that a history holds: as what was asked or as the answer. Others need not be
// read. Codes that only their beginning is known of are not among them.
func (r *Reader) ObservationCodes() (all []string) {
	for _, c := range []string{lastPeriod, deliveryDate, deliveryByUS, weeksOfPregnancy, weeksByUS, weeksByPeriod, weeksEstimated, weeksReported} {
		all = append(all, loinc+"|"+c)
	}
	for _, table := range []map[coding][]fact{facts(), r.own} {
		for c, found := range table {
			observed := slices.ContainsFunc(found, func(f fact) bool { return f.kind == problem || f.kind == confirmed || f.kind == lab })
			if observed && !strings.HasSuffix(c.code, "*") {
				all = append(all, c.system+"|"+c.code)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
