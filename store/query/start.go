package query

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/store/index"
)

// start says where an engine begins to look. It never changes what is found.
//
// A result in the order of an index can be had by following that index until the
// page is full, or by gathering all that matches and sorting it. The first is good
// for what matches often, the second for what matches rarely. PostgreSQL knows from
// its statistics, but for one thing: the records of one person were written
// together, so that they are not spread over an index as it expects. SQLite is told.
type start struct {
	from    int     // the condition of q.Where to start from, -1 for none. Only SQLite
	along   []int64 // the postings of that condition, when their rows are read in order; else nil. Only SQLite
	gather  bool    // gather and sort, whatever the order
	generic bool    // see Statement.Generic
	implied bool    // the order brings a condition that only live resources of the type meet
}

// newStart decides for a page of q in order o.
func (w *where) newStart(q *search.Query, o *order) start {
	s := start{from: -1, implied: o.implies(q.Type)}
	if w.Dialect == index.Postgres {
		s.gather = w.gather || personal(q.Where)
		s.generic = s.gather && o.generic() && w.generic(q)
		return s
	}
	best, rank := w.best(q.Where)
	switch {
	case rank >= selective:
		s.from, s.gather = best, true
	case o.param() != nil: // follow the values that the order is by
	default:
		s.from = best
		if len(o.keys) == 0 && best >= 0 {
			s.along = w.stream(q.Where[best])
		}
	}
	return s
}

// generic reports whether one plan is good for all values that q may have: it can
// only start from the index of postings or from that of ids, and the rest is checked
// row by row.
func (w *where) generic(q *search.Query) bool {
	if !slices.ContainsFunc(q.Where, pointed) {
		return false
	}
	exprs := q.Where
	if !w.restriction.Open() {
		exprs = append(exprs[:len(exprs):len(exprs)], w.restriction.Types[q.Type]...)
	}
	return q.Type != "" && !slices.ContainsFunc(exprs, func(e search.Expr) bool { return !onRow(e) })
}

// pointed reports whether e can be started from by postings or ids.
func pointed(e search.Expr) bool {
	switch e := e.(type) {
	case search.IDs:
		return true
	case search.Match:
		return e.Modifier == "" && index.IsPosting(e.Param)
	}
	return false
}

// onRow reports whether e can be checked on a row of resource alone.
func onRow(e search.Expr) bool {
	notOnRow := func(part search.Expr) bool { return !onRow(part) }
	switch e := e.(type) {
	case search.IDs, search.Types, search.Updated:
		return true
	case search.Match:
		return index.IsPosting(e.Param)
	case search.Not:
		return onRow(e.X)
	case search.And:
		return !slices.ContainsFunc(e, notOnRow)
	case search.Or:
		return !slices.ContainsFunc(e, notOnRow)
	}
	return false
}

// personTypes are the types whose instances are referred to by the records of one
// person, which are few among all.
var personTypes = map[string]bool{"Patient": true, "Encounter": true, "EpisodeOfCare": true, "RelatedPerson": true, "Person": true}

// personal reports whether a condition asks for the records of persons by reference,
// or for resources by their ids or identifiers.
func personal(exprs []search.Expr) bool {
	return slices.ContainsFunc(exprs, func(e search.Expr) bool {
		if _, ok := e.(search.IDs); ok {
			return true
		}
		m, ok := e.(search.Match)
		switch {
		case !ok || m.Modifier != "":
			return false
		case m.Param.Type == spec.Reference:
			return refersToPersons(m.Values)
		}
		return m.Param.Type == spec.Token && m.Param.Code == "identifier" && identifies(m.Values)
	})
}

// identifies reports whether every value of an identifier parameter has more than a system.
func identifies(values []search.Value) bool {
	return len(values) > 0 && !slices.ContainsFunc(values, func(v search.Value) bool { return strings.HasSuffix(v.Raw, "|") })
}

func refersToPersons(values []search.Value) bool {
	for i := range values {
		if len(values[i].Tokens) > 0 || len(values[i].Refs) == 0 {
			return false
		}
		for _, ref := range values[i].Refs {
			if !personTypes[ref.Type] {
				return false
			}
		}
	}
	return len(values) > 0
}

// manyStreams is from how many postings on it is no longer worth while to merge them.
const manyStreams = 16

// stream returns the postings that e asks for, if it asks for nothing else and
// their rows can be merged. What no resource has is left out.
func (w *where) stream(e search.Expr) []int64 {
	parts, ok := e.(search.Or)
	if !ok {
		parts = search.Or{e}
	}
	postings, ok := w.onlyPostings(parts)
	if !ok {
		return nil
	}
	var some []int64
	for _, p := range postings {
		if w.count == nil || w.count(p) > 0 {
			some = append(some, p)
		}
	}
	switch {
	case len(some) == 0 && len(postings) > 0:
		return postings[:1] // finds nothing, as it should
	case len(some) > manyStreams:
		return nil
	}
	return some
}

// best returns which condition SQLite should start from: the one that is likely to
// leave the fewest rows, or -1 when none can be started from.
func (w *where) best(exprs []search.Expr) (best, rank int) {
	best = -1
	for i, e := range exprs {
		if r := w.rank(e); r > rank {
			best, rank = i, r
		}
	}
	return best, rank
}

// selective is the rank from which on a condition leaves few rows.
const selective = 5

// rank orders conditions by how few rows they leave; 0 cannot be started from.
func (w *where) rank(e search.Expr) int {
	switch e := e.(type) {
	case search.IDs:
		return 9 // found by the unique index, without being asked
	case search.Chain, search.Has:
		return 5
	case search.Or:
		least := 9
		for _, part := range e {
			if notSet(part) {
				return 0
			}
			least = min(least, w.rank(part))
		}
		return least
	case search.Match:
		return w.matchRank(&e)
	}
	return 0
}

func (w *where) matchRank(m *search.Match) int {
	switch {
	case m.Modifier == "missing":
		return 0
	case index.IsPosting(m.Param):
		if w.few(w.PostingsOf(m)) {
			return 8
		}
		return 4
	case m.Modifier == "contains":
		return 1
	case m.Param.Type == spec.String:
		return 6
	case m.Param.Type == spec.Date:
		return 2
	}
	return 3
}

// few reports whether few resources have one of the postings, as far as that is known.
func (w *where) few(postings []int64) bool {
	left := Few
	for _, p := range postings {
		if w.count == nil {
			return false
		}
		if left -= w.count(p); left < 0 {
			return false
		}
	}
	return true
}

// Few is how many rows still count as few.
const Few = 1000
