package rest

import (
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// Who may see a resource as it is now may see what it was, as far as the same conditions
// hold for that. A condition that needs other resources, such as that no patient whom it
// is about refuses or is blocked, is known to hold for the current version only. So it
// holds for an earlier one that leads to the same others, and for no other: of a result
// that was filed with the wrong patient, the right one sees no more than the correction.

// tied are the references that conditions look along. labels says that they also look at
// what labels a resource has.
func tied(where []search.Expr, params []*spec.SearchParam, labels bool) ([]*spec.SearchParam, bool) {
	for _, e := range where {
		switch e := e.(type) {
		case search.And:
			params, labels = tied(e, params, labels)
		case search.Or:
			params, labels = tied(e, params, labels)
		case search.Not:
			params, labels = tied([]search.Expr{e.X}, params, labels)
		case search.Chain:
			params = append(params, e.Param)
		case search.Proxied:
			params = append(params, e.Param)
		case search.Consented:
			params, labels = slices.Concat(params, e.Params, e.Through), true
		case search.Unblocked:
			params = slices.Concat(params, e.Params, e.Through)
		}
	}
	if slices.Contains(params, search.Owner) { // which a version does not say itself
		params = append(params, search.TiedTo, search.Named)
	}
	return params, labels
}

// sight is what of a version the conditions on other resources depend on.
type sight struct {
	links  []search.Link
	labels []string
}

// sightOf reads it. ok is false for what cannot be read.
func (a *API) sightOf(json []byte, params []*spec.SearchParam) (s sight, ok bool) {
	doc, _ := docs.Get().(*element.Doc)
	defer docs.Put(doc)
	if err := doc.Parse(json, element.Limits{}); err != nil {
		return s, false
	}
	index, err := a.index(doc)
	if err != nil {
		return s, false
	}
	for _, l := range index.Links {
		if slices.ContainsFunc(params, func(p *spec.SearchParam) bool { return p.ID == l.Param }) {
			s.links = append(s.links, l)
		}
	}
	if meta := doc.Get(0, "meta"); meta != element.None {
		if list := doc.Get(meta, "security"); list != element.None && doc.Kind(list) == element.Array {
			for n := doc.First(list); n != element.None; n = doc.Next(list, n) {
				s.labels = append(s.labels, string(doc.AppendCompact(nil, n)))
			}
		}
	}
	return s, true
}

// within reports whether what leads to s shows no more than what leads to current.
func (s *sight) within(current *sight, labels bool) bool {
	if !slices.Equal(s.links, current.links) {
		return false
	}
	return !labels || !slices.ContainsFunc(s.labels, func(l string) bool { return !slices.Contains(current.labels, l) })
}

// versionsShown returns those of some versions that may be seen by who may see the
// resources as they are now.
func (a *API) versionsShown(ctx context.Context, versions []fhir.Resource, only *search.Restriction) ([]fhir.Resource, error) {
	if only.Open() {
		return versions, nil
	}
	current, err := a.current(ctx, versions, only)
	if err != nil {
		return nil, err
	}
	kept := versions[:0]
	for i := range versions {
		if a.versionShown(&versions[i], current[versions[i].Ref.Current()], only) {
			kept = append(kept, versions[i])
		}
	}
	return kept, nil
}

// current returns the current versions of what some versions are of, where conditions
// look from it at others, and the caller may see it.
func (a *API) current(ctx context.Context, versions []fhir.Resource, only *search.Restriction) (map[fhir.Ref]*fhir.Resource, error) {
	ids := map[string][]string{}
	for i := range versions {
		r := &versions[i]
		if where, _ := only.Of(r.Ref.Type); r.JSON != nil && !local(where) && !slices.Contains(ids[r.Ref.Type], r.Ref.ID) {
			ids[r.Ref.Type] = append(ids[r.Ref.Type], r.Ref.ID)
		}
	}
	found := map[fhir.Ref]*fhir.Resource{}
	for typ, all := range ids {
		res, err := a.Store.Search(fhir.Whole(fhir.Lean(ctx)), &search.Query{Type: typ, Where: []search.Expr{search.IDs{Any: all}}, Count: len(all), Restriction: only})
		if err != nil {
			return nil, err
		}
		for i := range res.Matches {
			found[res.Matches[i].Ref.Current()] = &res.Matches[i]
		}
	}
	return found, nil
}

// versionShown reports whether a version may be seen; current is the one of now, nil
// where the caller may not see that, or nothing has to be compared with it.
func (a *API) versionShown(res, current *fhir.Resource, only *search.Restriction) bool {
	if res.JSON == nil {
		return true
	}
	where, listed := only.Of(res.Ref.Type)
	switch {
	case !listed || !a.meets(res, where):
		return false
	case local(where) || current != nil && current.Ref.Version == res.Ref.Version:
		return true
	case current == nil:
		return false
	}
	params, labels := tied(where, nil, false)
	then, ok := a.sightOf(res.JSON, params)
	if !ok {
		return false
	}
	now, ok := a.sightOf(current.JSON, params)
	return ok && then.within(&now, labels)
}
