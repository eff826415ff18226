package rest

import (
	"mime"
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// format is a way of writing resources.
type format uint8

const (
	noFormat format = iota
	formatJSON
	formatXML
)

// formats is the one table of media types and of what _format may say.
//
// See https://hl7.org/fhir/R4/http.html#mime-type.
var formats = map[string]format{
	"json":                  formatJSON,
	"application/json":      formatJSON,
	"application/fhir+json": formatJSON,
	"application/json+fhir": formatJSON,
	"text/json":             formatJSON,
	"xml":                   formatXML,
	"application/xml":       formatXML,
	"application/fhir+xml":  formatXML,
	"application/xml+fhir":  formatXML,
	"text/xml":              formatXML,
}

const (
	mediaFHIR      = "application/fhir+json"
	mediaJSON      = "application/json"
	mediaTextJSON  = "text/json"
	mediaFHIRXML   = "application/fhir+xml"
	mediaXML       = "application/xml"
	mediaTextXML   = "text/xml"
	mediaHTML      = "text/html"
	mediaJSONPatch = "application/json-patch+json"
	mediaForm      = "application/x-www-form-urlencoded"
)

// chooseMedia returns the Content-Type of a response, from the _format parameter
// when there is one, else from the Accept header.
// Errors: fhir.NotAcceptable.
func chooseMedia(formatParam string, accept []string) (string, error) {
	if formatParam != "" {
		// A plus sign in a query string is a space, and few clients escape it.
		name, params, err := mime.ParseMediaType(strings.ReplaceAll(formatParam, " ", "+"))
		if err == nil && formats[name] != noFormat && rightVersion(params) {
			return contentType(name), nil
		}
		return "", notAcceptable()
	}
	if len(accept) == 0 {
		return contentType(mediaFHIR), nil
	}
	if len(accept) == 1 && (accept[0] == mediaFHIR || accept[0] == "*/*") {
		return contentType(mediaFHIR), nil
	}
	return bestMedia(accept)
}

// bestMedia picks from an Accept header, by its weights.
//
// See https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1.
func bestMedia(accept []string) (string, error) {
	best, bestWeight := "", 0.0
	browser := false
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			name, params, err := mime.ParseMediaType(strings.TrimSpace(part))
			if err != nil {
				continue
			}
			weight := 1.0
			if q, ok := params["q"]; ok {
				if weight, err = strconv.ParseFloat(q, 64); err != nil {
					weight = 0
				}
			}
			switch name {
			case "*/*", "application/*":
				name = mediaFHIR
			case mediaHTML:
				browser = true
			case mediaXML, mediaTextXML:
				if browser { // it lists XML as a form of HTML
					continue
				}
			}
			if formats[name] != noFormat && strings.Contains(name, "/") && rightVersion(params) && weight > bestWeight {
				best, bestWeight = name, weight
			}
		}
	}
	if best == "" {
		return "", notAcceptable()
	}
	return contentType(best), nil
}

// offered picks the media type that a client wants of those that the operation which r
// calls offers beside FHIR's; "" for none, or when it rather has FHIR. In _format, the
// part behind the slash will do.
func (r *Request) offered(formatParam string, accept []string) string {
	if r.operation == nil || len(r.operation.Media) == 0 {
		return ""
	}
	for _, m := range r.operation.Media {
		if formatParam != "" && (formatParam == m || strings.HasSuffix(m, "/"+formatParam)) {
			return m
		}
	}
	best, bestWeight := "", 0.0
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil || formatParam != "" {
			continue
		}
		weight := 1.0
		if q, ok := params["q"]; ok {
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				weight = 0
			}
		}
		if weight <= bestWeight {
			continue
		}
		if slices.Contains(r.operation.Media, name) {
			best, bestWeight = name, weight
		} else if formats[name] != noFormat && strings.Contains(name, "/") {
			best, bestWeight = "", weight
		}
	}
	return best
}

func notAcceptable() error {
	return fhir.Errorf(fhir.NotAcceptable, "this server writes FHIR R4 in JSON and XML only: ask for %s or %s", mediaFHIR, mediaFHIRXML)
}

// unoffered says of an operation that has formats of its own which they are, in place of what
// chooseMedia says. One that writes JSON of its own writes none of FHIR.
func (r *Request) unoffered(err error) error {
	if r.operation == nil || len(r.operation.Media) == 0 {
		return err
	}
	all := slices.Clone(r.operation.Media)
	if !slices.Contains(all, mediaJSON) {
		all = append(all, mediaFHIR, mediaFHIRXML)
	}
	return fhir.Errorf(fhir.NotAcceptable, "$%s does not answer in that format: ask for one of %s", r.operation.Name, strings.Join(all, ", "))
}

// rightVersion reports whether the fhirVersion parameter of a media type names R4.
//
// See https://hl7.org/fhir/R4/versioning.html#mt-version.
func rightVersion(params map[string]string) bool {
	v, ok := params["fhirversion"]
	return !ok || v == "4.0" || v == "4.0.1"
}

// contentType returns the header for a media type from formats: the generic
// types are answered by the same type, as the specification asks.
func contentType(name string) string {
	switch name {
	case mediaJSON, mediaTextJSON, mediaXML, mediaTextXML:
		return name + "; charset=utf-8"
	}
	if formats[name] == formatXML {
		return mediaFHIRXML + "; charset=utf-8"
	}
	return mediaFHIR + "; charset=utf-8"
}

// bodyMedia reads a Content-Type and returns its media type, when the interaction
// takes it. Errors: fhir.UnsupportedMedia.
func bodyMedia(header string, takes ...string) (string, error) {
	name, params, err := mime.ParseMediaType(header)
	if err != nil {
		return "", fhir.Errorf(fhir.UnsupportedMedia, "the Content-Type header is missing or malformed: send %s", strings.Join(takes, " or "))
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", fhir.Errorf(fhir.UnsupportedMedia, "the body must be UTF-8").With("charset is %.50q", charset)
	}
	if !rightVersion(params) {
		return "", fhir.Errorf(fhir.UnsupportedMedia, "the body must be FHIR 4.0").With("fhirVersion is %.50q", params["fhirversion"])
	}
	for _, t := range takes {
		if name == t || t == mediaFHIR && formats[name] != noFormat && strings.Contains(name, "/") {
			return name, nil
		}
	}
	return "", fhir.Errorf(fhir.UnsupportedMedia, "this content type is not taken here: send %s", strings.Join(takes, " or ")).
		With("Content-Type is %.100q", name)
}
