package query

import (
	"errors"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// ErrUnrestricted refuses a query that does not say what its caller may see.
var ErrUnrestricted = errors.New("query without a restriction")

// Statement is one SELECT of resources.
type Statement struct {
	SQL      string
	Args     []any // int64, float64, string, []int64 or []string
	Keys     int   // columns of the order, after the fixed ones: integer, float, text or null
	Postings bool  // the last column holds the row's postings
	Number   bool  // it counts: the only column is an integer
	Generic  bool  // one plan is good for all values of its arguments, so that PostgreSQL need not plan it each time
}

// Compiler turns queries into statements.
type Compiler struct {
	Dialect index.Dialect
	Keys    func(ref fhir.Ref) int64 // row key of a reference's target, 0 when it is not stored

	// Rows returns how many resources have a posting, or more than Few when they are
	// more than that. Only SQLite is helped by it; nil when it is not known.
	Rows func(posting int64) int

	// Gather says that few resources are expected to match, as of a criterion that
	// is to select one.
	Gather bool
}

// columns of every SELECT, from resource r and its current version v.
const columns = "p.rkey, p.type, p.id, v.version, v.updated, v.method, v.content"

// Page compiles one page of q: up to limit resources that follow from, which is
// nil for the first page. postings asks for what the resources refer to, as
// includes need.
func (c *Compiler) Page(q *search.Query, from *Position, limit int, postings bool) (*Statement, error) {
	if q.Restriction == nil {
		return nil, ErrUnrestricted
	}
	order, err := newOrder(q.Sort, from)
	if err != nil {
		return nil, err
	}
	w := c.where("r", q.Restriction)
	start := w.newStart(q, order)
	w.Add("SELECT ", columns, order.names("p."))
	if postings {
		w.Add(", p.postings")
	}
	w.Add(" FROM (SELECT r.rkey, r.type, r.id, r.version", order.columns())
	if postings {
		w.Add(", r.postings")
	}
	w.Add(" FROM ")
	order.tables(w.SQL, start)
	w.Add(" WHERE ")
	if err := w.query(q, start); err != nil {
		return nil, err
	}
	order.where(w.SQL, start)
	w.Add(" ORDER BY ", order.by(w.Dialect, start))
	w.Add(" LIMIT ").Int(int64(limit))
	w.Add(") p JOIN version v ON v.rkey = p.rkey AND v.version = p.version ORDER BY ", order.outerBy())
	return &Statement{SQL: w.String(), Args: w.Args, Keys: len(order.keys), Postings: postings, Generic: start.generic}, nil
}

// Count compiles the number of resources that q matches, on all pages. The one
// column is an integer.
func (c *Compiler) Count(q *search.Query) (*Statement, error) {
	if q.Restriction == nil {
		return nil, ErrUnrestricted
	}
	w := c.where("r", q.Restriction)
	start := start{from: -1}
	if c.Dialect == index.SQLite {
		start.from, _ = w.best(q.Where)
	}
	w.Add("SELECT count(*) FROM resource r WHERE ")
	if err := w.query(q, start); err != nil {
		return nil, err
	}
	return &Statement{SQL: w.String(), Args: w.Args, Number: true}, nil
}

// References returns the targets of all reference values in q, whose row keys
// Compiler.Keys will be asked for.
func References(q *search.Query) []fhir.Ref {
	var refs []fhir.Ref
	var walk func(e search.Expr)
	all := func(exprs []search.Expr) {
		for _, e := range exprs {
			walk(e)
		}
	}
	walk = func(e search.Expr) {
		switch e := e.(type) {
		case search.And:
			all(e)
		case search.Or:
			all(e)
		case search.Not:
			walk(e.X)
		case search.Chain:
			walk(e.Next)
		case search.Has:
			walk(e.Next)
		case search.Match:
			for i := range e.Values {
				for _, ref := range e.Values[i].Refs {
					refs = append(refs, ref.Current())
				}
			}
		}
	}
	all(q.Where)
	return append(refs, RestrictionReferences(q.Restriction)...)
}

// RestrictionReferences returns the targets of all reference values in r.
func RestrictionReferences(r *search.Restriction) []fhir.Ref {
	if r == nil || r.Open() {
		return nil
	}
	var refs []fhir.Ref
	for _, exprs := range r.Types {
		refs = append(refs, References(&search.Query{Where: exprs})...)
	}
	return refs
}
