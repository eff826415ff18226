package search

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// chain reads head.next=value, where head is a reference parameter, perhaps with
// the type it leads to: subject:Patient.family. Without one it leads to every type
// that has the next parameter.
//
// See https://hl7.org/fhir/R4/search.html#chaining.
func (p *parser) chain(typ, head, next, value string, depth int) (Expr, error) {
	return p.follow(typ, head, func(target string) (Expr, error) { return p.condition(target, next, value, depth+1) })
}

// follow reads a chain whose rest next makes, for each type that head may lead to.
func (p *parser) follow(typ, head string, next func(target string) (Expr, error)) (Expr, error) {
	code, modifier, _ := strings.Cut(head, ":")
	param, err := p.lookup(typ, code)
	if err != nil {
		return nil, err
	}
	switch {
	case param.Type != spec.Reference:
		return nil, unknown("search parameter %s%s is of type %s; only a reference can be followed", show(code), of(typ), param.Type)
	case !p.opts.Catalogue.yields(param, "Reference"):
		return nil, unknown("search parameter %s%s refers by URL, and only a literal reference can be followed", show(code), of(typ))
	case modifier != "" && !spec.IsResource(modifier):
		return nil, unknown("in a chain, the modifier of search parameter %s is the name of a type, not %s", show(code), show(modifier))
	}
	if err := p.checkModifier(param, modifier); err != nil {
		return nil, err
	}
	var all []Chain
	var first error
	quiet := p.quiet
	defer func() { p.quiet = quiet }()
	for _, target := range targets(param, modifier) {
		if p.followed++; p.followed > maxFollowed {
			return nil, fhir.Errorf(fhir.TooCostly, "the chains lead to too many types; name the type, as in subject:Patient.name")
		}
		e, err := next(target)
		if fhir.CodeOf(err) == fhir.TooCostly {
			return nil, err
		}
		if err != nil {
			if first == nil {
				first, p.quiet = err, true // one suggestion is enough, and dear
			}
			continue
		}
		all = addChain(all, Chain{Param: param, Types: []string{target}, Next: e})
	}
	switch len(all) {
	case 0:
		if first == nil {
			first = unknown("search parameter %s leads to no resource of this server", show(code))
		}
		return nil, first
	case 1:
		return all[0], nil
	}
	any := make(Or, len(all))
	for i, c := range all {
		any[i] = c
	}
	return any, nil
}

// addChain joins c to one of all that asks the same of another type: conditions on
// parameters that several types have in common.
func addChain(all []Chain, c Chain) []Chain {
	for i := range all {
		if sameCondition(all[i].Next, c.Next) {
			all[i].Types = append(all[i].Types, c.Types...)
			return all
		}
	}
	return append(all, c)
}

func sameCondition(a, b Expr) bool {
	switch a := a.(type) {
	case Match:
		b, ok := b.(Match)
		return ok && a.Param == b.Param
	case Not:
		b, ok := b.(Not)
		return ok && sameCondition(a.X, b.X)
	case IDs:
		_, ok := b.(IDs)
		return ok
	case Updated:
		_, ok := b.(Updated)
		return ok
	}
	return false
}

// has reads _has:Type:reference:parameter=value; rest is what follows "_has:".
//
// See https://hl7.org/fhir/R4/search.html#has.
func (p *parser) has(typ, name, rest, value string, depth int) (Expr, error) {
	return p.reversed(typ, name, rest, func(source, next string) (Expr, error) { return p.condition(source, next, value, depth+1) })
}

// reversed reads a reverse chain whose rest next makes.
func (p *parser) reversed(typ, name, rest string, next func(source, rest string) (Expr, error)) (Expr, error) {
	parts := strings.SplitN(rest, ":", 3)
	if len(parts) < 3 || parts[2] == "" {
		return nil, unknown("%s does not have the form _has:Type:reference:parameter", show(name))
	}
	source := parts[0]
	if !spec.IsResource(source) {
		return nil, unknown("%s in %s is no resource type", show(source), show(name))
	}
	param, err := p.lookup(source, parts[1])
	if err != nil {
		return nil, err
	}
	if param.Type != spec.Reference {
		return nil, unknown("search parameter %s of %s is no reference", show(parts[1]), source)
	}
	if typ != "" && !slices.Contains(targets(param, ""), typ) {
		return nil, unknown("search parameter %s of %s never refers to %s", show(parts[1]), source, typ)
	}
	if !p.opts.Catalogue.yields(param, "Reference") {
		return nil, unknown("search parameter %s of %s refers by URL, and only a literal reference can be followed", show(parts[1]), source)
	}
	e, err := next(source, parts[2])
	if err != nil {
		return nil, err
	}
	return Has{Source: source, Param: param, Next: e}, nil
}
