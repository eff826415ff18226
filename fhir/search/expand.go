package search

import (
	"iter"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/spec"
)

// Terminology answers what code systems and value sets say. fhir/terminology has it.
//
// See https://hl7.org/fhir/R4/search.html#modifiers.
type Terminology interface {
	// Codes yields system and code of all that a value set has, named by its URL,
	// perhaps with |version.
	// Errors: fhir.NotFound when it is not known; fhir.TooCostly when it has no end.
	Codes(valueSet string) (iter.Seq2[string, string], error)

	// Subsumed yields a code and all below it, or, with above, all above it.
	// Errors: fhir.NotFound when the system or the code is not known.
	Subsumed(system, code string, above bool) (iter.Seq[string], error)
}

// maxExpanded bounds the codes that one value stands for.
const maxExpanded = 10_000

// members reads one value of :in or :not-in: the canonical URL of a value set, or a
// reference to one, whose codes it becomes.
func (p *parser) members(param *spec.SearchParam, raw string) (Value, error) {
	v := Value{Raw: raw}
	if p.opts.Terminology == nil {
		return v, noTerminology(param)
	}
	codes, err := p.opts.Terminology.Codes(unescape(raw))
	if err != nil {
		return v, notHere(param, raw, err)
	}
	for system, code := range codes {
		v.Tokens = append(v.Tokens, TokenHash(param.ID, system+"|"+code))
		if len(v.Tokens) > maxExpanded {
			return v, tooMany(param)
		}
	}
	slices.Sort(v.Tokens)
	v.Tokens = slices.Compact(v.Tokens)
	return v, nil
}

// subsumed reads one value of :below or :above on a token: system|code, which
// becomes that code with all below, or above, it.
//
// See https://hl7.org/fhir/R4/search.html#token.
func (p *parser) subsumed(param *spec.SearchParam, raw string, above bool) (Value, error) {
	v := Value{Raw: raw}
	parts := split(raw, '|')
	if len(parts) != 2 || parts[0] == "" || parts[1] == "" {
		return v, badValue(param, raw, "with :above and :below a token is system|code, since a hierarchy belongs to a code system")
	}
	if p.opts.Terminology == nil {
		return v, noTerminology(param)
	}
	system := unescape(parts[0])
	codes, err := p.opts.Terminology.Subsumed(system, unescape(parts[1]), above)
	if err != nil {
		return v, notHere(param, raw, err)
	}
	for code := range codes {
		v.Tokens = append(v.Tokens, TokenHash(param.ID, system+"|"+code))
		if len(v.Tokens) > maxExpanded {
			return v, tooMany(param)
		}
	}
	slices.Sort(v.Tokens)
	v.Tokens = slices.Compact(v.Tokens)
	return v, nil
}

func noTerminology(param *spec.SearchParam) error {
	return unknown("search parameter %s has a modifier that asks for terminology, which this server does not have", show(param.Code))
}

func tooMany(param *spec.SearchParam) error {
	return fhir.Errorf(fhir.TooCostly, "a value of search parameter %s stands for more than %d codes", show(param.Code), maxExpanded)
}
