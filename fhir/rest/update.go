package rest

import (
	"context"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// update replaces a resource, or creates it at the caller's id. Without an id in
// the URL, a criterion selects what is replaced.
//
// See https://hl7.org/fhir/R4/http.html#update, #upsert and #cond-update.
func (a *API) update(ctx context.Context, req *Request, d Decision) (*Response, error) {
	src, err := req.source()
	if err != nil {
		return nil, err
	}
	ref, conditional := req.ref(), req.ID == ""
	if conditional {
		ref.ID = a.NewID()
	}
	c, err := a.maker.Update(src, ref, conditional)
	if err != nil {
		return nil, err
	}
	if conditional {
		if c.Where, err = a.criterion(req.Type, req.Params, d); err != nil {
			return nil, err
		}
	}
	c.IfMatch = req.IfMatch
	if c.IfNoneMatch, err = req.mustBeNew(); err != nil {
		return nil, err
	}
	return a.apply(ctx, req, d, c)
}

// mustBeNew reports whether an update asks, by If-None-Match: *, to create only.
func (r *Request) mustBeNew() (bool, error) {
	switch strings.TrimSpace(r.IfNoneMatch) {
	case "":
		return false, nil
	case "*":
		return true, nil
	}
	return false, fhir.Errorf(fhir.Invalid, "on an update, If-None-Match takes only *")
}
