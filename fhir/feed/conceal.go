package feed

import (
	"context"
	"slices"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// conceal notes by what the patient of the scope is not found: that what is about others
// names them is not shown to the caller, and so not told by finding it either.
func (f *Feed) conceal(ctx context.Context, v *view, id string) error {
	if f.Hidden == nil {
		return nil
	}
	hidden, inGroups, err := f.Hidden(ctx, v.call.Restriction, id)
	if hidden || inGroups {
		v.hidden = func(p *spec.SearchParam, typ string) bool {
			return inGroups && typ == "Group" || hidden && !slices.Contains(search.OfRecords(typ), p)
		}
	}
	return err
}

// found leaves of a condition on whom a resource is about, or names, what the caller may
// find the patient of the scope by; nil for nothing.
func (v *view) found(in search.Expr, typ string) search.Expr {
	any, ok := in.(search.Or)
	if !ok || v.hidden == nil {
		return in
	}
	any = slices.DeleteFunc(slices.Clone(any), func(e search.Expr) bool {
		m, ok := e.(search.Match)
		return ok && v.hidden(m.Param, typ)
	})
	if len(any) == 0 {
		return nil
	}
	return any
}
