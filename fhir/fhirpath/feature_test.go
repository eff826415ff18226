package fhirpath_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

// TestFunctions holds each function beyond the core of the language against its definition.
func TestFunctions(t *testing.T) {
	for expr, want := range map[string]string{
		// quantities
		"1 'kg' = 1000 'g'":              "true",
		"37 'Cel' = 310.15 'K'":          "true",
		"1 'mg' = 1 'mL'":                "false",
		"1 'mg' < 1 'mL'":                "",
		"1 'foo' = 1 'bar'":              "",
		"1 '[iU]' = 1 '1'":               "false",
		"1 'kg' ~ 1001 'g'":              "true",
		"1 year = 12 months":             "true",
		"1 year = 1 'a'":                 "",
		"1 year ~ 1 'a'":                 "true",
		"1 year = 365 days":              "",
		"90 minutes > 1 'h'":             "true",
		"3 'm' + 3 'cm'":                 "303 'cm'",
		"1 'g' - 1 'mL'":                 "",
		"2 'cm' * 2 'm'":                 "0.04 'm2'",
		"10 'g' / 2 'L' = 5 'kg/m3'":     "true",
		"1 'm' / 1 'm'":                  "1 '1'",
		"1 'Cel' * 2":                    "",
		"1 year * 2":                     "2 years",
		"1 year / 1 month":               "",
		"'2.5 \\'kg\\''.toQuantity('g')": "2500 'g'",
		"(1 year).toQuantity('months')":  "12 months",
		"(1 'a').toQuantity('year')":     "",
		"(5 'mg').value + 1":             "6",
		"5 'mg'.unit":                    "mg",
		"1 'cm'.comparable(1 '[in_i]')":  "true",
		"1 'cm'.comparable(1 's')":       "false",
		"@2020-01-31 + 1 'month'":        "2020-02-29",
		// boundaries
		"1.587.lowBoundary()":                    "1.58650000",
		"1.587.highBoundary(2)":                  "1.59",
		"(-1.587).lowBoundary(2)":                "-1.59",
		"(-1.587).highBoundary(2)":               "-1.58",
		"1.lowBoundary(0)":                       "0",
		"1.587.lowBoundary(-1)":                  "",
		"1.587.lowBoundary(29)":                  "",
		"1.5 'mg'.highBoundary(3)":               "1.550 'mg'",
		"@2014.lowBoundary()":                    "2014-01-01",
		"@2014-02.highBoundary()":                "2014-02-28",
		"@2016.highBoundary(6)":                  "2016-12",
		"@2014-01-01.lowBoundary(17)":            "",
		"@2014-01-01T08.lowBoundary()":           "2014-01-01T08:00:00.000+14:00",
		"@2014-01-01T08:05.highBoundary()":       "2014-01-01T08:05:59.999-12:00",
		"@2014-01-01T08:05+01:00.highBoundary()": "2014-01-01T08:05:59.999+01:00",
		"@2014-01-01T08:05:06.1Z.highBoundary()": "2014-01-01T08:05:06.199Z",
		"@2014-01-01T08Z.lowBoundary(5)":         "",
		"@T10.highBoundary()":                    "10:59:59.999",
		"{}.lowBoundary()":                       "",
		"1.50.precision()":                       "2",
		"@2014-01.precision()":                   "6",
		"@T10:30:00.precision()":                 "6",
		"@2014-01-01T08:05:06.123.precision()":   "17",
		// order
		"(3 | 1 | 2).sort()":                        "1; 2; 3",
		"('b' | 'a').sort(-$this)":                  "b; a",
		"name.sort(given.first()).given.last()":     "Anita",
		"name.sort(-family).use":                    "usual; official",
		"(1 | 2 | 3 | 4).sort($this mod 2, -$this)": "4; 2; 3; 1",
		"coalesce({}, name.suffix, 'none')":         "none",
		// variables
		"defineVariable('n', name).select(%n.given.count())":                     "4",
		"name.defineVariable('g', given.count()).given.select(%g).first()":       "4",
		"name.select(defineVariable('u', use).given.first().select($this & %u))": "Anaofficial; Anitausual",
		"(1 | 2).select(defineVariable('x').select(%x + 1))":                     "2; 3",
		"defineVariable('a', 1).select(%a) + defineVariable('a', 2).select(%a)":  "3",
		// types
		"Patient.is(System.Patient)":       "false",
		"(1).ofType(FHIR.Integer).empty()": "true",
		// texts
		"'test'.encode('hex').decode('hex')": "test",
		"'a?_'.encode('urlbase64')":          "YT9f",
		"'x'.encode('rot13')":                "",
		"'<a href=\"x\">'.escape('html')":    "&lt;a href=&quot;x&quot;&gt;",
		"'&lt;&amp;&#39;'.unescape('html')":  "<&'",
		"'a\"\\nb'.escape('json')":           "a\\\"\\nb",
		"'a\\\\tb\\\\q'.unescape('json')":    "a\tb\\q",
		"'abcb'.lastIndexOf('b')":            "3",
		"'abc'.matchesFull('b')":             "false",
		"'abc'.matchesFull('a|.*')":          "true",
		"'ABC'.matches('b', 'i')":            "true",
		"name.given.join('+')":               "Ana+Luz+Anita",
		"name.given[1].startsWith('x')":      "",
		"name.given[1] & 'x'":                "x",
		// parts of dates
		"@2014-05-06T07:08:09.123+05:30.yearOf()":       "2014",
		"@2014-05.dayOf()":                              "",
		"@T07:08.minuteOf()":                            "8",
		"@2014-05-06T07:08:09.120Z.millisecondOf()":     "120",
		"@2014-05-06T07:08:09-04:30.timezoneOffsetOf()": "-4.5",
		"@2014-05-06T07:08:09Z.dateOf()":                "2014-05-06",
		"@2014-05-06T07:08:09Z.timeOf()":                "07:08:09",
		"5.yearOf()":                                    "",
		// FHIR
		"conformsTo('http://hl7.org/fhir/StructureDefinition/Patient')":               "true",
		"conformsTo('http://hl7.org/fhir/StructureDefinition/Group')":                 "false",
		"gender.memberOf('urn:x')":                                                    "",
		"checkModifiers().id":                                                         "p",
		"'<div xmlns=\"http://www.w3.org/1999/xhtml\">x &eacute;</div>'.htmlChecks()": "true",
		"'<div><script>1</script></div>'.htmlChecks()":                                "false",
		"'<div onclick=\"x\"/>'.htmlChecks()":                                         "false",
		"'<!DOCTYPE x [<!ENTITY a \"b\">]><div>&a;</div>'.htmlChecks()":               "false",
		"'<div/><div/>'.htmlChecks()":                                                 "false",
		"name.type().baseType.distinct()":                                             "FHIR.Element",
	} {
		got, err := results(t, patient, expr)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", expr, got, err, want)
		}
	}
}

