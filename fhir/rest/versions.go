package rest

import (
	"context"
	"net/http"
)

// versions says which versions of FHIR this server speaks.
//
// See https://hl7.org/fhir/R4/capabilitystatement-operation-versions.html.
func (a *API) versions(context.Context, *Request, Decision) (*Response, error) {
	return &Response{Status: http.StatusOK, Body: []byte(`{"resourceType":"Parameters","parameter":[` +
		`{"name":"version","valueString":"4.0"},{"name":"default","valueString":"4.0"}]}`)}, nil
}
