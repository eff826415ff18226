package xml

import (
	"errors"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

func TestFromJSON(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"order", `{"birthDate":"2020","active":true,"id":"a","resourceType":"Patient"}`,
			`<id value="a"/><active value="true"/><birthDate value="2020"/>`},
		{"primitives", `{"resourceType":"Patient","name":[{"_given":[null,{"id":"g"}],"given":["a",null,"c"]}]}`,
			`<name><given value="a"/><given id="g"/><given value="c"/></name>`},
		{"extension", `{"resourceType":"Patient","extension":[{"valueCode":"c","url":"u","id":"i"}]}`,
			`<extension id="i" url="u"><valueCode value="c"/></extension>`},
		{"escapes", `{"resourceType":"Patient","gender":"<&>\"'\r\n\tñ\u00e9\ud83d\ude00"}`,
			`<gender value="&lt;&amp;&gt;&quot;'&#13;&#10;&#9;ñé😀"/>`},
		{"entities of HTML", `{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a&nbsp;&copy;&amp;&#65;</div>"}}`,
			`<text><status value="generated"/><div` + xhtml + `>a&#160;&#169;&amp;&#65;</div></text>`},
		{"namespace added", `{"resourceType":"Patient","text":{"status":"generated","div":" <div><p>x</p></div>"}}`,
			`<text><status value="generated"/><div` + xhtml + `><p>x</p></div></text>`},
		{"contained", `{"resourceType":"Patient","contained":[{"id":"o","resourceType":"Organization"}]}`,
			`<contained><Organization><id value="o"/></Organization></contained>`},
		{"nothing", `{"resourceType":"Patient"}`, ``},
	}
	for _, tt := range tests {
		got := strings.TrimPrefix(string(toXML(t, []byte(tt.text), false)), header)
		want := patient(tt.want)
		if tt.want == "" {
			want = `<Patient xmlns="http://hl7.org/fhir"/>`
		}
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, want)
		}
	}
	pretty := string(toXML(t, []byte(`{"resourceType":"Patient","id":"a","text":{"div":"<div><p>x</p></div>"},"contained":[{"resourceType":"Basic"}]}`), true))
	want := header + "\n<Patient xmlns=\"http://hl7.org/fhir\">\n  <id value=\"a\"/>\n  <text>\n    <div" + xhtml + "><p>x</p></div>\n  </text>\n  <contained>\n    <Basic/>\n  </contained>\n</Patient>\n"
	if pretty != want {
		t.Errorf("%s\nwant\n%s", pretty, want)
	}
}

func TestCannotBeXML(t *testing.T) {
	tests := []struct{ text, at string }{
		{`{"resourceType":"ViewDefinitions"}`, ""},
		{`[1]`, ""},
		{`{"resourceType":"Patient","x":1}`, "Patient"},
		{`{"resourceType":"Patient","name":[{"x":1}]}`, "Patient.name[0]"},
		{`{"resourceType":"Patient","name":{"family":"a"}}`, "Patient.name"},
		{`{"resourceType":"Patient","name":[null]}`, "Patient.name[0]"},
		{`{"resourceType":"Patient","active":{}}`, "Patient.active"},
		{`{"resourceType":"Patient","active":[true]}`, "Patient.active"},
		{`{"resourceType":"Patient","_active":1}`, "Patient.active"},
		{`{"resourceType":"Patient","_name":[{"id":"a"}]}`, "Patient"},
		{`{"resourceType":"Patient","extension":[{"url":"u","_url":{"id":"a"}}]}`, "Patient.extension[0]"},
		{`{"resourceType":"Patient","gender":"\u0001"}`, "Patient.gender"},
		{`{"resourceType":"Patient","gender":"\uffff"}`, "Patient.gender"},
		{`{"resourceType":"Patient","contained":[1]}`, "Patient.contained[0]"},
		{`{"resourceType":"Patient","text":{"div":"<div>"}}`, "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<p>x</p>"}}`, "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div/><gender value='a'/>"}}`, "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div/></text></Patient>"}}`, "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div>&unknown;</div>"}}`, "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div><!DOCTYPE a></div>"}}`, "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div xmlns='u'>x</div>"}}`, "Patient.text.div"},
		{`{"resourceType":"Patient","text":{"div":"<div><o:p>x</o:p></div>"}}`, "Patient.text.div"},
	}
	for _, tt := range tests {
		d, err := element.Parse([]byte(tt.text))
		if err != nil {
			t.Fatal(err)
		}
		out, err := FromJSON(d, 0)
		var e *fhir.Error
		if !errors.As(err, &e) || e.Code != fhir.NotAcceptable || e.Issues[0].Expression != tt.at {
			t.Errorf("%s: %s, %v", tt.text, out, err)
		}
	}
}
