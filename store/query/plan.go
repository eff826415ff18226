package query

import (
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// plan is how a page is had.
type plan struct {
	lead
	sort bool // what the lead gives is sorted by the keys of the order, and then cut
	cap  int  // how many row keys of the lead are looked at, at most; 0 for all
}

// String says what the plan begins with. No value of the search is in it.
func (p *plan) String() string {
	var b strings.Builder
	b.WriteString([...]string{
		everything: "all resources of the type", named: "ids", streamed: "postings, in the default order",
		gathered: "a set", walked: "the values of the first sort key, in their order",
	}[p.kind])
	for i, e := range p.answers {
		b.WriteString([]string{": ", ", "}[min(i, 1)] + nameOf(e))
	}
	if len(p.answers) > 0 && p.kind != named {
		fmt.Fprintf(&b, "; about %d rows", p.rows)
	}
	if p.sort {
		b.WriteString("; then sorted")
	}
	if p.cap > 0 {
		fmt.Fprintf(&b, "; gives up after %d", p.cap)
	}
	return b.String()
}

// nameOf names the parameter of a condition.
func nameOf(e search.Expr) string {
	switch e := e.(type) {
	case search.Match:
		return e.Param.Code
	case search.Chain:
		return e.Param.Code + "." + nameOf(e.Next)
	case search.Has:
		return "_has:" + e.Source + ":" + e.Param.Code
	case search.IDs:
		return "_id"
	case search.Or:
		if len(e) > 0 {
			return nameOf(e[0])
		}
	}
	return "a condition"
}

// Costs, in units of looking at one resource: its row, and a condition on it.
const (
	costKey  = 0.1 // a row key from an index
	costSort = 2.0 // to look up the value to sort by
)

// newPlan decides how to get limit resources of typ, for which all of parts hold, in
// order o. exhaustive rules out a plan that may have to give up.
//
// A result in the order of an index can be had by following that index until the page
// is full, or by gathering all that matches and sorting it. The first is good for
// what matches often, the second for what matches rarely. Where the matches lie in
// the order is not known, though, and they may all lie at its end; so the first gives
// up when it has taken as long as the second would.
func (w *where) newPlan(typ string, parts []search.Expr, o *order, limit int, exhaustive bool) (plan, error) {
	along := plan{lead: lead{kind: everything}, sort: !o.walkable(typ)}
	if !along.sort && len(o.left()) > 0 {
		along.kind = walked
	}
	leads := w.leads(parts)
	if len(leads) == 0 {
		return along, nil
	}
	whole := plan{lead: leads[0], sort: len(o.left()) > 0}
	if len(leads) == 1 && (exhaustive || whole.kind == named || len(parts) == 1 && !whole.sort && whole.kind == streamed || record(parts[whole.at[0]])) {
		return whole, nil
	}
	for i := range leads {
		if err := w.weigh(&leads[i]); err != nil {
			return plan{}, err
		}
	}
	whole.lead = *fewest(leads)
	if exhaustive || whole.kind == named || whole.rows == 0 {
		return whole, nil
	}
	return w.cheapest(whole, along, leads, len(parts), limit, w.population(typ), o), nil
}

// cheapest returns the plan that is expected to cost least: whole, or one that follows
// the order until the page is full.
func (w *where) cheapest(whole, along plan, leads []lead, parts, limit, all int, o *order) plan {
	best, bestCost := whole, whole.cost(o)
	consider := func(p plan, rows int) {
		n := min(float64(rows), float64(limit)/chance(leads, p.at, all))
		if p.kind == gathered {
			n += costKey * float64(rows)
		}
		if n < bestCost {
			best, bestCost = p, n
		}
	}
	if !along.sort {
		consider(along, all)
	}
	if !whole.sort {
		for _, l := range leads {
			consider(plan{lead: l}, l.rows)
		}
	}
	if w.Dialect == index.Postgres && best.kind != gathered && best.kind != named && !slices.Equal(best.at, whole.at) {
		best.cap = max(fewestCapped, int(whole.cost(o)))
	}
	return best
}

// fewestCapped is how many rows a plan that may give up looks at, at least.
const fewestCapped = 500

// cost is what it takes to look at all that p's lead gives, and to sort it.
func (p *plan) cost(o *order) float64 {
	return float64(p.rows) * (1 + costSort*float64(len(o.left())))
}

// chance returns how likely a resource, that the lead of the parts at gives, meets the
// conditions of all leads.
func chance(leads []lead, at []int, all int) float64 {
	likely := 1.0
	for i := range leads {
		other := &leads[i]
		if len(other.at) == 1 && !slices.Contains(at, other.at[0]) {
			likely *= min(1, float64(max(other.rows, 1))/float64(all))
		}
	}
	return max(likely, 1e-9)
}
