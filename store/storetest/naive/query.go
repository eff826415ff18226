package naive

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Query is a search.
type Query struct {
	Type     string   // "" searches all types
	Types    []string // _type, of a search of all types
	Where    []Cond   // all must hold
	Sort     []Key
	Count    int  // resources a page
	Total    bool // ask for an accurate total
	Includes []Include
	Within   string // a compartment: "Patient/x"; Type is then what is searched in it
}

// Cond is one condition of a search, a parameter of its query string.
type Cond interface {
	// Pair returns the condition as it stands in a query string, not yet encoded.
	Pair() (name, value string)
	holds(w *World, r *Resource) bool
	// smaller returns conditions that ask for less, to find the smallest that fails.
	smaller() []Cond
}

// String returns the path and query of the search, from the base on.
func (q *Query) String() string {
	var b strings.Builder
	if q.Within != "" {
		b.WriteString(q.Within + "/")
	}
	b.WriteString(q.Type)
	sep := byte('?')
	add := func(name, value string) {
		b.WriteByte(sep)
		sep = '&'
		b.WriteString(url.QueryEscape(name) + "=" + url.QueryEscape(value))
	}
	if len(q.Types) > 0 {
		add("_type", strings.Join(q.Types, ","))
	}
	for _, c := range q.Where {
		add(c.Pair())
	}
	if len(q.Sort) > 0 {
		var keys []string
		for _, k := range q.Sort {
			keys = append(keys, k.String())
		}
		add("_sort", strings.Join(keys, ","))
	}
	for _, in := range q.Includes {
		add(in.pair())
	}
	if q.Count > 0 {
		add("_count", strconv.Itoa(q.Count))
	}
	if q.Total {
		add("_total", "accurate")
	}
	return b.String()
}

// Find returns the resources that q matches, in no order.
func (w *World) Find(q *Query) []*Resource {
	var found []*Resource
	for _, r := range w.of(q.Type) {
		if len(q.Types) > 0 && !slices.Contains(q.Types, r.Type) || q.Within != "" && !w.inCompartment(r, q.Within) {
			continue
		}
		ok := true
		for _, c := range q.Where {
			if ok = c.holds(w, r); !ok {
				break
			}
		}
		if ok {
			found = append(found, r)
		}
	}
	return found
}

// Smaller returns searches like q that have less in them.
func (q *Query) Smaller() []*Query {
	var all []*Query
	change := func(f func(*Query)) {
		c := *q
		c.Where, c.Includes, c.Sort = slices.Clone(q.Where), slices.Clone(q.Includes), slices.Clone(q.Sort)
		f(&c)
		all = append(all, &c)
	}
	if len(q.Includes) > 0 {
		change(func(c *Query) { c.Includes = nil })
	}
	if len(q.Includes) > 1 {
		for i := range q.Includes {
			change(func(c *Query) { c.Includes = slices.Delete(c.Includes, i, i+1) })
		}
	}
	for i := range q.Sort {
		change(func(c *Query) { c.Sort = slices.Delete(c.Sort, i, i+1) })
	}
	if q.Total {
		change(func(c *Query) { c.Total = false })
	}
	if q.Count != 1000 {
		change(func(c *Query) { c.Count = 1000 })
	}
	if q.Within != "" {
		change(func(c *Query) { c.Within = "" })
	}
	for i := range q.Where {
		change(func(c *Query) { c.Where = slices.Delete(c.Where, i, i+1) })
	}
	for i := range q.Where {
		for _, s := range q.Where[i].smaller() {
			change(func(c *Query) { c.Where[i] = s })
		}
	}
	return all
}

// escape writes text so that it is one part of a value.
//
// See https://hl7.org/fhir/R4/search.html#escaping.
func escape(text string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `|`, `\|`, `$`, `\$`).Replace(text)
}
