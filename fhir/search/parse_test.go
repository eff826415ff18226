package search_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

func TestSplitQuery(t *testing.T) {
	got, err := search.SplitQuery("a=1&b=%C3%B1+x&a=2&c&&d=e=f")
	want := []search.Param{{Name: "a", Value: "1"}, {Name: "b", Value: "ñ x"}, {Name: "a", Value: "2"}, {Name: "c"}, {Name: "d", Value: "e=f"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for _, text := range []string{"a=%zz", "%zz=a"} {
		if _, err := search.SplitQuery(text); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestRefused holds that what is not understood is refused by name, with what is near.
func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"Patient?famliy=x":                                      `unknown search parameter "famliy" of Patient; did you mean family?`,
		"Patient?birthDate=1990":                                `"birthDate" of Patient; did you mean`,
		"?family=x":                                             `"family" of all types`,
		"Patient?family:exat=x":                                 `modifier :"exat" of search parameter "family" is not supported; of type string: missing, exact, contains`,
		"Patient?gender:in=x":                                   `asks for terminology`,
		"Patient?gender:below=a|x":                              `asks for terminology`,
		"Patient?gender:text=x":                                 `goes with values of type CodeableConcept or Coding or Identifier`,
		"Patient?gender:of-type=a|b|c":                          `goes with values of type Identifier`,
		"Patient?identifier:of-type=a|b":                        `three parts`,
		"Patient?birthdate:exact=2020":                          `modifier :"exact" of search parameter "birthdate" is not supported; of type date: missing`,
		"Patient?family:not=x":                                  `modifier :"not"`,
		"Observation?subject:not=x":                             `modifier :"not"`,
		"Observation?subject:below=Patient/1":                   `goes with values of type canonical`,
		"PlanDefinition?depends-on:below=Library/1":             `canonical URL`,
		"ValueSet?url:below=urn:oid:1.2":                        `URNs have none`,
		"ValueSet?url:exact=x":                                  `modifier :"exact"`,
		"Patient?family:=x":                                     `"family:" ends in a colon`,
		"Patient?family=":                                       `"family" has no value`,
		"Patient?family:exact=a\x00b":                           `it is not text in UTF-8`,
		"Patient?_id=\x00":                                      `it is not text in UTF-8`,
		"Patient?_id=\xff\xfe":                                  `it is not text in UTF-8`,
		"Patient?\x00=x":                                        `not text in UTF-8`,
		"Patient?gender=a,,b":                                   `"gender" has an empty value`,
		"Patient?identifier=|":                                  `"identifier" has a value that cannot be read: a token is`,
		"Patient?identifier=a|b|c":                              `a token is`,
		"Patient?birthdate=1990-13":                             `"birthdate" has a value that cannot be read: a date is`,
		"Patient?birthdate=gt":                                  `a date is`,
		"Patient?birthdate=zz1990":                              `a date is`,
		"Patient?birthdate=1990-02-30":                          `a date is`,
		"Patient?birthdate=1990-02-03T25:00":                    `a date is`,
		"Patient?_lastUpdated=yesterday":                        `"_lastUpdated" has a value that cannot be read`,
		"RiskAssessment?probability=1,x":                        `a number is`,
		"RiskAssessment?probability=Infinity":                   `a number is`,
		"RiskAssessment?probability=1e999":                      `a number is`,
		"Observation?value-quantity=5|mg":                       `a quantity is`,
		"Observation?value-quantity=|mg":                        `a number is`,
		"Observation?subject=Patient/":                          `a reference is`,
		"Observation?subject:Group=Patient/1":                   `another type`,
		"Observation?subject:Organization=1":                    `"subject" never refers to Organization`,
		"Observation?subject:Foo=1":                             `modifier :"Foo"`,
		"Observation?code-value-quantity=x":                     `two parts`,
		"Observation?code-value-quantity=x$":                    `two parts`,
		"Observation?code-value-quantity=x$y":                   `a number is`,
		"Observation?code-value-quantity=a|$5":                  `a system alone`,
		"Observation?code-value-quantity:exact=x$5":             `of type composite: missing`,
		"MolecularSequence?chromosome-variant-coordinate=1$2$3": `joins 3 values`,
		"Observation?_sort=code-value-quantity":                 `cannot sort by "code-value-quantity", which is composite`,
		"Patient?_text=":                                        `"_text" has no value`,
		"Patient?_text:exact=fever":                             `_text has no modifiers`,
		"Patient?_text=(fever":                                  `lacks a closing parenthesis`,
		"Patient?_text=fever)":                                  `a parenthesis too many`,
		"Patient?_text=fever or":                                `stand before a word`,
		"Patient?_text=and fever":                               `stands between two words`,
		"Patient?_text=fever not":                               `stand before a word`,
		"Patient?_content=the":                                  `there is no word in it`,
		"Patient?_list=$current-problems":                       `no functional lists such as "$current-problems"`,
		"Patient?_list=a/b":                                     `ids of List resources`,
		"Patient?_list:missing=true":                            `_list has no modifiers`,
		"Patient?_contained=true":                               `does not search contained resources`,
		"Patient?_contained=maybe":                              `it is false, true or both`,
		"Patient?_containedType=container":                      `"_containedType" is not supported`,
		"Patient?_score=true":                                   `"_score" is not supported`,
		"Patient?_query=x":                                      `"_query" is not supported`,
		"?code=x":                                               `unknown search parameter "code" of all types`,
		"?_type=Patient,Observation&code=x":                     `unknown search parameter "code" of Patient`,
		"PlanDefinition?definition.url=x":                       `refers by URL`,
		"Library?_has:PlanDefinition:depends-on:name=x":         `refers by URL`,
		"Observation?subject:identifier.family=x":               `in a chain`,
		"Location?near=1":                                       `latitude|longitude`,
		"Location?near=91|2":                                    `from -90 to 90`,
		"Location?near=1|181":                                   `from -180 to 180`,
		"Location?near=x|1":                                     `latitude`,
		"Location?near=1|1|-5":                                  `0 or more`,
		"Location?near=1|1|5|kg":                                `unit of length`,
		"Location?near=1|1|5|km|x":                              `latitude|longitude`,
		"Patient?_text=x":                                       `there is no word in it`,
		"Patient?_count=many":                                   `"_count" has a value that cannot be read`,
		"Patient?_count=-1":                                     `"_count"`,
		"Patient?_count=1&_count=2":                             `"_count" is given twice`,
		"Location?_sort=near":                                   `cannot sort by "near", which is special`,
		"Patient?_sort=famliy":                                  `did you mean family`,
		"Patient?_sort=family,":                                 `"_sort" has a value`,
		"Patient?_total=some":                                   `"_total" has a value`,
		"Patient?_summary=yes":                                  `"_summary" has a value`,
		"Patient?_elements=id,,name":                            `"_elements" has a value`,
		"Patient?_type=Patient":                                 `_type is for searches of all types`,
		"?_type=Patiend":                                        `did you mean Patient`,
		"Patient?_id:not=x":                                     `_id has no modifiers`,
		"Patient?family:missing=maybe":                          `either true or false`,
		"Patient?_include=Patient":                              `the form Type:parameter`,
		"Patient?_include=Patient:x":                            `unknown search parameter "x" of Patient`,
		"Patient?_include=Patient:name":                         `"name" of Patient is no reference`,
		"Patient?_include=Observation:encounter":                `needs :iterate`,
		"Patient?_include=Patient:organization:Foo":             `ends in a resource type`,
		"Patient?_include:x=Patient:organization":               `modifier :"x"`,
		"?_revinclude=*":                                        `for a search of one type`,
		"Patient?_revinclude:iterate=*":                         `for a search of one type`,
		"QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire": `refers by canonical URL`,
		"Questionnaire?_revinclude=QuestionnaireResponse:questionnaire":      `refers by canonical URL`,
		"PlanDefinition?_include=PlanDefinition:url":                         `no reference`,
		"Patient?_revinclude=Observation:device":                             `never refers to Patient`,
		"Observation?patient.famly=x":                                        `unknown search parameter "famly" of Patient; did you mean family`,
		"Observation?code.text=x":                                            `"code" of Observation is of type token; only a reference can be followed`,
		"Observation?patient.general-practitioner.x=1":                       `unknown search parameter`,
		"Patient?_has:Observation:patient=x":                                 `does not have the form _has:Type:reference:parameter`,
		"Patient?_has:Foo:patient:code=x":                                    `"Foo"`,
		"Patient?_has:Observation:code:code=x":                               `no reference`,
		"Patient?_has:Observation:device:code=x":                             `never refers to Patient`,
		"Observation?_sort=combo-value-quantity":                             `cannot sort by`,
	} {
		typ, params := splitQuery(text)
		_, err := search.Parse(typ, params, search.Options{Base: base, Now: now})
		if fhir.CodeOf(err) != fhir.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestValuesStayOutOfLogs: what is logged of an error never holds the value.
func TestValuesStayOutOfLogs(t *testing.T) {
	for _, text := range []string{"Patient?birthdate=SECRET", "Patient?identifier=a|SECRET|c", "RiskAssessment?probability=SECRET",
		"Observation?value-quantity=SECRET", "Observation?subject=SECRET/", "Patient?_count=SECRET", "Patient?_sort=SECRET,", "Patient?_total=SECRET"} {
		typ, params := splitQuery(text)
		_, err := search.Parse(typ, params, search.Options{})
		var e *fhir.Error
		if text == "Patient?_sort=SECRET," {
			continue // names a parameter, which is quoted
		}
		if !errors.As(err, &e) || strings.Contains(e.Details, "SECRET") || !strings.Contains(e.Diagnostics, "SECRET") {
			t.Errorf("%s: %#v", text, err)
		}
	}
}

func TestLenient(t *testing.T) {
	typ, params := splitQuery("Patient?famliy=x&family=y&gender:in=z&gender:foo=t")
	q, err := search.Parse(typ, params, search.Options{Lenient: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(q.Ignored, " "); got != "famliy gender:in gender:foo" {
		t.Errorf("ignored %s", got)
	}
	if len(q.Self) != 1 || q.Self[0].Name != "family" || len(q.Where) != 1 {
		t.Errorf("%+v", q)
	}
	// A bad value would widen the search, so it is refused even so.
	if _, err := search.Parse("Patient", []search.Param{{Name: "birthdate", Value: "x"}}, search.Options{Lenient: true}); fhir.CodeOf(err) != fhir.Invalid {
		t.Errorf("%v", err)
	}
}

// TestTree shows how queries are understood, by what their trees print.
func TestTree(t *testing.T) {
	for text, want := range map[string]string{
		"Observation?code=a,b&patient=1&date=ge2020":                      "code=a,b&patient=1&date=ge2020",
		"Patient?gender:not=male":                                         "not(gender=male)",
		"Patient?family:exact=X":                                          "family:exact=X",
		"Patient?family:missing=true":                                     "family:missing=true",
		"Patient?_id=a,b":                                                 "_id=a,b",
		"Patient?_lastUpdated=gt2020,2019":                                "(_lastUpdated=gt2020 or _lastUpdated=2019)",
		"Observation?patient.family=Ek":                                   "(patient:Patient.(family=Ek))",
		"Observation?subject:Patient.family=Ek":                           "subject:Patient.(family=Ek)",
		"Observation?subject.identifier=1":                                "(subject:Device.(identifier=1) or subject:Group.(identifier=1) or subject:Location.(identifier=1) or subject:Patient.(identifier=1))",
		"Observation?subject._id=1":                                       "subject:Device|Group|Location|Patient.(_id=1)",
		"Observation?encounter.patient.family=x":                          "encounter:Encounter.(patient:Patient.(family=x))",
		"Patient?_has:Condition:patient:code=44054006":                    "_has:Condition:patient:(code=44054006)",
		"Patient?_has:Observation:patient:_has:Provenance:target:agent=x": "_has:Observation:patient:(_has:Provenance:target:(agent=x))",
		"Observation?combo-code=a":                                        "(code=a or component-code=a)",
		"Observation?combo-code:not=a":                                    "not((code=a or component-code=a))",
		"Observation?combo-code:missing=true":                             "code:missing=true&component-code:missing=true",
		"Patient?phonetic=ek":                                             "name=ek",
		"?_type=Patient,Group&_id=1":                                      "_type=Patient,Group&_id=1",
		"Observation?patient:missing=false":                               "patient:missing=false",
	} {
		got := search.And(query(t, text).Where).String()
		if got != strings.Trim(want, " ") && got != strings.TrimSuffix(strings.TrimPrefix(want, "("), ")") {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestResultParameters(t *testing.T) {
	q := query(t, "Patient?family=x&_sort=-birthdate,family,_id,-_lastUpdated&_count=7&_total=estimate&_summary=data&_elements=id,name&_format=json&_pretty=true")
	var keys []string
	for _, s := range q.Sort {
		key := s.Field
		if s.Param != nil {
			key = s.Param.Code
		}
		if s.Desc {
			key = "-" + key
		}
		keys = append(keys, key)
	}
	if got := strings.Join(keys, ","); got != "-birthdate,family,_id,-_lastUpdated" {
		t.Errorf("sort %s", got)
	}
	if q.Count != 7 || q.Total != search.TotalEstimate || q.Summary != "data" || strings.Join(q.Elements, " ") != "id name" {
		t.Errorf("%+v", q)
	}
	if len(q.Self) != 8 || q.Self[1].Name != "_sort" {
		t.Errorf("self %v", q.Self)
	}
	if q := query(t, "Patient?_count=5000"); q.Count != 1000 {
		t.Errorf("count %d", q.Count)
	}
	if q := query(t, "Patient?family=x"); q.Count != 20 || q.Total != search.TotalNone {
		t.Errorf("count %d, total %d", q.Count, q.Total)
	}
	if q := query(t, "Patient?_summary=count"); q.Count != 0 || q.Total != search.TotalAccurate {
		t.Errorf("count %d, total %d", q.Count, q.Total)
	}
	if q := query(t, "Patient?_sort=phonetic"); q.Sort[0].Param.Code != "name" {
		t.Errorf("sort %+v", q.Sort[0])
	}
}

func TestIncludes(t *testing.T) {
	q := query(t, "MedicationRequest?_include=MedicationRequest:encounter&_include=MedicationRequest:subject:Patient&_include:iterate=Encounter:service-provider&_include=MedicationRequest:*&_include=*")
	if len(q.Includes) != 5 {
		t.Fatalf("%+v", q.Includes)
	}
	for i, want := range []search.Include{
		{Source: "MedicationRequest"}, {Source: "MedicationRequest", Target: "Patient"}, {Source: "Encounter", Iterate: true},
		{Source: "MedicationRequest"}, {},
	} {
		in := q.Includes[i]
		if in.Source != want.Source || in.Target != want.Target || in.Iterate != want.Iterate || in.Reverse || (len(in.Params) == 0) != (in.Source == "") {
			t.Errorf("%d: %+v", i, in)
		}
	}
	if len(q.Includes[3].Params) < 5 {
		t.Errorf("a wildcard follows %d parameters", len(q.Includes[3].Params))
	}
	q = query(t, "Patient?_revinclude=Condition:patient&_revinclude=Provenance:*")
	if in := q.Includes[0]; !in.Reverse || in.Source != "Condition" || in.Params[0].Code != "patient" {
		t.Errorf("%+v", in)
	}
	for _, p := range q.Includes[1].Params {
		if p.Code == "location" {
			t.Error("Provenance.location never refers to a Patient")
		}
	}
}

func TestLimits(t *testing.T) {
	many := make([]search.Param, 300)
	for i := range many {
		many[i] = search.Param{Name: "family", Value: "x"}
	}
	for name, params := range map[string][]search.Param{
		"parameters": many,
		"values":     {{Name: "family", Value: strings.Repeat("x,", 2000) + "x"}},
		"all values": slices.Repeat([]search.Param{{Name: "birthdate", Value: strings.Repeat("1990,", 900) + "1990"}}, 6),
		"chain":      {{Name: strings.Repeat("link.", 50) + "family", Value: "x"}},
		"has":        {{Name: strings.Repeat("_has:Patient:link:", 50) + "family", Value: "x"}},
		"sort":       {{Name: "_sort", Value: strings.Repeat("family,", 50) + "family"}},
	} {
		if _, err := search.Parse("Patient", params, search.Options{}); fhir.CodeOf(err) != fhir.TooCostly {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEveryParameter indexes and asks for every parameter of every type, so that
// none of them fails for want of a plan.
func TestEveryParameter(t *testing.T) {
	values := map[spec.SearchType]string{
		spec.Token: "x", spec.String: "x", spec.Reference: "x", spec.Date: "2020", spec.Number: "1", spec.Quantity: "1", spec.URI: "urn:x",
		spec.Composite: "x$2020", spec.Special: "1|2",
	}
	for _, typ := range spec.Resources() {
		d, err := element.Parse([]byte(`{"resourceType":"` + typ + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := search.Extract(d, 0, base); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
		for _, p := range spec.Params(typ) {
			_, err := search.Parse(typ, []search.Param{{Name: p.Code, Value: values[p.Type]}}, search.Options{})
			if ok := err == nil; ok != search.Supported(p) {
				t.Errorf("%s?%s: %v", typ, p.Code, err)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"Patient?family=x", "Observation?code=a|b,c|&date=ge2020-01-01T00:00:00 02:00", `Patient?identifier=\`, `Patient?identifier=a\,b\|c\\`,
		"Observation?patient.family=x&_has:x:y:z=1", "Patient?_has:Observation:patient:_has:Provenance:target:agent=1", "Observation?value-quantity=ap1e-300||x",
		"RiskAssessment?probability=-9.99999999999999999999999999999999999999999e350", "Patient?_include:iterate=Patient:*:Patient", "?_type=,", "Patient?=",
		"Patient?:missing=true", "Observation?code:in=http://vs/pets", "Observation?code:below=urn:zoo|dog,urn:zoo|", "Patient?identifier:of-type=a|b|c,|||", "Observation?code-value-quantity=a|b$ap1e-300|http://unitsofmeasure.org|mg,$", "Location?near=90|-180|1e308|km,0|0|1|[mi_i]", "ValueSet?url:above=" + strings.Repeat("é", 300), "Patient?_filter=a[b eq c].d co \"", "Patient?_text=(-a or not b) \"c", "?_type=Patient,Observation&code=x&_list=a", "Observation?subject:identifier=\x04a|b", "Patient?_list=$current", "ServiceRequest?instantiates-canonical:below=http://x|1.2,a|", "Patient?.=.", "Patient?a.b.c.d.e.f.g.h=1", "Patient?_sort=-,-", "Patient?birthdate=ap0001", "Patient?birthdate=9999-12-31",
	} {
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, lenient bool) {
		typ, params := splitQuery(text)
		q, err := search.Parse(typ, params, search.Options{Base: base, Now: now, Lenient: lenient, Terminology: terms{3}})
		if err != nil {
			if fhir.CodeOf(err) == 0 {
				t.Fatalf("%s: %v is nobody's fault", text, err)
			}
			return
		}
		_ = search.And(q.Where).String()
		if len(q.Self)+len(q.Ignored) != len(params) {
			t.Fatalf("%s: %d of %d parameters in the self link", text, len(q.Self), len(params))
		}
		// The self link says the same again.
		again, err := search.Parse(typ, q.Self, search.Options{Base: base, Now: now, Terminology: terms{3}})
		if err != nil || search.And(again.Where).String() != search.And(q.Where).String() {
			t.Fatalf("%s: the self link differs: %v", text, err)
		}
	})
}
