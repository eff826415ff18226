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
	ties bool // and those, too, that have the first sort key of the last one: further keys say which of them come first
}

// String says what the plan begins with. No value of the search is in it.
func (p *plan) String() string {
	var b strings.Builder
	b.WriteString([...]string{
		everything: "all resources of the type", named: "ids", streamed: "postings, in the default order",
		gathered: "a set", walked: "the values of the first sort key, in their order",
		threaded: "the values of a pair's first half, in the default order",
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
	costKey   = 0.03 // a row key of a posting
	costValue = 0.3  // a row of values
	costSort  = 0.5  // to look up the value to sort by
	costProbe = 0.5  // to look up a posting or value of a resource
	costOther = 0.01 // each further value that would do as well
	costChain = 3.5  // to look at a resource at the other end of a reference
)

// fewNamed is how many resources that are named by their ids are looked at without counting
// first what else there is to begin with: to count costs as much.
const fewNamed = 50

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
		along.ties = len(o.left()) > 1
	}
	if along.kind == walked && o.keys[0].kind == wordKey && !exhaustive && w.Dialect == index.Postgres {
		along.cap = mostWords
	}
	leads := w.leads(parts)
	if len(leads) == 0 {
		return along, nil
	}
	whole := plan{lead: leads[0], sort: len(o.left()) > 0}
	if len(leads) == 1 && (exhaustive || whole.kind == named || len(parts) == 1 && !whole.sort && whole.kind == streamed || record(parts[whole.at[0]])) {
		return whole, nil
	}
	for _, l := range leads {
		if l.kind == named && l.rows <= fewNamed {
			whole.lead = l
			return whole, nil
		}
	}
	for i := range leads {
		if err := w.weigh(&leads[i], typ); err != nil {
			return plan{}, err
		}
	}
	whole.lead = *fewest(leads)
	if exhaustive || whole.kind == named || whole.rows == 0 {
		return whole, nil
	}
	return w.cheapest(whole, along, leads, parts, limit, w.population(typ), o), nil
}

// cheapest returns the plan that is expected to cost least: whole, or one that follows
// the order until the page is full.
func (w *where) cheapest(whole, along plan, leads []lead, parts []search.Expr, limit, all int, o *order) plan {
	look := float64(limit) / chance(leads, nil, all) // how many of all are looked at until the page is full
	best, bestCost := whole, whole.cost(o, w.effort(parts, &whole.lead))
	wholeCost := bestCost
	consider := func(p plan, cost float64) {
		if cost < bestCost {
			best, bestCost = p, cost
		}
	}
	if !along.sort {
		consider(along, min(float64(all), look)*w.effort(parts, &along.lead))
	}
	if !whole.sort {
		for _, l := range leads {
			consider(plan{lead: l}, l.cost(float64(limit)/chance(leads, l.at, all), w.effort(parts, &l)))
			if thread, ok := w.thread(&l); ok {
				n := float64(thread.rows)
				consider(plan{lead: thread}, costValue*min(n, float64(limit)*n/float64(max(l.rows, 1)))+float64(limit))
			}
		}
	}
	if w.Dialect == index.Postgres && (best.kind == everything || best.kind == walked || best.kind == streamed && !slices.Equal(best.at, whole.at)) {
		best.cap = min(max(fewestCapped, int(wholeCost/w.effort(parts, &best.lead))), mostCapped)
	}
	return best
}

// mostWords is how many resources a plan looks at, at first, that follows words: those
// with the same one have to be sorted before the first of them is known.
const mostWords = 2_000

// cost is what it takes to get the row keys of l and to look at some of the
// resources, with so much effort for each.
func (l *lead) cost(some, effort float64) float64 {
	n := float64(l.rows)
	switch {
	case l.kind == streamed:
		return (effort + costKey) * min(n, some)
	case len(l.postings) > 0:
		return costKey*n + effort*min(n, some)
	}
	return costValue*n + effort*min(n, some)
}

// effort is what it takes to look at one resource that l gives: at its row, and at what
// the conditions ask for that are left to be checked.
func (w *where) effort(parts []search.Expr, l *lead) float64 {
	sum := 1.0
	for i, e := range parts {
		if l.settles(i) {
			continue
		}
		switch e.(type) {
		case search.Chain, search.Has:
			sum += costChain
		default:
			sum += costProbe + costOther*float64(values(e))
		}
	}
	return sum
}

// values returns how many values e takes.
func values(e search.Expr) int {
	switch e := e.(type) {
	case search.Match:
		return len(e.Values)
	case search.Or:
		n := 0
		for _, part := range e {
			n += values(part)
		}
		return n
	}
	return 1
}

// A plan that may give up looks at so many rows, at least and at most.
const (
	fewestCapped = 500
	mostCapped   = 8_000
)

// cost is what it takes to look at all that p's lead gives, and to sort it.
func (p *plan) cost(o *order, effort float64) float64 {
	n := float64(p.rows)
	return p.lead.cost(n, effort) + n*costSort*float64(len(o.left()))
}

// chance returns how likely a resource, that the lead of the parts at gives, meets the
// conditions of all leads. What several conditions leave together counts, not what
// each does.
func chance(leads []lead, at []int, all int) float64 {
	counted := slices.Clone(at)
	likely := 1.0
	for _, several := range []bool{true, false} {
		for i := range leads {
			other := &leads[i]
			if len(other.at) > 1 != several || slices.ContainsFunc(other.at, func(n int) bool { return slices.Contains(counted, n) }) {
				continue
			}
			if several {
				counted = append(counted, other.at...)
			}
			likely *= min(1, float64(max(other.rows, 1))/float64(all))
		}
	}
	return max(likely, 1e-9)
}
