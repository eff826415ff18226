package main

import (
	"bytes"
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/rights"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// What is about several patients, such as a Group, a List of results or a CareTeam, is
// shown although one of them is hidden from the caller, since it belongs to the others and
// to who keeps it. The items that name who is hidden, or what is theirs, are left out of
// every answer, and such a resource is not found by them.

// withhold leaves out of resources what a restriction hides of others, in place.
func (o *opened) withhold(ctx context.Context, only *search.Restriction, resources ...[]fhir.Resource) error {
	by, ok := hidingOf(only)
	if !ok || fhir.IsWhole(ctx) {
		return nil
	}
	var some []*partly
	ids, known := map[string][]string{}, map[fhir.Ref]bool{} // by type
	for _, list := range resources {
		for i := range list {
			if s := o.shared(&list[i]); s != nil {
				some = append(some, s)
				for _, ref := range s.refs {
					if !known[ref] {
						known[ref] = true
						ids[ref.Type] = append(ids[ref.Type], ref.ID)
					}
				}
			}
		}
	}
	hidden, err := o.hiddenOf(ctx, only, by, ids)
	if err != nil {
		return err
	}
	for _, s := range some {
		refused, err := o.refusedBy(ctx, only, s, hidden)
		if err != nil {
			return err
		}
		if len(hidden) == 0 && len(refused) == 0 {
			continue
		}
		json, err := rights.Without(s.resource.JSON, o.indexing.Base, true, func(ref fhir.Ref) bool {
			return hidden[ref.Current()] || refused[ref.Current()]
		})
		if err != nil {
			return err
		}
		s.resource.JSON = json
	}
	return nil
}

// withheld is withhold for one list.
func (o *opened) withheld(ctx context.Context, only *search.Restriction, resources []fhir.Resource) error {
	return o.withhold(ctx, only, resources)
}

// hiding is by what a restriction hides records.
type hiding struct {
	label    int64             // of what is blocked; 0 when blocks hide nothing
	consents *search.Consented // of any type; nil when consents hide nothing
}

// hidingOf returns by what a restriction hides records; ok is false when it hides none by
// a block or a consent.
func hidingOf(only *search.Restriction) (by hiding, ok bool) {
	if only.Open() {
		return by, false
	}
	for _, where := range only.Given() {
		for _, e := range where {
			switch e := e.(type) {
			case search.Unblocked:
				by.label = e.Label
			case search.Consented:
				by.consents = &e
			}
		}
		if by.label != 0 && by.consents != nil {
			return by, true
		}
	}
	return by, by.label != 0 || by.consents != nil
}

// shows returns the conditions under which resources of a type are not hidden from who may
// not ask for that type, and is named them all the same.
func (by *hiding) shows(typ string) (where search.And) {
	if params := search.OfRecords(typ); by.label != 0 && len(params) > 0 {
		where = append(where, search.Unblocked{Params: params, Through: search.ThroughParams(typ), Label: by.label})
	}
	params := search.BoundParams(typ)
	if typ == "Patient" {
		params = nil
	}
	if c := by.consents; c != nil && (typ == "Patient" || len(params) > 0) {
		where = append(where, search.Consented{
			Self: typ == "Patient", Params: params, Through: search.ThroughParams(typ), Needed: c.Needed, Facts: c.Facts, Class: search.Fact(search.FactClass, typ),
		})
	}
	return where
}

// ofMembers returns the condition of a restriction on whom a Group names.
func ofMembers(only *search.Restriction) (search.Consented, bool) {
	where, _ := only.Of("Group")
	for _, e := range where {
		if c, ok := e.(search.Consented); ok && c.OfMembers() {
			return c, true
		}
	}
	return search.Consented{}, false
}

// refusedBy returns the members of a Group, other than those who are hidden, whose consents
// refuse that they be named in it.
func (o *opened) refusedBy(ctx context.Context, only *search.Restriction, s *partly, hidden map[fhir.Ref]bool) (map[fhir.Ref]bool, error) {
	c, ok := ofMembers(only)
	if !ok || s.resource.Ref.Type != "Group" {
		return nil, nil
	}
	ix, err := o.indexer()(s.resource)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, ref := range s.refs {
		if ref.Type == "Patient" && !hidden[ref.Current()] {
			ids = append(ids, ref.ID)
		}
	}
	refused := map[fhir.Ref]bool{}
	return refused, o.notOf(ctx, "Patient", ids, c.Member(ix.Tokens), refused)
}

// notOf adds to found those of some resources, given as ids of a type, for which a condition
// does not hold.
func (o *opened) notOf(ctx context.Context, typ string, ids []string, shows search.Expr, found map[fhir.Ref]bool) error {
	for some := range slices.Chunk(ids, 500) {
		page, err := o.engine.Search(ctx, &search.Query{
			Type: typ, Where: []search.Expr{search.IDs{Any: some}, search.Not{X: shows}}, Count: len(some), Restriction: search.Unrestricted,
		})
		if err != nil {
			return err
		}
		for i := range page.Matches {
			found[page.Matches[i].Ref.Current()] = true
		}
	}
	return nil
}

// partly is a resource that may name others than those whom it is about.
type partly struct {
	resource *fhir.Resource
	refs     []fhir.Ref // that may be hidden
}

// subjectNames are the elements in which resources name whom they are about.
var subjectNames = [][]byte{[]byte(`"subject"`), []byte(`"patient"`), []byte(`"for"`), []byte(`"beneficiary"`), []byte(`"individual"`)}

// shared returns what has to be looked at of a resource; nil for nothing, which is told
// from most without parsing them: what is shown and names one patient, as its subject, is
// about that patient.
func (o *opened) shared(r *fhir.Resource) *partly {
	typ := r.Ref.Type
	if len(r.JSON) == 0 || typ == "Binary" || typ == "Bundle" {
		return nil
	}
	first, more := patientsIn(r)
	subject := slices.ContainsFunc(subjectNames, func(name []byte) bool { return bytes.Contains(r.JSON, name) })
	if !more && (first == nil && !search.Tied(typ) || subject && typ != "Group" && !bytes.Contains(r.JSON, []byte(`"contained"`))) {
		return nil
	}
	doc, err := element.Parse(r.JSON)
	if err != nil {
		return nil
	}
	refs := slices.DeleteFunc(rights.References(doc, o.indexing.Base), func(ref fhir.Ref) bool {
		if ref.Type == "Patient" {
			return typ == "Patient" && ref.ID == r.Ref.ID
		}
		return subject || !search.Ties(ref.Type)
	})
	if len(refs) == 0 {
		return nil
	}
	return &partly{r, refs}
}

// patientsIn returns an id of a Patient to whom a resource refers, and whether there is
// another one.
func patientsIn(r *fhir.Resource) (first []byte, more bool) {
	text := r.JSON
	for {
		at := bytes.Index(text, []byte("Patient/"))
		if at < 0 {
			return first, false
		}
		text = text[at+len("Patient/"):]
		end := bytes.IndexAny(text, `"/`)
		if end < 0 {
			return first, false
		}
		id := text[:end]
		switch {
		case r.Ref.Type == "Patient" && string(id) == r.Ref.ID:
		case first == nil:
			first = id
			if r.Ref.Type == "Patient" {
				return first, true // besides themselves
			}
		case !bytes.Equal(first, id):
			return first, true
		}
	}
}

// hiddenOf returns those of some resources, given as ids by type, that are kept from the
// caller by a block or a consent.
func (o *opened) hiddenOf(ctx context.Context, only *search.Restriction, by hiding, ids map[string][]string) (map[fhir.Ref]bool, error) {
	hidden := map[fhir.Ref]bool{}
	for typ, list := range ids {
		var shows search.And
		where, listed := only.Of(typ)
		if !listed {
			where = by.shows(typ)
		}
		for _, e := range where {
			switch e.(type) {
			case search.Unblocked, search.Consented:
				shows = append(shows, e)
			}
		}
		if p := spec.Param("", "_security"); typ == "Patient" && by.label != 0 {
			label := search.Match{Param: p, Compared: p.Type, Values: []search.Value{{Raw: blockedLabel.Code, Tokens: []int64{by.label}}}}
			shows = append(shows, search.Not{X: label})
		}
		if len(shows) == 0 {
			continue
		}
		if err := o.notOf(ctx, typ, list, shows, hidden); err != nil {
			return nil, err
		}
	}
	return hidden, nil
}

// unfound returns a query that does not find what is about several patients by one who
// is hidden: that they are a member of a Group is shown to nobody either.
func (o *opened) unfound(ctx context.Context, q *search.Query) (*search.Query, error) {
	if q.Type == "" {
		return q, nil
	}
	by, ok := hidingOf(q.Restriction)
	if !ok {
		return q, nil
	}
	bound := search.OfRecords(q.Type) // by these, what is hidden is not found anyway
	var ids []string
	each := func(e search.Expr) search.Expr {
		if m, ok := e.(search.Match); ok && !slices.Contains(bound, m.Param) {
			for _, v := range m.Values {
				for _, ref := range v.Refs {
					if ref.Type == "Patient" && !slices.Contains(ids, ref.ID) {
						ids = append(ids, ref.ID)
					}
				}
			}
		}
		return e
	}
	for _, e := range q.Where {
		rewrite(e, each)
	}
	if len(ids) == 0 {
		return q, nil
	}
	hidden, err := o.hiddenOf(ctx, q.Restriction, by, map[string][]string{"Patient": ids})
	if err == nil && q.Type == "Group" {
		err = o.notInGroups(ctx, q.Restriction, ids, hidden)
	}
	if err != nil || len(hidden) == 0 {
		return q, err
	}
	out := *q
	out.Where = nil
	for _, e := range q.Where {
		out.Where = append(out.Where, rewrite(e, func(e search.Expr) search.Expr {
			m, ok := e.(search.Match)
			if !ok || slices.Contains(bound, m.Param) {
				return e
			}
			return without(m, hidden)
		}))
	}
	return &out, nil
}

// concealed reports whether a patient is hidden under a restriction from what is about
// others as well, and whether from Groups.
func (o *opened) concealed(ctx context.Context, only *search.Restriction, patient string) (hidden, inGroups bool, err error) {
	by, ok := hidingOf(only)
	if !ok {
		return false, false, nil
	}
	ref, ids := fhir.Ref{Type: "Patient", ID: patient}, []string{patient}
	found, err := o.hiddenOf(ctx, only, by, map[string][]string{"Patient": ids})
	if err != nil || found[ref] {
		return true, true, err
	}
	err = o.notInGroups(ctx, only, ids, found)
	return false, found[ref], err
}

// notInGroups adds to found those of some patients whom no Group may name.
func (o *opened) notInGroups(ctx context.Context, only *search.Restriction, ids []string, found map[fhir.Ref]bool) error {
	c, ok := ofMembers(only)
	if !ok {
		return nil
	}
	// Which labels the Groups have is not known: a search must not tell, whichever it is.
	err := o.notOf(ctx, "Patient", ids, c.Member(nil), found)
	if err == nil {
		err = o.notOf(ctx, "Patient", ids, c.Member(search.Confidential()), found)
	}
	return err
}

// without returns a condition on a reference that is never met by those who are hidden.
func without(m search.Match, hidden map[fhir.Ref]bool) search.Expr {
	var values []search.Value
	for _, v := range m.Values {
		refs := slices.DeleteFunc(slices.Clone(v.Refs), func(ref fhir.Ref) bool { return hidden[ref.Current()] })
		if len(refs) < len(v.Refs) && len(refs) == 0 && len(v.Tokens) == 0 {
			continue
		}
		v.Refs = refs
		values = append(values, v)
	}
	if len(values) == 0 && len(m.Values) > 0 {
		return search.Or{} // which never holds
	}
	m.Values = values
	return m
}

// rewrite returns e with what f makes of the conditions in it that are about one
// parameter of the resource itself.
func rewrite(e search.Expr, f func(search.Expr) search.Expr) search.Expr {
	switch e := e.(type) {
	case search.And:
		out := make(search.And, len(e))
		for i := range e {
			out[i] = rewrite(e[i], f)
		}
		return out
	case search.Or:
		out := make(search.Or, len(e))
		for i := range e {
			out[i] = rewrite(e[i], f)
		}
		return out
	case search.Not:
		return search.Not{X: rewrite(e.X, f)}
	}
	return f(e)
}
