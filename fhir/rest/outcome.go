package rest

import (
	"context"
	"errors"
	"net/http"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
)

// outcome is what a code becomes over HTTP.
type outcome struct {
	status int
	issue  string // http://hl7.org/fhir/issue-type
}

// outcomes is the one table from our codes to HTTP and OperationOutcome.
//
// See https://hl7.org/fhir/R4/valueset-issue-type.html.
var outcomes = map[fhir.Code]outcome{
	fhir.Invalid:          {http.StatusBadRequest, "invalid"},
	fhir.Unprocessable:    {http.StatusUnprocessableEntity, "processing"},
	fhir.UnknownType:      {http.StatusNotFound, "not-supported"},
	fhir.NotFound:         {http.StatusNotFound, "not-found"},
	fhir.Gone:             {http.StatusGone, "deleted"},
	fhir.NotAllowed:       {http.StatusMethodNotAllowed, "not-supported"},
	fhir.Conflict:         {http.StatusConflict, "conflict"},
	fhir.Stale:            {http.StatusPreconditionFailed, "conflict"},
	fhir.MultipleMatches:  {http.StatusPreconditionFailed, "multiple-matches"},
	fhir.NotAcceptable:    {http.StatusNotAcceptable, "not-supported"},
	fhir.UnsupportedMedia: {http.StatusUnsupportedMediaType, "not-supported"},
	fhir.TooLarge:         {http.StatusRequestEntityTooLarge, "too-long"},
	fhir.TooCostly:        {http.StatusForbidden, "too-costly"},
	fhir.Forbidden:        {http.StatusForbidden, "forbidden"},
	fhir.LoginRequired:    {http.StatusUnauthorized, "login"},
	fhir.Throttled:        {http.StatusTooManyRequests, "throttled"},
	fhir.Unavailable:      {http.StatusServiceUnavailable, "transient"},
	fhir.NotSupported:     {http.StatusNotImplemented, "not-supported"},
}

// clientGone is the status recorded when the client left before the answer could
// be sent.
const clientGone = 499

// fault is an error, ready to be told.
type fault struct {
	status     int
	code       fhir.Code // 0 when the fault is ours
	retryAfter int       // seconds; 0 for none
	version    int64     // of the resource that it is about, for the ETag; 0 for none
	body       []byte    // the OperationOutcome
}

// interrupted returns what ended ctx in place of an error that followed from it. An
// engine whose statement is stopped says so in words of its own, which would pass
// for a fault of ours.
func interrupted(ctx context.Context, err error) error {
	var told *fhir.Error
	if err == nil || ctx.Err() == nil || errors.As(err, &told) {
		return err
	}
	return ctx.Err()
}

// explain turns any error into what the caller is told. What is no *fhir.Error
// is our own fault, and shows nothing but the request id.
func explain(err error, requestID string) *fault {
	var e *fhir.Error
	switch {
	case errors.As(err, &e):
	case errors.Is(err, context.DeadlineExceeded):
		e = fhir.Errorf(fhir.Unavailable, "the request took longer than the server allows")
	case errors.Is(err, context.Canceled):
		// Most often the client has left. If not, it must not take silence for success.
		e = fhir.Errorf(fhir.Unavailable, "the request was broken off")
	default:
		issue := fhir.Issue{Severity: "fatal", Type: "exception", Details: "internal error; the server's log has it under request " + requestID}
		return &fault{status: http.StatusInternalServerError, body: operation.AppendOutcome(nil, []fhir.Issue{issue})}
	}
	row, ok := outcomes[e.Code]
	if !ok {
		row = outcome{http.StatusInternalServerError, "exception"}
	}
	f := &fault{status: row.status, code: e.Code, body: operation.AppendOutcome(nil, issuesOf(e, row.issue))}
	var about *versioned
	if errors.As(err, &about) {
		f.version = about.version
	}
	var both *conflict
	if errors.As(err, &both) {
		f.version, f.body = both.current.Ref.Version, both.bundle(f.body)
	}
	if e.Code == fhir.Throttled || e.Code == fhir.Unavailable {
		f.retryAfter = max(e.RetryAfter, 1)
	} else {
		f.retryAfter = e.RetryAfter
	}
	return f
}

// issuesOf lists what e found: its own text first, when it has one.
func issuesOf(e *fhir.Error, issueType string) []fhir.Issue {
	if e.Details == "" && len(e.Issues) > 0 {
		return e.Issues
	}
	own := fhir.Issue{
		Severity: "error", Type: issueType,
		Details: e.Details, Diagnostics: e.Diagnostics, Expression: e.Expression,
	}
	return append([]fhir.Issue{own}, e.Issues...)
}

// information is the OperationOutcome of something that went well.
func information(text string) []byte {
	return operation.AppendOutcome(nil, []fhir.Issue{{Severity: "information", Type: "informational", Details: text}})
}
