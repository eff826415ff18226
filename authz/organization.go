package authz

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// systemCLUES is the system of the identifiers of health establishments.
const systemCLUES = "urn:oid:2.16.840.1.113883.4.631"

// maxLevels is how far up an establishment is followed: unit, jurisdiction, state,
// nation.
const maxLevels = 4

// own is where a caller works: their establishment, and what it is a part of, each
// level above the one before.
type own struct {
	levels      [][]fhir.Ref
	identifiers []string // system|value of all of them
}

// lookUp finds out what the token does not say: where an establishment belongs, and
// for whom a person is responsible.
func (g *Guard) lookUp(ctx context.Context, f *profile) error {
	f.areas = f.Org
	if f.Org != "" {
		if err := g.lookUpOrg(ctx, f); err != nil {
			return err
		}
		f.until = g.Now().Add(profileFor)
	}
	if f.User.Type == "RelatedPerson" {
		if err := g.lookUpWards(ctx, f); err != nil {
			return err
		}
		f.until = g.Now().Add(profileFor)
	}
	return nil
}

func (g *Guard) lookUpOrg(ctx context.Context, f *profile) error {
	f.own.identifiers = []string{systemCLUES + "|" + f.Org}
	q, err := search.Parse("Organization", []search.Param{{Name: "identifier", Value: systemCLUES + "|" + escaped(f.Org)}, {Name: "_count", Value: "10"}}, search.Options{})
	if err != nil {
		return err
	}
	q.Restriction = search.Unrestricted // where somebody works is no secret from the guard
	found, err := g.Store.Search(ctx, q)
	if err != nil {
		return err
	}
	level := found.Matches
	for len(level) > 0 && len(f.own.levels) < maxLevels {
		var refs, parents []fhir.Ref
		for i := range level {
			refs = append(refs, level[i].Ref.Current())
			parent, ids := organization(&level[i])
			if parent.ID != "" && !slices.Contains(parents, parent) {
				parents = append(parents, parent)
			}
			for _, id := range ids {
				if !slices.Contains(f.own.identifiers, id) {
					f.own.identifiers = append(f.own.identifiers, id)
				}
			}
		}
		f.own.levels = append(f.own.levels, refs)
		level = level[:0]
		for _, ref := range parents {
			r, err := g.Store.Read(ctx, ref)
			if err == nil {
				level = append(level, r)
			} else if fhir.CodeOf(err) == 0 {
				return err
			}
		}
	}
	f.areas = f.Org
	for _, refs := range f.own.levels {
		for _, ref := range refs {
			f.areas += " " + ref.ID
		}
	}
	for _, id := range f.own.identifiers {
		_, value, _ := strings.Cut(id, "|")
		if value != f.Org && !strings.ContainsAny(value, " \t\n") {
			f.areas += " " + value
		}
	}
	return nil
}

// escaped keeps the signs of a value from being read as those of a query.
func escaped(s string) string {
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `|`, `\|`, `$`, `\$`).Replace(s)
}

// organization returns what an Organization is part of, and its identifiers.
func organization(r *fhir.Resource) (parent fhir.Ref, ids []string) {
	doc, err := element.Parse(r.JSON)
	if err != nil {
		return parent, nil
	}
	if ref := text(doc, doc.Get(0, "partOf"), "reference"); ref != "" {
		if at, ok := fhir.ParseRef(ref); ok && at.Type == "Organization" {
			parent = at.Current()
		}
	}
	list := doc.Get(0, "identifier")
	if list == element.None || doc.Kind(list) != element.Array {
		return parent, nil
	}
	for n := doc.First(list); n != element.None; n = doc.Next(list, n) {
		if value := text(doc, n, "value"); value != "" {
			ids = append(ids, text(doc, n, "system")+"|"+value)
		}
	}
	return parent, ids
}

