package bulk

import (
	"bytes"
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
)

// told writes what was asked for and passed over.
func (e *exporting) told(ctx context.Context) error {
	x, back := e.beside(&asked{})
	defer back()
	x.shows = &Rights{}
	var all []fhir.Resource
	for _, text := range e.Passed {
		issue := fhir.Issue{Severity: "warning", Type: "not-supported", Details: "this was passed over", Diagnostics: text}
		all = append(all, fhir.Resource{Ref: fhir.Ref{Type: "OperationOutcome"}, JSON: operation.AppendOutcome(nil, []fhir.Issue{issue})})
	}
	if err := x.append(ctx, "OperationOutcome", Errors, all, ""); err != nil {
		return err
	}
	x.at.Done -= int64(len(all))
	return nil
}

// relativeBinary begins the URL of an attachment as resources are stored. Away from the
// server it has to be absolute.
//
// See https://hl7.org/fhir/uv/bulkdata/STU2/export.html#attachments.
var relativeBinary = []byte(`"url":"Binary/`)

// absolute returns a resource with URLs of attachments by which they are found from elsewhere.
func (e *exporting) absolute(json []byte) []byte {
	if base := e.shows.Search.Base; base != "" && bytes.Contains(json, relativeBinary) {
		return bytes.ReplaceAll(json, relativeBinary, []byte(`"url":"`+base+`/Binary/`))
	}
	return json
}
