package rest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/amate-health/amate/fhir/bundle"
)

// delete removes a resource, or those that a criterion selects. There need not
// be any: to delete what is not there succeeds.
//
// See https://hl7.org/fhir/R4/http.html#delete and #3.1.0.7.1.
func (a *API) delete(ctx context.Context, req *Request, d Decision) (*Response, error) {
	c := bundle.Change{Op: bundle.Delete, Ref: req.ref(), IfMatch: req.IfMatch}
	if req.ID == "" {
		var err error
		if c.Where, err = a.criterion(req.Type, req.Params, d); err != nil {
			return nil, err
		}
		c.Many = a.DeleteMany
	}
	result, err := a.applyOne(ctx, d, c)
	if err != nil {
		return nil, a.contested(ctx, req, &d, err)
	}
	return deleted(req, result), nil
}

// deleted answers a delete: 204, or 200 with an OperationOutcome when one is asked for.
func deleted(req *Request, r *bundle.Result) *Response {
	resp := &Response{Status: http.StatusNoContent}
	if r.Outcome == bundle.Removed && len(r.Deleted) < 2 {
		resp.Version = r.Resource.Ref.Version
	}
	if req.Prefer.Return == "OperationOutcome" {
		text := outcomeText(r.Outcome)
		if n := len(r.Deleted); n > 1 {
			text = fmt.Sprintf("deleted %d resources", n)
		}
		resp.Status, resp.Body = http.StatusOK, information(text)
	}
	return resp
}
