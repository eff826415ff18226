package record

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/guide"
	"github.com/amate-health/amate/fhir/profile"
	own "github.com/amate-health/amate/fhir/registry/profile"
	"github.com/amate-health/amate/fhir/validate"
)

// source finds the definitions of a package.
type source struct{ *guide.Package }

func (s source) Definition(url, _ string) ([]byte, error) {
	for _, d := range s.Definitions {
		if d.URL == url {
			return d.JSON, nil
		}
	}
	return nil, nil
}

var validator = func() *validate.Validator {
	p, err := own.Package()
	if err != nil {
		panic(err)
	}
	return &validate.Validator{Profiles: profile.NewRegistry(source{p})}
}()

// errorsOf are the rules that errors among issues name.
func errorsOf(issues []fhir.Issue) (rules []string) {
	for _, i := range issues {
		if i.Severity == "error" || i.Severity == "fatal" {
			rules = append(rules, i.Rule)
		}
	}
	return rules
}

func eachKind(t *testing.T, f func(t *testing.T, k *Kind)) {
	for i := range kinds {
		t.Run(kinds[i].Code, func(t *testing.T) { f(t, &kinds[i]) })
	}
}

// TestGoodDocuments: a good document of each kind is a good FHIR document, conforms to
// its profile, and breaks no rule of the norm.
func TestGoodDocuments(t *testing.T) {
	eachKind(t, func(t *testing.T, k *Kind) {
		doc := newSample(k).doc(t)
		for _, i := range Check(doc) {
			t.Errorf("%s %s at %s: %s", i.Severity, i.Rule, i.Expression, i.Details)
		}
		for _, i := range validator.Validate(context.Background(), doc, 0) {
			if i.Severity == "error" {
				t.Errorf("%s at %s: %s %s", i.Rule, i.Expression, i.Details, i.Diagnostics)
			}
		}
	})
}

// TestSectionsAreAsked leaves each section out, and then empty: the profile finds the
// first, and Check both.
func TestSectionsAreAsked(t *testing.T) {
	eachKind(t, func(t *testing.T, k *Kind) {
		for _, sec := range k.Sections {
			s := newSample(k)
			s.drop(sec.Code)
			doc := s.doc(t)
			missing := slices.Contains(errorsOf(Check(doc)), rule(sec.Clause))
			profiled := slices.Contains(errorsOf(validator.Validate(context.Background(), doc, 0)), "cardinality-min")
			if missing == sec.Optional || profiled == sec.Optional {
				t.Errorf("without %s: found by Check %v, by the profile %v", sec.Code, missing, profiled)
			}
			s = newSample(k)
			o := s.sectionOf(sec.Code)
			delete(o, "entry")
			o["text"] = object{"status": "empty", "div": `<div xmlns="http://www.w3.org/1999/xhtml">Por escribir</div>`}
			if rules := errorsOf(Check(s.doc(t))); !slices.Contains(rules, rule(sec.Clause)) {
				t.Errorf("an empty %s is taken: %v", sec.Code, rules)
			}
			o["emptyReason"] = code("http://terminology.hl7.org/CodeSystem/list-empty-reason", "nilknown", "")
			if rules := errorsOf(Check(s.doc(t))); len(rules) > 0 {
				t.Errorf("%s with a reason to be empty: %v", sec.Code, rules)
			}
		}
	})
}

