package rest

import (
	"bytes"
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// A resource about several patients, such as a Group, is shown also to those who may not
// see all of these, without what names the others. What Store finds under a restriction
// comes so already; what is read in another way passes here.

// withhold leaves out of a resource what the caller may not see of others in it.
func (a *API) withhold(ctx context.Context, res *fhir.Resource, only *search.Restriction) error {
	if a.Withhold == nil || only.Open() || len(res.JSON) == 0 {
		return nil
	}
	one := []fhir.Resource{*res}
	err := a.Withhold(ctx, only, one)
	*res = one[0]
	return err
}

// withholdResults does so with what writes came to.
func (a *API) withholdResults(ctx context.Context, results []bundle.Result, of func(change int) *Decision) error {
	for i := range results {
		if err := a.withhold(ctx, &results[i].Resource, of(i).Restriction); err != nil {
			return err
		}
	}
	return nil
}

// errInPart refuses to write what the caller sees only a part of: the rest would be lost.
var errInPart = fhir.Errorf(fhir.Conflict, "this resource is shown to you in part, and can be changed only by those who see all of it")

// inPart reports whether a resource, as the caller sees it, lacks something.
func inPart(res *fhir.Resource, where []search.Expr) bool {
	hides := slices.ContainsFunc(where, func(e search.Expr) bool {
		switch e.(type) {
		case search.Unblocked, search.Consented:
			return true
		}
		return false
	})
	return hides && bytes.Contains(res.JSON, []byte(`"SUBSETTED"`))
}

// whole refuses a change of what the caller sees only a part of.
func (a *API) whole(ctx context.Context, ref fhir.Ref, only *search.Restriction) error {
	where, _ := only.Of(ref.Type)
	if a.Withhold == nil || only.Open() || local(where) {
		return nil
	}
	res, err := a.visible(ctx, ref, only)
	if err == nil && inPart(&res, where) {
		return errInPart
	}
	return nil // what is not seen is refused, or not, as always
}
