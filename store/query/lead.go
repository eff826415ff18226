package query

import (
	"cmp"
	"slices"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/store/index"
)

// lead is where a statement begins to look: what gives it row keys, which further
// conditions are then checked on, one by one. The compiler picks it, and the SQL has
// the shape of that choice; nothing is left to a planner.
type lead struct {
	kind     leadKind
	answers  []search.Expr // the conditions that it comes from
	at       []int         // where these stand among the parts
	whole    bool          // and that need no check any more
	postings []int64       // of streamed
	rows     int           // about how many row keys it gives
}

type leadKind uint8

const (
	everything leadKind = iota // all resources of the type, in the default order
	named                      // by id
	streamed                   // by postings, in the default order as they stand
	gathered                   // a set, which is sorted
	walked                     // by the values of the first sort key, in their order
	threaded                   // by the first half of a pair, in the default order; the second is checked on the way
)

// thread returns the lead that finds what l does, which asks for one pair, in the
// default order: all rows with its first half. Only PostgreSQL has the index.
func (w *where) thread(l *lead) (lead, bool) {
	if w.Dialect == index.SQLite || l.kind != gathered || len(l.answers) != 1 {
		return lead{}, false
	}
	m, ok := l.answers[0].(search.Match)
	if !ok || !index.IsPair(&m) || len(m.Values) != 1 || !index.HasThread(&m) {
		return lead{}, false
	}
	thread := *l
	thread.kind = threaded
	sub := w.separate()
	sub.Add("SELECT count(*) FROM (SELECT 1 FROM number_value x WHERE x.pair_code = ").Int(m.Values[0].Pair.Code)
	sub.Add(" LIMIT ").Int(manyPostings).Add(") c")
	n, known := w.count(sub)
	thread.rows = n
	return thread, known
}

// settles reports whether part i needs no check any more.
func (l *lead) settles(i int) bool { return l.whole && slices.Contains(l.at, i) }

// manyStreams is from how many postings on it is no longer worth while to merge them.
const manyStreams = 16

// conjunction returns the parts that must all hold, without the And around them.
func conjunction(exprs []search.Expr) []search.Expr {
	var parts []search.Expr
	for _, e := range exprs {
		if and, ok := e.(search.And); ok {
			parts = append(parts, conjunction(and)...)
		} else {
			parts = append(parts, e)
		}
	}
	return parts
}

// leads returns all ways to begin that parts, which must all hold, offer.
func (w *where) leads(parts []search.Expr) []lead {
	var all []lead
	for i, e := range parts {
		if l, ok := w.leadOf(e); ok {
			l.at = []int{i}
			all = append(all, l)
		}
	}
	return append(all, spans(parts)...)
}

func (w *where) leadOf(e search.Expr) (lead, bool) {
	l := lead{answers: []search.Expr{e}, whole: true}
	switch e := e.(type) {
	case search.IDs:
		l.kind, l.rows = named, len(e.Any)
		return l, true
	case search.Updated:
		return l, false
	}
	parts := alternatives(e)
	if postings, ok := w.onlyPostings(parts); ok {
		l.kind, l.postings = streamed, postings
		if len(postings) > manyStreams {
			l.kind = gathered
		}
		return l, true
	}
	l.kind = gathered
	return l, len(parts) > 0 && !slices.ContainsFunc(parts, notSet)
}

// spans returns a lead for each date parameter that several conditions are about:
// together they may leave little of what each alone selects.
func spans(parts []search.Expr) []lead {
	var all []lead
	byParam := map[uint16]int{}
	for at, e := range parts {
		m, ok := e.(search.Match)
		if !ok || m.Compared != spec.Date || index.IsPair(&m) || m.Modifier != "" || len(m.Values) != 1 {
			continue
		}
		i, known := byParam[m.Param.ID]
		if !known {
			i = len(all)
			byParam[m.Param.ID] = i
			all = append(all, lead{kind: gathered})
		}
		all[i].answers, all[i].at = append(all[i].answers, e), append(all[i].at, at)
	}
	return slices.DeleteFunc(all, func(l lead) bool { return len(l.answers) < 2 })
}

