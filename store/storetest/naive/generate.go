package naive

import (
	"math/rand/v2"
	"slices"
)

// Generator makes up searches about a World: their values are drawn from its
// resources, and changed a little at times, so that they find something more often
// than not.
type Generator struct {
	World *World
	Rand  *rand.Rand
}

func pick[T any](g *Generator, of []T) T { return of[g.Rand.IntN(len(of))] }

// oneIn is true once in n times.
func (g *Generator) oneIn(n int) bool { return g.Rand.IntN(n) == 0 }

// Query makes up a search. Count is for the caller to choose.
func (g *Generator) Query() *Query {
	q := &Query{Type: g.typ(), Count: 1000, Total: g.oneIn(3)}
	anchor := pick(g, g.World.of(q.Type))
	if g.oneIn(12) {
		g.within(q)
	}
	if g.oneIn(25) && q.Within == "" {
		return g.everyType(anchor)
	}
	for range []int{1, 1, 1, 2, 2, 3}[g.Rand.IntN(6)] {
		if c := g.cond(q.Type, anchor, 0); c != nil {
			q.Where = append(q.Where, c)
		}
	}
	if g.oneIn(3) {
		q.Sort = g.order(q.Type)
	}
	if g.oneIn(6) {
		q.Includes = g.includes(q.Type)
	}
	return q
}

// types that searches are about, the commonest several times.
var askedTypes = []string{
	"Patient", "Patient", "Patient", "Observation", "Observation", "Observation", "Observation", "Encounter", "Encounter",
	"Condition", "Condition", "Immunization", "MedicationRequest", "Procedure", "DiagnosticReport", "Practitioner",
	"Organization", "Location", "AllergyIntolerance", "Appointment", "RelatedPerson", "RiskAssessment", "Claim", "List",
	"ValueSet", "PractitionerRole", "CarePlan",
}

func (g *Generator) typ() string {
	for {
		if typ := pick(g, askedTypes); len(g.World.of(typ)) > 0 {
			return typ
		}
	}
}

// within puts a search into the compartment of a patient.
func (g *Generator) within(q *Query) {
	if compartments[q.Type] != nil && len(g.World.of("Patient")) > 0 {
		q.Within = pick(g, g.World.of("Patient")).Ref()
	}
}

// everyType makes up a search of all types.
func (g *Generator) everyType(anchor *Resource) *Query {
	q := &Query{Count: 1000, Types: []string{anchor.Type}}
	for range g.Rand.IntN(3) {
		if typ := g.typ(); !slices.Contains(q.Types, typ) {
			q.Types = append(q.Types, typ)
		}
	}
	switch g.Rand.IntN(3) {
	case 0:
		q.Where = []Cond{g.ids(anchor)}
	case 1:
		if c := g.test(pick(g, params[""]), anchor); c != nil {
			q.Where = []Cond{c}
		}
	case 2:
		q.Where = []Cond{g.updated(anchor)}
	}
	return q
}

func (g *Generator) ids(anchor *Resource) Cond {
	ids := IDs{anchor.ID}
	for range g.Rand.IntN(3) {
		ids = append(ids, pick(g, g.World.of(anchor.Type)).ID)
	}
	if g.oneIn(4) {
		ids = append(ids, "nobody")
	}
	return ids
}

func (g *Generator) updated(anchor *Resource) Cond {
	return Updated(g.date(dateValue{anchor.Updated, anchor.Updated + 1}))
}

// cond makes up a condition on resources of a type that probably holds for anchor.
// depth counts the references followed to get there.
func (g *Generator) cond(typ string, anchor *Resource, depth int) Cond {
	switch n := g.Rand.IntN(100); {
	case n < 3:
		return g.ids(anchor)
	case n < 5:
		return g.updated(anchor)
	case n < 7 && depth == 0:
		if lists := g.World.of("List"); len(lists) > 0 {
			return InList(pick(g, lists).ID)
		}
	case n < 25 && depth < 3:
		return g.chain(typ, anchor, depth)
	case n < 37 && depth < 3:
		return g.has(typ, anchor, depth)
	}
	all := paramsOf(typ)
	for range 8 {
		p := pick(g, all)
		if g.oneIn(12) {
			return &Missing{p, g.oneIn(2)}
		}
		if c := g.test(p, anchor); c != nil {
			return c
		}
	}
	return nil
}

