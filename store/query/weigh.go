package query

import (
	"hash/maphash"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/store/index"
)

// Probe asks how many rows there are of something, up to a bound.
type Probe struct {
	Key       uint64 // stands for what is asked
	Statement *Statement
}

// Bounds of what probes count. SQLite counts the rows of postings further than other
// values: few postings are asked about again and again. PostgreSQL has statistics of
// those that are common.
const (
	manyRows     = 4_000
	manyPostings = 32_000
)

var probeSeed = maphash.MakeSeed()

// weigh fills in how many rows l gives, of all of type typ. What is not known is asked
// for, and guessed.
func (w *where) weigh(l *lead, typ string) error {
	if l.kind == named || w.nothing(l) {
		return nil
	}
	if chain, ok := l.answers[0].(search.Chain); ok && len(l.answers) == 1 {
		share, err := w.share(chain.Types, chain.Next)
		l.rows = int(share * float64(w.population(typ)))
		return err
	}
	sub, bound := w.separate(), manyRows
	if w.Dialect == index.SQLite && len(l.postings) > 0 {
		bound = manyPostings
	}
	sub.Add("SELECT count(*) FROM (SELECT 1 FROM (")
	if err := sub.keys(l); err != nil {
		return err
	}
	sub.Fence().Add(") s LIMIT ").Int(int64(bound)).Add(") c")
	n, known := w.count(sub)
	switch {
	case !known:
		l.rows = guess(l.answers)
	case n < bound:
		l.rows = n
	case w.Dialect == index.Postgres && len(l.postings) > 0:
		l.rows = max(n, w.common("posting", "bigint", l.postings))
	default:
		l.rows = max(n, w.population(typ)/4)
	}
	return nil
}

// share returns which part of the resources of types meet e, about.
func (w *where) share(types []string, e search.Expr) (float64, error) {
	some, all := 0.0, 0.0
	for _, typ := range types {
		n := w.population(typ)
		parts := append(conjunction([]search.Expr{e}), w.restrictions(typ)...)
		leads := w.leads(parts)
		for i := range leads {
			if err := w.weigh(&leads[i], typ); err != nil {
				return 0, err
			}
		}
		some, all = some+chance(leads, nil, n)*float64(n), all+float64(n)
	}
	return some / max(all, 1), nil
}

// common returns how many rows of a table have one of values in a column of the same
// name (or type of resource), as PostgreSQL's statistics of common values have it; 0
// where they are not common.
//
// See https://www.postgresql.org/docs/15/view-pg-stats.html.
func (w *where) common(table, typ string, values []int64) int {
	column := table
	if table == "resource" {
		column = "type"
	}
	sub := w.separate()
	sub.Add("SELECT coalesce(sum(c.reltuples * m.f), 0)::bigint FROM pg_class c, pg_stats s, ",
		"unnest(s.most_common_vals::text::", typ, "[], s.most_common_freqs) AS m (v, f) WHERE c.oid = '", table, "'::regclass AND s.tablename = '",
		table, "' AND s.attname = '", column, "' AND s.schemaname = ANY (current_schemas(false)) AND ")
	sub.AnyInt("m.v", values)
	n, _ := w.count(sub)
	return n
}

// count returns what is known of the count that sub selects.
func (w *where) count(sub *where) (int, bool) {
	return w.weight(&Statement{SQL: sub.String(), Args: sub.Args, Number: true})
}

// weight returns what is known of a count. What is not is put down to be asked for.
func (w *where) weight(s *Statement) (int, bool) {
	if w.compiler.Weight == nil {
		return 0, false
	}
	var h maphash.Hash
	h.SetSeed(probeSeed)
	h.WriteString(s.SQL)
	for _, arg := range s.Args {
		maphash.WriteComparable(&h, hashable(arg))
	}
	p := Probe{h.Sum64(), s}
	n, known := w.compiler.Weight(p.Key)
	if !known {
		w.compiler.Unknown = append(w.compiler.Unknown, p)
	}
	return n, known
}

// hashable returns an argument in a form that can be compared.
func hashable(arg any) any {
	switch arg := arg.(type) {
	case []int64:
		var h maphash.Hash
		h.SetSeed(probeSeed)
		for _, n := range arg {
			maphash.WriteComparable(&h, n)
		}
		return h.Sum64()
	case []string:
		return strings.Join(arg, "\x00")
	}
	return arg
}

// population returns about how many live resources of type typ there are.
func (w *where) population(typ string) int {
	if typ == "" {
		return manyPostings
	}
	bound, number := manyRows, int64(index.TypeNumber(typ))
	if w.Dialect == index.SQLite {
		bound = 10 * manyPostings
	}
	sub := w.separate()
	sub.Add("SELECT count(*) FROM (SELECT 1 FROM resource i WHERE i.type = ").Int(number)
	sub.Add(" AND i.live LIMIT ").Int(int64(bound)).Add(") c")
	n, known := w.count(sub)
	switch {
	case !known:
		return manyPostings
	case n == bound && w.Dialect == index.Postgres:
		n = max(n, w.common("resource", "smallint", []int64{number}))
	}
	return max(n, 1)
}

// guess says how many resources conditions are expected to leave, where nobody counts.
func guess(answers []search.Expr) int {
	least := manyPostings
	for _, e := range answers {
		least = min(least, guessOne(e))
	}
	if len(answers) > 1 { // a span
		return least / 10
	}
	return least
}

func guessOne(e search.Expr) int {
	switch e := e.(type) {
	case search.IDs:
		return len(e.Any)
	case search.Chain, search.Has, search.Words:
		return 2_000
	case search.Or:
		sum := 0
		for _, part := range e {
			sum += guessOne(part)
		}
		return sum
	case search.Match:
		return guessMatch(&e)
	case search.And:
		least := manyPostings
		for _, part := range e {
			least = min(least, guessOne(part))
		}
		return least
	}
	return manyPostings
}

func guessMatch(m *search.Match) int {
	switch {
	case m.Modifier == "contains":
		return 20_000
	case m.Modifier == "text", m.Modifier == "below":
		return 5_000
	case m.Param.Type == spec.Token && m.Param.Code == "identifier" && identifies(m.Values):
		return len(m.Values)
	case m.Compared == spec.Reference && refersToPersons(m.Values):
		return 300 * len(m.Values)
	case m.Compared == spec.String:
		return 1_000 * len(m.Values)
	case m.Compared == spec.Date:
		return 20_000
	case index.IsPosting(m):
		return 10_000
	}
	return 15_000
}

// personTypes are the types whose instances are referred to by the records of one
// person, which are few among all.
var personTypes = map[string]bool{"Patient": true, "Encounter": true, "EpisodeOfCare": true, "RelatedPerson": true, "Person": true}

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
