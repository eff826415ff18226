package bundle

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

const base = "http://example.org/fhir"

// plan plans the transaction with the given entries; new ids are "new-0", "new-1", ...
func plan(t *testing.T, entries ...string) (*Plan, error) {
	t.Helper()
	s, err := Parse([]byte(`{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(s, 100)
	if err != nil {
		return nil, err
	}
	n := -1
	return NewPlan(b, Options{Maker: Maker{Base: base}, NewID: func() string { n++; return fmt.Sprintf("new-%d", n) }})
}

func entry(fullURL, method, url, resource, more string) string {
	e := `{`
	if fullURL != "" {
		e += `"fullUrl":"` + fullURL + `",`
	}
	if resource != "" {
		e += `"resource":` + resource + `,`
	}
	return e + `"request":{"method":"` + method + `","url":"` + url + `"` + more + `}}`
}

// stamped builds a change and returns its JSON as the first version.
func stamped(t *testing.T, p *Plan, change int, env *Env) string {
	t.Helper()
	c := &p.Batch.Changes[change]
	content, err := c.Build(env, c.Ref, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(content.Body.Stamp(1, time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)))
}

const stamp1 = `"meta":{"versionId":"1","lastUpdated":"2026-01-02T03:04:05.006Z"}`

func TestOrderAndIDs(t *testing.T) {
	p, err := plan(t,
		entry("", "GET", "Patient?name=x", "", ""),
		entry("", "PUT", "Patient/p", `{"resourceType":"Patient","id":"p"}`, `,"ifMatch":"W/\"3\""`),
		entry("", "POST", "Patient", `{"resourceType":"Patient","id":"p","active":true}`, ""),
		entry("", "DELETE", "Patient/d", "", ""),
		entry("", "POST", "Organization", `{"resourceType":"Organization","name":"o"}`, ""),
		entry("", "DELETE", "Patient?identifier=s|1", "", ""),
	)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Op      Op
		Ref     string
		IfMatch int64
		Where   bool
	}
	var got []row
	for _, c := range p.Batch.Changes {
		got = append(got, row{c.Op, c.Ref.String(), c.IfMatch, c.Where != nil})
	}
	want := []row{
		{Delete, "Patient/d", 0, false},
		{Delete, "Patient/new-2", 0, true},
		{Create, "Patient/new-0", 0, false},
		{Create, "Organization/new-1", 0, false},
		{Update, "Patient/p", 3, false},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, ok := p.Change(0); ok {
		t.Error("a read became a change")
	}
	for i, want := range map[int]int{1: 4, 2: 2, 3: 0, 4: 3, 5: 1} {
		if c, ok := p.Change(i); !ok || c != want || p.Entry(c) != i {
			t.Errorf("entry %d is change %d, %v; want %d", i, c, ok, want)
		}
	}
	if got, want := stamped(t, p, 2, nil), `{"resourceType":"Patient","id":"new-0",`+stamp1+`,"active":true}`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestReferencesAreRewritten(t *testing.T) {
	observation := func(subject string) string {
		return `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"` + subject + `"}}`
	}
	patient := `{"resourceType":"Patient","id":"inner"}`
	tests := []struct {
		name, fullURL, from, reference, want string
	}{
		{"urn:uuid", "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a", "", "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a", "Patient/new-0"},
		{"urn:oid", "urn:oid:1.2.3", "urn:oid:1.2.4", "urn:oid:1.2.3", "Patient/new-0"},
		{"absolute", "http://other.org/r4/Patient/1", "", "http://other.org/r4/Patient/1", "Patient/new-0"},
		{"relative to the fullUrl of its entry", "http://other.org/r4/Patient/1", "http://other.org/r4/Observation/1", "Patient/1", "Patient/new-0"},
		{"relative to another base", "http://other.org/r4/Patient/1", "http://third.org/r4/Observation/1", "Patient/1", "Patient/1"},
		{"relative to this server", base + "/Patient/1", "", "Patient/1", "Patient/new-0"},
		{"relative from a urn", base + "/Patient/1", "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0b", "Patient/1", "Patient/new-0"},
		{"id inside a POST is nothing", "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a", "", "Patient/inner", "Patient/inner"},
		{"another resource", "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a", "", "Patient/77", "Patient/77"},
		{"elsewhere", "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a", "", "http://other.org/r4/Patient/2", "http://other.org/r4/Patient/2"},
	}
	for _, tt := range tests {
		p, err := plan(t,
			entry(tt.fullURL, "POST", "Patient", patient, ""),
			entry(tt.from, "POST", "Observation", observation(tt.reference), ""))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := stamped(t, p, 1, nil); !strings.Contains(got, `"subject":{"reference":"`+tt.want+`"}`) {
			t.Errorf("%s: want %s in %s", tt.name, tt.want, got)
		}
	}
}

// TestEveryPlaceIsRewritten covers what the rules of a transaction name beside
// Reference.reference: uri, url, narrative; and what they leave: strings and
// canonicals.
func TestEveryPlaceIsRewritten(t *testing.T) {
	urn := "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
	p, err := plan(t,
		entry(urn, "POST", "Binary", `{"resourceType":"Binary","contentType":"text/plain","data":"YQ=="}`, ""),
		entry("", "POST", "DocumentReference", `{"resourceType":"DocumentReference","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"`+urn+`\">`+urn+`</a> <img src=\"`+urn+`\"/> <a href=\"#x\">x</a></div>"},`+
			`"masterIdentifier":{"system":"urn:ietf:rfc:3986","value":"`+urn+`"},"status":"current","_status":{"extension":[{"url":"http://x","valueUri":"`+urn+`"}]},`+
			`"contained":[{"resourceType":"Basic","id":"b","code":{"text":"x"},"subject":{"reference":"`+urn+`"}}],`+
			`"content":[{"attachment":{"url":"`+urn+`"}}],"extension":[{"url":"http://y","valueCanonical":"`+urn+`"}]}`, ""))
	if err != nil {
		t.Fatal(err)
	}
	got := stamped(t, p, 1, nil)
	for _, want := range []string{
		`<a href=\"Binary/new-0\">` + urn + `</a> <img src=\"Binary/new-0\"/> <a href=\"#x\">`,
		`"masterIdentifier":{"system":"urn:ietf:rfc:3986","value":"` + urn + `"}`,
		`"valueUri":"Binary/new-0"`,
		`"subject":{"reference":"Binary/new-0"}`,
		`"attachment":{"url":"Binary/new-0"}`,
		`"valueCanonical":"` + urn + `"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("want %s in %s", want, got)
		}
	}
}

func TestConditionalReferences(t *testing.T) {
	encounter := `{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"participant":[{"individual":{"reference":"Practitioner?identifier=http://npi|1"}}],"serviceProvider":{"reference":"Organization?identifier=http://o|2"}}`
	p, err := plan(t, entry("", "POST", "Encounter", encounter, ""), entry("", "POST", "Encounter", encounter, ""))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Batch.Lookups) != 2 || p.Batch.Lookups[0].Type != "Practitioner" || p.Batch.Lookups[1].Type != "Organization" {
		t.Fatalf("lookups: %v", p.Batch.Lookups)
	}
	for _, q := range p.Batch.Lookups {
		if q.Restriction != search.Unrestricted || q.Count != 2 {
			t.Errorf("lookup %+v: want it to say what it may see, and to ask for two", q)
		}
	}
	env := &Env{
		Targets: []fhir.Ref{{Type: "Encounter", ID: "new-0"}, {Type: "Encounter", ID: "new-1"}},
		Lookups: []fhir.Ref{{Type: "Practitioner", ID: "p1", Version: 7}, {Type: "Organization", ID: "o2"}},
	}
	for i := range 2 {
		got := stamped(t, p, i, env)
		if !strings.Contains(got, `"reference":"Practitioner/p1"`) || !strings.Contains(got, `"reference":"Organization/o2"`) {
			t.Errorf("got %s", got)
		}
	}
	err = p.Explain(&ChangeError{Index: -2, Err: fhir.Errorf(fhir.Unprocessable, "no match")})
	if e := new(fhir.Error); !errors.As(err, &e) || e.Expression != "Bundle.entry[0].resource.serviceProvider.reference" {
		t.Errorf("got %+v", err)
	}
	err = p.Explain(fmt.Errorf("apply: %w", &ChangeError{Index: 1, Err: fhir.Errorf(fhir.Stale, "x")}))
	if e := new(fhir.Error); !errors.As(err, &e) || e.Expression != "Bundle.entry[1]" || e.Code != fhir.Stale {
		t.Errorf("got %+v", err)
	}
}

// TestConditionalReferenceWithin: a reference by criterion may lead to a resource
// of the same transaction, which the database does not have yet.
func TestConditionalReferenceWithin(t *testing.T) {
	patient := func(n string) string {
		return `{"resourceType":"Patient","identifier":[{"system":"http://s","value":"` + n + `"}]}`
	}
	observation := `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient?identifier=http://s|1"}}`
	p, err := plan(t, entry("", "POST", "Observation", observation, ""), entry("", "POST", "Patient", patient("1"), ""), entry("", "POST", "Patient", patient("2"), ""))
	if err != nil {
		t.Fatal(err)
	}
	if got := stamped(t, p, 0, nil); len(p.Batch.Lookups) != 0 || !strings.Contains(got, `"reference":"Patient/new-1"`) {
		t.Errorf("%d lookups, %s", len(p.Batch.Lookups), got)
	}
	p, err = plan(t, entry("", "POST", "Observation", observation, ""), entry("", "POST", "Patient", patient("1"), `,"ifNoneExist":"identifier=http://s|1"`))
	if err != nil {
		t.Fatal(err)
	}
	env := &Env{Targets: []fhir.Ref{{Type: "Observation", ID: "new-0"}, {Type: "Patient", ID: "old"}}}
	if got := stamped(t, p, 0, env); !strings.Contains(got, `"reference":"Patient/old"`) {
		t.Errorf("by criterion: %s", got)
	}
	_, err = plan(t, entry("", "POST", "Observation", observation, ""), entry("", "POST", "Patient", patient("1"), ""), entry("", "POST", "Patient", patient("1"), ""))
	if e := new(fhir.Error); !errors.As(err, &e) || e.Code != fhir.MultipleMatches || e.Expression != "Bundle.entry[0].resource.subject.reference" {
		t.Errorf("two matches: %+v", err)
	}
}

