package search

import (
	"slices"
	"sync"

	"github.com/amate-health/amate/fhir/spec"
)

// codeParams returns the parameters by which resources that are about patients are
// found by a code.
var codeParams = sync.OnceValue(func() (ids []uint16) {
	for _, typ := range spec.Resources() {
		if len(SubjectParams(typ)) == 0 {
			continue
		}
		for _, code := range []string{"code", "category", "type", "class", "vaccine-code", "medication", "reason-code", "component-code", "value-concept", "component-value-concept", "substance", "service-type", "specialty"} {
			if p := spec.Param(typ, code); p != nil && p.Type == spec.Token && !slices.Contains(ids, p.ID) {
				ids = append(ids, p.ID)
			}
		}
	}
	return ids
})

// rules adds the rows of p and of what is within it. around are the groups that the
// provisions around it ask for.
func (x *extractor) rules(p *provision, around, callers [][]int64, n *int) {
	groups, callers := slices.Concat(around, p.groups), slices.Concat(p.callers, callers)
	// What is not understood is taken as it shows less: a denial applies all the
	// same, a permission does not.
	if (p.denies || p.permits && !p.unclear) && *n < maxConsent {
		*n++
		at := int64(*n) << (ConsentGroups + ConsentExceptions)
		if p.denies {
			at |= ConsentDenies
			x.denial(callers)
		}
		x.rule(at, p.from, p.until, groups)
		exception := int64(0)
		for _, in := range p.inner {
			if in.permits && in.unclear || !in.permits && !in.denies {
				continue
			}
			exception++
			x.rule(at|exception<<ConsentGroups, in.from, in.until, in.groups)
		}
	}
	for _, in := range p.inner {
		inner := *in
		inner.from, inner.until = max(p.from, in.from), min(p.until, in.until)
		inner.unclear = in.unclear || p.unclear
		x.rules(&inner, groups, callers, n)
	}
}

// denial adds the tokens by which a rule that denies is found to concern a caller.
func (x *extractor) denial(callers [][]int64) {
	if len(callers) == 0 {
		callers = [][]int64{{anyCaller}}
	}
	for _, fact := range callers[0] {
		x.ix.Tokens = append(x.ix.Tokens, denial(fact))
	}
}

// rule adds the rows of one rule or exception.
func (x *extractor) rule(at, from, until int64, groups [][]int64) {
	x.ix.Dates = append(x.ix.Dates, Range{Param: ConsentFrom, Lo: at, Hi: from}, Range{Param: ConsentUntil, Lo: at, Hi: until})
	for i, group := range groups {
		for _, fact := range group {
			x.ix.Dates = append(x.ix.Dates, Range{Param: ConsentTerm, Lo: at | int64(i+1), Hi: fact})
		}
	}
}
