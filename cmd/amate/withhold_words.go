package main

import (
	"slices"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// unworded returns a query that does not find by its words what tells of somebody who is
// hidden from the caller. The words are of the whole resource, and of it a part is shown:
// whether "Xóchitl" is in a Group would tell that she is, whatever the answer leaves out.
// So as long as one of those whom it names is hidden, a resource is found neither by
// _text or _content nor by how it calls, or identifies, what it refers to.
func unworded(q *search.Query) *search.Query {
	u := concealing{of: q.Restriction}
	if q.Restriction.Open() || !slices.ContainsFunc(q.Where, u.wordy) || !u.hides() {
		return q
	}
	out := *q
	out.Where = nil
	for _, e := range q.Where {
		out.Where = append(out.Where, u.conceal(e, q.Type))
	}
	return &out
}

// concealing is what a restriction hides patients by.
type concealing struct {
	of      *search.Restriction
	block   *search.Unblocked
	consent *search.Consented
}

// hides looks for a block or a consent in the restriction, and reports whether there is
// any. They are the same for all types, but for what leads to the patients.
func (u *concealing) hides() bool {
	for _, where := range u.of.Given() {
		for _, e := range where {
			switch e := e.(type) {
			case search.Unblocked:
				u.block = &e
			case search.Consented:
				u.consent = &e
			}
		}
	}
	return u.block != nil || u.consent != nil
}

// wordy reports whether a condition asks for words, or there is one below it that does.
func (u *concealing) wordy(e search.Expr) bool {
	switch e := e.(type) {
	case search.And:
		return slices.ContainsFunc(e, u.wordy)
	case search.Or:
		return slices.ContainsFunc(e, u.wordy)
	case search.Not:
		return u.wordy(e.X)
	case search.Chain:
		return u.wordy(e.Next)
	case search.Has:
		return e.Next != nil && u.wordy(e.Next)
	case search.Words:
		return true
	case search.Match:
		return callsPatients(e)
	}
	return false
}

// callsPatients reports whether a condition is on what references to patients, or to what
// is of patients, say beside whom they mean.
func callsPatients(m search.Match) bool {
	leads := func(typ string) bool { return typ == "Patient" || typ == "Resource" || search.Ties(typ) }
	said := func(v search.Value) bool { return len(v.Refs) == 0 }
	return m.Compared == spec.Reference && m.Modifier != "missing" && slices.ContainsFunc(m.Values, said) && slices.ContainsFunc(m.Param.Targets, leads)
}

// conceal adds to each condition on words that nobody is hidden whom the resource names. e is on
// resources of one of some types; none for any.
func (u *concealing) conceal(e search.Expr, types ...string) search.Expr {
	each := func(list []search.Expr) (out []search.Expr) {
		for _, e := range list {
			out = append(out, u.conceal(e, types...))
		}
		return out
	}
	switch e := e.(type) {
	case search.And:
		return search.And(each(e))
	case search.Or:
		return search.Or(each(e))
	case search.Not:
		return search.Not{X: u.conceal(e.X, types...)}
	case search.Chain:
		e.Next = u.conceal(e.Next, e.Types...)
		return e
	case search.Has:
		if e.Next != nil {
			e.Next = u.conceal(e.Next, e.Source)
		}
		return e
	}
	if !u.wordy(e) {
		return e
	}
	return append(search.And{e}, u.nobody(types)...)
}

// nobody are the conditions that no patient is hidden whom a resource of some types names.
func (u *concealing) nobody(types []string) (all search.And) {
	params := search.MentionParams(types...)
	if u.block != nil {
		all = append(all, search.Unblocked{Params: params, Label: u.block.Label})
	}
	if c := u.consent; c != nil {
		all = append(all, search.Consented{Params: params, Facts: c.Facts, Needed: c.Needed, Class: search.Fact(search.FactClass, "Patient")})
	}
	return all
}
