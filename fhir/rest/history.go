package rest

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// history lists the versions of a resource, of a type or of everything, newest first.
//
// See https://hl7.org/fhir/R4/http.html#history.
func (a *API) history(ctx context.Context, req *Request, d Decision) (*Response, error) {
	q := &search.History{
		Type: req.Type, ID: req.ID,
		Count: a.limits.Count, Bytes: a.limits.Answer, After: req.end(), Restriction: d.Restriction,
	}
	for _, p := range req.Params {
		if err := a.historyParam(q, p, req.Prefer.Lenient); err != nil {
			return nil, err
		}
	}
	none := q.Count == 0 || req.Form.Summary == "count"
	q.Count = max(q.Count, 1)
	found, err := a.Store.History(fhir.Whole(ctx), q)
	if err != nil {
		return nil, err
	}
	shown, err := a.versionsShown(ctx, found.Entries, d.Restriction)
	if err == nil && a.Withhold != nil {
		err = a.Withhold(ctx, d.Restriction, shown)
	}
	if err != nil {
		return nil, err
	}
	if len(shown) < len(found.Entries) {
		found.Entries, found.Total = shown, -1
	}
	if none {
		found.Entries, found.Next = nil, ""
	}
	path := strings.TrimSuffix("/"+req.Type+"/"+req.ID, "/")
	path = strings.TrimSuffix(path, "/") + "/_history"
	next := ""
	if found.Next != "" {
		next = a.nextURL(req, path, req.Params, found.Next)
	}
	p := newPage("history", found.Total, sizeOf(found.Entries), &req.Form)
	p.links(a.queryURL(path, req.Params, &req.Form), next)
	for i := range found.Entries {
		if err := a.version(p, &found.Entries[i]); err != nil {
			return nil, err
		}
	}
	return p.response(), nil
}

// historyParam reads one parameter of a history.
func (a *API) historyParam(q *search.History, p search.Param, lenient bool) (err error) {
	switch p.Name {
	case "_count":
		q.Count, err = strconv.Atoi(p.Value)
		if err != nil || q.Count < 0 {
			return fhir.Errorf(fhir.Invalid, "_count must be a whole number, 0 or more").With("_count is %.50q", p.Value)
		}
		q.Count = min(q.Count, a.limits.MaxCount)
	case "_since":
		q.Since, err = parseInstant(p)
	case "_at":
		q.At, err = parseInstant(p)
	default:
		if !lenient {
			return fhir.Errorf(fhir.Invalid, "a history takes _count, _since, _at and the parameters for its form").
				With("%.100q is not one of them", p.Name)
		}
	}
	return err
}

// parseInstant reads an instant or, as _at allows, a date or dateTime less
// precise, of which it takes the first moment in UTC.
func parseInstant(p search.Param) (time.Time, error) {
	// A plus sign in a query string is a space, and few clients escape it.
	value := strings.Replace(p.Value, " ", "+", 1)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fhir.Errorf(fhir.Invalid, "%s must be an instant, such as 2026-02-28T23:59:59.999Z", p.Name).
		With("%s is %.50q", p.Name, p.Value)
}

// version writes one entry of a history.
//
// See https://hl7.org/fhir/R4/bundle.html#history.
func (a *API) version(p *page, r *fhir.Resource) error {
	p.entry()
	p.text("fullUrl", a.url(r.Ref.Current()))
	if r.JSON != nil {
		if err := p.resource(r.JSON); err != nil {
			return err
		}
	}
	p.open("request")
	p.text("method", r.Method.String())
	if r.Method == fhir.POST {
		p.text("url", r.Ref.Type)
	} else {
		p.text("url", r.Ref.Current().String())
	}
	p.close()
	p.open("response")
	p.text("status", versionStatus(r))
	p.text("etag", ETag(r.Ref.Version))
	p.text("lastModified", r.Updated.UTC().Format(fhir.InstantLayout))
	p.close()
	p.close()
	return nil
}

func versionStatus(r *fhir.Resource) string {
	switch {
	case r.Deleted():
		return "204"
	case r.Ref.Version == 1:
		return "201"
	}
	return "200"
}
