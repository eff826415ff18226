package rest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/xml"
)

const mediaXML = "application/fhir+xml"

// inXML sends a request with an XML body, which asks for XML.
func (s *server) inXML(method, path, body string, headers ...string) *answer {
	s.t.Helper()
	return s.do(method, path, body, append([]string{"Content-Type", mediaXML, "Accept", mediaXML}, headers...)...)
}

// json returns a with its XML body as JSON, which is held to be XML.
func (a *answer) json(t testing.TB) *answer {
	t.Helper()
	if media := a.header.Get("Content-Type"); media != mediaXML+"; charset=utf-8" {
		t.Fatalf("%d %s: %.300s", a.status, media, a.body)
	}
	text, _, err := xml.ToJSON([]byte(a.body), xml.Limits{})
	if err != nil {
		t.Fatalf("%v: %.300s", err, a.body)
	}
	return &answer{a.status, a.header, string(text)}
}

func patientXML(id, content string) string {
	if id != "" {
		id = `<id value="` + id + `"/>`
	}
	return `<?xml version="1.0" encoding="UTF-8"?><Patient xmlns="http://hl7.org/fhir">` + id + content + `</Patient>`
}

const identified = `<identifier><system value="http://s"/><value value="1"/></identifier>`

func TestCRUDInXML(t *testing.T) {
	s := serve(t)
	div := `<div xmlns="http://www.w3.org/1999/xhtml">a &lt; b<br/>&#160;</div>`
	created := s.want(201, s.inXML("POST", "/Patient", patientXML("", `<text><status value="generated"/>`+div+`</text>`+identified+`<active value="true"/>`)))
	id := created.json(t).id(t)
	if !strings.Contains(created.body, div) {
		t.Errorf("the narrative changed: %s", created.body)
	}
	if got := s.want(200, s.do("GET", "/Patient/"+id, "")).body; !strings.Contains(got, `"active":true`) || got[0] != '{' {
		t.Errorf("in JSON: %s", got)
	}
	s.want(200, s.inXML("PUT", "/Patient/"+id, patientXML(id, identified+`<gender value="female"/>`), "If-Match", `W/"1"`)).json(t)
	s.want(412, s.inXML("PUT", "/Patient/"+id, patientXML(id, identified), "If-Match", `W/"1"`)).json(t).outcome(t)
	s.want(200, s.inXML("PUT", "/Patient?identifier=http://s|1", patientXML("", identified+`<gender value="male"/>`))).json(t)
	s.want(200, s.inXML("POST", "/Patient", patientXML("", identified), "If-None-Exist", "identifier=http://s|1")).json(t)
	s.want(200, s.do("PATCH", "/Patient/"+id, `[{"op":"replace","path":"/gender","value":"other"}]`,
		"Content-Type", "application/json-patch+json", "Accept", mediaXML)).json(t)
	patch := `<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/><part><name value="type"/><valueCode value="replace"/></part>` +
		`<part><name value="path"/><valueString value="Patient.gender"/></part><part><name value="value"/><valueCode value="male"/></part></parameter></Parameters>`
	s.want(200, s.inXML("PATCH", "/Patient/"+id, patch)).json(t)
	if a := s.want(200, s.inXML("GET", "/Patient/"+id+"/_history/2", "")).json(t); !strings.Contains(a.body, `"female"`) {
		t.Error(a.body)
	}
	history := s.want(200, s.inXML("GET", "/Patient/"+id+"/_history", "")).json(t).bundle(t)
	if len(history.Entry) != 5 {
		t.Errorf("%d versions", len(history.Entry))
	}
	if a := s.want(200, s.inXML("GET", "/Patient/"+id+"?_summary=true", "")).json(t); !strings.Contains(a.body, "SUBSETTED") {
		t.Error(a.body)
	}
	head := s.want(200, s.inXML("HEAD", "/Patient/"+id, ""))
	if got := s.inXML("GET", "/Patient/"+id, ""); head.header.Get("Content-Length") != got.header.Get("Content-Length") || head.body != "" {
		t.Errorf("HEAD says %s bytes, GET sends %d", head.header.Get("Content-Length"), len(got.body))
	}
	s.want(http.StatusNotModified, s.inXML("GET", "/Patient/"+id, "", "If-None-Match", `W/"5"`))
	if a := s.inXML("DELETE", "/Patient/"+id, ""); a.status != 204 && a.status != 200 {
		t.Errorf("delete: %d", a.status)
	}
	s.want(410, s.inXML("GET", "/Patient/"+id, "")).json(t).outcome(t)
}

