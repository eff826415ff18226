package fhirpath_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

const patient = `{"resourceType":"Patient","id":"p","active":true,"contained":[{"resourceType":"Organization","id":"o","name":"Clínica"}],
  "extension":[{"url":"urn:x","valueString":"deep"}],
  "name":[{"use":"official","family":"Ek","given":["Ana",null,"Luz"],"_given":[null,{"extension":[{"url":"urn:why","valueCode":"unknown"}]},{"id":"third"}]},{"use":"usual","given":["Anita"]}],
  "birthDate":"1974-12-25","_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"1974-12-25T14:35:45-05:00"}]},
  "deceasedBoolean":false,"multipleBirthInteger":2,
  "_gender":{"extension":[{"url":"urn:why","valueCode":"masked"}]},
  "managingOrganization":{"reference":"#o"},
  "generalPractitioner":[{"reference":"Practitioner/1"},{"reference":"http://x.org/fhir/Organization/2/_history/3"},{"reference":"urn:uuid:5","type":"PractitionerRole"},{"reference":"urn:uuid:6"}]}`

var at = time.Date(2026, 11, 21, 12, 30, 0, 0, time.UTC)

// results evaluates an expression and joins what it gives by "; ".
func results(t *testing.T, resource, expr string, options ...fhirpath.Option) (string, error) {
	t.Helper()
	d, err := element.Parse([]byte(resource))
	if err != nil {
		t.Fatal(err)
	}
	e, err := fhirpath.Compile(expr, options...)
	if err != nil {
		return "", err
	}
	out, err := e.Eval(d, 0, &fhirpath.Env{Now: at})
	var shown []string
	for _, i := range out {
		shown = append(shown, show(i))
	}
	return strings.Join(shown, "; "), err
}