// TestSharedCriterion: two creates with one ifNoneExist make one resource, to
// which the references to either lead, wherever it turns out to be.
func TestSharedCriterion(t *testing.T) {
	where := `,"ifNoneExist":"identifier=http://o|1"`
	organization := `{"resourceType":"Organization","identifier":[{"system":"http://o","value":"1"}]}`
	p, err := plan(t,
		entry("urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a", "POST", "Organization", organization, where),
		entry("urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0b", "POST", "Organization", organization, where),
		entry("", "POST", "Patient", `{"resourceType":"Patient","managingOrganization":{"reference":"urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0b"}}`, ""))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Batch.Changes) != 2 || !p.Twin(1) || p.Twin(0) {
		t.Fatalf("%d changes, twins %v %v", len(p.Batch.Changes), p.Twin(0), p.Twin(1))
	}
	if c, ok := p.Change(1); c != 0 || !ok {
		t.Errorf("the twin is change %d, %v", c, ok)
	}
	env := &Env{Targets: []fhir.Ref{{Type: "Organization", ID: "old", Version: 4}, {Type: "Patient", ID: "new-2"}}}
	if got := stamped(t, p, 1, env); !strings.Contains(got, `"reference":"Organization/old"`) {
		t.Errorf("got %s", got)
	}
}

