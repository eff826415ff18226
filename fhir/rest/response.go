package rest

import (
	"net/http"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
)

// Response is what became of a Request.
type Response struct {
	Status       int
	Body         []byte          // a resource in compact JSON; nil when there is nothing to send
	Version      int64           // for ETag; 0 for none
	Tag          string          // for ETag, of an answer that has no version; "" for none
	LastModified time.Time       // zero for none
	Location     string          // absolute; "" for none
	Stored       bool            // Body is a stored resource, so that Form.Summary and Form.Elements apply to it
	Media        string          // media type of Body when that is no resource; "" for a resource
	Content      *Content        // what a Binary holds, to be sent instead of Body; nil otherwise
	File         *operation.File // to be sent instead of Body, with the type Media; nil otherwise
	Progress     string          // X-Progress; "" for none
	RetryAfter   int             // seconds; 0 for none
	Expires      time.Time       // zero for none
	Ref          fhir.Ref        // what was read or written, with its version; zero where that is no one resource
}

// found returns the response that carries res.
func found(res *fhir.Resource) *Response {
	return &Response{
		Status:       http.StatusOK,
		Body:         res.JSON,
		Version:      res.Ref.Version,
		LastModified: res.Updated,
		Stored:       true,
		Ref:          res.Ref,
	}
}

// ETag returns the entity tag of a version: W/"3".
//
// See https://hl7.org/fhir/R4/http.html#versioning.
func ETag(version int64) string { return `W/"` + strconv.FormatInt(version, 10) + `"` }