func TestEval(t *testing.T) {
	for expr, want := range map[string]string{
		// navigation
		"Patient.name.given":                                 "Ana; ; Luz; Anita",
		"name.given.count()":                                 "4",
		"name[0].given[1].extension.value":                   "unknown",
		"name.given.id":                                      "third",
		"name.given.where(hasValue())":                       "Ana; Luz; Anita",
		"gender":                                             "",
		"gender.exists()":                                    "true",
		"gender.hasValue()":                                  "false",
		"gender.extension('urn:why').value":                  "masked",
		"birthDate.extension.valueDateTime":                  "",
		"birthDate.extension.value":                          "1974-12-25T14:35:45-05:00",
		"extension('urn:x').value":                           "deep",
		"deceased":                                           "false",
		"deceasedBoolean":                                    "",
		"multipleBirth + 1":                                  "3",
		"Resource.id":                                        "p",
		"DomainResource.contained.name":                      "Clínica",
		"Observation.id":                                     "",
		"Patient.nothing":                                    "",
		"name.where(use = 'official').given.first()":         "Ana",
		"contained.ofType(Organization).name":                "Clínica",
		"contained.children().count()":                       "2",
		"descendants().where($this is code)":                 "; official; usual; masked; unknown",
		"repeat(children()).count() = descendants().count()": "true",
		"`name`.`given`.first()":                             "Ana",
		// references
		"managingOrganization.resolve().name":                                "Clínica",
		"generalPractitioner.where(resolve() is Practitioner).reference":     "Practitioner/1",
		"generalPractitioner.where(resolve() is Organization).count()":       "1",
		"generalPractitioner.where(resolve() is PractitionerRole).reference": "urn:uuid:5",
		"generalPractitioner.resolve().count()":                              "3",
		// types
		"Patient is DomainResource":   "true",
		"birthDate is date":           "true",
		"birthDate is System.Date":    "false",
		"@2020 is Date":               "true",
		"deceased as boolean":         "false",
		"deceased.ofType(dateTime)":   "",
		"name.type().name.distinct()": "HumanName",
		// precedence
		"1 + 2 * 3":                         "7",
		"-1 + 2":                            "1",
		"- 2 * 3":                           "-6",
		"1 | 2 + 1":                         "1; 3",
		"true or false and false":           "true",
		"false implies false implies false": "false",
		"1 < 2 = true":                      "true",
		"'a' & 'b' + 'c'":                   "abc",
		"2 in 1 | 2":                        "true",
		"3 = 2 + 1 and 1 is Integer":        "true",
		// three-valued logic
		"{} and false":                     "false",
		"{} and true":                      "",
		"{} or true":                       "true",
		"{} or {}":                         "",
		"{} xor true":                      "",
		"{} implies true":                  "true",
		"true implies {}":                  "",
		"({} = 1).empty()":                 "true",
		"false and (1/0).single().nothing": "false",
		// dates
		"@2012-04-15 < @2012-04":                       "",
		"@2012-04-15 < @2012-05":                       "true",
		"@2012-04-15T10:00Z = @2012-04-15T12:00+02:00": "true",
		"@2012-04-15T10:00Z = @2012-04-15T10:00":       "",
		"@2012-01-31 + 1 month":                        "2012-02-29",
		"@2012-02-29 - 1 year":                         "2011-02-28",
		"@2014 + 25 months":                            "2016",
		"@T23:30 + 45 minutes":                         "00:15",
		"@2020-01-01T00:00:00.5 + 600 'ms'":            "2020-01-01T00:00:01.100",
		"today()":                                      "2026-11-21",
		"now()":                                        "2026-11-21T12:30:00.000Z",
		"timeOfDay()":                                  "12:30:00.000",
		"now() = now()":                                "true",
		// numbers
		"1.10":                              "1.10",
		"1.1 = 1.10":                        "true",
		"0.1 + 0.2 = 0.3":                   "true",
		"1 / 4":                             "0.25",
		"100 / 10":                          "10",
		"7 div 2":                           "3",
		"-7 mod 2":                          "-1",
		"9223372036854775807 + 1":           "",
		"(-9223372036854775807 - 1) div -1": "",
		"1 / 0":                             "",
		"2.power(10)":                       "1024",
		"10.power(1000)":                    "",
		"3.14159.round(2)":                  "3.14",
		"(0.66 ~ 0.67)":                     "false",
		"(0.666 ~ 0.67)":                    "true",
		"4 'mg' + 1 'mg'":                   "5 'mg'",
		"1 'd' = 24 'h'":                    "true",
		"1 year = 1 'a'":                    "",
		"1 year ~ 1 'a'":                    "true",
		"1 'mg' < 1 'm'":                    "",
		// texts
		"'abc'.substring(1)":                       "bc",
		"'abc'.substring(1, 1)":                    "b",
		"'abc'.substring(7)":                       "",
		"'ñandú'.length()":                         "5",
		"'ñandú'.indexOf('d')":                     "3",
		"'a,b'.split(',').join('-')":               "a-b",
		"'ab'.toChars()":                           "a; b",
		"'a1b22'.replaceMatches('[0-9]+', '<$0>')": "a<1>b<22>",
		"'a.b'.replace('.', '')":                   "ab",
		"'abc'.matches('^a.c$')":                   "true",
		`'it\'s \u00f1 \\ \n'.length()`:            "10",
		// collections
		"(1 | 2 | 2).count()":                      "2",
		"(1 | 2 | 3).tail().skip(1)":               "3",
		"(1 | 2).subsetOf(2 | 1 | 3)":              "true",
		"(1 | 2 | 3).aggregate($this + $total, 0)": "6",
		"(1 | 2 | 3).select($this * $index)":       "0; 2; 6",
		"name.given.combine(name.family).count()":  "5",
		"name.select(given.first() & '!')":         "Ana!; Anita!",
		"name.all(given.exists())":                 "true",
		"name.given.exists($this = 'Luz')":         "true",
		"(1|2|3).exclude(2)":                       "1; 3",
		"iif(active, 'yes', 'no')":                 "yes",
		"name = name":                              "true",
		"name[0] = name[1]":                        "false",
		"name ~ name":                              "true",
		"%resource.id":                             "p",
		"%ucum":                                    "http://unitsofmeasure.org",
	} {
		got, err := results(t, patient, expr)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", expr, got, err, want)
		}
	}
}

