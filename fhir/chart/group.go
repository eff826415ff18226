package chart

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// groups gathers observations by what they observe. Two are of one group when they
// share a coding, or, without codings, the text; and so are two that share one with
// a third. It takes them newest first, and keeps of each group the first most, with
// those that are as recent as the last of these.
type groups struct {
	most   int
	byName map[string]*group // by coding or text
	count  int
}

type group struct {
	into *group // the group that this one has become part of; nil when it is one still
	kept []dated
}

// dated is an observation with the time that it was made at.
type dated struct {
	fhir.Resource
	order int    // in which it came
	when  string // as written; "" when it does not say
	exact int64  // the same as an instant, once it has been asked for; 0 before
}

func newGroups(most int) *groups { return &groups{most: most, byName: map[string]*group{}} }

// add takes the next observation.
func (g *groups) add(r fhir.Resource) {
	names, when := observed(r.JSON)
	it := dated{Resource: r, order: g.count, when: when}
	g.count++
	var home *group
	for _, name := range names {
		known := g.byName[name].top()
		switch {
		case known == nil || known == home:
		case home == nil:
			home = known
		default:
			g.merge(home, known)
		}
	}
	if home == nil {
		home = &group{}
	}
	for _, name := range names {
		if g.byName[name] == nil {
			g.byName[name] = home
		}
	}
	home.kept = append(home.kept, it)
	g.trim(home)
}

// top returns the group that g is part of now.
func (g *group) top() *group {
	for g != nil && g.into != nil {
		g = g.into
	}
	return g
}

// merge makes b part of a.
func (g *groups) merge(a, b *group) {
	a.kept = append(a.kept, b.kept...)
	b.into, b.kept = a, nil
	slices.SortFunc(a.kept, func(x, y dated) int { return cmp.Compare(x.order, y.order) })
	g.trim(a)
}

// trim drops what a group has too much. What comes later can only be older, and
// never brings back what was dropped.
func (g *groups) trim(a *group) {
	if len(a.kept) <= g.most {
		return
	}
	end := g.most
	last := &a.kept[g.most-1]
	for end < len(a.kept) && last.tied(&a.kept[end]) {
		end++
	}
	clear(a.kept[end:])
	a.kept = a.kept[:end]
}

// kept returns what is left, in the order that it came in.
func (g *groups) kept() []fhir.Resource {
	seen := map[*group]bool{}
	var all []dated
	for _, of := range g.byName {
		if top := of.top(); !seen[top] {
			seen[top] = true
			all = append(all, top.kept...)
		}
	}
	slices.SortFunc(all, func(x, y dated) int { return cmp.Compare(x.order, y.order) })
	out := make([]fhir.Resource, len(all))
	for i := range all {
		out[i] = all[i].Resource
	}
	return out
}

// tied reports whether two observations were made at the same time.
func (d *dated) tied(other *dated) bool {
	if d.when == "" || other.when == "" {
		return false
	}
	return d.when == other.when || d.instant() == other.instant()
}

// instant returns when d was made, in microseconds since 1970 UTC, as the search by
// date understands it.
func (d *dated) instant() int64 {
	if d.exact == 0 {
		q, err := search.Parse("Observation", []search.Param{{Name: "date", Value: "eq" + d.when}}, search.Options{})
		if err == nil {
			if m, ok := q.Where[0].(search.Match); ok {
				d.exact = m.Values[0].Lo
			}
		}
		d.exact = cmp.Or(d.exact, int64(d.order)+1) // what cannot be read is like nothing else
	}
	return d.exact
}

// observed returns what an observation is grouped by, and when it was made.
//
// See https://hl7.org/fhir/R4/observation.html.
func observed(json []byte) (names []string, when string) {
	d, err := element.Parse(json)
	if err != nil {
		return []string{""}, ""
	}
	code := d.Get(0, "code")
	if code != element.None {
		coding := d.Get(code, "coding")
		if coding != element.None && d.Kind(coding) == element.Array {
			for c := d.First(coding); c != element.None; c = d.Next(coding, c) {
				if value := member(d, c, "code"); value != "" {
					names = append(names, member(d, c, "system")+"|"+value)
				}
			}
		}
		if len(names) == 0 {
			names = []string{" " + member(d, code, "text")} // no coding begins with a space
		}
	}
	if len(names) == 0 {
		names = []string{""}
	}
	return names, effective(d)
}

// effective returns when an observation was made: the time that the order by date
// goes by when it is the newest first, the latest there is.
func effective(d *element.Doc) string {
	for n := d.First(0); n != element.None; n = d.Next(0, n) {
		name := string(d.Name(n))
		if !strings.HasPrefix(name, "effective") {
			continue
		}
		switch name {
		case "effectivePeriod":
			return cmp.Or(member(d, n, "start"), member(d, n, "end"))
		case "effectiveTiming":
			return latest(d, d.Get(n, "event"))
		default:
			return d.Text(n)
		}
	}
	return ""
}

// latest returns the last of the events of a Timing.
func latest(d *element.Doc, events element.Node) string {
	last := ""
	if events == element.None || d.Kind(events) != element.Array {
		return last
	}
	for e := d.First(events); e != element.None; e = d.Next(events, e) {
		if text := d.Bytes(e); bytes.Compare(text, []byte(last)) > 0 {
			last = string(text)
		}
	}
	return last
}

func member(d *element.Doc, n element.Node, name string) string {
	if d.Kind(n) != element.Object {
		return ""
	}
	if m := d.Get(n, name); m != element.None && d.Kind(m) == element.String {
		return d.Text(m)
	}
	return ""
}
