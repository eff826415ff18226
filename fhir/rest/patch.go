package rest

import (
	"context"

	"github.com/amate-health/amate/fhir/bundle"
)

// patch changes parts of a resource, by a JSON Patch. Without an id in the URL, a
// criterion selects the resource.
//
// See https://hl7.org/fhir/R4/http.html#patch.
func (a *API) patch(ctx context.Context, req *Request, d Decision) (*Response, error) {
	c, err := a.patchChange(req)
	if err != nil {
		return nil, err
	}
	if req.ID == "" {
		if c.Where, err = a.criterion(req.Type, req.Params, d); err != nil {
			return nil, err
		}
	}
	c.IfMatch = req.IfMatch
	return a.apply(ctx, req, d, c)
}

// patchChange reads the patch in the body.
func (a *API) patchChange(req *Request) (bundle.Change, error) {
	return a.maker.Patch(req.Body, req.ref())
}