func TestConditionalUpdate(t *testing.T) {
	p, err := plan(t,
		entry("", "PUT", "Patient?identifier=s|1", `{"resourceType":"Patient","active":true}`, ""),
		entry("", "PUT", "Patient?identifier=s|2", `{"resourceType":"Patient","id":"fixed"}`, ""))
	if err != nil {
		t.Fatal(err)
	}
	c := p.Batch.Changes
	if c[0].FixedID || c[0].Ref.ID != "new-0" || !c[1].FixedID || c[1].Ref.ID != "fixed" {
		t.Errorf("%+v", c)
	}
	at := fhir.Ref{Type: "Patient", ID: "match"}
	content, err := c[0].Build(&Env{Targets: []fhir.Ref{at, {Type: "Patient", ID: "fixed"}}}, at, nil)
	if err != nil || !strings.HasPrefix(string(content.Body.JSON), `{"resourceType":"Patient","id":"match",`) {
		t.Errorf("%v, %v", content, err)
	}
	if _, err = c[0].Build(&Env{Targets: []fhir.Ref{at, at}}, at, nil); fhir.CodeOf(err) != fhir.Invalid {
		t.Errorf("two entries that select one resource: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	patient := `{"resourceType":"Patient"}`
	urn := "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
	ok := entry("", "POST", "Patient", patient, "")
	tests := []struct {
		name       string
		entry      string
		code       fhir.Code
		expression string
	}{
		{"no request", `{"resource":` + patient + `}`, fhir.Invalid, "Bundle.entry[1].request"},
		{"no object", `7`, fhir.Invalid, "Bundle.entry[1]"},
		{"no method", `{"request":{"url":"Patient"}}`, fhir.Invalid, "Bundle.entry[1].request.method"},
		{"method of another type", `{"request":{"method":1,"url":"Patient"}}`, fhir.Invalid, "Bundle.entry[1].request.method"},
		{"unknown method", entry("", "BREW", "Patient", patient, ""), fhir.Invalid, "Bundle.entry[1].request.method"},
		{"unknown type", entry("", "POST", "Pacient", patient, ""), fhir.Invalid, "Bundle.entry[1].request.url"},
		{"no url", entry("", "POST", "", patient, ""), fhir.Invalid, "Bundle.entry[1].request.url"},
		{"POST with an id", entry("", "POST", "Patient/1", patient, ""), fhir.Invalid, "Bundle.entry[1].request.url"},
		{"POST with a criterion", entry("", "POST", "Patient?name=x", patient, ""), fhir.Invalid, "Bundle.entry[1].request.url"},
		{"PUT without id", entry("", "PUT", "Patient", patient, ""), fhir.Invalid, "Bundle.entry[1].request.url"},
		{"traversal", entry("", "DELETE", "Patient/../x", "", ""), fhir.Invalid, "Bundle.entry[1].request.url"},
		{"another server", entry("", "DELETE", "http://other.org/fhir/Patient/1", "", ""), fhir.Invalid, "Bundle.entry[1].request.url"},
		{"POST of another type", entry("", "POST", "Observation", patient, ""), fhir.Invalid, "Bundle.entry[1].resource.resourceType"},
		{"POST of nothing", entry("", "POST", "Patient", "", ""), fhir.Invalid, "Bundle.entry[1].resource"},
		{"POST of no resource", entry("", "POST", "Patient", `{"a":1}`, ""), fhir.Invalid, "Bundle.entry[1].resource"},
		{"PUT without id in the body", entry("", "PUT", "Patient/1", patient, ""), fhir.Invalid, "Bundle.entry[1].resource.id"},
		{"PUT with another id", entry("", "PUT", "Patient/1", `{"resourceType":"Patient","id":"2"}`, ""), fhir.Invalid, "Bundle.entry[1].resource.id"},
		{"bad ifMatch", entry("", "DELETE", "Patient/1", "", `,"ifMatch":"abc"`), fhir.Invalid, "Bundle.entry[1].request.ifMatch"},
		{"bad ifNoneMatch", entry("", "PUT", "Patient/1", `{"resourceType":"Patient","id":"1"}`, `,"ifNoneMatch":"W/\"1\""`), fhir.Invalid, "Bundle.entry[1].request.ifNoneMatch"},
		{"empty criterion", entry("", "DELETE", "Patient?", "", ""), fhir.Invalid, "Bundle.entry[1]"},
		{"invalid resource", entry("", "POST", "Patient", `{"resourceType":"Patient","name":[{"given":"x"}]}`, ""), fhir.Unprocessable, "Bundle.entry[1].resource.name[0].given"},
		{"unknown urn", entry("", "POST", "Patient", `{"resourceType":"Patient","generalPractitioner":[{"reference":"`+urn+`"}]}`, ""), fhir.Unprocessable, "Bundle.entry[1].resource.generalPractitioner[0].reference"},
		{"bad conditional reference", entry("", "POST", "Patient", `{"resourceType":"Patient","managingOrganization":{"reference":"Organization?nonsense=1"}}`, ""), fhir.Invalid, "Bundle.entry[1].resource.managingOrganization.reference"},
		{"PATCH with a resource", entry("", "PATCH", "Patient/1", patient, ""), fhir.NotSupported, "Bundle.entry[1].resource"},
		{"PATCH with no patch", entry("", "PATCH", "Patient/1", `{"resourceType":"Binary","contentType":"application/json-patch+json","data":"e30="}`, ""), fhir.Invalid, "Bundle.entry[1].resource.data"},
	}
	for _, tt := range tests {
		_, err := plan(t, ok, tt.entry)
		var e *fhir.Error
		if !errors.As(err, &e) || e.Code != tt.code || e.Expression != tt.expression {
			t.Errorf("%s: got %+v; want code %d at %s", tt.name, err, tt.code, tt.expression)
		}
	}
	for name, entries := range map[string][]string{
		"fullUrl twice": {entry(urn, "POST", "Patient", patient, ""), entry(urn, "POST", "Patient", patient, "")},
		"PUT twice":     {entry("", "PUT", "Patient/1", `{"resourceType":"Patient","id":"1"}`, ""), entry("", "PUT", "Patient/1", `{"resourceType":"Patient","id":"1"}`, "")},
		"PUT, DELETE":   {entry("", "PUT", "Patient/1", `{"resourceType":"Patient","id":"1"}`, ""), entry("", "DELETE", "Patient/1", "", "")},
	} {
		if _, err := plan(t, entries...); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := plan(t, strings.Split(strings.Repeat(ok+"\n", 101), "\n")[:101]...); fhir.CodeOf(err) != fhir.TooLarge {
		t.Errorf("101 entries: %v", err)
	}
}

func TestAllowIsAskedForEveryEntry(t *testing.T) {
	s, err := Parse([]byte(`{"resourceType":"Bundle","type":"transaction","entry":[` +
		entry("", "GET", "Patient/1", "", "") + `,` + entry("", "DELETE", "Patient?identifier=s|1", "", "") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(s, 10)
	if err != nil {
		t.Fatal(err)
	}
	only := &search.Restriction{Types: map[string][]search.Expr{"Patient": nil}}
	asked := 0
	p, err := NewPlan(b, Options{NewID: func() string { return "n" }, Allow: func(*Action) (*search.Restriction, error) { asked++; return only, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if asked != 2 || p.Batch.Changes[0].Where.Restriction != only {
		t.Errorf("asked %d times; the criterion may see %v", asked, p.Batch.Changes[0].Where.Restriction)
	}
	no := fhir.Errorf(fhir.Forbidden, "no")
	if _, err := NewPlan(b, Options{NewID: func() string { return "n" }, Allow: func(*Action) (*search.Restriction, error) { return nil, no }}); fhir.CodeOf(err) != fhir.Forbidden {
		t.Errorf("got %v", err)
	}
}