func TestFunctionErrors(t *testing.T) {
	for _, expr := range []string{
		"conformsTo('urn:unknown')", "'zz'.decode('hex')", "'a'.lowBoundary()", "(1|2).iif(true, 1)", "(1|'a').sort()", "@T10:00 + 1 day",
		"1 'cm'.comparable('x')", "'a'.matches('a', 'x')", "(1|2).precision()", "defineVariable('x').defineVariable('x')", "defineVariable('resource')", "defineVariable({})",
		"defineVariable('a', 1) | %a", "name.select(defineVariable('a')) and %a", "slice('urn:x', 'a')", "elementDefinition()",
	} {
		if got, err := results(t, patient, expr); err == nil {
			t.Errorf("%s gives %q", expr, got)
		}
	}
}

// TestHooks holds that functions ask whom Env names.
func TestHooks(t *testing.T) {
	d, err := element.Parse([]byte(patient))
	if err != nil {
		t.Fatal(err)
	}
	other, err := element.Parse([]byte(`{"resourceType":"Practitioner","id":"1","active":true}`))
	if err != nil {
		t.Fatal(err)
	}
	env := &fhirpath.Env{
		Resolve: func(ref string) (fhirpath.Item, bool) { return fhirpath.Root(other, 0), ref == "Practitioner/1" },
		ConformsTo: func(_ fhirpath.Item, url string) (bool, error) {
			if url != "urn:known" {
				return false, errors.New("unknown")
			}
			return true, nil
		},
		MemberOf: func(i fhirpath.Item, _ string) (bool, bool, error) {
			return fmt.Sprint(i.System()) == "official", true, nil
		},
		Subsumes: func(_, _ fhirpath.Item) (bool, bool, error) { return true, true, nil },
		HTML:     func(string) bool { return true },
	}
	for expr, want := range map[string]bool{
		"generalPractitioner.first().resolve().active": true,
		"conformsTo('urn:known')":                      true,
		"name[0].use.memberOf('urn:x')":                true,
		"name[1].use.memberOf('urn:x')":                false,
		"name[0].use.subsumes(name[1].use)":            true,
		"'<script/>'.htmlChecks()":                     true,
	} {
		e, err := fhirpath.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.Holds(fhirpath.Root(d, 0), env); err != nil || got != want {
			t.Errorf("%s: %t, %v", expr, got, err)
		}
	}
}

// TestContained resolves a reference within a resource from one of its parts.
func TestContained(t *testing.T) {
	d, err := element.Parse([]byte(patient))
	if err != nil {
		t.Fatal(err)
	}
	root := fhirpath.Root(d, 0)
	part, err := fhirpath.Compile("managingOrganization")
	if err != nil {
		t.Fatal(err)
	}
	reference, err := part.EvalItem(root, nil)
	if err != nil || len(reference) != 1 {
		t.Fatal(reference, err)
	}
	e, err := fhirpath.Compile("resolve().name = 'Clínica'")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := e.Holds(reference[0], &fhirpath.Env{Resource: root}); !ok || err != nil {
		t.Errorf("got %t, %v", ok, err)
	}
}