// isSet reports whether the resources for which e holds can be selected by themselves.
func isSet(e search.Expr) bool {
	switch e := e.(type) {
	case search.Match:
		return e.Modifier != "missing"
	case search.Chain, search.Has, search.IDs:
		return true
	case search.Words:
		return len(e.All) > 0
	case search.And: // of ids and their type
		return holdsIDs(e) && !slices.ContainsFunc(e, func(part search.Expr) bool {
			_, typed := part.(search.Types)
			return !typed && !holdsIDs(part)
		})
	}
	return false
}

// holdsIDs reports whether e names resources by their ids, whatever else it asks.
func holdsIDs(e search.Expr) bool {
	if and, ok := e.(search.And); ok {
		return slices.ContainsFunc(and, holdsIDs)
	}
	_, ok := e.(search.IDs)
	return ok
}

func notSet(e search.Expr) bool { return !isSet(e) }

// alternatives returns the parts of which any must hold, without the Or around them.
func alternatives(e search.Expr) search.Or {
	or, ok := e.(search.Or)
	if !ok {
		return search.Or{e}
	}
	if !slices.ContainsFunc(or, isOr) {
		return or
	}
	var parts search.Or
	for _, part := range or {
		parts = append(parts, alternatives(part)...)
	}
	return parts
}

func isOr(e search.Expr) bool {
	_, ok := e.(search.Or)
	return ok
}

// parted returns the postings that those parts ask for that ask for nothing else, and
// the other parts.
func (w *where) parted(parts search.Or) (postings []int64, others search.Or) {
	for _, e := range parts {
		m, ok := e.(search.Match)
		if !ok || m.Modifier != "" || !index.IsPosting(&m) {
			others = append(others, e)
			continue
		}
		postings = append(postings, w.PostingsOf(&m)...)
	}
	slices.Sort(postings)
	return slices.Compact(postings), others
}

// onlyPostings returns the postings of all parts, if each asks for nothing else.
func (w *where) onlyPostings(parts search.Or) ([]int64, bool) {
	postings, others := w.parted(parts)
	return postings, len(parts) > 0 && len(others) == 0
}

// record reports whether e asks, in several ways, for resources by their ids or for
// what refers to a few persons. That is little, so that nothing needs to be counted.
func record(e search.Expr) bool {
	parts := alternatives(e)
	return len(parts) > 1 && !slices.ContainsFunc(parts, func(part search.Expr) bool {
		m, ok := part.(search.Match)
		if !ok {
			return !isSet(part) || !holdsIDs(part)
		}
		return m.Modifier != "" || len(m.Values) > fewPersons || !refersToPersons(m.Values)
	})
}

// fewPersons is how many are few.
const fewPersons = 20

// keys appends a SELECT of the row keys, named rkey, that l gives; some perhaps twice.
func (w *where) keys(l *lead) error {
	if l.postings != nil || len(l.answers) == 1 && w.nothing(l) {
		if len(l.postings) == 0 {
			w.Add("SELECT x.rkey FROM posting x WHERE FALSE")
		} else {
			w.PostingSet(l.postings)
		}
		return nil
	}
	if len(l.answers) > 1 {
		var values []*search.Value
		var param uint16
		for _, e := range l.answers {
			m := e.(search.Match)
			param = m.Param.ID
			values = append(values, &m.Values[0])
		}
		return w.DateSpan(param, values...)
	}
	return w.sets(alternatives(l.answers[0]))
}

// sets appends a SELECT of the row keys for which any of parts, each an isSet, holds;
// the postings that they ask for as one.
func (w *where) sets(parts search.Or) error {
	postings, others := w.parted(parts)
	if len(postings) > 0 {
		w.PostingSet(postings)
	}
	for i, e := range others {
		if i > 0 || len(postings) > 0 {
			w.Add(" UNION ALL ")
		}
		if err := w.set(e); err != nil {
			return err
		}
	}
	if len(postings) == 0 && len(others) == 0 {
		w.Add("SELECT x.rkey FROM posting x WHERE FALSE")
	}
	return nil
}

// nothing reports whether l asks for postings, and no resource can have any of them.
func (w *where) nothing(l *lead) bool {
	return l.kind == streamed && len(l.postings) == 0
}

// fewest returns the lead with the fewest rows.
func fewest(leads []lead) *lead {
	var best *lead
	for i := range leads {
		if best == nil || cmp.Or(cmp.Compare(leads[i].rows, best.rows), cmp.Compare(leads[i].kind, best.kind)) < 0 {
			best = &leads[i]
		}
	}
	return best
}
