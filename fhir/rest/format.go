package rest

import (
	"errors"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/xml"
)

// Within the server every resource is JSON. XML is turned into it, and made of it,
// here at the edge.

// wrapping is how much deeper than a stored resource the Bundle around it may be.
const wrapping = 20

// receive takes the body of a request, turned into JSON where it is XML.
// Errors: fhir.Invalid and fhir.TooLarge, with the position in the XML.
func (a *API) receive(x *exchange, body []byte) error {
	req := &x.req
	req.Body = body
	if len(body) == 0 || formats[req.Media] != formatXML {
		return nil
	}
	lim := xml.Limits{Size: int(a.limits.Body), AnyOrder: req.Prefer.Lenient || req.operation != nil && req.operation.AnyOrder}
	json, places, err := xml.ToJSON(body, lim)
	if err != nil {
		return err
	}
	req.Body, req.Media, x.places = json, mediaFHIR, places
	return nil
}

// format turns a resource in compact JSON into what the client asked for.
// Errors: fhir.NotAcceptable when it cannot be said in XML.
func (x *exchange) format(body []byte) ([]byte, error) {
	switch {
	case len(body) == 0:
		return nil, nil
	case strings.Contains(x.media, "xml"):
		var doc element.Doc
		if err := doc.Parse(body, element.Limits{Depth: 100 + wrapping}); err != nil {
			return nil, err
		}
		return xml.AppendXML(make([]byte, 0, len(body)*3/2), &doc, 0, x.req.Form.Pretty)
	case x.req.Form.Pretty:
		return append(element.AppendPretty(make([]byte, 0, len(body)*3/2), body), '\n'), nil
	}
	return body, nil
}

// formatResponse is format for a response. What a write made is sent as JSON when it
// cannot be said in XML: the write is done, so this is no time to refuse it.
func (x *exchange) formatResponse(body []byte) ([]byte, error) {
	out, err := x.format(body)
	if err == nil {
		return out, nil
	}
	switch x.req.Interaction {
	case Create, Update, Patch, Batch, Transaction:
		x.media = contentType(mediaFHIR)
		return body, nil
	}
	return nil, err
}

// formatOutcome is format for an OperationOutcome, which must always go out.
func (x *exchange) formatOutcome(body []byte) []byte {
	if x.media == "" { // it went wrong before the client's wish was read
		var err error
		if x.media, err = chooseMedia(x.r.URL.Query().Get("_format"), x.r.Header["Accept"]); err != nil {
			x.media = contentType(mediaFHIR)
		}
	}
	out, err := x.format(body)
	if err != nil { // it quotes what XML cannot hold
		x.media = contentType(mediaFHIR)
		return body
	}
	return out
}

// located returns err with lines and columns of the XML that was sent, where it has
// those of the JSON made of it.
func (x *exchange) located(err error) error {
	var e *fhir.Error
	if x == nil || x.places == nil || !errors.As(err, &e) || len(e.Issues) == 0 {
		return err
	}
	there := *e
	there.Issues = slices.Clone(e.Issues)
	(&operation.Call{Place: x.places.Place}).Locate(there.Issues)
	return &relocated{err, &there}
}

// relocated is an error with other positions.
type relocated struct {
	error
	there *fhir.Error
}

func (r *relocated) Unwrap() error { return r.error }

// As gives the error with the other positions to whoever asks for a *fhir.Error.
func (r *relocated) As(target any) bool {
	t, ok := target.(**fhir.Error)
	if ok {
		*t = r.there
	}
	return ok
}
