package naive

import (
	"slices"
	"strings"
)

// want is one value that a query asks for.
type want interface {
	text() string // as it stands in the query, escaped
	matches(w *World, c *Test, v value) bool
}

// Test compares the values of a parameter with those that are asked for: it holds
// when any of one matches any of the other.
type Test struct {
	Param    *Param
	Modifier string
	Wants    []want
}

// Pair implements Cond.
func (c *Test) Pair() (name, value string) {
	name = c.Param.Code
	if c.Modifier != "" {
		name += ":" + c.Modifier
	}
	var all []string
	for _, w := range c.Wants {
		all = append(all, w.text())
	}
	return name, strings.Join(all, ",")
}

func (c *Test) holds(w *World, r *Resource) bool {
	any := slices.ContainsFunc(w.values(r, c.Param), func(v value) bool {
		return slices.ContainsFunc(c.Wants, func(x want) bool { return x.matches(w, c, v) })
	})
	return any != (c.Modifier == "not" || c.Modifier == "not-in")
}

func (c *Test) smaller() []Cond {
	var all []Cond
	if len(c.Wants) > 1 {
		for i := range c.Wants {
			all = append(all, &Test{c.Param, c.Modifier, []want{c.Wants[i]}})
		}
	}
	return all
}

// Missing holds when the parameter has no value, or when it has one.
type Missing struct {
	Param *Param
	Is    bool
}

// Pair implements Cond.
func (c *Missing) Pair() (name, value string) {
	return c.Param.Code + ":missing", map[bool]string{true: "true", false: "false"}[c.Is]
}

func (c *Missing) holds(w *World, r *Resource) bool {
	return (len(w.values(r, c.Param)) == 0) == c.Is
}

func (c *Missing) smaller() []Cond { return nil }

// IDs holds for resources with one of these ids.
type IDs []string

// Pair implements Cond.
func (c IDs) Pair() (name, value string)       { return "_id", strings.Join(c, ",") }
func (c IDs) holds(_ *World, r *Resource) bool { return slices.Contains(c, r.ID) }
func (c IDs) smaller() []Cond                  { return nil }

// Updated compares when a resource was last changed.
type Updated wantDate

// Pair implements Cond.
func (c Updated) Pair() (name, value string) { return "_lastUpdated", wantDate(c).text() }
func (c Updated) holds(w *World, r *Resource) bool {
	return dateValue{r.Updated, r.Updated + 1}.matches(c.prefix, c.date, w.Now)
}
func (c Updated) smaller() []Cond { return nil }

// InList holds for the resources that a List has as its items.
//
// See https://hl7.org/fhir/R4/search.html#list.
type InList string

// Pair implements Cond.
func (c InList) Pair() (name, value string) { return "_list", string(c) }
func (c InList) holds(w *World, r *Resource) bool {
	list := w.Get("List/" + string(c))
	return list != nil && slices.ContainsFunc(w.values(list, param("List", "item")), func(v value) bool {
		return v.(referenceValue).local == r.Ref()
	})
}
func (c InList) smaller() []Cond { return nil }

// Chain holds when r refers to a resource for which Next holds. Without a Type it
// may be of any that has the parameter.
//
// See https://hl7.org/fhir/R4/search.html#chaining.
type Chain struct {
	Param *Param
	Type  string
	Nexts map[string]Cond // by the type that is referred to, each with the same Pair
}

// Pair implements Cond.
func (c *Chain) Pair() (name, value string) {
	name = c.Param.Code
	if c.Type != "" {
		name += ":" + c.Type
	}
	for _, next := range c.Nexts {
		n, v := next.Pair()
		return name + "." + n, v
	}
	panic("a chain to nowhere")
}

func (c *Chain) holds(w *World, r *Resource) bool {
	return slices.ContainsFunc(w.values(r, c.Param), func(v value) bool {
		target := w.Get(v.(referenceValue).local)
		if target == nil || c.Type != "" && target.Type != c.Type {
			return false
		}
		next := c.Nexts[target.Type]
		return next != nil && next.holds(w, target)
	})
}

func (c *Chain) smaller() []Cond {
	var all []Cond
	if c.Type == "" {
		return nil
	}
	for _, s := range c.Nexts[c.Type].smaller() {
		all = append(all, &Chain{c.Param, c.Type, map[string]Cond{c.Type: s}})
	}
	return all
}

// Has holds when a resource of type Source for which Next holds refers to r.
//
// See https://hl7.org/fhir/R4/search.html#has.
type Has struct {
	Source string
	Param  *Param
	Next   Cond
}

// Pair implements Cond.
func (c *Has) Pair() (name, value string) {
	n, v := c.Next.Pair()
	return "_has:" + c.Source + ":" + c.Param.Code + ":" + n, v
}

func (c *Has) holds(w *World, r *Resource) bool {
	return slices.ContainsFunc(w.referring(c.Source, c.Param, r), func(s *Resource) bool { return c.Next.holds(w, s) })
}

func (c *Has) smaller() []Cond {
	var all []Cond
	for _, s := range c.Next.smaller() {
		all = append(all, &Has{c.Source, c.Param, s})
	}
	return all
}

// referring returns the resources of type source that refer to r by p.
func (w *World) referring(source string, p *Param, r *Resource) []*Resource {
	index := w.back[p]
	if index == nil {
		index = map[string][]*Resource{}
		for _, s := range w.byType[source] {
			for _, v := range w.values(s, p) {
				if to := v.(referenceValue).local; to != "" && !slices.Contains(index[to], s) {
					index[to] = append(index[to], s)
				}
			}
		}
		w.back[p] = index
	}
	return index[r.Ref()]
}
