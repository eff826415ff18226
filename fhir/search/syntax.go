package search

import (
	"net/url"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// SplitQuery parts a query string, or a criterion of a conditional interaction, into
// its parameters, in order and decoded. Errors: fhir.Invalid.
func SplitQuery(raw string) ([]Param, error) {
	if raw == "" {
		return nil, nil
	}
	params := make([]Param, 0, strings.Count(raw, "&")+1)
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		n, err1 := url.QueryUnescape(name)
		v, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, fhir.Errorf(fhir.Invalid, "the query is not properly escaped").With("at %.100q", pair)
		}
		params = append(params, Param{Name: n, Value: v})
	}
	return params, nil
}

// The lexical level of a query value: lists, parts, escapes, prefixes.
//
// See https://hl7.org/fhir/R4/search.html#escaping.

// split cuts s at each separator that has no backslash before it, and leaves the
// escapes in the parts.
func split(s string, separator byte) []string {
	var parts []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case separator:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// unescape resolves \, \| \$ and \\; any other backslash stands for itself.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`,|$\`, s[i+1]) >= 0 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Escape returns text as it stands for itself in a query value.
func Escape(text string) string { return escaper.Replace(text) }

var escaper = strings.NewReplacer(`\`, `\\`, ",", `\,`, "|", `\|`, "$", `\$`)

// prefixList names the prefixes in messages.
const prefixList = "eq, ne, gt, lt, ge, le, sa, eb or ap"

// cutPrefix parts the prefix from a value; "eq" when there is none.
func cutPrefix(s string) (prefix, rest string) {
	if len(s) > 2 {
		switch s[:2] {
		case "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap":
			return s[:2], s[2:]
		}
	}
	return "eq", s
}
