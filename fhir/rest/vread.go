package rest

import (
	"context"
	"net/http"

	"github.com/amate-health/amate/fhir"
)

// vread returns one version of a resource.
//
// See https://hl7.org/fhir/R4/http.html#vread.
func (a *API) vread(ctx context.Context, req *Request, d Decision) (*Response, error) {
	ref := req.ref()
	ctx = req.lean(ctx)
	if !d.Restriction.Open() {
		// Who may not see the resource as it is may not see what it was.
		if _, err := a.visible(ctx, ref.Current(), d.Restriction); err != nil {
			return nil, err
		}
	}
	res, err := a.Store.Read(ctx, ref)
	if err != nil {
		return nil, err
	}
	shown, err := a.versionsShown(ctx, []fhir.Resource{res}, d.Restriction)
	if err != nil {
		return nil, err
	}
	if len(shown) == 0 {
		return nil, notFound(ref)
	}
	if err := a.withhold(ctx, &res, d.Restriction); err != nil {
		return nil, err
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
