package rest

import (
	"context"
	"net/http"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// decode fills in x.req, and the form of the response, from the HTTP request.
func (a *API) decode(x *exchange) error {
	r, req := x.r, &x.req
	if len(r.URL.RequestURI()) > a.limits.URL {
		return fhir.Errorf(fhir.TooLarge, "the URL is longer than the %d bytes that are taken; a search can be sent with POST", a.limits.URL)
	}
	path, err := a.below(r)
	if err != nil {
		return err
	}
	if err := a.router.match(req, r.Method, path); err != nil {
		return err
	}
	if a.Admit != nil {
		if err := a.Admit(context.WithValue(r.Context(), exchangeKey{}, x), req); err != nil {
			return err
		}
	}
	params, err := search.SplitQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	asked, err := req.takeParams(params)
	if err != nil {
		return err
	}
	if req.wants = req.offered(asked, r.Header["Accept"]); req.wants != "" || a.asksNative(req, asked, r.Header["Accept"]) {
		x.media = contentType(mediaFHIR) // of what goes wrong
	} else if x.media, err = chooseMedia(asked, r.Header["Accept"]); err != nil {
		x.media = contentType(mediaFHIR)
		return req.unoffered(err)
	}
	req.Prefer = parsePrefer(r.Header["Prefer"])
	req.Language = r.Header.Get("Accept-Language")
	if err := req.takeConditions(r.Header); err != nil {
		return err
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	return a.decodeBody(x)
}

// decodeBody reads the body of an interaction that has one.
func (a *API) decodeBody(x *exchange) error {
	req, takes := &x.req, []string{mediaFHIR}
	switch req.Interaction {
	case Delete, Versions:
		return nil
	case Patch:
		takes = patchMedia
	case Operation:
		if x.r.ContentLength == 0 && x.r.Header.Get("Content-Type") == "" {
			return nil
		}
	case SearchType, SearchSystem:
		if x.r.ContentLength == 0 && x.r.Header.Get("Content-Type") == "" {
			return nil
		}
		takes = []string{mediaForm}
	}
	if native, err := a.decodeNative(x); native || err != nil {
		return err
	}
	var err error
	if req.Media, err = bodyMedia(x.r.Header.Get("Content-Type"), takes...); err != nil {
		return err
	}
	x.r.Body = pace(x.w, x.r.Body, a.limits.Timeout)
	body, received, err := a.readBody(x.r, &x.body)
	x.record.BytesIn = received
	if err != nil {
		return err
	}
	if req.Media != mediaForm {
		return a.receive(x, body)
	}
	params, err := search.SplitQuery(string(body))
	if err != nil {
		return err
	}
	asked, err := req.takeParams(params)
	if err == nil && asked != "" {
		x.media, err = chooseMedia(asked, nil)
	}
	return err
}

// takeConditions reads the headers that make a request conditional.
func (r *Request) takeConditions(h http.Header) (err error) {
	if r.IfMatch, err = parseIfMatch(h.Get("If-Match")); err != nil {
		return err
	}
	r.IfNoneMatch = h.Get("If-None-Match")
	if s := h.Get("If-Modified-Since"); s != "" {
		// One that cannot be read counts as absent: RFC 9110, section 13.1.3.
		if t, err := http.ParseTime(s); err == nil {
			r.IfModifiedSince = t
		}
	}
	r.IfNoneExist = strings.TrimSpace(h.Get("If-None-Exist"))
	return nil
}

// takeParams moves the parameters that shape the response into Form, and keeps
// the others. It returns what _format says.
func (r *Request) takeParams(params []search.Param) (asked string, err error) {
	for _, p := range params {
		switch p.Name {
		case "_format":
			asked = p.Value
		case "_pretty":
			r.Form.Pretty = p.Value == "true"
		case "_summary":
			err = r.Form.takeSummary(p.Value)
		case "_elements":
			r.Form.takeElements(p.Value)
		default:
			r.Params = append(r.Params, p)
		}
		if err != nil {
			return "", err
		}
	}
	return asked, nil
}

func (f *Form) takeSummary(value string) error {
	switch value {
	case "true", "text", "data", "count":
		f.Summary = value
	case "false":
		f.Summary = ""
	default:
		return fhir.Errorf(fhir.Invalid, "_summary takes true, text, data, count or false").With("_summary is %.50q", value)
	}
	return nil
}

func (f *Form) takeElements(value string) {
	for name := range strings.SplitSeq(value, ",") {
		if name = strings.TrimSpace(name); name != "" {
			f.Elements = append(f.Elements, name)
		}
	}
}

// parsePrefer reads Prefer headers. What is not known is passed over, as RFC 7240 asks.
func parsePrefer(lines []string) (p Prefer) {
	for _, line := range lines {
		for part := range strings.FieldsFuncSeq(line, func(c rune) bool { return c == ',' || c == ';' }) {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			value = strings.Trim(value, `"`)
			switch strings.ToLower(name) {
			case "return":
				if value == "minimal" || value == "representation" || value == "OperationOutcome" {
					p.Return = value
				}
			case "handling":
				p.Lenient = value == "lenient"
			case "respond-async":
				p.Async = true
			}
		}
	}
	return p
}
