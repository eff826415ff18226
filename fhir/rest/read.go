package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// read returns the current version of a resource.
//
// See https://hl7.org/fhir/R4/http.html#read.
func (a *API) read(ctx context.Context, req *Request, d Decision) (*Response, error) {
	ctx = req.lean(ctx)
	res, err := a.visible(ctx, req.ref(), d.Restriction)
	if err != nil {
		return nil, a.withVersion(ctx, req.ref(), err)
	}
	resp, err := a.found(req, &res, d)
	if err != nil {
		return nil, err
	}
	if resp.Version != 0 && req.unmodified(&res) {
		resp.Status, resp.Body = http.StatusNotModified, nil
	}
	return resp, nil
}

// visible returns the current version of a resource, if the caller may see it. What
// they may not see does not exist. Where the conditions can be tried on the resource
// itself, that is a plain read; else it is a search for one id.
func (a *API) visible(ctx context.Context, ref fhir.Ref, only *search.Restriction) (fhir.Resource, error) {
	if only.Open() {
		return a.Store.Read(ctx, ref)
	}
	where, listed := only.Of(ref.Type)
	if !listed {
		return fhir.Resource{}, notFound(ref)
	}
	if local(where) {
		return a.shown(ctx, ref, where)
	}
	res, err := a.Store.Search(ctx, byID(ref, only))
	if err != nil {
		return fhir.Resource{}, err
	}
	if len(res.Matches) == 0 {
		return fhir.Resource{}, notFound(ref)
	}
	return res.Matches[0], nil
}

// byID returns the search for one resource among those that the caller may see.
func byID(ref fhir.Ref, only *search.Restriction) *search.Query {
	return &search.Query{
		Type:        ref.Type,
		Where:       []search.Expr{search.IDs{Any: []string{ref.ID}}},
		Count:       1,
		Restriction: only,
	}
}

func notFound(ref fhir.Ref) error {
	return fhir.Errorf(fhir.NotFound, "no such resource").With("%s is not known", ref)
}

// withVersion adds to a fhir.Gone the version that records the deletion, for its ETag.
func (a *API) withVersion(ctx context.Context, ref fhir.Ref, err error) error {
	if fhir.CodeOf(err) != fhir.Gone {
		return err
	}
	h, herr := a.Store.History(ctx, &search.History{Type: ref.Type, ID: ref.ID, Count: 1, Restriction: search.Unrestricted})
	if herr != nil || len(h.Entries) == 0 {
		return err
	}
	return &versioned{error: err, version: h.Entries[0].Ref.Version}
}

// versioned is an error about a certain version.
type versioned struct {
	error
	version int64
}

// Unwrap returns the error without the version.
func (v *versioned) Unwrap() error { return v.error }

// unmodified reports whether the client has res already. If-None-Match goes
// before If-Modified-Since, whose times are whole seconds.
//
// See https://hl7.org/fhir/R4/http.html#cread.
func (r *Request) unmodified(res *fhir.Resource) bool {
	if r.IfNoneMatch != "" {
		return tagListed(r.IfNoneMatch, res.Ref.Version)
	}
	return !r.IfModifiedSince.IsZero() && !res.Updated.Truncate(time.Second).After(r.IfModifiedSince)
}
