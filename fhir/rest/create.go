package rest

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// create stores a new resource under an id that the server chooses. With
// If-None-Exist it stores nothing when a resource matches already.
//
// See https://hl7.org/fhir/R4/http.html#create and #ccreate.
func (a *API) create(ctx context.Context, req *Request, d Decision) (*Response, error) {
	src, err := req.source()
	if err != nil {
		return nil, err
	}
	c, err := a.maker.Create(src, fhir.Ref{Type: req.Type, ID: a.NewID()})
	if err != nil {
		return nil, err
	}
	if req.IfNoneExist != "" {
		params, err := search.SplitQuery(req.IfNoneExist)
		if err != nil {
			return nil, err
		}
		if c.Where, err = a.criterion(req.Type, params, d); err != nil {
			return nil, err
		}
	}
	return a.apply(ctx, req, d, c)
}