func TestSearchInXML(t *testing.T) {
	s := serve(t)
	for _, id := range []string{"a", "b", "c"} {
		s.put(patient(id, "1"))
	}
	page := s.want(200, s.inXML("GET", "/Patient?_count=2&_pretty=true", ""))
	if !strings.Contains(page.body, "\n  <entry>\n    <fullUrl") {
		t.Errorf("not indented: %.400s", page.body)
	}
	b := page.json(t).bundle(t)
	if len(b.Entry) != 2 || b.link("next") == "" {
		t.Fatal(page.body)
	}
	if next := s.want(200, s.inXML("GET", b.link("next"), "")).json(t).bundle(t); len(next.Entry) != 1 {
		t.Error("the second page")
	}
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	posted := s.want(200, s.do("POST", "/Patient/_search", "_id=a&_format=xml", form...)).json(t).bundle(t)
	if len(posted.Entry) != 1 {
		t.Error("by POST")
	}
	s.want(406, s.do("POST", "/Patient/_search", "_id=a&_format=ttl", form...))
	var c struct{ Format []string }
	if err := json.Unmarshal([]byte(s.want(200, s.inXML("GET", "/metadata", "")).json(t).body), &c); err != nil ||
		strings.Join(c.Format, " ") != "application/fhir+json json application/fhir+xml xml" {
		t.Errorf("%v %v", c, err)
	}
	s.want(200, s.inXML("GET", "/$versions", "")).json(t)
}

func TestTransactionInXML(t *testing.T) {
	s := serve(t)
	entry := func(method, url, resource string) string {
		return `<entry><fullUrl value="urn:uuid:0193b2c0-0000-7000-8000-00000000000` + string('0'+byte(len(url)%10)) + `"/>` + resource +
			`<request><method value="` + method + `"/><url value="` + url + `"/></request></entry>`
	}
	in := func(xml string) string {
		return `<resource>` + strings.Replace(xml[strings.Index(xml, "<Patient"):], ` xmlns="http://hl7.org/fhir"`, "", 1) + `</resource>`
	}
	for _, kind := range []string{"batch", "transaction"} {
		body := `<Bundle xmlns="http://hl7.org/fhir"><type value="` + kind + `"/>` + entry("POST", "Patient", in(patientXML("", identified))) +
			entry("PUT", "Patient/"+kind, in(patientXML(kind, identified))) + entry("GET", "Patient?_id="+kind, "") + `</Bundle>`
		b := s.want(200, s.inXML("POST", "/", body, "Prefer", "return=representation")).json(t).bundle(t)
		if b.Type != kind+"-response" || len(b.Entry) != 3 || b.Entry[0].Response.Status != "201 Created" || len(b.Entry[2].Resource) == 0 {
			t.Errorf("%+v", b)
		}
	}
	wrong := `<Bundle xmlns="http://hl7.org/fhir">` + "\n<type value=\"transaction\"/>\n" +
		entry("PUT", "Patient/x", in(patientXML("x", "\n  "+`<gender value="y"/>`))) + `</Bundle>`
	a := s.want(422, s.inXML("POST", "/", wrong))
	line, col := a.json(t).outcome(t).place(t)
	if line != 4 || col != 3 {
		t.Errorf("the position is %d:%d: %s", line, col, a.body)
	}
}

// place returns line and column of the first issue.
func (o *outcome) place(t testing.TB) (line, col int) {
	t.Helper()
	for _, e := range o.Issue[0].Extension {
		if strings.HasSuffix(e.URL, "-line") {
			line = e.ValueInteger
		}
		if strings.HasSuffix(e.URL, "-col") {
			col = e.ValueInteger
		}
	}
	return line, col
}

func TestErrorsInXML(t *testing.T) {
	s := serve(t)
	tests := []struct {
		method, path, body string
		status             int
		says               string
		line, col          int
	}{
		{"GET", "/Patient/none", "", 404, "", 0, 0},
		{"GET", "/Pacient", "", 404, "", 0, 0},
		{"GET", "/Patient?x=y", "", 400, "x", 0, 0},
		{"BREW", "/Patient", "", 405, "", 0, 0},
		{"POST", "/Patient", patientXML("", "\n<nombre value=\"x\"/>"), 400, "nombre", 2, 1},
		{"POST", "/Patient", patientXML("", "\n<gender value=\"ñ\"/>\n <birthDate value=\"x\"/>"), 422, "ñ", 2, 1},
		{"POST", "/Patient", patientXML("", "\n<active value=\"true\"/>\n <birthDate value=\"x\"/>"), 422, "x", 3, 2},
		{"POST", "/Patient", `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>` + patientXML("", `<gender value="&a;"/>`), 400, "document type", 1, 1},
		{"POST", "/Patient", patientXML("", strings.Repeat("<extension url=\"u\">", 2000)), 413, "", 0, 0},
	}
	for _, tt := range tests {
		a := s.inXML(tt.method, tt.path, tt.body)
		o := a.json(t).outcome(t)
		if a.status != tt.status || !o.says(tt.says) {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, a.status, a.body)
		}
		if line, col := o.place(t); tt.line > 0 && (line != tt.line || col != tt.col) {
			t.Errorf("%s %s: %d:%d, want %d:%d: %s", tt.method, tt.path, line, col, tt.line, tt.col, a.body)
		}
	}
	// Out of order, and what to do with a client that cannot do better.
	late := patientXML("", `<gender value="male"/><active value="true"/>`)
	if a := s.want(400, s.inXML("POST", "/Patient", late)).json(t); !a.outcome(t).says("active") {
		t.Error(a.body)
	}
	s.want(201, s.inXML("POST", "/Patient", late, "Prefer", "handling=lenient"))
	// One that accepts nothing known is answered in JSON, as one that sends XML and accepts anything.
	s.want(404, s.do("GET", "/Patient/none", "", "Accept", "text/xml")).wantMedia(t, "text/xml; charset=utf-8")
	s.want(404, s.do("GET", "/Pacient/none?_format=xml", "")).wantMedia(t, mediaXML+"; charset=utf-8")
	s.want(201, s.do("POST", "/Patient", patientXML("", identified), "Content-Type", "text/xml")).wantMedia(t, "application/fhir+json; charset=utf-8")
}

