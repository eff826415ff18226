package search_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// define reads a SearchParameter resource and adds what it defines.
func define(t testing.TB, c *search.Catalogue, json string, first uint16, searchable bool) (*search.Catalogue, error) {
	t.Helper()
	d, err := element.Parse([]byte(json))
	if err != nil {
		t.Fatal(err)
	}
	params, err := c.Define(d, 0)
	if err != nil {
		return nil, err
	}
	var added []search.Added
	for i, p := range params {
		p.ID = first + uint16(i)
		added = append(added, search.Added{SearchParam: p, Searchable: searchable})
	}
	return c.With(added...)
}

const curpParam = `{"resourceType":"SearchParameter","url":"urn:sp:curp","name":"curp","status":"active","description":"x",
  "code":"curp","base":["Patient","Practitioner"],"type":"token",
  "expression":"Patient.identifier.where(system='urn:curp').value | Practitioner.identifier.where(system='urn:curp').value"}`

// foundBy reports whether a query finds a resource, both by the parameters of c.
func foundBy(t testing.TB, c *search.Catalogue, resource, text string) bool {
	t.Helper()
	d, err := element.Parse([]byte(resource))
	if err != nil {
		t.Fatal(err)
	}
	ix, err := search.Indexing{Base: base, Catalogue: c}.Extract(d, 0)
	if err != nil {
		t.Fatal(err)
	}
	typ, params := splitQuery(text)
	q, err := search.Parse(typ, params, search.Options{Base: base, Now: now, Catalogue: c})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	ok, err := search.Holds(search.And(q.Where), &search.Subject{Ref: fhir.Ref{Type: typ}, Index: &ix})
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestAddedParameter(t *testing.T) {
	c, err := define(t, search.Standard, curpParam, 20000, true)
	if err != nil {
		t.Fatal(err)
	}
	const patient = `{"resourceType":"Patient","identifier":[{"system":"urn:curp","value":"A1"},{"system":"urn:x","value":"B2"}]}`
	for query, want := range map[string]bool{"Patient?curp=A1": true, "Patient?curp=B2": false, "Patient?identifier=B2": true, "Patient?curp:missing=true": false} {
		if foundBy(t, c, patient, query) != want {
			t.Errorf("%s: %t", query, !want)
		}
	}
	if !foundBy(t, c, `{"resourceType":"Practitioner","identifier":[{"system":"urn:curp","value":"A1"}]}`, "Practitioner?curp=A1") {
		t.Error("the second base is not indexed")
	}
	if c.Lookup("Patient", "curp") != c.ByID(20000) || len(c.ByURL("urn:sp:curp")) != 2 || c.Lookup("Observation", "curp") != nil {
		t.Error("the parameter is not where it belongs")
	}
	if search.Standard.Lookup("Patient", "curp") != nil || search.Standard.ByID(20000) != nil {
		t.Error("adding a parameter changed the standard catalogue")
	}
	if got := c.Without(20000); got.Lookup("Patient", "curp") != nil || got.Lookup("Practitioner", "curp") == nil {
		t.Error("one of two was not taken away")
	}
}

// TestPendingParameter: while resources are being indexed by it, a parameter is
// extracted and not searched by.
func TestPendingParameter(t *testing.T) {
	c, err := define(t, search.Standard, curpParam, 20000, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"curp", "curp:missing", "_sort"} {
		value := "true"
		if name == "_sort" {
			value = "curp"
		}
		_, err = search.Parse("Patient", []search.Param{{Name: name, Value: value}}, search.Options{Catalogue: c})
		if fhir.CodeOf(err) != fhir.Invalid || !strings.Contains(err.Error(), "still being indexed") {
			t.Errorf("%s: %v", name, err)
		}
	}
	d, _ := element.Parse([]byte(`{"resourceType":"Patient","identifier":[{"system":"urn:curp","value":"A1"}]}`))
	before, _ := search.Extract(d, 0, base)
	after, err := search.Indexing{Base: base, Catalogue: c}.Extract(d, 0)
	if err != nil || len(after.Tokens) <= len(before.Tokens) {
		t.Errorf("%d tokens, then %d, %v", len(before.Tokens), len(after.Tokens), err)
	}
	p := *c.ByID(20000)
	c, err = c.With(search.Added{SearchParam: p, Searchable: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := search.Parse("Patient", []search.Param{{Name: "curp", Value: "x"}}, search.Options{Catalogue: c}); err != nil {
		t.Error(err)
	}
}

// TestAddedOfEveryType: an expression that needs the FHIRPath engine, and one for
// every type of resource.
func TestAddedOfEveryType(t *testing.T) {
	for _, c := range []struct{ param, resource, yes, no string }{
		{`"code":"lang","base":["Resource"],"type":"token","expression":"Resource.language"`, `{"resourceType":"Basic","language":"es-MX"}`, "Basic?lang=es-MX", "Basic?lang=es"},
		{`"code":"full","base":["Patient"],"type":"string","expression":"Patient.name.select(given.first() + ' ' + family)"`,
			`{"resourceType":"Patient","name":[{"family":"Muñoz","given":["José","Luis"]}]}`, "Patient?full=jose munoz", "Patient?full=munoz"},
		{`"code":"first-name","base":["Patient"],"type":"string","expression":"Patient.name.first()"`,
			`{"resourceType":"Patient","name":[{"family":"Muñoz"},{"family":"Paz"}]}`, "Patient?first-name=munoz", "Patient?first-name=paz"},
		{`"code":"birth-month","base":["Patient"],"type":"date","expression":"Patient.birthDate.first()"`, `{"resourceType":"Patient","birthDate":"1990-02-03"}`, "Patient?birth-month=1990-02", "Patient?birth-month=1991"},
		{`"code":"names","base":["Patient"],"type":"number","expression":"Patient.name.count()"`, `{"resourceType":"Patient","name":[{"text":"a"},{"text":"b"}]}`, "Patient?names=2", "Patient?names=1"},
		{`"code":"birthplace","base":["Patient"],"type":"string","expression":"Patient.extension.where(url='http://x/birthPlace').value.ofType(Address).city"`,
			`{"resourceType":"Patient","extension":[{"url":"http://x/birthPlace","valueAddress":{"city":"Mérida"}}]}`, "Patient?birthplace=merida", "Patient?birthplace=x"},
		{`"code":"race","base":["Patient"],"type":"token","expression":"Patient.extension('http://x/race').extension('omb').value"`,
			`{"resourceType":"Patient","extension":[{"url":"http://x/race","extension":[{"url":"omb","valueCoding":{"system":"s","code":"c"}}]}]}`, "Patient?race=s|c", "Patient?race=t|c"},
		{`"code":"method-value","base":["Observation"],"type":"composite","expression":"Observation","component":[{"definition":"http://hl7.org/fhir/SearchParameter/Observation-method","expression":"method"},{"definition":"http://hl7.org/fhir/SearchParameter/Observation-value-quantity","expression":"value.as(Quantity)"}]`,
			`{"resourceType":"Observation","method":{"coding":[{"code":"m"}]},"valueQuantity":{"value":5}}`, "Observation?method-value=m$gt4", "Observation?method-value=m$gt5"},
		{`"code":"carer","base":["Patient"],"type":"reference","expression":"Patient.generalPractitioner.first()"`,
			`{"resourceType":"Patient","generalPractitioner":[{"reference":"Practitioner/1"}]}`, "Patient?carer=Practitioner/1", "Patient?carer=Practitioner/2"},
	} {
		cat, err := define(t, search.Standard, `{"resourceType":"SearchParameter","url":"urn:sp",`+c.param+`}`, 20007, true)
		if err != nil {
			t.Errorf("%s: %v", c.param, err)
			continue
		}
		if !foundBy(t, cat, c.resource, c.yes) || foundBy(t, cat, c.resource, c.no) {
			t.Errorf("%s does not find %s", c.yes, c.resource)
		}
	}
}

// TestFaultyDefinitions: each is refused, at the element that is wrong.
func TestFaultyDefinitions(t *testing.T) {
	for _, c := range []struct{ param, at string }{
		{`"code":"x","base":["Patient"],"type":"token","expression":"Patient.active"`, "url"},
		{`"url":"urn:x","code":"1x","base":["Patient"],"type":"token","expression":"Patient.active"`, "code"},
		{`"url":"urn:x","code":"_x","base":["Patient"],"type":"token","expression":"Patient.active"`, "code"},
		{`"url":"urn:x","code":"a:b","base":["Patient"],"type":"token","expression":"Patient.active"`, "code"},
		{`"url":"urn:x","code":"family","base":["Patient"],"type":"token","expression":"Patient.active"`, "code"},
		{`"url":"urn:x","code":"gender","base":["DomainResource"],"type":"token","expression":"DomainResource.language"`, "code"},
		{`"url":"urn:x","code":"x","base":[],"type":"token","expression":"Patient.active"`, "base"},
		{`"url":"urn:x","code":"x","base":["Patiend"],"type":"token","expression":"Patient.active"`, "base"},
		{`"url":"urn:x","code":"x","base":["HumanName"],"type":"string","expression":"HumanName.family"`, "base"},
		{`"url":"urn:x","code":"x","base":["Patient"],"type":"tokens","expression":"Patient.active"`, "type"},
		{`"url":"urn:x","code":"x","base":["Patient"],"type":"special","expression":"Patient.active"`, "type"},
		{`"url":"urn:x","code":"x","base":["Patient"],"type":"token"`, "expression"},
		{`"url":"urn:x","code":"x","base":["Patient"],"type":"token","expression":"Patient.active("`, "expression"},
		{`"url":"urn:x","code":"x","base":["Patient"],"type":"token","expression":"Patient.activ"`, "expression"},
		{`"url":"urn:x","code":"x","base":["Patient"],"type":"token","expression":"Patient.name.first().famly"`, "expression"},
		{`"url":"urn:x","code":"x","base":["Patient"],"type":"date","expression":"Patient.active"`, "expression"},
		{`"url":"urn:x","code":"x","base":["Patient"],"type":"token","expression":"Observation.code"`, "expression"},
		{`"url":"urn:x","code":"x","base":["Patient"],"type":"reference","expression":"Patient.link.other","target":["Foo"]`, "target"},
		{`"url":"urn:x","code":"x","base":["Patient"],"type":"token","expression":"Patient.active","component":[{"definition":"http://hl7.org/fhir/SearchParameter/clinical-code","expression":"code"}]`, "component"},
		{`"url":"urn:x","code":"x","base":["Observation"],"type":"composite","expression":"Observation","component":[{"definition":"urn:none","expression":"code"}]`, "component.definition"},
		{`"url":"urn:x","code":"x","base":["Observation"],"type":"composite","expression":"Observation","component":[{"definition":"http://hl7.org/fhir/SearchParameter/clinical-code","expression":"code"}]`, "component"},
	} {
		_, err := define(t, search.Standard, `{"resourceType":"SearchParameter",`+c.param+`}`, 20000, true)
		var e *fhir.Error
		if !errors.As(err, &e) || e.Code != fhir.Unprocessable || e.Expression != "SearchParameter."+c.at {
			t.Errorf("%s: %#v, want a fault at %s", c.param, err, c.at)
		}
	}
	if _, err := search.Standard.With(search.Added{SearchParam: spec.SearchParam{ID: 7, Code: "x", Base: "Patient", Type: spec.Token, Expression: "Patient.active"}}); fhir.CodeOf(err) != fhir.Unprocessable {
		t.Errorf("an ID of R4: %v", err)
	}
	c, err := define(t, search.Standard, curpParam, 20000, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := define(t, c, curpParam, 20002, true); fhir.CodeOf(err) != fhir.Unprocessable {
		t.Errorf("the same code twice: %v", err)
	}
}

// TestFailingExpression: an expression that ends in an error for a resource does not
// keep it from being indexed.
func TestFailingExpression(t *testing.T) {
	c, err := define(t, search.Standard, `{"resourceType":"SearchParameter","url":"urn:x","code":"x","base":["Patient"],"type":"token","expression":"Patient.name.given.single()"}`, 20000, true)
	if err != nil {
		t.Fatal(err)
	}
	const two = `{"resourceType":"Patient","active":true,"name":[{"given":["a","b"]}]}`
	if !foundBy(t, c, two, "Patient?active=true") || foundBy(t, c, two, "Patient?x=a") {
		t.Error("the resource is not indexed by what can be read")
	}
}

// TestCatalogueSwapped indexes while the catalogue changes.
func TestCatalogueSwapped(t *testing.T) {
	var now atomic.Pointer[search.Catalogue]
	now.Store(search.Standard)
	more, err := define(t, search.Standard, curpParam, 20000, true)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := element.Parse([]byte(`{"resourceType":"Patient","identifier":[{"system":"urn:curp","value":"A1"}]}`))
	sizes := map[int]bool{}
	for _, c := range []*search.Catalogue{search.Standard, more} {
		ix, _ := search.Indexing{Catalogue: c}.Extract(d, 0)
		sizes[len(ix.Tokens)] = true
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 300 {
				ix, err := search.Indexing{Catalogue: now.Load()}.Extract(d, 0)
				if err != nil || !sizes[len(ix.Tokens)] {
					t.Errorf("%d tokens, %v", len(ix.Tokens), err)
				}
			}
		})
	}
	for range 100 {
		c, err := define(t, search.Standard, curpParam, 20000, true)
		if err != nil {
			t.Error(err)
		}
		now.Store(c)
		now.Store(c.Without(20000, 20001))
	}
	wait.Wait()
}
