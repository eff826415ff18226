package r4

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
)

// Every class of resources on which google/fhir v0.7.4 and validate.Check disagree,
// by name, with what tells that a disagreement is of it. fhir/DIVERGENCES.md has
// the same names, with the clauses of R4.

// class is one explanation.
type class struct {
	name  string
	rule  string         // of ours; "" for a finding of theirs
	says  *regexp.Regexp // in what is found; nil for anything
	in    *regexp.Regexp // in the path, the diagnostics or the resource; nil for anything
	shown string         // a resource that shows it
}

func re(s string) *regexp.Regexp { return regexp.MustCompile(s) }

// weAlone are the findings that google/fhir does not make.
var weAlone = []class{
	// encoding/json keeps the last of several members of one name.
	{"duplicate member", "duplicate", nil, nil, `{"resourceType":"Patient","active":true,"active":false}`},
	// {} and [] are read as absent, and "" as a text.
	{"empty", "empty", nil, nil, `{"resourceType":"Patient","name":[{}],"telecom":[]}`},
	// An object in place of a primitive is read as its extensions.
	{"object for a primitive", "json-type", re(`^found an object$`), nil, `{"resourceType":"Patient","gender":{"id":"x"}}`},
	// A scalar under a _name is read as the value itself.
	{"no object beside a primitive", "primitive-sibling", nil, nil, `{"resourceType":"Patient","_language":"es"}`},
	{"no object beside a primitive", "json-type", re(`^found a string$`), re(`"_[a-z]`), `{"resourceType":"Patient","name":[{"_given":["x"]}]}`},
	// A member whose first letter is in upper case is taken for the one in lower case.
	{"upper-case member", "unknown-element", re(`^"[A-Z]`), nil, `{"resourceType":"Patient","Gender":"male"}`},
	// An enumeration value is found whatever the case of the code.
	{"code in upper case", "binding-required", re(`^"`), nil, `{"resourceType":"Patient","gender":"Male"}`},
	// Only elements of type code have enumerations, not Coding and CodeableConcept.
	{"bound concept", "binding-required", re(`^none of `), nil,
		`{"resourceType":"Condition","subject":{"display":"x"},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"x"}]}}`},
	// A URI is what net/url parses, white space included.
	{"white space in a URI", "primitive-format", re(` is no (uri|url|canonical)$`), nil, `{"resourceType":"Patient","implicitRules":"http://x/a b"}`},
	// Contained resources are held as Any, and not validated.
	{"within a contained resource", "primitive-format", nil, re(`\.contained\[`), `{"resourceType":"Patient","contained":[{"resourceType":"Patient","id":"a:b"}]}`},
	{"within a contained resource", "cardinality-min", nil, re(`\.contained\[`), `{"resourceType":"Patient","contained":[{"resourceType":"Coverage","id":"c"}]}`},
	{"within a contained resource", "reference-target", nil, re(`\.contained\[`), `{"resourceType":"Patient","contained":[{"resourceType":"Basic","id":"b","code":{"text":"x"},"author":{"reference":"Basic/1"}}]}`},
	{"contained without id", "contained-id", nil, nil, `{"resourceType":"Patient","contained":[{"resourceType":"Patient"}]}`},
	{"contained twice", "contained-nested", nil, nil, `{"resourceType":"Patient","contained":[{"resourceType":"Patient","id":"a","contained":[{"resourceType":"Patient","id":"b"}]}]}`},
	// A reference by # is not followed.
	{"contained reference", "reference-contained", nil, nil, `{"resourceType":"Patient","managingOrganization":{"reference":"#x"}}`},
	// What has not the form Type/id counts as a URI.
	{"form of a reference", "reference-format", nil, nil, `{"resourceType":"Patient","managingOrganization":{"reference":"x"}}`},
	{"type of a reference", "reference-type-unknown", nil, nil, `{"resourceType":"Patient","managingOrganization":{"reference":"Foo/1"}}`},
	// Targets are checked for references in their relative form only, and Reference.type is not looked at.
	{"target of an absolute reference", "reference-target", nil, re(`https?://`), `{"resourceType":"Patient","managingOrganization":{"reference":"http://x/fhir/Patient/1"}}`},
	{"Reference.type", "reference-type-mismatch", nil, nil, `{"resourceType":"Patient","managingOrganization":{"reference":"Organization/1","type":"Patient"}}`},
	{"Reference.type", "reference-target", nil, re(`"type"`), `{"resourceType":"Patient","managingOrganization":{"display":"x","type":"Patient"}}`},
	// ext-1 is an invariant, and none are evaluated.
	{"extension without value", "extension-value", nil, nil, `{"resourceType":"Patient","extension":[{"url":"http://x"}]}`},
}