func (a *answer) wantMedia(t testing.TB, want string) {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != want {
		t.Errorf("Content-Type %s, want %s", got, want)
	}
}

// TestWhatXMLCannotSay stores a narrative that is no XHTML, which the base rules let
// through.
func TestWhatXMLCannotSay(t *testing.T) {
	s := serve(t)
	broken := patient("p", "1", `"text":{"status":"generated","div":"<div>a<br></div>"}`)
	a := s.do("PUT", "/Patient/p", broken, "Accept", mediaXML)
	if a.status == 422 {
		t.Skip("such a narrative can no longer be stored")
	}
	s.want(201, a).wantMedia(t, "application/fhir+json; charset=utf-8")
	a = s.want(406, s.do("GET", "/Patient/p", "", "Accept", mediaXML)).json(t)
	if o := a.outcome(t); o.Issue[0].Expression[0] != "Patient.text.div" {
		t.Error(a.body)
	}
	s.want(200, s.do("GET", "/Patient/p", ""))
}

func TestConvert(t *testing.T) {
	s := serve(t, func(c *rest.Config) { c.Operations = []operation.Operation{rest.Convert()} })
	asXML := patientXML("a", `<gender value="male"/><active value="true"/>`) // out of order
	const asJSON = `{"resourceType":"Patient","id":"a","gender":"male","active":true}`
	const ordered = `<id value="a"/><active value="true"/><gender value="male"/>`
	toJSON := []string{"Content-Type", mediaXML, "Accept", "application/fhir+json"}
	for _, path := range []string{"/$convert", "/Patient/$convert"} {
		if a := s.want(200, s.do("POST", path, asXML, toJSON...)); a.body != asJSON {
			t.Errorf("%s: %s", path, a.body)
		}
		if a := s.want(200, s.inXML("POST", path, asXML)); a.body != patientXML("", ordered) {
			t.Errorf("%s: %s", path, a.body)
		}
		if a := s.want(200, s.do("POST", path, asJSON, "Accept", mediaXML)); a.body != patientXML("", ordered) {
			t.Errorf("%s: %s", path, a.body)
		}
		if a := s.want(200, s.do("POST", path, asXML, "Content-Type", mediaXML)); a.body != asJSON {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	parameters := `{"resourceType":"Parameters","parameter":[{"name":"input","resource":` + asJSON + `}]}`
	if a := s.want(200, s.do("POST", "/$convert", parameters)); a.body != asJSON {
		t.Error(a.body)
	}
	if a := s.want(200, s.do("POST", "/Parameters/$convert", parameters)); a.body != parameters {
		t.Error(a.body)
	}
	s.want(400, s.do("POST", "/$convert", ""))
	s.want(400, s.do("GET", "/$convert", ""))
	if a := s.want(400, s.inXML("POST", "/$convert", "")).json(t); !a.outcome(t).says("no resource") {
		t.Error(a.body)
	}
	s.want(400, s.do("POST", "/Observation/$convert", asJSON))
	s.want(400, s.do("POST", "/$convert", `{"resourceType":"Pacient"}`))
	s.want(400, s.do("POST", "/$convert", "<Patient", toJSON...))
	s.want(406, s.do("POST", "/$convert", `{"resourceType":"Patient","x":1}`, "Accept", mediaXML))
}

// TestOperationsKnowThePlaceInXML holds that positions lead into what was sent.
func TestOperationsKnowThePlaceInXML(t *testing.T) {
	check := func(_ context.Context, c *operation.Call) (*operation.Answer, error) {
		issues := []fhir.Issue{{Severity: "error", Type: "value", Details: "here", Line: 1, Col: len(`{"resourceType":"Patient","active":true,"gender":`) + 1}}
		c.Locate(issues)
		return &operation.Answer{JSON: operation.AppendOutcome(nil, issues)}, nil
	}
	s := serve(t, func(c *rest.Config) {
		c.Operations = []operation.Operation{{Name: "check", URL: "u", Scope: operation.OnSystem, Run: check}}
	})
	a := s.want(200, s.inXML("POST", "/$check", patientXML("", "<active value=\"true\"/>\n  <gender value=\"male\"/>"))).json(t)
	if line, col := a.outcome(t).place(t); line != 2 || col != 3 {
		t.Errorf("%d:%d", line, col)
	}
	a = s.want(200, s.do("POST", "/$check", patient("", "1")))
	if line, _ := a.outcome(t).place(t); line != 1 {
		t.Error(a.body)
	}
}
