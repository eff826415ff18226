package xml

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

func issueText(i *fhir.Issue) string {
	return fmt.Sprintf("%d:%d %s %s: %s (%s)", i.Line, i.Col, i.Expression, i.Rule, i.Details, i.Diagnostics)
}

// patient returns a Patient in XML around content.
func patient(content string) string {
	return `<Patient xmlns="http://hl7.org/fhir">` + content + `</Patient>`
}

const xhtml = ` xmlns="http://www.w3.org/1999/xhtml"`

// narrative returns a Patient in XML with a div.
func narrative(div string) string {
	return patient(`<text><status value="generated"/>` + div + `</text>`)
}

// What nobody may get past the reader.
var attacks = map[string]string{
	"billion laughs":              `<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;"><!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">]>` + patient(`<gender value="&lol3;"/>`),
	"quadratic blowup":            `<!DOCTYPE b [<!ENTITY a "` + strings.Repeat("a", 5000) + `">]>` + patient(`<gender value="`+strings.Repeat("&a;", 5000)+`"/>`),
	"external entity":             `<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + narrative(`<div`+xhtml+`>&x;</div>`),
	"parameter entity":            `<!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1/x.dtd"> %p;]>` + patient(``),
	"external DTD":                `<!DOCTYPE Patient SYSTEM "http://127.0.0.1/x.dtd">` + patient(`<active value="true"/>`),
	"DTD within":                  patient(`<!DOCTYPE x><active value="true"/>`),
	"XInclude":                    patient(`<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>`),
	"XInclude in div":             narrative(`<div` + xhtml + `><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/></div>`),
	"instruction":                 `<?xml-stylesheet href="http://127.0.0.1/x.xsl"?>` + patient(`<active value="true"/>`),
	"instruction within":          patient(`<?php system("id") ?><active value="true"/>`),
	"instruction in div":          narrative(`<div` + xhtml + `><?x y?></div>`),
	"wrong namespace":             `<Patient xmlns="http://example.org"><active value="true"/></Patient>`,
	"no namespace":                `<Patient><active value="true"/></Patient>`,
	"DSTU namespace":              `<Patient xmlns="http://hl7.org/fhir/"><active value="true"/></Patient>`,
	"child elsewhere":             patient(`<active xmlns="http://example.org" value="true"/>`),
	"child nowhere":               patient(`<active xmlns="" value="true"/>`),
	"div in FHIR":                 narrative(`<div>x</div>`),
	"svg in div":                  narrative(`<div` + xhtml + `><svg xmlns="http://www.w3.org/2000/svg"/></div>`),
	"attribute for element":       `<Patient xmlns="http://hl7.org/fhir" active="true"/>`,
	"value on complex":            patient(`<name value="x"/>`),
	"url on complex":              patient(`<name url="x"><family value="a"/></name>`),
	"url as element":              patient(`<extension><url value="http://x"/><valueCode value="a"/></extension>`),
	"id as element":               patient(`<name><id value="a"/><family value="a"/></name>`),
	"id of resource as attribute": `<Patient xmlns="http://hl7.org/fhir" id="a"><active value="true"/></Patient>`,
	"xsi:type":                    `<Patient xmlns="http://hl7.org/fhir" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Observation"><active value="true"/></Patient>`,
	"text":                        patient(`x<active value="true"/>`),
	"text in primitive":           patient(`<active>true</active>`),
	"CDATA":                       patient(`<![CDATA[x]]><active value="true"/>`),
	"unknown element":             patient(`<activ value="true"/>`),
	"resourceType":                patient(`<resourceType value="Patient"/>`),
	"unknown type":                `<Pacient xmlns="http://hl7.org/fhir"/>`,
	"datatype as root":            `<HumanName xmlns="http://hl7.org/fhir"><family value="x"/></HumanName>`,
	"abstract as root":            `<DomainResource xmlns="http://hl7.org/fhir"/>`,
	"twice":                       patient(`<active value="true"/><active value="false"/>`),
	"out of order":                patient(`<gender value="male"/><active value="true"/>`),
	"torn apart":                  patient(`<name><given value="a"/></name><telecom><value value="1"/></telecom><name><given value="b"/></name>`),
	"empty primitive":             patient(`<active/>`),
	"empty complex":               patient(`<name/>`),
	"empty holder":                patient(`<contained/>`),
	"two in a holder":             patient(`<contained><Patient><active value="true"/></Patient><Patient/></contained>`),
	"no resource inside":          patient(`<contained><name><family value="a"/></name></contained>`),
	"attribute twice":             patient(`<active value="true" value="false"/>`),
	"twice by prefix":             narrative(`<div` + xhtml + ` xmlns:a="u" xmlns:b="u" a:c="1" b:c="2">x</div>`),
	"unbound prefix":              patient(`<f:active value="true"/>`),
	"unbound attribute":           patient(`<active f:value="true"/>`),
	"outer prefix in div":         `<Patient xmlns="http://hl7.org/fhir" xmlns:a="u"><text><status value="generated"/><div` + xhtml + ` a:b="c">x</div></text></Patient>`,
	"xml rebound":                 `<Patient xmlns="http://hl7.org/fhir" xmlns:xml="u"/>`,
	"xmlns bound":                 `<Patient xmlns="http://hl7.org/fhir" xmlns:xmlns="u"/>`,
	"prefix undeclared":           `<Patient xmlns="http://hl7.org/fhir" xmlns:a=""/>`,
	"colons":                      `<a:b:Patient xmlns:a="http://hl7.org/fhir"/>`,
	"not closed":                  `<Patient xmlns="http://hl7.org/fhir"><active value="true"/>`,
	"wrong end":                   `<Patient xmlns="http://hl7.org/fhir"></patient>`,
	"end only":                    `</Patient>`,
	"cut in tag":                  `<Patient xmlns="http://hl7.org/fhir`,
	"cut in comment":              patient(`<!-- `),
	"hyphens":                     patient(`<!-- a -- b --><active value="true"/>`),
	"two roots":                   patient(``) + patient(``),
	"text after":                  patient(``) + "x",
	"text before":                 "x" + patient(``),
	"nothing":                     "",
	"a space":                     "  \n",
	"JSON":                        `{"resourceType":"Patient"}`,
	"no quotes":                   patient(`<active value=true/>`),
	"less in value":               patient(`<gender value="<"/>`),
	"no space":                    patient(`<active value="true"id="x"/>`),
	"entity of HTML":              narrative(`<div` + xhtml + `>a&nbsp;b</div>`),
	"bare ampersand":              patient(`<gender value="a&b"/>`),
	"character 0":                 patient(`<gender value="&#0;"/>`),
	"surrogate":                   patient(`<gender value="&#xD800;"/>`),
	"huge reference":              patient(`<gender value="&#99999999999;"/>`),
	"signed reference":            patient(`<gender value="&#+65;"/>`),
	"control":                     patient("<gender value=\"\x01\"/>"),
	"FFFE":                        patient("<gender value=\"\ufffe\"/>"),
	"not UTF-8":                   patient("<gender value=\"\xff\"/>"),
	"UTF-16":                      "\xff\xfe<\x00P\x00",
	"other encoding":              `<?xml version="1.0" encoding="ISO-8859-1"?>` + patient(``),
	"XML 1.1":                     `<?xml version="1.1"?>` + patient(``),
	"late declaration":            " <?xml version=\"1.0\"?>" + patient(``),
	"cdata end in text":           narrative(`<div` + xhtml + `>]]></div>`),
	"other name":                  patient(`<añadir value="x"/>`),
	"name in Cyrillic":            patient(`<асtive value="true"/>`),
	"deep":                        patient(strings.Repeat(`<extension url="u">`, 2000) + strings.Repeat(`</extension>`, 2000)),
	"deep div":                    narrative(strings.Repeat(`<div`+xhtml+`>`, 2000) + strings.Repeat(`</div>`, 2000)),
	"deep and open":               strings.Repeat(`<Patient xmlns="http://hl7.org/fhir"><contained>`, 2000),
	"many attributes":             `<Patient` + manyAttributes(5000, " a%d=\"\"") + `/>`,
	"many declarations":           `<Patient` + manyAttributes(5000, " xmlns:a%d=\"u\"") + `/>`,
}

