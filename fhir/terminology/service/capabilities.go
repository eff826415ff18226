package service

import (
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/terminology"
)

// Capabilities returns the TerminologyCapabilities of a server: which code systems it
// knows, and what $expand and its like can do. software is its name and version.
//
// See https://hl7.org/fhir/R4/terminologycapabilities.html.
func Capabilities(r *terminology.Registry, base, software string, now time.Time) []byte {
	out := element.Quote([]byte(`{"resourceType":"TerminologyCapabilities","url":`), base+"/metadata?mode=terminology")
	out = now.UTC().AppendFormat(append(out, `,"status":"active","date":"`...), fhir.InstantLayout)
	out = append(out, `","kind":"instance"`...)
	if software != "" {
		out = append(element.Quote(append(out, `,"software":{"name":`...), software), '}')
	}
	out = append(element.Quote(append(out, `,"implementation":{"description":"FHIR R4 terminology service","url":`...), base), '}')
	out = append(out, `,"codeSystem":[`...)
	n := 0
	for url, versions := range r.View().Systems() {
		if n++; n > 1 {
			out = append(out, ',')
		}
		out = element.Quote(append(out, `{"uri":`...), url)
		for i, version := range versions {
			if version == "" {
				continue
			}
			out = append(out, [...]string{`,"version":[{"code":`, `,{"code":`}[min(i, 1)]...)
			out = element.Quote(out, version)
			if i == 0 {
				out = append(out, `,"isDefault":true`...)
			}
			out = append(out, '}')
		}
		if versions[0] != "" {
			out = append(out, ']')
		}
		out = append(out, `,"subsumption":true}`...)
	}
	out = append(out, `],"expansion":{"hierarchical":true,"paging":true,"incomplete":false,"parameter":[`...)
	for i, name := range expandParameters {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(element.Quote(append(out, `{"name":`...), name), '}')
	}
	return append(out, `],"textFilter":"The words of the filter, in any order, anywhere in a name or code; case and accents make no difference."},`+
		`"codeSearch":"all","validateCode":{"translations":true},"translation":{"needsMap":true}}`...)
}

// expandParameters are the parameters of $expand that do something.
var expandParameters = []string{
	"url", "valueSet", "valueSetVersion", "filter", "offset", "count", "includeDesignations", "designation", "activeOnly",
	"excludeNested", "excludeNotForUI", "displayLanguage", "exclude-system",
}