// text returns the string member of n called name, or "".
func text(doc *element.Doc, n element.Node, name string) string {
	c := doc.Get(n, name)
	if c == element.None || doc.Kind(c) != element.String {
		return ""
	}
	return doc.Text(c)
}

// lookUpWards finds the patient for whom a RelatedPerson is responsible, as long as
// they are.
func (g *Guard) lookUpWards(ctx context.Context, f *profile) error {
	r, err := g.Store.Read(ctx, f.User)
	if err != nil {
		if fhir.CodeOf(err) != 0 {
			return nil // nobody, then
		}
		return err
	}
	doc, err := element.Parse(r.JSON)
	if err != nil {
		return err
	}
	if n := doc.Get(0, "active"); n != element.None && doc.Kind(n) == element.False {
		return nil
	}
	if !within(text(doc, doc.Get(0, "period"), "start"), text(doc, doc.Get(0, "period"), "end"), g.Now()) {
		return nil
	}
	ref, ok := fhir.ParseRef(text(doc, doc.Get(0, "patient"), "reference"))
	if ok && ref.Type == "Patient" && (f.Patient == "" || f.Patient == ref.ID) {
		f.wards = []string{ref.ID}
	}
	return nil
}

// within reports whether now is between the dates of a Period, each of which may be
// missing. The last day counts.
func within(start, end string, now time.Time) bool {
	today := now.UTC().Format(time.DateOnly)
	upTo := func(s string) string { return s[:min(len(s), len(today))] }
	if start != "" && upTo(start) > today[:min(len(start), len(today))] {
		return false
	}
	return end == "" || upTo(end) >= today[:min(len(end), len(today))]
}

// orgParams are the references to the organisation that a resource belongs to.
var orgParams = []string{"organization", "service-provider", "owner", "managing-organization"}

// condition returns the condition that a resource of type typ belongs to the
// caller's establishment, or to one that is under the same establishment so many
// levels above.
func (o *own) condition(typ string, above int) (search.Expr, bool) {
	if len(o.levels) == 0 {
		return nil, false
	}
	above = min(above, len(o.levels)-1)
	top := o.levels[above]
	var any search.Or
	if typ == "Organization" {
		any = append(any, below(top, above))
	}
	if p := orgParam(typ); p != nil {
		any = append(any, leads(p, top, above))
	}
	for _, via := range []struct{ code, target string }{{"patient", "Patient"}, {"subject", "Patient"}, {"encounter", "Encounter"}} {
		p := spec.Param(typ, via.code)
		if p == nil || p.Type != spec.Reference || !slices.Contains(p.Targets, via.target) || via.code == "subject" && spec.Param(typ, "patient") != nil {
			continue
		}
		any = append(any, search.Chain{Param: p, Types: []string{via.target}, Next: leads(orgParam(via.target), top, above)})
	}
	if len(any) == 0 {
		return nil, false
	}
	return anyOf(any), true
}

// orgParam returns the parameter that says to which organisation resources of a type
// belong, or nil.
func orgParam(typ string) *spec.SearchParam {
	for _, code := range orgParams {
		if p := spec.Param(typ, code); p != nil && p.Type == spec.Reference && slices.Contains(p.Targets, "Organization") {
			return p
		}
	}
	return nil
}

// leads returns the condition that p refers to an organisation at most so many
// levels below one of top.
func leads(p *spec.SearchParam, top []fhir.Ref, levels int) search.Expr {
	if levels == 0 {
		return refers(p, top...)
	}
	return search.Chain{Param: p, Types: []string{"Organization"}, Next: below(top, levels)}
}

// below returns the condition that an Organization is one of top, or at most so many
// levels below.
func below(top []fhir.Ref, levels int) search.Expr {
	ids := search.IDs{}
	for _, ref := range top {
		ids.Any = append(ids.Any, ref.ID)
	}
	any := search.Or{ids}
	for n := range levels {
		any = append(any, leads(spec.Param("Organization", "partof"), top, n))
	}
	return anyOf(any)
}