// theyAlone are the findings of google/fhir that we do not make.
var theyAlone = []class{
	// A null beside the extension of a missing value is legal in a list of primitives.
	{"null in a list", "", re(`expected`), re(`\[[^\]]*null`), `{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"x"}]}]}`},
	// The field is missing there.
	{"Parameters.parameter.resource", "", re(`Parameters.parameter.*unknown field`), nil, `{"resourceType":"Parameters","parameter":[{"name":"x","resource":{"resourceType":"Patient"}}]}`},
	// A URI is what net/url parses; R4 asks for text without white space.
	{"net/url", "", re(`invalid (uri|url|canonical)`), nil, `{"resourceType":"Patient","implicitRules":"1.2.3.4:5"}`},
	{"net/url", "", re(`invalid (uri|url|canonical)`), nil, `{"resourceType":"Patient","meta":{"profile":["http://x.org|1"]}}`},
	// R4 allows the second 60.
	{"leap second", "", re(`expected (datetime|instant|time)`), re(`:60`), `{"resourceType":"Patient","deceasedDateTime":"2016-12-31T23:59:60Z"}`},
	// Numbers must fit a float64 there.
	{"large number", "", re(`invalid JSON`), re(`[eE]\+?[3-9][0-9]{2}`), `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1e400}}`},
	// xhtml has an id in R4, but not the field there that the library looks for.
	{"id beside a narrative", "", re(`google.fhir.r4.core.Xhtml`), re(`"_div"`),
		`{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>","_div":{"id":"x"}}}`},
}

// ours returns the name of what explains a finding of ours alone, "" when nothing does.
func ours(i fhir.Issue, src []byte) string {
	for _, c := range weAlone {
		if c.rule == i.Rule && (c.says == nil || c.says.MatchString(i.Diagnostics)) &&
			(c.in == nil || c.in.MatchString(i.Expression) || c.in.Match(src)) {
			return c.name
		}
	}
	return ""
}

// followsFrom reports whether an element is missing only because we count what
// stands in its place, another finding in the same object, for something else.
func followsFrom(i fhir.Issue, found []fhir.Issue) bool {
	parent := func(path string) string { return path[:max(0, strings.LastIndexByte(path, '.'))] }
	for _, other := range found {
		if i.Rule == "cardinality-min" && other.Rule != i.Rule && parent(other.Expression) == parent(i.Expression) {
			return true
		}
	}
	return false
}

// theirs returns the name of what explains a finding of google/fhir's alone.
func theirs(finding string, src []byte) string {
	for _, c := range theyAlone {
		if c.says.MatchString(finding) && (c.in == nil || c.in.Match(src)) {
			return c.name
		}
	}
	return ""
}

// TestKnownDisagreements shows one resource of each class.
func TestKnownDisagreements(t *testing.T) {
	table, err := os.ReadFile("../DIVERGENCES.md")
	if err != nil {
		t.Fatal(err)
	}
	for who, classes := range map[string][]class{"we alone: ": weAlone, "google/fhir alone: ": theyAlone} {
		for _, c := range classes {
			o := newOracle(t)
			o.judge(specimen{c.name, []byte(c.shown)})
			if o.classes[who+c.name] == 0 || len(o.classes) > 1 {
				t.Errorf("%s%s: %s is of %v", who, c.name, c.shown, o.classes)
			}
			if !bytes.Contains(table, []byte("\n| "+c.name+" |")) {
				t.Errorf("%s is not in fhir/DIVERGENCES.md", c.name)
			}
		}
	}
}
