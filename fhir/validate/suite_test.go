package validate

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/profile"
	"github.com/amate-health/amate/fhir/samples"
)

// suiteCase is a case of HL7's validator suite.
type suiteCase struct {
	Name, File, Module string
	Profile            json.RawMessage
	Supporting         json.RawMessage
	Expected           []struct{ Severity, Text string }
}

// hasError reports whether the reference validator finds an error.
func (c *suiteCase) hasError() bool {
	for _, i := range c.Expected {
		if i.Severity == "error" || i.Severity == "fatal" {
			return true
		}
	}
	return false
}

// alone reports whether the case needs nothing but the file itself.
func (c *suiteCase) alone() bool {
	none := func(m json.RawMessage) bool {
		s := string(m)
		return s == "" || s == "null" || s == "[]" || s == "{}" || s == `""`
	}
	return none(c.Profile) && none(c.Supporting)
}

func errorsOf(issues []fhir.Issue) (list []fhir.Issue) {
	for _, i := range issues {
		if i.Severity == "error" || i.Severity == "fatal" {
			list = append(list, i)
		}
	}
	return list
}

// agreed is how many of the cases that need nothing else we agree on with the
// reference validator about whether there is an error.
const agreed = 69

// disagreements are the cases of TestSuite on which we do not agree, and why.
var disagreements = map[string]string{
	"bundle-id-5":                      "a display that its code system does not have is a warning here",
	"uk-msg":                           "needs SNOMED CT",
	"contained-resource-bad-id-ignore": "the contained resource is referred to by nothing, which dom-3 forbids; the case switches that off",
	"dr-example-org":                   "the case forbids example URLs, which R4 does not",
	"list-bad-reference":               "a relative reference whose type R4 does not have is an error here, also for what is written",
	"parameters-reference-bad":         "a reference that leads out of a Parameters may lead to what a server has",
}

// TestSuite holds $validate to the reference validator.
func TestSuite(t *testing.T) {
	dir := samples.Path(t, "validator")
	var cases []suiteCase
	src, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(src, &cases); err != nil {
		t.Fatal(err)
	}
	v := suiteValidator()
	passed, total := 0, 0
	for _, c := range cases {
		src, err := os.ReadFile(filepath.Join(dir, "files", filepath.Base(c.File)))
		if err != nil || !c.alone() {
			continue
		}
		total++
		got, why := suiteError(v, c.File, src)
		if got == c.hasError() {
			passed++
			continue
		}
		want := ""
		for _, i := range c.Expected {
			if i.Severity == "error" {
				want = i.Text
				break
			}
		}
		if disagreements[c.Name] == "" {
			t.Errorf("%s: no reason is given for the disagreement", c.Name)
		}
		t.Logf("%s (%s): error %v, reference %v: %.160s | %.160s", c.Name, c.File, got, c.hasError(), why, want)
	}
	t.Logf("%d of %d cases agree", passed, total)
	if passed < agreed {
		t.Errorf("%d of %d cases agree, want at least %d", passed, total, agreed)
	}
}

func suiteValidator() *Validator {
	return &Validator{Profiles: profile.NewRegistry(), StrictExtensions: true}
}

// suiteError reports whether we find an error in a file, and the first one.
func suiteError(v *Validator, name string, src []byte) (bool, string) {
	if strings.HasSuffix(name, ".xml") {
		json, err := fromXML(src)
		if err != nil {
			return true, err.Error()
		}
		src = json
	}
	d, err := element.Parse(src)
	if err != nil {
		return true, err.Error()
	}
	found := errorsOf(v.Validate(context.Background(), d, 0))
	if len(found) == 0 {
		return false, ""
	}
	return true, found[0].Rule + " " + found[0].Expression + " " + found[0].Details + " " + found[0].Diagnostics
}

// sound is how many of the published examples break no rule. Of the others, most
// hold relative canonical URLs, or a fullUrl or UUID that R4 does not allow.
const sound = 325

// TestExamplesAreSound looks for errors in the published examples, which have few.
func TestExamplesAreSound(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(samples.Path(t, "r4-examples"), "*.json"))
	v := &Validator{Profiles: profile.NewRegistry()}
	bad := 0
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if has, why := suiteError(v, f, src); has {
			bad++
			t.Logf("%s: %s", filepath.Base(f), why)
		}
	}
	t.Logf("%d of %d are sound", len(files)-bad, len(files))
	if len(files)-bad < sound {
		t.Errorf("%d of %d are sound, want at least %d", len(files)-bad, len(files), sound)
	}
}