// chain makes up a condition on what anchor refers to.
func (g *Generator) chain(typ string, anchor *Resource, depth int) Cond {
	for range 10 {
		p := pick(g, paramsOf(typ))
		if p.Kind != "reference" {
			continue
		}
		for _, v := range g.World.values(anchor, p) {
			target := g.World.Get(v.(referenceValue).local)
			if target == nil || !p.may(target.Type) {
				continue
			}
			next := g.cond(target.Type, target, depth+1)
			if next == nil {
				return nil
			}
			c := &Chain{Param: p, Type: target.Type, Nexts: map[string]Cond{target.Type: next}}
			if len(p.Targets) == 1 && g.oneIn(2) || g.oneIn(3) {
				g.untype(c, next)
			}
			return c
		}
	}
	return nil
}

// untype lets a chain lead to every type that has its next parameter.
func (g *Generator) untype(c *Chain, next Cond) {
	if len(c.Param.Targets) == 0 {
		return // the table does not have all types
	}
	nexts := map[string]Cond{}
	for _, typ := range resourceTypes {
		if !c.Param.may(typ) {
			continue
		}
		n, clash := translate(next, typ)
		if clash {
			return // the same name means another kind of parameter there
		}
		if n != nil {
			nexts[typ] = n
		}
	}
	c.Type, c.Nexts = "", nexts
}

// translate returns c as a condition on another type; nil when that has no such
// parameter.
func translate(c Cond, typ string) (other Cond, clash bool) {
	same := func(p *Param) *Param {
		q := param(typ, p.Code)
		if q == nil || q.Kind != p.Kind || q.Kind == "composite" {
			clash = clash || q != nil
			return nil
		}
		return q
	}
	switch c := c.(type) {
	case *Test:
		if p := same(c.Param); p != nil {
			if p.Kind == "reference" && c.Modifier != "" && !p.may(c.Modifier) {
				return nil, false
			}
			return &Test{p, c.Modifier, c.Wants}, false
		}
	case *Missing:
		if p := same(c.Param); p != nil {
			return &Missing{p, c.Is}, false
		}
	case *Chain:
		return nil, true // one that leads on is left typed
	case *Has:
		if c.Param.may(typ) {
			return c, false
		}
	default:
		return c, false
	}
	return nil, clash
}

// has makes up a condition on what refers to anchor.
func (g *Generator) has(typ string, anchor *Resource, depth int) Cond {
	for range 12 {
		source := pick(g, askedTypes)
		p := pick(g, paramsOf(source))
		if p.Kind != "reference" || !p.may(typ) || len(g.World.of(source)) == 0 {
			continue
		}
		from := g.World.referring(source, p, anchor)
		if len(from) == 0 && !g.oneIn(6) {
			continue
		}
		s := pick(g, append(slices.Clone(from), pick(g, g.World.of(source))))
		if next := g.cond(source, s, depth+1); next != nil {
			return &Has{source, p, next}
		}
	}
	return nil
}

// order makes up one to three keys.
func (g *Generator) order(typ string) []Key {
	var keys []Key
	seen := map[string]bool{}
	for range 1 + g.Rand.IntN(3) {
		k := Key{Desc: g.oneIn(2)}
		switch n := g.Rand.IntN(10); {
		case n == 0:
			k.Field = "_id"
		case n == 1:
			k.Field = "_lastUpdated"
		default:
			if k.Param = pick(g, params[typ]); !sortable(k.Param) {
				continue
			}
		}
		if name := (Key{k.Param, k.Field, false}).String(); !seen[name] {
			seen[name] = true
			keys = append(keys, k)
		}
	}
	return keys
}

// sortable reports whether a server can be asked to sort by p: not by pairs, and not
// by what joins several parameters.
func sortable(p *Param) bool {
	return p.Kind != "composite" && (p.Type != "Observation" || len(p.Code) < 6 || p.Code[:6] != "combo-")
}

// includes makes up what comes with the matches.
func (g *Generator) includes(typ string) []Include {
	var all []Include
	for range 1 + g.Rand.IntN(3) {
		in := Include{Reverse: g.oneIn(2), Source: typ}
		if in.Reverse {
			in.Source = pick(g, askedTypes)
		}
		for _, p := range paramsOf(in.Source) {
			if p.Kind == "reference" && (!in.Reverse || p.may(typ)) {
				in.Params = append(in.Params, p)
			}
		}
		if len(in.Params) == 0 {
			continue
		}
		in.Params = []*Param{pick(g, in.Params)}
		if !in.Reverse && len(in.Params[0].Targets) > 0 && g.oneIn(3) {
			in.Target = pick(g, in.Params[0].Targets)
		}
		in.Iterate = !in.Reverse && g.oneIn(4)
		all = append(all, in)
	}
	return all
}