func manyAttributes(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestAttacks(t *testing.T) {
	for name, text := range attacks {
		began := time.Now()
		out, _, err := ToJSON([]byte(text), Limits{})
		var e *fhir.Error
		switch {
		case err == nil:
			t.Errorf("%s: taken as %.200s", name, out)
			continue
		case !errors.As(err, &e) || len(e.Issues) == 0 || e.Code != fhir.Invalid && e.Code != fhir.TooLarge:
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, i := range e.Issues {
			if i.Line < 1 || i.Col < 1 || i.Details == "" || i.Rule == "" || len(i.Diagnostics) > 300 {
				t.Errorf("%s: issue %+v", name, i)
			}
		}
		if d := time.Since(began); d > time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
}

func TestWhatIsWrongAndWhere(t *testing.T) {
	tests := []struct{ text, want string }{
		{attacks["billion laughs"], "1:1  xml-doctype: "},
		{attacks["instruction within"], "1:38 Patient xml-instruction: "},
		{attacks["XInclude"], `1:38 Patient xml-namespace: the element is not in the namespace that it should be in, http://hl7.org/fhir, or for a narrative http://www.w3.org/1999/xhtml ("include" is in "http://www.w3.org/2001/XInclude")`},
		{attacks["entity of HTML"], "&nbsp; is of HTML, not of XML: write &#160;"},
		{attacks["attribute for element"], `1:38 Patient unknown-attribute: the attribute is not defined here ("active" on Patient)`},
		{attacks["url as element"], "Patient.extension[0] unknown-element: this is an attribute"},
		{attacks["deep"], "xml-depth"},
		{patient("\n  <name>\n    <givn value=\"ñ\"/></name>"), `3:5 Patient.name[0] unknown-element: the element is not defined for this type ("givn" in HumanName)`},
		{patient("\n  <name><given value=\"ñ\"/><given x=\"y\" value=\"b\"/></name>"), `2:34 Patient.name[0].given[1] unknown-attribute: `},
		{patient("<deceasedBoolean value=\"true\"><a/></deceasedBoolean>"), `Patient.deceased.ofType(boolean) unknown-element: `},
		{patient("<contained><Patient><x/></Patient></contained>"), `Patient.contained[0] unknown-element: `},
		{patient("<x/>\n<active value=\"true\"/>\n<y/>"), "3:1 Patient unknown-element: "},
		{patient(strings.Repeat("<x/>", 1000)), "more-issues"},
		{attacks["out of order"], `"active" must stand before gender`},
	}
	for _, tt := range tests {
		_, _, err := ToJSON([]byte(tt.text), Limits{})
		if err == nil || !strings.Contains(explain(err), tt.want) {
			t.Errorf("%.100s:\n%v\nwant %s", tt.text, explain(err), tt.want)
		}
	}
}

func TestToJSON(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"primitives", patient(`<active value="true"/><birthDate value="2020-01"/><multipleBirthInteger value="2"/>`),
			`{"resourceType":"Patient","active":true,"birthDate":"2020-01","multipleBirthInteger":2}`},
		{"wrong forms are for the validator", patient(`<active value="yes"/><multipleBirthInteger value="02"/>`),
			`{"resourceType":"Patient","active":"yes","multipleBirthInteger":"02"}`},
		{"extension of a primitive", patient(`<birthDate id="b" value="2020"><extension url="u"><valueCode value="c"/></extension></birthDate>`),
			`{"resourceType":"Patient","birthDate":"2020","_birthDate":{"id":"b","extension":[{"url":"u","valueCode":"c"}]}}`},
		{"only an extension", patient(`<birthDate><extension url="u"><valueCode value="c"/></extension></birthDate>`),
			`{"resourceType":"Patient","_birthDate":{"extension":[{"url":"u","valueCode":"c"}]}}`},
		{"padded arrays", patient(`<name><given value="a"/><given id="g"/><given value="c" id="h"></given><given value="d"></given></name>`),
			`{"resourceType":"Patient","name":[{"given":["a",null,"c","d"],"_given":[null,{"id":"g"},{"id":"h"},null]}]}`},
		{"no value in the row", patient(`<name><given id="g"/><given id="h"/></name>`),
			`{"resourceType":"Patient","name":[{"_given":[{"id":"g"},{"id":"h"}]}]}`},
		{"rows in rows", patient(`<name><given id="g"><extension url="u"><valueHumanName><given id="i"/><given value="j"/></valueHumanName></extension></given></name>`),
			`{"resourceType":"Patient","name":[{"_given":[{"id":"g","extension":[{"url":"u","valueHumanName":{"given":[null,"j"],"_given":[{"id":"i"},null]}}]}]}]}`},
		{"decimals", `<Observation xmlns="http://hl7.org/fhir"><valueQuantity><value value="1.50e+2"/></valueQuantity></Observation>`,
			`{"resourceType":"Observation","valueQuantity":{"value":1.50e+2}}`},
		{"contained", patient(`<contained><Organization><id value="o"/></Organization></contained>`),
			`{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o"}]}`},
		{"prefixed", `<f:Patient xmlns:f="http://hl7.org/fhir" xmlns:h="http://www.w3.org/1999/xhtml"><f:text><f:status value="empty"/><h:div><h:br/><h:b>x</h:b></h:div></f:text></f:Patient>`,
			`{"resourceType":"Patient","text":{"status":"empty","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><br/><b>x</b></div>"}}`},
		{"XHTML around", `<f:Patient xmlns:f="http://hl7.org/fhir"` + xhtml + `><f:text><div>x</div></f:text></f:Patient>`,
			`{"resourceType":"Patient","text":{"div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}}`},
		{"div to the letter", narrative(`<div id='a' ` + xhtml + "  >&#160;<br />\r\n<!-- c --><![CDATA[<]]>&lt;</div >"),
			`{"resourceType":"Patient","text":{"status":"generated","div":"<div id='a'  xmlns=\"http://www.w3.org/1999/xhtml\"  >&#160;<br />\r\n<!-- c --><![CDATA[<]]>&lt;</div >"}}`},
		{"references", patient(`<gender value='&lt;&#65;&#x42;&amp;&quot;"&apos;&#10;'/>`), `{"resourceType":"Patient","gender":"<AB&\"\"'\n"}`},
		{"line ends", patient("<gender value='a\r\nb\rc\nd\te'/>"), `{"resourceType":"Patient","gender":"a\nb\nc\nd\te"}`},
		{"comments, spaces, declaration", "\ufeff<?xml version='1.0' encoding='utf-8' standalone=\"yes\" ?>\n<!-- - -->" + patient("<!-- x --> \n<active\n value = \"true\" ></active >") + "\n<!-- y -->\n",
			`{"resourceType":"Patient","active":true}`},
		{"schemaLocation", `<Patient xmlns="http://hl7.org/fhir" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b"><active value="true"/></Patient>`,
			`{"resourceType":"Patient","active":true}`},
	}
	for _, tt := range tests {
		got, _, err := ToJSON([]byte(tt.text), Limits{})
		if err != nil {
			t.Errorf("%s: %s", tt.name, explain(err))
			continue
		}
		if !bytes.Equal(compact(t, got), compact(t, []byte(tt.want))) {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// compact holds text to be JSON, and returns it in one form.
func compact(t testing.TB, text []byte) []byte {
	t.Helper()
	d, err := element.Parse(text)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var b []byte
	for i := range d.Len() {
		n := element.Node(i)
		b = append(b, byte('0'+d.Kind(n)))
		b = append(append(append(b, d.Name(n)...), '='), d.Bytes(n)...)
	}
	return b
}

func TestAnyOrder(t *testing.T) {
	got, _, err := ToJSON([]byte(attacks["out of order"]), Limits{AnyOrder: true})
	if err != nil || string(got) != `{"resourceType":"Patient","gender":"male","active":true}` {
		t.Errorf("%s, %v", got, err)
	}
	if got, _, err = ToJSON([]byte(attacks["torn apart"]), Limits{AnyOrder: true}); err == nil {
		t.Errorf("%s", got)
	}
}

// TestSetOfElementsIsLargeEnough holds the fixed size of elements to the table.
func TestSetOfElementsIsLargeEnough(t *testing.T) {
	for _, name := range append(spec.Resources(), "ElementDefinition", "Extension") {
		if n := len(spec.TypeOf(name).Elements); n > 64*len(elements{}) {
			t.Errorf("%s has %d elements", name, n)
		}
	}
}

func TestPlace(t *testing.T) {
	text := patient("\n <name>\n  <given value=\"ñ\"/>\n  <given id=\"x\"/>\n  <family value=\"ñ\"/></name>\n<contact><name><family value=\"z\"/></name></contact>")
	_, _, err := ToJSON([]byte(text), Limits{})
	if err == nil || !strings.Contains(explain(err), "5:3") {
		t.Fatal("family stands before given, and should be told so")
	}
	text = strings.Replace(text, `  <family value="ñ"/></name>`, "</name>\n <birthDate value=\"1\"/>", 1)
	out, at, err := ToJSON([]byte(text), Limits{})
	if err != nil {
		t.Fatal(explain(err))
	}
	for json, want := range map[string]string{
		`{"resourceType"`: "1:1", `[{"given"`: "2:2", `"ñ"`: "3:3", `{"id":"x"}`: "4:3", `"1"`: "6:2", `"z"`: "7:16",
	} {
		before := out[:bytes.Index(out, []byte(json))]
		line, col := at.Place(1, 1+len([]rune(string(before))))
		if got := fmt.Sprintf("%d:%d", line, col); got != want {
			t.Errorf("%s: %s, want %s", json, got, want)
		}
	}
	far := strings.Repeat(" \n<!--ñ-->", 5000)
	text = patient(strings.Repeat("<contact><name><family value=\"ñ\"/></name></contact>\n"+far, 3))
	if out, at, err = ToJSON([]byte(text), Limits{}); err != nil {
		t.Fatal(explain(err))
	}
	last := out[:bytes.LastIndex(out, []byte(`"ñ"`))]
	line, col := at.Place(1, 1+len([]rune(string(last))))
	if wantLine, wantCol := position([]byte(text), strings.LastIndex(text, "<family")); line != wantLine || col != wantCol {
		t.Errorf("%d:%d, want %d:%d", line, col, wantLine, wantCol)
	}
	for _, odd := range [][2]int{{0, 0}, {-1, -1}, {9, 9}, {1, 1 << 30}} {
		if line, col := at.Place(odd[0], odd[1]); line < 1 || col < 1 {
			t.Errorf("%v: %d:%d", odd, line, col)
		}
	}
}

// TestManySiblings holds the time to be linear in the number of siblings.
func TestManySiblings(t *testing.T) {
	for name, one := range map[string]string{
		"values":          `<given value="a"/>`,
		"open tags":       `<given value="a"></given>`,
		"ids":             `<given id="a"/>`,
		"every other one": `<given value="a"/><given id="b"/>`,
	} {
		took := func(n int) time.Duration {
			text := []byte(patient(`<name>` + strings.Repeat(one, n) + `</name>`))
			best := time.Hour
			for range 3 {
				began := time.Now()
				if _, _, err := ToJSON(text, Limits{}); err != nil {
					t.Fatalf("%s: %s", name, explain(err))
				}
				best = min(best, time.Since(began))
			}
			return best
		}
		for tries := 1; ; tries++ { // what grows with the square takes too long each time, a busy machine does not
			few, many := took(10_000), took(100_000)
			if many <= 40*few+50*time.Millisecond {
				break
			}
			if tries == 10 {
				t.Errorf("%s: 10,000 take %v, 100,000 take %v", name, few, many)
				break
			}
		}
	}
	few := []byte(patient(`<name>` + strings.Repeat(`<given value="a"/><family value="b"/>`, 100_000) + `</name>`))
	if _, _, err := ToJSON(few, Limits{}); err == nil {
		t.Error("100,000 family names were taken")
	}
}