func TestFiltering(t *testing.T) {
	const panel = `{"resourceType":"Observation","component":[{"valueQuantity":{"value":1}},{"valueString":"x"},{"valueQuantity":{"value":2}}]}`
	const expr = "(Observation.component.value as Quantity).value"
	if got, err := results(t, panel, expr, fhirpath.Filtering); got != "1; 2" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := results(t, panel, "Observation.component.value.as(Quantity).value", fhirpath.Filtering); got != "1; 2" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := results(t, panel, expr); err == nil {
		t.Error("without Filtering, as takes one item only")
	}
}

// TestErrors holds that misuse is an error, of syntax or of evaluation.
func TestErrors(t *testing.T) {
	for expr, syntax := range map[string]bool{
		"": true, "1 +": true, "(1": true, "1)": true, "a.": true, "a..b": true, "a[1": true, "'x": true, "`x": true, "``": true,
		"%": true, "$that": true, "a.$index": true, "@": true, "@20": true, "@2020-13": true, "@T25": true, "@2020-01-01T10:00+99:00": true,
		"f()": true, "where()": true, "exists(1, 2)": true, "x is Foo": true, "x.ofType(System.Foo)": true, `'\x'`: true, `'\u12'`: true,
		"/* no end": true, "{1}": true, "1 2": true, "a b": true, "#": true, "é": true, "and": true, "x is": true,
		"(1|2) and true": false, "(1|2) + 1": false, "'a' + 1": false, "'a' < 1": false, "(1|2).single()": false, "%nothing": false,
		"name is HumanName": false, "name as HumanName": false, "1.substring(0)": false, "'a'.matches('(')": false, "-'a'": false,
		"(1|2)[1|2]": false, "@2020 + 1": false, "(true|1).allTrue()": false, "(1|2) in 3": false, "1.round(-1)": false,
	} {
		_, err := results(t, patient, expr)
		var s *fhirpath.SyntaxError
		if err == nil || errors.As(err, &s) != syntax {
			t.Errorf("%s: %v; syntax: %t", expr, err, syntax)
		}
		if s != nil && (s.Offset < 0 || s.Offset > len(expr)) {
			t.Errorf("%s: offset %d", expr, s.Offset)
		}
	}
}

