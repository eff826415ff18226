package query

import (
	"errors"
	"math"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// ErrUnrestricted refuses a query that does not say what its caller may see.
var ErrUnrestricted = errors.New("query without a restriction")

// Statement is one SELECT of resources.
type Statement struct {
	SQL      string
	Args     []any  // int64, float64, string, []int64 or []string
	Keys     int    // columns of the order, after the fixed ones: integer, float, text or null
	Postings bool   // the last column holds the row's postings
	Start    string // what it begins with, in words
	Number   bool   // it counts: the only column is an integer
	Capped   bool   // it may return fewer than there are; then another one, exhaustive, is to be asked
	Whole    bool   // it returns resources without a value for the first key, too, after the others
	Bytes    int64  // reading may end once content and keys are longer than this, after one row at least; 0 sets no bound
}

// Compiler turns queries into statements.
type Compiler struct {
	Dialect index.Dialect
	Keys    func(ref fhir.Ref) int64 // row key of a reference's target, 0 when it is not stored

	// Weight returns what a probe has counted, if that is known. Nil when nothing is,
	// and nothing is to be asked for.
	Weight func(key uint64) (n int, known bool)
	// Unknown collects the probes that Weight did not know. Once they are answered, to
	// compile again gives a better statement.
	Unknown []Probe
}

// columns of every SELECT, from resource r and its current version v.
const columns = "p.rkey, p.type, p.id, v.version, v.updated, v.method, v.content"

// Page compiles one page of q: up to limit resources that follow from, which is
// nil for the first page. postings asks for what the resources refer to, as
// includes need. exhaustive rules out a statement that may give up, as one does that
// is Capped.
func (c *Compiler) Page(q *search.Query, from *Position, limit int, postings, exhaustive bool) (*Statement, error) {
	if q.Restriction == nil {
		return nil, ErrUnrestricted
	}
	o, err := newOrder(q.Sort, from)
	if err != nil {
		return nil, err
	}
	w := c.where("r", q.Restriction)
	parts := w.parts(q)
	p, err := w.newPlan(q.Type, parts, o, limit, exhaustive)
	if err != nil {
		return nil, err
	}
	w.looks = w.looksOf(q.Type, parts, &p, limit)
	w.Add("SELECT ", columns, o.names("p."))
	if postings {
		w.Add(", p.postings")
	}
	w.Add(" FROM (")
	if err := w.page(q.Type, parts, &p, o, limit, postings); err != nil {
		return nil, err
	}
	w.Add(") p")
	w.version()
	w.Add(" ORDER BY ", o.by("p.", p.kind == walked))
	return &Statement{
		SQL: w.String(), Args: w.Args, Keys: len(o.keys), Postings: postings,
		Start: p.String(), Capped: p.cap > 0, Whole: !o.split() || p.sort || o.missing(),
	}, nil
}

// version joins the current version of what p selects.
func (w *where) version() {
	if w.Dialect == index.SQLite {
		w.Add(" CROSS JOIN version v ON v.rkey = p.rkey AND v.version = p.version")
		return
	}
	w.Add(" CROSS JOIN LATERAL (SELECT i.version, i.updated, i.method, i.content FROM version i WHERE i.rkey = p.rkey AND i.version = p.version LIMIT 1) v")
}

// Count compiles the number of resources that q matches, on all pages. The one
// column is an integer.
func (c *Compiler) Count(q *search.Query) (*Statement, error) { return c.count(q, false) }

// Guess compiles Count in a form at which PostgreSQL's planner can guess. It is not
// to be run.
func (c *Compiler) Guess(q *search.Query) (*Statement, error) { return c.count(q, true) }

func (c *Compiler) count(q *search.Query, plain bool) (*Statement, error) {
	if q.Restriction == nil {
		return nil, ErrUnrestricted
	}
	w := c.where("r", q.Restriction)
	w.Plain = plain
	parts := w.parts(q)
	p, err := w.newPlan(q.Type, parts, &order{}, math.MaxInt32, true)
	if err != nil {
		return nil, err
	}
	w.looks = w.looksOf(q.Type, parts, &p, math.MaxInt32)
	w.Add("SELECT count(*) FROM ")
	if err := w.matching(q.Type, parts, &p, false); err != nil {
		return nil, err
	}
	return &Statement{SQL: w.String(), Args: w.Args, Start: p.String(), Number: true}, nil
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
	if r.Narrow != nil {
		refs := append(RestrictionReferences(r.Base), r.Refs...)
		for _, exprs := range r.Types {
			refs = append(refs, References(&search.Query{Where: exprs})...)
		}
		return refs
	}
	var refs []fhir.Ref
	for _, exprs := range r.All() {
		refs = append(refs, References(&search.Query{Where: exprs})...)
	}
	return refs
}
