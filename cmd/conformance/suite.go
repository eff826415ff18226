package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// suite is one line of the table.
type suite struct {
	name string
	pkg  string
	test string
	rest string // about what does not pass, or how it is counted; Markdown
}

var suites = []suite{
	{"FHIRPath, official R4 cases", "fhir/fhirpath", "TestOfficial", "the list `unmet` in [official_test.go](fhir/fhirpath/official_test.go)"},
	{"FHIRPath, cases of fhirpath.js", "fhir/fhirpath", "TestFHIRPathJS", "[js_test.go](fhir/fhirpath/js_test.go); many are of later versions of FHIRPath"},
	{"Validator, HL7's cases for the base definitions", "fhir/validate", "TestSuite", "agreement on whether there is an error; [suite_test.go](fhir/validate/suite_test.go) logs each difference"},
	{"Validator, HL7's cases with profiles", "fhir/validate", "TestSuiteWithDefinitions", "likewise"},
	{"R4 examples, base validation", "fhir/validate", "TestExamples", "`defective` in [data_test.go](fhir/validate/data_test.go) tells what is wrong with an example"},
	{"R4 examples, `$validate`", "fhir/validate", "TestExamplesAreSound", "[suite_test.go](fhir/validate/suite_test.go) logs what is found"},
	{"R4 definitions, base validation", "fhir/validate", "TestDefinitions", "`defective`, likewise"},
	{"US Core, IPS, MHD, PDQm, PIXm, BALP, BFDR: definitions and examples, base validation", "fhir/validate", "TestGuides", "`defective`, likewise"},
	{"R4 examples, JSON to XML and back", "fhir/xml", "TestRoundTripOfExamples", ""},
	{"JSON Patch, json-patch-tests", "fhir/patch", "TestPublishedCases", ""},
	{"FHIRPath Patch, HL7's cases", "fhir/patch", "TestPublishedFHIRPathPatches", ""},
	{"UCUM, functional tests", "fhir/ucum", "TestFunctional", ""},
	{"Against google/fhir, examples, definitions and Synthea", "fhir/r4", "TestOracle", "[each class of disagreement](fhir/DIVERGENCES.md#against-googlefhir)"},
	{"Against google/fhir, mutations", "fhir/r4", "TestOracleOnMutations", "agreement; [the others are explained](fhir/DIVERGENCES.md#against-googlefhir)"},
	{"Client: fhir-kit-client", "cmd/amate", "TestClients/npm/fhir-kit-client", "checks of one session"},
	{"Client: Medplum", "cmd/amate", "TestClients/npm/medplum", "checks of one session"},
	{"Client: fhirclient", "cmd/amate", "TestClients/npm/fhirclient", "checks of one session"},
	{"Client: HAPI FHIR, and HL7's validator on what it is sent", "cmd/amate", "TestClients/hapi", "checks of one session"},
}

// packages returns the packages of the suites, in order.
func packages() (all []string) {
	for _, s := range suites {
		if !slices.Contains(all, s.pkg) {
			all = append(all, s.pkg)
		}
	}
	return all
}

// pattern returns what selects the suites of a package for go test -run.
func pattern(pkg string) string {
	var names []string
	for _, s := range suites {
		name, _, _ := strings.Cut(s.test, "/")
		if s.pkg == pkg && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return "^(" + strings.Join(names, "|") + ")$"
}

// result is what became of a test.
type result struct {
	outcome       string // pass, fail or skip; "" when it did not run
	passed, total int    // of its cases
}

var counted = regexp.MustCompile(`: (\d+) of (\d+)\b`)

// read takes the results from the output of go test -json.
func read(r io.Reader, pkg string, results map[string]result) error {
	for dec := json.NewDecoder(r); ; {
		var event struct{ Action, Test, Output string }
		err := dec.Decode(&event)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("output of go test ./%s: %w", pkg, err)
		}
		key := pkg + " " + event.Test
		got := results[key]
		switch event.Action {
		case "pass", "fail", "skip":
			got.outcome = event.Action
		case "output":
			if m := counted.FindStringSubmatch(event.Output); m != nil { // the last line counts
				got.passed, _ = strconv.Atoi(m[1])
				got.total, _ = strconv.Atoi(m[2])
			}
		}
		results[key] = got
	}
}

// table writes the results as Markdown, and reports whether all is as it should
// be: every suite ran, none failed, and each counted its cases.
func table(results map[string]result) (string, bool) {
	var b strings.Builder
	b.WriteString("| suite | passed | of | |\n|---|--:|--:|---|\n")
	sound := true
	for _, s := range suites {
		r := results[s.pkg+" "+s.test]
		passed, total, rest := strconv.Itoa(r.passed), strconv.Itoa(r.total), s.rest
		switch {
		case r.outcome == "skip":
			passed, total, rest = "", "", "**not run: what it needs is not on this machine**"
			sound = false
		case r.outcome != "pass":
			rest = "**FAILED** " + rest
			sound = false
		case r.total == 0:
			rest = "**counted nothing** " + rest
			sound = false
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", s.name, passed, total, rest)
	}
	return b.String(), sound
}