// TestLimits holds that no expression runs away.
func TestLimits(t *testing.T) {
	for name, expr := range map[string]string{
		"nesting":    strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000),
		"signs":      strings.Repeat("-", 5000) + "1",
		"calls":      strings.Repeat("iif(", 5000),
		"length":     strings.Repeat("a.", 100_000) + "a",
		"operators":  strings.Repeat("1+", 20_000) + "1",
		"multiply":   strings.Repeat("%resource.descendants().select(", 9) + "1" + strings.Repeat(")", 9),
		"endless":    "repeat(iif($this is Integer, $this + 1, 1))",
		"double":     "(1|2|3|4|5|6|7|8|9|10).aggregate($total & $total & $total & $total & $total & $total, 'abcdefghij')",
		"replace":    "'" + strings.Repeat("a", 2000) + "'.replace('a', '" + strings.Repeat("b", 2000) + "')",
		"references": "'" + strings.Repeat("a", 2000) + "'.replaceMatches('.*', '" + strings.Repeat("$0", 2000) + "')",
		"pattern":    "'a'.matches('" + strings.Repeat("(a{1,500})", 200) + "')",
	} {
		if _, err := results(t, patient, expr); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestString: what an expression prints is understood the same again.
func TestString(t *testing.T) {
	for expr, want := range map[string]string{
		"a.b[0].where(c='x' or $this is FHIR.string)": "a.b[0].where(((c = 'x') or ($this is FHIR.string)))",
		"-a.b + 2 * 3 'mg'":                           "((-a.b) + (2 * 3 'mg'))",
		"a|b|c as Period":                             "((a | b) | (c as Period))",
		"%`ext-x` = @2020-01 and {}":                  "((%`ext-x` = @2020-01) and {})",
		"`div`.`a b`":                                 "`div`.`a b`",
		"4 days":                                      "4 days",
		"x.ofType(Quantity).f":                        "x.ofType(Quantity).f",
		"x.skip($index).as(code)":                     "x.skip($index).as(code)",
	} {
		e, err := fhirpath.Compile(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if got := e.String(); got != want {
			t.Errorf("%s: %s, want %s", expr, got, want)
		}
		if again, err := fhirpath.Compile(want); err != nil || again.String() != want {
			t.Errorf("%s does not stay as it is: %v", want, err)
		}
	}
}

func TestTrace(t *testing.T) {
	d, err := element.Parse([]byte(patient))
	if err != nil {
		t.Fatal(err)
	}
	e, err := fhirpath.Compile("name.trace('n', given).given.count()")
	if err != nil {
		t.Fatal(err)
	}
	traced := 0
	out, err := e.Eval(d, 0, &fhirpath.Env{Trace: func(name string, items []fhirpath.Item) { traced = len(items) }})
	if err != nil || traced != 4 || show(out[0]) != "4" {
		t.Errorf("%d traced, %v, %v", traced, out, err)
	}
}

// FuzzEval holds that no expression panics or takes more than its steps, and that
// what compiles prints as something that compiles to the same.
func FuzzEval(f *testing.F) {
	for _, seed := range []string{
		"Patient.name.given", "name.where(use='official' and given.exists()).given[0] & '!'", "(1|2|3).aggregate($this+$total,0)",
		"descendants().select(children()).count()", "repeat(children()).ofType(string).distinct()", "@2020-02-29T23:59:59.999+14:00 + 1 year",
		"'a'.replaceMatches('(.)', '$1$1')", "1.0000000000000000000000000000000000001 / 3.7e", "9999999999999999999999 * 9999999999999999999999",
		"%`vs-x`", "$this.$this", "iif(true,1,1/0)", "-(-(-1))", "@T10:00:00.000000000000", "4 'mg' / 2 'mg'", "x is System.Any", "`\\u0000`", "/**/1//",
		"0.power(-1)", "(-1).sqrt()", "1.log(0)", "birthDate + 1 'wk' > today()", "name = name and name ~ name", "99999999999999999999.toString().toInteger()",
		"(3|1).sort(-$this, $this.toString())", "1e400.lowBoundary(28)", "@0001.lowBoundary(17)", "@9999-12-31T23:59:59.999.highBoundary()", "5 'mg' * 3 'L/min' = 2 'Cel'",
		"'%ff'.decode('hex').unescape('json').escape('html')", "Row.x", "7 'a' + 1 year", "defineVariable('v', 1).select(%v) | name.defineVariable('v').select(%v)", "'1 \\'wk\\''.toQuantity('days')", "1 'Y10*9' / 3 '[pi]99'", "2L.toLong()",
		"coalesce({}, $this).type().baseType", "name.checkModifiers('x').text.div.htmlChecks()", "@2014-05-06T07:08:09.123+05:30.timezoneOffsetOf()",
		"@0001-01-01 - 1 day", "@9999-12-31 + 1 day", "1000000000000 years + 1 year", "@2020 + 99999999999999 seconds",
	} {
		f.Add(seed)
	}
	d, err := element.Parse([]byte(patient))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source string) {
		e, err := fhirpath.Compile(source)
		if err != nil {
			var s *fhirpath.SyntaxError
			if !errors.As(err, &s) {
				t.Fatalf("%v is no SyntaxError", err)
			}
			return
		}
		_ = e.Check(spec.TypeOf("Patient"), spec.TypeOf("Patient")) // must not panic
		again, err := fhirpath.Compile(e.String())
		if err != nil || again.String() != e.String() {
			t.Fatalf("%s prints as %s: %v", source, e, err)
		}
		out, err := e.Eval(d, 0, &fhirpath.Env{Now: at, Steps: 20_000})
		for _, i := range out {
			if v := i.System(); err == nil && v != nil && len(v.String()) > 2<<20 {
				t.Fatalf("%s gives %d bytes", source, len(v.String()))
			}
		}
	})
}