// TestPeriodBoundaries holds that a Period lies between the boundaries of its ends.
func TestPeriodBoundaries(t *testing.T) {
	d, err := element.Parse([]byte(`{"resourceType":"Encounter","period":{"start":"2010-10"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, expr := range []string{"period.lowBoundary() = @2010-10-01T00:00:00.000+14:00", "period.highBoundary().empty()"} {
		e, err := fhirpath.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := e.Holds(fhirpath.Root(d, 0), nil); !ok || err != nil {
			t.Errorf("%s: got %t, %v", expr, ok, err)
		}
	}
}

// TestDone holds that an evaluation ends when its caller does not want it any more.
func TestDone(t *testing.T) {
	d, err := element.Parse([]byte(patient))
	if err != nil {
		t.Fatal(err)
	}
	e, err := fhirpath.Compile("descendants().select(%resource.descendants()).count()")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	if _, err := e.Eval(d, 0, &fhirpath.Env{Done: done}); err != nil {
		t.Fatal(err)
	}
	close(done)
	long, err := fhirpath.Compile("descendants().select(%resource.descendants().select(%resource.descendants())).count()")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := long.Eval(d, 0, &fhirpath.Env{Done: done, Steps: 100_000_000}); !errors.Is(err, fhirpath.ErrTooCostly) {
		t.Errorf("got %v", err)
	}
}

// TestCheck holds what the definitions rule out, and that nothing else is.
func TestCheck(t *testing.T) {
	patient := spec.TypeOf("Patient")
	for expr, fine := range map[string]bool{
		"name.given": true,
		"Patient.name.where(use = 'official').given.first()":       true,
		"deceased.ofType(boolean)":                                 true,
		"birthDate.extension('urn:x').value.ofType(Quantity).unit": true,
		"contained.nothing":                                        true,
		"managingOrganization.resolve().nothing":                   true,
		"(name | contact.name).family":                             true,
		"name.select(given | family).length()":                     true,
		"contact.exists(name.family.exists())":                     true,
		"%resource.name.given":                                     true,
		"Resource.id | DomainResource.text.`div`":                  true,
		"iif(active, name, contact).anything":                      true,
		"name.repeat(period).start":                                true,
		"descendants().where($this is code).count()":               true,
		"name.given1":                    false,
		"Observation.status":             false,
		"deceasedBoolean":                false,
		"(deceased as Period).unit":      false,
		"name.where(used = 'official')":  false,
		"name.select($this.givn)":        false,
		"contact.all(name.nothing)":      false,
		"active and nothing":             false,
		"%resource.nothing":              false,
		"name[0].first().tail().nothing": false,
		"children().first()":             false,
		"descendants()[0]":               false,
		"iif('x', 1, 2)":                 false,
		"name.trace('x', nothing)":       false,
	} {
		e, err := fhirpath.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Check(patient, patient); (err == nil) != fine {
			t.Errorf("%s: %v", expr, err)
		}
	}
}

// TestUntyped walks an object that no definition covers.
func TestUntyped(t *testing.T) {
	const row = `{"a":[{"b":1},{"b":2.50,"c":null}],"_s":{"id":"x"},"s":"t","resourceType":"Row"}`
	for expr, want := range map[string]string{
		"a.b.sum()":                    "error",
		"a.b":                          "1; 2.50",
		"Row.a.where(b > 2).c.empty()": "true",
		"s.id & s":                     "xt",
		"children().count()":           "3",
		"a[0] = a[1]":                  "false",
		"s is System.String":           "true",
		"s.type().name":                "String",
	} {
		got, err := results(t, row, expr)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}

// BenchmarkInvariants evaluates all constraints of a small Observation once, but for
// those that the reader settles (ele-1 and ext-1, which hold for every element).
func BenchmarkInvariants(b *testing.B) {
	d, err := element.Parse([]byte(`{"resourceType":"Observation","id":"w","status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}]}],
		"code":{"coding":[{"system":"http://loinc.org","code":"29463-7","display":"Body Weight"}]},"subject":{"reference":"Patient/1"},"effectiveDateTime":"2016-03-28","valueQuantity":{"value":72.5,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"},
		"referenceRange":[{"low":{"value":50,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}]}`))
	if err != nil {
		b.Fatal(err)
	}
	root := fhirpath.Root(d, 0)
	var list []*fhirpath.Expr
	for t := root.Type; t != nil; t = t.Base {
		for _, c := range t.Constraints {
			e, err := fhirpath.Compile(c.Expression, fhirpath.Filtering)
			if err != nil {
				b.Fatal(err)
			}
			list = append(list, e)
		}
	}
	env := &fhirpath.Env{Resource: root}
	b.ReportAllocs()
	for b.Loop() {
		for _, e := range list {
			if _, err := e.Holds(root, env); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(list)), "ns/constraint")
}

// TestCheckOfManyWays checks paths that meet the same types in more ways than memory
// could hold, were each of them kept.
func TestCheckOfManyWays(t *testing.T) {
	patient := spec.TypeOf("Patient")
	for _, source := range []string{
		"Patient.name" + strings.Repeat(".select($this.combine($this))", 60),
		"Patient" + strings.Repeat(".extension.value", 20),
	} {
		e, err := fhirpath.Compile(source)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Check(patient, patient); err != nil {
			t.Errorf("%.60s: %v", source, err)
		}
	}
}
