package rest

import (
	"context"

	"github.com/amate-health/amate/fhir/bundle"
)

// patchMedia are the formats of a patch. /metadata says what stands here.
//
// See https://hl7.org/fhir/R4/http.html#patch.
var patchMedia = []string{mediaJSONPatch, mediaFHIR}

// patch changes parts of a resource, by a JSON Patch or a FHIRPath Patch. Without
// an id in the URL, a criterion selects the resource.
//
// See https://hl7.org/fhir/R4/http.html#patch.
func (a *API) patch(ctx context.Context, req *Request, d Decision) (*Response, error) {
	p, err := req.patch()
	if err != nil {
		return nil, err
	}
	c := a.maker.Patch(p, req.ref())
	if req.ID == "" {
		if c.Where, err = a.criterion(req.Type, req.Params, d); err != nil {
			return nil, err
		}
	}
	c.IfMatch = req.IfMatch
	return a.apply(ctx, req, d, c)
}

// patch reads the patch in the request, by its media type, or in an entry of a
// batch, by its resource type.
func (r *Request) patch() (bundle.Patcher, error) {
	switch {
	case r.Source != nil:
		return bundle.PatchIn(r.Source)
	case r.Media == mediaJSONPatch:
		return bundle.JSONPatch(r.Body)
	}
	src, err := r.source()
	if err != nil {
		return nil, err
	}
	return bundle.PathPatch(src)
}
