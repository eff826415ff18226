package rest

import (
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// parseIfMatch reads the one entity tag of an If-Match header: W/"3", and, since
// many clients leave the W/ out, "3".
//
// See https://hl7.org/fhir/R4/http.html#concurrency.
func parseIfMatch(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	v, ok := parseTag(strings.TrimSpace(s))
	if !ok {
		return 0, fhir.Errorf(fhir.Invalid, `If-Match must be one weak entity tag with a version number, such as W/"3"`).
			With("If-Match is %.100q", s)
	}
	return v, nil
}

// parseTag reads W/"3" or "3".
func parseTag(s string) (int64, bool) {
	s = strings.TrimPrefix(s, "W/")
	if len(s) < 3 || s[0] != '"' || s[len(s)-1] != '"' {
		return 0, false
	}
	v, err := strconv.ParseInt(s[1:len(s)-1], 10, 64)
	return v, err == nil && v > 0
}

// namesTag reports whether an If-None-Match header names an entity tag that is no version.
func namesTag(header, tag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		if part = strings.TrimPrefix(strings.TrimSpace(part), "W/"); part == `"`+tag+`"` || part == "*" {
			return true
		}
	}
	return false
}

// tagListed reports whether an If-None-Match header names version.
func tagListed(header string, version int64) bool {
	for part := range strings.SplitSeq(header, ",") {
		part = strings.TrimSpace(part)
		if v, ok := parseTag(part); ok && v == version || part == "*" {
			return true
		}
	}
	return false
}
