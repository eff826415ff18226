package rest_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/validate"
)

type statement struct {
	FhirVersion string
	Rest        []struct {
		Interaction []struct{ Code string }
		Resource    []struct {
			Type              string
			Interaction       []struct{ Code string }
			ConditionalDelete string
			ConditionalCreate bool
			SearchInclude     []string
			SearchParam       []struct{ Name, Type, Definition string }
		}
	}
}

func TestMetadata(t *testing.T) {
	s := serve(t, deleteMany)
	a := s.want(200, s.do("GET", "/metadata", ""))
	doc, err := element.Parse([]byte(a.body))
	if err != nil {
		t.Fatal(err)
	}
	if issues := validate.Check(doc, 0, "CapabilityStatement"); issues != nil {
		t.Errorf("the statement is not valid: %+v", issues)
	}
	var c statement
	if err := json.Unmarshal([]byte(a.body), &c); err != nil {
		t.Fatal(err)
	}
	if c.FhirVersion != "4.0.1" || len(c.Rest[0].Resource) != 146 {
		t.Fatalf("%s, %d resources", c.FhirVersion, len(c.Rest[0].Resource))
	}
	for _, r := range c.Rest[0].Resource {
		if r.ConditionalDelete != "multiple" || !r.ConditionalCreate || len(r.Interaction) != 9 {
			t.Errorf("%s: %+v", r.Type, r)
		}
		if r.Type != "Patient" {
			continue
		}
		var names []string
		for _, p := range r.SearchParam {
			names = append(names, p.Name)
		}
		for _, want := range []string{"_id", "_lastUpdated", "identifier", "birthdate", "general-practitioner"} {
			if !slices.Contains(names, want) {
				t.Errorf("Patient: no search parameter %s", want)
			}
		}
		if !slices.Contains(r.SearchInclude, "Patient:general-practitioner") {
			t.Errorf("Patient: searchInclude %v", r.SearchInclude)
		}
	}
	var system []string
	for _, i := range c.Rest[0].Interaction {
		system = append(system, i.Code)
	}
	if want := []string{"transaction", "batch", "search-system", "history-system"}; !slices.Equal(system, want) {
		t.Errorf("system interactions %v", system)
	}
}

// TestMetadataDocuments: it says what it has no element for, and of a server that does not
// have it does not.
func TestMetadataDocuments(t *testing.T) {
	said := func(options ...func(*rest.Config)) string {
		t.Helper()
		s := serve(t, options...)
		var c struct {
			Rest []struct {
				Documentation string
				Operation     []struct{ Name, Documentation string }
			}
		}
		if err := json.Unmarshal([]byte(s.want(200, s.do("GET", "/metadata", "")).body), &c); err != nil {
			t.Fatal(err)
		}
		text := c.Rest[0].Documentation
		for _, o := range c.Rest[0].Operation {
			text += "|" + o.Name + "=" + o.Documentation
		}
		return text
	}
	plain := said(func(c *rest.Config) { c.State = nil })
	full := said(remembering, offers, func(c *rest.Config) {
		c.Documentation = "It takes messages."
		c.Operations[0].Documentation = "It says it again."
	})
	for _, one := range []string{"Idempotency-Key", "It takes messages.", "|echo=It says it again."} {
		if strings.Contains(plain, one) || !strings.Contains(full, one) {
			t.Errorf("%q: a plain server says %q, one that has it %q", one, plain, full)
		}
	}
	if !strings.Contains(full, "|change=|") {
		t.Errorf("an operation without a text has one: %s", full)
	}
}

// TestMetadataKeepsItsWord tries every search parameter that the statement names.
func TestMetadataKeepsItsWord(t *testing.T) {
	s := serve(t)
	var c statement
	if err := json.Unmarshal([]byte(s.do("GET", "/metadata", "").body), &c); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"number": "1", "date": "2026", "string": "x", "token": "x", "reference": "x", "quantity": "1", "uri": "http://x",
		"composite": "x$2026", "special": "1%7C2",
	}
	tried := 0
	for _, r := range c.Rest[0].Resource {
		query := "/" + r.Type + "?_count=0"
		for _, p := range r.SearchParam {
			value, ok := values[p.Type]
			if !ok {
				t.Errorf("%s.%s: type %s", r.Type, p.Name, p.Type)
			}
			query += "&" + p.Name + "=" + value
			tried++
		}
		if a := s.do("GET", query, ""); a.status != 200 {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
	if tried < 1500 {
		t.Errorf("only %d parameters were tried", tried)
	}
}

func TestVersions(t *testing.T) {
	s := serve(t)
	var p struct {
		Parameter []struct{ Name, ValueString string }
	}
	a := s.want(200, s.do("GET", "/$versions", ""))
	if err := json.Unmarshal([]byte(a.body), &p); err != nil || len(p.Parameter) != 2 || p.Parameter[0].ValueString != "4.0" {
		t.Errorf("%s, %v", a.body, err)
	}
	s.want(405, s.do("DELETE", "/metadata", ""))
}

// TestMetadataMode: mode=terminology asks for the TerminologyCapabilities.
func TestMetadataMode(t *testing.T) {
	s := serve(t, func(c *rest.Config) {
		c.Terminology = func(context.Context) ([]byte, error) {
			return []byte(`{"resourceType":"TerminologyCapabilities","status":"active"}`), nil
		}
	})
	for query, want := range map[string]string{"": "CapabilityStatement", "?mode=full": "CapabilityStatement", "?mode=terminology": "TerminologyCapabilities"} {
		if a := s.want(200, s.do("GET", "/metadata"+query, "")); !strings.HasPrefix(a.body, `{"resourceType":"`+want+`"`) {
			t.Errorf("%q: %.100s", query, a.body)
		}
	}
	if a := serve(t).do("GET", "/metadata?mode=terminology", ""); !strings.HasPrefix(a.body, `{"resourceType":"CapabilityStatement"`) {
		t.Errorf("without terminology: %.100s", a.body)
	}
}