// headerFaults are what no document may lack.
var headerFaults = map[string]struct {
	spoil   func(s *sample)
	rule    string // of Check
	profile string // of the profile; "" when only Check can see it
}{
	"no time of day":      {func(s *sample) { s.composition()["date"] = "2026-11-20" }, "nom-004-5.10", "mx-not-1"},
	"no custodian":        {func(s *sample) { delete(s.composition(), "custodian") }, "nom-004-5.2.1", "cardinality-min"},
	"no subject":          {func(s *sample) { delete(s.composition(), "subject") }, "nom-004-5.9", "cardinality-min"},
	"no title":            {func(s *sample) { delete(s.composition(), "title") }, "nom-004-5.10", "cardinality-min"},
	"no author":           {func(s *sample) { delete(s.composition(), "author") }, "nom-004-5.10", "cardinality-min"},
	"a patient as author": {func(s *sample) { s.composition()["author"] = list{ref("Patient", "p")} }, "nom-004-5.10", "reference-target"},
	"another's profile":   {func(s *sample) { s.composition()["type"] = code(LOINC, "1-8", "x") }, "", "pattern"},
	"no establishment":    {func(s *sample) { delete(s.all, "Organization/o") }, "nom-004-5.2.1", "bundle-reference"},
	"no name of the establishment": {func(s *sample) {
		delete(s.all["Organization/o"], "name")
	}, "nom-004-5.2.1", ""},
	"no address of the establishment": {func(s *sample) { delete(s.all["Organization/o"], "address") }, "nom-004-5.2.1", ""},
	"no CLUES":                        {func(s *sample) { s.all["Organization/o"]["identifier"] = list{object{"value": "x"}} }, "nom-024-clues", ""},
	"no name of the patient":          {func(s *sample) { delete(s.all["Patient/p"], "name") }, "nom-004-5.9", ""},
	"no sex":                          {func(s *sample) { delete(s.all["Patient/p"], "gender") }, "nom-004-5.9", ""},
	"no age":                          {func(s *sample) { delete(s.all["Patient/p"], "birthDate") }, "nom-004-5.9", ""},
	"no address of the patient":       {func(s *sample) { delete(s.all["Patient/p"], "address") }, "nom-004-5.2.3", ""},
	"no record number":                {func(s *sample) { delete(s.all["Patient/p"], "identifier") }, "nom-004-5.9", ""},
	"no name of the author":           {func(s *sample) { delete(s.all["Practitioner/dr"], "name") }, "nom-004-5.10", ""},
	"no cédula":                       {func(s *sample) { delete(s.all["Practitioner/dr"], "identifier") }, "lgs-83", ""},
	"a finding of another patient": {func(s *sample) {
		s.put("Patient", "p2", object{})
		s.put("Condition", "d2", object{"subject": ref("Patient", "p2")})
		sec := s.composition()["section"].(list)[0].(object)
		sec["entry"] = append(list{ref("Condition", "d2")}, entriesOf(sec)...)
	}, "nom-004-5.9", ""},
	"an entry that is not there": {func(s *sample) {
		sec := s.composition()["section"].(list)[0].(object)
		sec["entry"] = append(list{ref("Condition", "nobody")}, entriesOf(sec)...)
	}, "nom-004-", "bundle-reference"},
}

func entriesOf(o object) list {
	l, _ := o["entry"].(list)
	return l
}

func TestHeaderFaults(t *testing.T) {
	eachKind(t, func(t *testing.T, k *Kind) {
		for name, fault := range headerFaults {
			s := newSample(k)
			fault.spoil(s)
			doc := s.doc(t)
			rules := errorsOf(Check(doc))
			found := slices.ContainsFunc(rules, func(r string) bool { return strings.HasPrefix(r, fault.rule) })
			if fault.rule != "" && !found || fault.rule == "" && len(rules) > 0 {
				t.Errorf("%s: %v, want %q", name, rules, fault.rule)
			}
			rules = errorsOf(validator.Validate(context.Background(), doc, 0))
			if fault.profile != "" && !slices.ContainsFunc(rules, func(r string) bool { return strings.Contains(r, fault.profile) }) {
				t.Errorf("%s: the profile finds %v, want %q", name, rules, fault.profile)
			}
		}
	})
}

// TestCheckLocates: an issue says where it is.
func TestCheckLocates(t *testing.T) {
	s := newSample(Find("evolucion"))
	delete(s.all["MedicationRequest/m"]["dosageInstruction"].(list)[0].(object), "route")
	issues := Check(s.doc(t))
	if len(issues) != 1 || issues[0].Expression != "Bundle.entry[10].resource.dosageInstruction[0].route" || issues[0].Line != 1 || issues[0].Col < 100 || issues[0].Type != "required" {
		t.Errorf("%+v", issues)
	}
}

// TestCheckTakesAnything: what is no document is told of, and what the norm does not
// know is nothing to it.
func TestCheckTakesAnything(t *testing.T) {
	for text, want := range map[string]int{
		`{}`: 1, `{"resourceType":"Patient"}`: 1, `{"resourceType":"Bundle"}`: 1, `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient"}}]}`: 1,
		`{"resourceType":"Composition","type":{"coding":[{"system":"http://loinc.org","code":"60591-5"}]}}`: 0,
	} {
		doc, err := element.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if issues := Check(doc); len(issues) != want {
			t.Errorf("%s: %v", text, issues)
		}
	}
}
