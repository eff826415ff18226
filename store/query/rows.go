package query

import (
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// Rows compiles the rows with these keys, whether or not they are of anything that
// exists, with their postings and without content. The method of what does not exist
// is that of a deletion.
func (c *Compiler) Rows(keys []int64) *Statement {
	w := c.where("r", search.Unrestricted)
	w.Add("SELECT r.rkey, r.type, r.id, CAST(r.version AS integer), r.updated, CAST(CASE WHEN r.live THEN 1 ELSE 4 END AS smallint), '', r.postings FROM resource r WHERE ")
	w.AnyInt("r.rkey", keys)
	return &Statement{SQL: w.String(), Args: w.Args, Postings: true}
}

// TiedTo compiles the rows of what exists and is tied to one of the resources with
// these keys: see search.TiedTo.
func (c *Compiler) TiedTo(keys []int64) *Statement {
	links := make([]int64, len(keys))
	for i, k := range keys {
		links[i] = index.Link(search.TiedTo.ID, k)
	}
	w := c.where("r", search.Unrestricted)
	w.Add("SELECT r.rkey, r.type, r.id, CAST(r.version AS integer), r.updated, CAST(1 AS smallint), '', r.postings FROM (SELECT DISTINCT x.rkey FROM posting x WHERE ")
	w.AnyInt("x.posting", links)
	w.Fence().Add(") k")
	w.Resource("r", "k.rkey")
	w.Add(" WHERE r.live ORDER BY r.rkey")
	return &Statement{SQL: w.String(), Args: w.Args, Postings: true}
}
