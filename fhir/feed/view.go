package feed

import (
	"context"
	"slices"
	"strings"
	"sync"
	"weak"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// view is what a caller may see of a scope.
type view struct {
	*asked
	call   *operation.Call
	only   *search.Restriction // what the caller may see, within the scope
	listed []string            // types that there can be any of, once they were asked for
	gone   bool                // what bounded the copy is not there any more
	day    string              // on which it was worked out
	end    fhir.Mark           // all changes up to it were known before it was worked out
	rights string              // what stands for all that the set of visible resources depends on beside what is stored

	group   fhir.Ref                                       // of the scope; zero for none
	members []string                                       // patients of the group, or the one patient; nil where the scope is not a list of them
	hidden  func(param *spec.SearchParam, typ string) bool // by which references the patient of the scope is not found; nil for none
	orgs    []fhir.Ref                                     // of the scope
	deps    *deps
	ofOrgs  map[*spec.SearchParam]search.Expr // see ofOrg

	kept *copied // what is kept of the copy, if it was just read
}

// view works out what a caller may see within the scope they ask for.
// Errors: fhir.NotFound for a Group or Organization that they may not see.
func (f *Feed) view(ctx context.Context, call *operation.Call, a *asked) (*view, error) {
	v := &view{asked: a, call: call, day: f.today()}
	var err error
	switch a.scope {
	case "patient":
		id := strings.TrimPrefix(a.value, "Patient/")
		if !fhir.ValidID(id) {
			return nil, wrong(a.scope, a.value, "it is the id of a patient")
		}
		v.members = []string{id}
		err = f.conceal(ctx, v, id)
	case "group":
		err = f.panel(ctx, v)
	case "organization", "facility":
		err = f.establishment(ctx, v)
	}
	v.rights = f.rights.of(v)
	if v.since != "" && fhir.CodeOf(err) == fhir.NotFound {
		// What bounded the copy was deleted, or may not be seen any more. So may nothing
		// that was in it; should it come back, the copy begins anew.
		v.rights += " gone"
		v.gone, v.only = true, &search.Restriction{}
		v.deps = dependencies(v)
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	f.restrict(v)
	return v, nil
}

// one returns the one resource that a search of what the caller may see finds.
func (f *Feed) one(ctx context.Context, v *view, typ string, where ...search.Expr) (*fhir.Resource, error) {
	found, err := f.Inside.Search(ctx, &search.Query{Type: typ, Where: where, Count: 2, Restriction: v.call.Restriction})
	if err != nil {
		return nil, err
	}
	if len(found.Matches) != 1 {
		return nil, fhir.Errorf(fhir.NotFound, "there is no such %s that you may see", typ)
	}
	return &found.Matches[0], nil
}

// panel reads the Group that bounds the scope: its present members that are patients.
func (f *Feed) panel(ctx context.Context, v *view) error {
	id := strings.TrimPrefix(v.value, "Group/")
	if !fhir.ValidID(id) {
		return wrong(v.scope, v.value, "it is the id of a Group")
	}
	g, err := f.one(ctx, v, "Group", search.IDs{Any: []string{id}})
	if err != nil {
		return err
	}
	v.group = g.Ref.Current()
	v.members, err = members(g.JSON, v.day)
	return err
}

// members returns the patients who are members of a Group today.
func members(json []byte, today string) ([]string, error) {
	doc, err := element.Parse(json)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	list := doc.Get(0, "member")
	if list == element.None {
		return ids, nil
	}
	for m := doc.First(list); m != element.None; m = doc.Next(list, m) {
		if n := doc.Get(m, "inactive"); n != element.None && doc.Kind(n) == element.True {
			continue
		}
		if p := doc.Get(m, "period"); p != element.None && !within(text(doc, p, "start"), text(doc, p, "end"), today) {
			continue
		}
		if e := doc.Get(m, "entity"); e != element.None {
			if ref, ok := fhir.ParseRef(text(doc, e, "reference")); ok && ref.Type == "Patient" {
				ids = append(ids, ref.ID)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// within reports whether a day is between the dates of a Period, as far as they say.
func within(start, end, today string) bool {
	up := func(s string) string { return s[:min(len(s), len(today))] }
	return (start == "" || up(start) <= today[:len(up(start))]) && (end == "" || up(end) >= today[:len(up(end))])
}

func text(doc *element.Doc, n element.Node, name string) string {
	if doc.Kind(n) != element.Object {
		return ""
	}
	if m := doc.Get(n, name); m != element.None && doc.Kind(m) == element.String {
		return doc.Text(m)
	}
	return ""
}

// establishment finds the Organization that bounds the scope. Where only Organizations
// themselves decide which of them may be seen, it is remembered until one is written.
func (f *Feed) establishment(ctx context.Context, v *view) error {
	all := []uint64{fhir.Ref{Type: "Organization"}.Hash()}
	plain := plainly(v.call.Restriction, "Organization")
	key := rightsKey{weak.Make(v.call.Restriction), v.value}
	end, err := f.Changes.End(ctx)
	if err != nil {
		return err
	}
	if known, ok := f.places.get(key); ok && plain && !f.Changes.Touched(known.mark, all) {
		v.orgs = []fhir.Ref{known.org}
		return nil
	}
	if err := f.findEstablishment(ctx, v); err != nil {
		return err
	}
	if plain {
		f.places.put(key, place{end, v.orgs[0]})
	}
	return nil
}

// plainly reports whether which resources of a type may be seen follows from what each
// holds.
func plainly(r *search.Restriction, typ string) bool {
	where, _ := r.Of(typ)
	return !slices.ContainsFunc(where, func(e search.Expr) bool {
		if not, ok := e.(search.Not); ok {
			e = not.X
		}
		_, match := e.(search.Match)
		return !match
	})
}

// places remembers establishments that bound scopes.
type places struct {
	mu  sync.Mutex
	all map[rightsKey]place
}

type place struct {
	mark fhir.Mark // all changes up to it had been seen
	org  fhir.Ref
}

func (p *places) get(key rightsKey) (place, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one, ok := p.all[key]
	return one, ok
}

func (p *places) put(key rightsKey, one place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil || len(p.all) > maxRecent {
		p.all = map[rightsKey]place{}
	}
	p.all[key] = one
}

// findEstablishment finds it by its id, or by an identifier such as its CLUES.
func (f *Feed) findEstablishment(ctx context.Context, v *view) error {
	id := strings.TrimPrefix(v.value, "Organization/")
	if fhir.ValidID(id) {
		o, err := f.one(ctx, v, "Organization", search.IDs{Any: []string{id}})
		if err == nil {
			v.orgs = []fhir.Ref{o.Ref.Current()}
		}
		if err == nil || fhir.CodeOf(err) != fhir.NotFound {
			return err
		}
	}
	q, err := search.Parse("Organization", []search.Param{{Name: "identifier", Value: v.value}}, search.Options{Base: v.call.Base})
	if err != nil {
		return wrong(v.scope, v.value, "it is the id of an Organization, or an identifier of it such as its CLUES")
	}
	o, err := f.one(ctx, v, "Organization", q.Where...)
	if err == nil {
		v.orgs = []fhir.Ref{o.Ref.Current()}
	}
	return err
}

// restrict puts the scope into the restriction. What it comes to for a type is worked out
// when it is asked for: a poll asks for few.
func (f *Feed) restrict(v *view) {
	given := v.call.Restriction
	type narrowed struct {
		more search.Expr
		ok   bool
	}
	known := map[string]narrowed{}
	v.only = &search.Restriction{Base: given, Refs: v.refs(), Narrow: func(typ string) (search.Expr, bool) {
		n, again := known[typ]
		if !again {
			if v.asks(typ) {
				n.more, n.ok = v.within(typ)
			}
			known[typ] = n
		}
		return n.more, n.ok
	}}
	v.deps = f.shapes.dependencies(v)
	if given.Open() && v.scope == "" && v.asked.types == nil {
		v.deps.rules = nil // nothing that is stored decides on anything
	}
}

// asks reports whether the client asks for resources of a type.
func (v *view) asks(typ string) bool {
	return !v.gone && typ != "AuditEvent" && (v.asked.types == nil || slices.Contains(v.asked.types, typ))
}

// can reports whether the caller can see resources of a type, whatever the scope has now.
func (v *view) can(typ string) bool {
	_, listed := v.call.Restriction.Of(typ)
	return (listed || v.call.Restriction.Open()) && v.asks(typ)
}

// types returns the types that there can be any of, in their order.
func (v *view) types() []string {
	if v.listed == nil {
		v.listed = []string{}
		for typ := range v.only.All() {
			v.listed = append(v.listed, typ)
		}
		slices.Sort(v.listed)
	}
	return v.listed
}

// refs returns what the conditions of the scope refer to.
func (v *view) refs() []fhir.Ref {
	all := slices.Clone(v.orgs)
	for _, id := range v.members {
		all = append(all, fhir.Ref{Type: "Patient", ID: id})
	}
	return all
}

// within returns the condition that a resource of type typ is in the scope, nil when
// all are, and whether any can be.
func (v *view) within(typ string) (search.Expr, bool) {
	switch v.scope {
	case "":
		return nil, true
	case "patient", "group":
		if typ == "Group" && v.group.ID != "" {
			return search.IDs{Any: []string{v.group.ID}}, true
		}
		if len(v.members) == 0 {
			return nil, false
		}
		in := search.Patients(v.members, typ)
		if in != nil {
			in = v.found(in, typ)
		}
		return in, in != nil
	}
	return v.atEstablishment(typ)
}

// orgParams are the references by which a resource belongs to an establishment.
var orgParams = []string{"organization", "service-provider", "owner", "managing-organization"}

// orgParam returns the one that resources of a type have, or nil.
func orgParam(typ string) *spec.SearchParam {
	for _, code := range orgParams {
		if p := spec.Param(typ, code); p != nil && p.Type == spec.Reference && slices.Contains(p.Targets, "Organization") {
			return p
		}
	}
	return nil
}

// atEstablishment returns the condition that a resource is that of an establishment: it
// says so itself, or its patient or its encounter does.
func (v *view) atEstablishment(typ string) (search.Expr, bool) {
	var any search.Or
	if typ == "Organization" {
		any = append(any, search.IDs{Any: []string{v.orgs[0].ID}})
	}
	for _, l := range belongings()[typ] {
		if l.target == "" {
			any = append(any, v.ofOrg(l.param))
		} else {
			any = append(any, search.Chain{Param: l.param, Types: []string{l.target}, Next: v.ofOrg(orgParam(l.target))})
		}
	}
	return any, len(any) > 0
}

// belonging is a reference by which a resource belongs to an establishment: to it, or to
// a resource of type target that does.
type belonging struct {
	param  *spec.SearchParam
	target string
}

// belongings returns those of all types.
var belongings = sync.OnceValue(func() map[string][]belonging {
	all := map[string][]belonging{}
	for _, typ := range spec.Resources() {
		if p := orgParam(typ); p != nil {
			all[typ] = append(all[typ], belonging{p, ""})
		}
		for _, via := range []struct{ code, target string }{{"patient", "Patient"}, {"subject", "Patient"}, {"encounter", "Encounter"}} {
			p := spec.Param(typ, via.code)
			if p == nil || p.Type != spec.Reference || !slices.Contains(p.Targets, via.target) || via.code == "subject" && spec.Param(typ, "patient") != nil {
				continue
			}
			all[typ] = append(all[typ], belonging{p, via.target})
		}
	}
	return all
})

// ofOrg returns the condition that a resource refers to the establishment by p; the same
// one each time, since most types ask it.
func (v *view) ofOrg(p *spec.SearchParam) search.Expr {
	if known, ok := v.ofOrgs[p]; ok {
		return known
	}
	m := search.Match{Param: p, Compared: p.Type}
	for _, ref := range v.orgs {
		m.Values = append(m.Values, search.Value{Raw: ref.String(), Refs: []fhir.Ref{ref}})
	}
	if v.ofOrgs == nil {
		v.ofOrgs = map[*spec.SearchParam]search.Expr{}
	}
	v.ofOrgs[p] = m
	return m
}
