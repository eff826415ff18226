package validate

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/samples"
)

// defective are the published examples that do break a rule, and why.
var defective = map[string]string{
	// The reason is a Procedure, which R4 does not list among the targets.
	"DeviceUseStatement-example.json": "reference-target DeviceUseStatement.reasonReference[0]",
	// 67 characters.
	"SearchParameter-questionnaireresponse-extensions-QuestionnaireResponse-item-subject.json": "primitive-format SearchParameter.id",
	// Parameters for extensions that may stand anywhere, without the base that R4 requires.
	"SearchParameter-codesystem-extensions-CodeSystem-author.json":    "cardinality-min SearchParameter.base",
	"SearchParameter-codesystem-extensions-CodeSystem-effective.json": "cardinality-min SearchParameter.base",
	"SearchParameter-codesystem-extensions-CodeSystem-end.json":       "cardinality-min SearchParameter.base",
	"SearchParameter-codesystem-extensions-CodeSystem-keyword.json":   "cardinality-min SearchParameter.base",
	"SearchParameter-codesystem-extensions-CodeSystem-workflow.json":  "cardinality-min SearchParameter.base",
	"SearchParameter-valueset-extensions-ValueSet-author.json":        "cardinality-min SearchParameter.base",
	"SearchParameter-valueset-extensions-ValueSet-effective.json":     "cardinality-min SearchParameter.base",
	"SearchParameter-valueset-extensions-ValueSet-end.json":           "cardinality-min SearchParameter.base",
	"SearchParameter-valueset-extensions-ValueSet-keyword.json":       "cardinality-min SearchParameter.base",
	"SearchParameter-valueset-extensions-ValueSet-workflow.json":      "cardinality-min SearchParameter.base",
	// Compiled from the 4.3.0 edition of the definition.
	"profiles-resources.json.gz": "binding-required Bundle.entry[185].resource.fhirVersion",
	// The hash was cut with dots.
	"hl7.fhir.us.core-3.1.1.tgz/DiagnosticReport-cardiology-report.json": "primitive-format DiagnosticReport.presentedForm[0].hash",
}

// audit counts resources that must be valid, but for those that are defective.
type audit struct {
	t     *testing.T
	doc   element.Doc
	count int
	sound int // without a finding
}

func (a *audit) check(name string, src []byte) {
	a.t.Helper()
	a.count++
	if err := a.doc.Parse(src, element.Limits{}); err != nil {
		a.t.Errorf("%s: %v", name, err)
		return
	}
	found := map[string]bool{}
	for _, issue := range Check(&a.doc, 0, "") {
		found[issue.Rule+" "+issue.Expression] = true
	}
	if len(found) == 0 {
		a.sound++
	}
	got := strings.Join(slices.Sorted(maps.Keys(found)), "; ")
	if got != defective[name] {
		a.t.Errorf("%s: %s, want %q", name, got, defective[name])
	}
}

func TestExamples(t *testing.T) {
	dir := samples.Path(t, "r4-examples")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	a := audit{t: t}
	for _, f := range files {
		a.check(filepath.Base(f), samples.Read(t, f))
	}
	t.Logf("%d of %d are valid", a.sound, a.count)
	if a.count < 300 {
		t.Errorf("only %d", a.count)
	}
}

// packed calls f with the resources in the package folder of a .tar.gz.
func packed(t *testing.T, path string, f func(name string, src []byte)) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(samples.Read(t, path)))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(h.Name)
		if !strings.HasSuffix(name, ".json") || !strings.Contains(name, "-") || strings.Contains(h.Name, "/other/") || strings.Contains(h.Name, "openapi") {
			continue
		}
		src, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		f(name, src)
	}
}

func TestDefinitions(t *testing.T) {
	a := audit{t: t}
	packed(t, samples.Path(t, "r4-core", "hl7.fhir.r4.core-4.0.1.tar.gz"), a.check)
	if a.count < 4000 {
		t.Errorf("only %d files", a.count)
	}
	for _, name := range []string{"profiles-resources", "profiles-types", "profiles-others", "valuesets", "search-parameters", "v2-tables", "v3-codesystems", "conceptmaps", "extension-definitions"} {
		a.check(name+".json.gz", samples.Read(t, samples.Path(t, "r4-core", "bundles", name+".json.gz")))
	}
	t.Logf("%d of %d are valid", a.sound, a.count)
}

func TestGuides(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(samples.Path(t, "ig"), "*gz"))
	if err != nil {
		t.Fatal(err)
	}
	a := audit{t: t}
	for _, f := range files {
		packed(t, f, func(name string, src []byte) {
			switch {
			case strings.HasPrefix(name, "validation-"): // reports of a tool, not R4
			case strings.HasPrefix(name, "ImplementationGuide-"): // tools use parameters beyond the required value set
			default:
				name := filepath.Base(f) + "/" + name
				a.check(name, src)
			}
		})
	}
	t.Logf("%d of %d are valid", a.sound, a.count)
	if a.count < 500 {
		t.Errorf("only %d files", a.count)
	}
}

func TestSynthea(t *testing.T) {
	for _, dir := range []string{"synthea-r4-urn", "synthea-r4-conditional"} {
		files, err := filepath.Glob(filepath.Join(samples.Path(t, dir), "*.json.gz"))
		if err != nil {
			t.Fatal(err)
		}
		a := audit{t: t}
		for i, f := range files {
			if testing.Short() && i%10 != 0 {
				continue
			}
			a.check(filepath.Base(f), samples.Read(t, f))
		}
		if a.count < 8 {
			t.Errorf("%s: only %d", dir, a.count)
		}
	}
	files, err := filepath.Glob(filepath.Join(samples.Path(t, "bulk-ndjson-10p"), "[A-Z]*.ndjson.gz"))
	if err != nil {
		t.Fatal(err)
	}
	a := audit{t: t}
	for _, f := range files {
		for line := range bytes.Lines(samples.Read(t, f)) {
			a.check(filepath.Base(f), bytes.TrimSpace(line))
		}
	}
	if a.count < 300 {
		t.Errorf("ndjson: only %d", a.count)
	}
}

// TestReferenceCases holds Check to the findings of the reference validator, for
// the cases whose errors base validation can see.
func TestReferenceCases(t *testing.T) {
	dir := samples.Path(t, "validator")
	var cases []struct {
		Name, File string
		Expected   []struct {
			Severity   string
			Expression []string
		}
	}
	if err := json.Unmarshal(samples.Read(t, filepath.Join(dir, "cases.json")), &cases); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, c := range cases {
		if !strings.HasSuffix(c.File, ".json") {
			continue
		}
		d, err := element.Parse(samples.Read(t, filepath.Join(dir, "files", c.File)))
		if err != nil {
			continue // the case is about the syntax
		}
		seen++
		errors := 0
		for _, e := range c.Expected {
			if e.Severity == "error" || e.Severity == "fatal" {
				errors++
			}
		}
		// The validator ran with an option that lets a contained id of 65 characters pass.
		if issues := Check(d, 0, ""); len(issues) > errors && c.Name != "contained-resource-bad-id-ignore" {
			t.Errorf("%s: more errors than the %d expected: %s", c.Name, errors, list(issues))
		}
	}
	if seen < 80 {
		t.Errorf("only %d cases", seen)
	}
}

func list(issues []fhir.Issue) string {
	var b strings.Builder
	for _, i := range issues {
		fmt.Fprintf(&b, "\n%s %s %s", i.Rule, i.Expression, i.Diagnostics)
	}
	return b.String()
}
