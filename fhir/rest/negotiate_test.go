package rest

import (
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
)

func TestChooseMedia(t *testing.T) {
	tests := []struct {
		format string
		accept string // headers separated by ";;"
		want   string // "" for 406
	}{
		{"", "", "application/fhir+json"},
		{"", "*/*", "application/fhir+json"},
		{"", "application/fhir+json", "application/fhir+json"},
		{"", "application/json", "application/json"},
		{"", "application/json+fhir", "application/fhir+json"},
		{"", "application/fhir+json; fhirVersion=4.0", "application/fhir+json"},
		{"", "application/fhir+json; fhirVersion=3.0", ""},
		{"", "application/fhir+json;q=0.1, application/json", "application/json"},
		{"", "application/xml, application/json;q=0.5", "application/xml"},
		{"", "application/xml;q=0.4, application/json;q=0.5", "application/json"},
		{"", "application/fhir+xml", "application/fhir+xml"},
		{"", "application/xml+fhir", "application/fhir+xml"},
		{"", "text/xml", "text/xml"},
		{"", "application/fhir+xml; fhirVersion=3.0", ""},
		{"", "text/html", ""},
		{"", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/fhir+json"},
		{"", "application/*", "application/fhir+json"},
		{"", "application/json;q=0", ""},
		{"", "json", ""},
		{"", ";;;garbage", ""},
		{"", "text/html;;application/json", "application/json"},
		{"json", "text/html", "application/fhir+json"},
		{"application/json", "", "application/json"},
		{"application/fhir json", "", "application/fhir+json"},
		{"application/fhir+json; fhirVersion=4.0", "", "application/fhir+json"},
		{"xml", "application/json", "application/fhir+xml"},
		{"text/xml", "", "text/xml"},
		{"application/fhir xml", "", "application/fhir+xml"},
		{"turtle", "", ""},
		{"html/xml", "", ""},
	}
	for _, tt := range tests {
		var accept []string
		if tt.accept != "" {
			accept = strings.Split(tt.accept, ";;")
		}
		got, err := chooseMedia(tt.format, accept)
		if tt.want == "" {
			if fhir.CodeOf(err) != fhir.NotAcceptable {
				t.Errorf("%q, %q: got %q, %v; want fhir.NotAcceptable", tt.format, tt.accept, got, err)
			}
		} else if err != nil || got != tt.want+"; charset=utf-8" {
			t.Errorf("%q, %q: got %q, %v; want %q", tt.format, tt.accept, got, err, tt.want)
		}
	}
}

func TestBodyMedia(t *testing.T) {
	for header, want := range map[string]bool{
		"application/fhir+json":                  true,
		"application/json; charset=UTF-8":        true,
		"application/fhir+json; fhirVersion=4.0": true,
		"application/fhir+json; fhirVersion=5.0": false,
		"application/json; charset=latin1":       false,
		"application/fhir+xml":                   true,
		"application/xml; charset=utf-8":         true,
		"text/xml":                               true,
		"xml":                                    false,
		"text/plain":                             false,
		"":                                       false,
		"json":                                   false,
		";":                                      false,
	} {
		if _, err := bodyMedia(header, mediaFHIR); (err == nil) != want || err != nil && fhir.CodeOf(err) != fhir.UnsupportedMedia {
			t.Errorf("%q: %v, want taken: %v", header, err, want)
		}
	}
	if _, err := bodyMedia("application/json", mediaJSONPatch); err == nil {
		t.Error("a patch was taken as application/json")
	}
}

func TestParsePrefer(t *testing.T) {
	tests := map[string]Prefer{
		"":               {},
		"return=minimal": {Return: "minimal"},
		"return=representation; handling=lenient":    {Return: "representation", Lenient: true},
		`return="OperationOutcome", handling=strict`: {Return: "OperationOutcome"},
		"respond-async, return=everything":           {Async: true},
		"handling=lenient,handling=strict":           {},
	}
	for header, want := range tests {
		if got := parsePrefer([]string{header}); got != want {
			t.Errorf("%q: got %+v, want %+v", header, got, want)
		}
	}
}

func TestIfMatch(t *testing.T) {
	for header, want := range map[string]int64{"": 0, `W/"3"`: 3, `"12"`: 12, ` W/"1" `: 1} {
		if got, err := parseIfMatch(header); err != nil || got != want {
			t.Errorf("%q: %d, %v", header, got, err)
		}
	}
	for _, header := range []string{"3", `W/"a"`, `W/"0"`, `W/"-1"`, `W/"1", W/"2"`, `*`, `w/"1"`, `W/""`, `W/"99999999999999999999"`, "\x00"} {
		if _, err := parseIfMatch(header); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%q: %v, want fhir.Invalid", header, err)
		}
	}
	for header, want := range map[string]bool{`W/"3"`: true, `"3"`: true, `W/"1", W/"3"`: true, "*": true, `W/"4"`: false, "3": false} {
		if got := tagListed(header, 3); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

func TestOffered(t *testing.T) {
	r := &Request{operation: &operation.Operation{Media: []string{"text/html", "application/pdf"}}}
	for _, tt := range []struct{ format, accept, want string }{
		{"", "", ""},
		{"", "*/*", ""},
		{"", "application/pdf", "application/pdf"},
		{"", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"},
		{"", "text/html;q=0.5, application/pdf", "application/pdf"},
		{"", "text/html;q=0.5, application/fhir+json", ""},
		{"", "text/html;q=0", ""},
		{"", "text/html;q=x, image/png", ""},
		{"pdf", "text/html", "application/pdf"},
		{"application/pdf", "", "application/pdf"},
		{"html", "", "text/html"},
		{"text/html", "application/fhir+json", "text/html"},
		{"json", "text/html", ""},
		{"l", "", ""},
	} {
		if got := r.offered(tt.format, []string{tt.accept}); got != tt.want {
			t.Errorf("%q, %q: %q, want %q", tt.format, tt.accept, got, tt.want)
		}
	}
	if got := (&Request{operation: &operation.Operation{}}).offered("pdf", nil); got != "" {
		t.Errorf("an operation without other media types answers in %q", got)
	}
}

// TestUnoffered: what an operation does not answer in is refused by what it does.
func TestUnoffered(t *testing.T) {
	plain := notAcceptable()
	for _, tt := range []struct {
		media []string
		want  string
	}{
		{nil, plain.Error()},
		{[]string{"application/pdf"}, "$x does not answer in that format: ask for one of application/pdf, application/fhir+json, application/fhir+xml"},
		{[]string{"application/json", "text/csv"}, "$x does not answer in that format: ask for one of application/json, text/csv"},
	} {
		err := (&Request{operation: &operation.Operation{Name: "x", Media: tt.media}}).unoffered(plain)
		if fhir.CodeOf(err) != fhir.NotAcceptable || err.Error() != tt.want {
			t.Errorf("%v: %v", tt.media, err)
		}
	}
	if err := (&Request{}).unoffered(plain); err != plain {
		t.Errorf("of no operation: %v", err)
	}
}
