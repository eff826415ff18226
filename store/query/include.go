package query

import (
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// Forward compiles the resources with these row keys, of type target ("" for
// any), as an _include brings them.
func (c *Compiler) Forward(r *search.Restriction, target string, rkeys []int64, limit int) (*Statement, error) {
	return c.included(r, target, limit, func(w *where) { w.List(rkeys) })
}

// Reverse compiles the resources of type source that refer, by one of the
// parameters, to a resource with one of these row keys, as a _revinclude brings them.
func (c *Compiler) Reverse(r *search.Restriction, source string, params []uint16, rkeys []int64, limit int) (*Statement, error) {
	links := make([]int64, 0, len(params)*len(rkeys))
	for _, p := range params {
		for _, k := range rkeys {
			links = append(links, index.Link(p, k))
		}
	}
	return c.included(r, source, limit, func(w *where) {
		w.Add("SELECT DISTINCT x.rkey FROM posting x WHERE ").AnyInt("x.posting", links)
	})
}

// included compiles the visible resources whose row keys keys selects.
func (c *Compiler) included(r *search.Restriction, typ string, limit int, keys func(*where)) (*Statement, error) {
	if r == nil {
		return nil, ErrUnrestricted
	}
	w := c.where("r", r)
	w.Add("SELECT ", columns, ", p.postings FROM (SELECT a.rkey AS rkey, r.type, r.id, r.version, r.postings FROM (")
	keys(w)
	if c.Dialect == index.Postgres {
		w.Add(" ORDER BY 1 OFFSET 0")
	}
	w.Add(") a")
	w.Resource("r", "a.rkey")
	w.Add(" WHERE ")
	if err := w.visible(typ, false); err != nil {
		return nil, err
	}
	w.Add(" ORDER BY rkey LIMIT ").Int(int64(limit)).Add(") p")
	w.version()
	w.Add(" ORDER BY p.rkey")
	return &Statement{SQL: w.String(), Args: w.Args, Postings: true}, nil
}
