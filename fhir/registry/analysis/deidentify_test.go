package analysis

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/fhir/samples"
	"github.com/amate-health/amate/fhir/spec"
)

var (
	secret = []byte("thirty-two bytes of a test's own key")
	today  = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
)

func deidentified(t testing.TB, release, src string) string {
	t.Helper()
	out, err := New(secret, release).AsOf(today).At("https://here.mx/fhir").Resource(nil, []byte(src))
	if err != nil {
		t.Fatalf("%v: %s", err, src)
	}
	if !json.Valid(out) {
		t.Fatalf("no JSON: %s", out)
	}
	return string(out)
}

// TestRulesNameElements: a rule for an element that does not exist protects nothing.
func TestRulesNameElements(t *testing.T) {
	for _, set := range []map[string]bool{rules.drop, rules.keep} {
		for path := range set {
			exists(t, path)
		}
	}
	for path := range rules.dates {
		if path != "*" {
			exists(t, path)
		}
	}
	for _, set := range []map[string]bool{rules.hidden, rules.types} {
		for name := range set {
			if spec.TypeOf(name) == nil {
				t.Errorf("there is no type %s", name)
			}
		}
	}
}

func exists(t *testing.T, path string) {
	t.Helper()
	at := strings.LastIndex(path, ".")
	typ := spec.TypeOf(path[:at])
	if typ == nil || typ.Element([]byte(path[at+1:])) == nil {
		t.Errorf("there is no element %s", path)
	}
}

// TestNoTextPasses goes through every element of every type: what is a string or bytes is
// dropped, but for what the rules name.
func TestNoTextPasses(t *testing.T) {
	kept := 0
	for _, name := range spec.Resources() {
		walk(spec.TypeOf(name), map[*spec.Type]bool{}, func(typ *spec.Type, el *spec.Element) {
			switch el.Type.Name {
			case "string", "markdown", "xhtml", "base64Binary", "uri", "url", "uuid", "oid", "time":
			default:
				return
			}
			path := typ.Name + "." + el.Name
			if a := rules.plan(typ)[el.Index]; a != dropped && a != unit && !rules.keep[path] && path != "Reference.reference" && path != "Bundle.entry.fullUrl" && a != named {
				t.Errorf("%s passes as %d", path, a)
			} else if a != dropped {
				kept++
			}
		})
	}
	if kept == 0 {
		t.Error("nothing was looked at")
	}
}

func walk(t *spec.Type, seen map[*spec.Type]bool, f func(*spec.Type, *spec.Element)) {
	if t == nil || seen[t] {
		return
	}
	seen[t] = true
	for i := range t.Elements {
		if el := &t.Elements[i]; el.Type != nil {
			f(t, el)
			walk(el.Type, seen, f)
		}
	}
}

// TestWritten shows what becomes of each kind of value.
func TestWritten(t *testing.T) {
	d := New(secret, "r").AsOf(today).At("https://here.mx/fhir")
	p := func(ref string) string {
		r, _ := fhir.ParseRef(ref)
		return r.Type + "/" + d.Pseudonym(r)
	}
	id := d.Pseudonym(fhir.Ref{Type: "Patient", ID: "a"})
	for _, tt := range []struct{ name, in, want string }{
		{"a person", `{"resourceType":"Patient","id":"a","meta":{"versionId":"7","lastUpdated":"2026-01-02T03:04:05.678Z","source":"urn:x","tag":[{"code":"t"}],"security":[{"system":"http://s","code":"R","display":"Ana"}]},
			"text":{"status":"generated","div":"<div>Ana</div>"},"extension":[{"url":"http://x","valueString":"Ana"}],"identifier":[{"system":"u","value":"LOAA900517MDFPNN09"}],
			"name":[{"family":"López"}],"telecom":[{"value":"5512345678"}],"gender":"female","birthDate":"1990-05-17","_birthDate":{"extension":[{"url":"u","valueDateTime":"1990-05-17T03:00:00Z"}]},
			"deceasedDateTime":"2020-03-04T05:06:07Z","address":[{"use":"home","text":"Calle 1","line":["Calle 1"],"city":"San Juan","district":"Xochimilco","state":"Ciudad de México","postalCode":"01000","country":"MX"}],
			"contact":[{"gender":"male"}],"link":[{"other":{"reference":"Patient/b"},"type":"seealso"}],"unknown":"Ana"}`,
			`{"resourceType":"Patient","id":"` + id + `","meta":{"security":[{"system":"http://s","code":"R"}]},"gender":"female","birthDate":"1990","deceasedDateTime":"2020","address":[{"use":"home","district":"Xochimilco","state":"Ciudad de México","country":"MX"}]}`},
		{"the old are one class", `{"resourceType":"Patient","id":"a","birthDate":"1921-05-17"}`, `{"resourceType":"Patient","id":"` + id + `","birthDate":"1936"}`},
		{"90 this year", `{"resourceType":"Patient","id":"a","birthDate":"1936-05-17"}`, `{"resourceType":"Patient","id":"` + id + `","birthDate":"1936"}`},
		{"89", `{"resourceType":"Patient","id":"a","birthDate":"1937-01-01"}`, `{"resourceType":"Patient","id":"` + id + `","birthDate":"1937"}`},
		{"references", `{"resourceType":"Observation","status":"final","subject":{"reference":"Patient/a/_history/3","type":"Patient","display":"Ana","identifier":{"value":"LOAA900517MDFPNN09"}},"focus":[{"reference":"https://here.mx/fhir/Patient/a"},{"reference":"nonsense"},{"display":"Ana"}],"encounter":{"reference":"Encounter/e"}}`,
			`{"resourceType":"Observation","status":"final","subject":{"reference":"` + p("Patient/a") + `","type":"Patient"},"focus":[{"reference":"` + p("Patient/a") + `"}],"encounter":{"reference":"` + p("Encounter/e") + `"}}`},
		{"dates and values", `{"resourceType":"Observation","status":"final","effectiveDateTime":"2024-03-05T23:30:00-06:00","issued":"2024-03-05T23:30:00.123-06:00","valueQuantity":{"value":70.50,"unit":"Ana pesa","system":"http://unitsofmeasure.org","code":"kg"},"note":[{"text":"Ana"}]}`,
			`{"resourceType":"Observation","status":"final","effectiveDateTime":"2024-03","issued":"2024-03-01T00:00:00Z","valueQuantity":{"value":70.50,"system":"http://unitsofmeasure.org","code":"kg"}}`},
		{"a date as a value", `{"resourceType":"Observation","status":"final","valueDateTime":"1990-05-17"}`, `{"resourceType":"Observation","status":"final","valueDateTime":"1990"}`},
		{"an hour as a value", `{"resourceType":"Observation","status":"final","valueTime":"03:04:05"}`, `{"resourceType":"Observation","status":"final"}`},
		{"weeks", `{"resourceType":"Appointment","status":"booked","start":"2026-11-22T10:00:00Z","end":"2026-11-23T10:30:00Z"}`,
			`{"resourceType":"Appointment","status":"booked","start":"2026-11-16T00:00:00Z","end":"2026-11-23T00:00:00Z"}`},
		{"codes that are none", `{"resourceType":"Condition","code":{"text":"Ana","coding":[{"system":"http://x","code":"ANA LOPEZ"},{"code":"LOAA900517MDFPNN09"},{"code":"0b2f4c1e-8a6d-4c0e-9f10-aa11bb22cc33"},{"system":"http://snomed.info/sct","code":"190905008","display":"Fibrosis quística de Ana"}]}}`,
			`{"resourceType":"Condition","code":{"coding":[{"system":"http://x"},{"system":"http://snomed.info/sct","code":"190905008"}]}}`},
		{"an age", `{"resourceType":"Condition","onsetAge":{"value":97,"unit":"a","system":"http://unitsofmeasure.org","code":"a"}}`,
			`{"resourceType":"Condition","onsetAge":{"value":90,"comparator":">=","system":"http://unitsofmeasure.org","code":"a"}}`},
		{"a place", `{"resourceType":"Location","name":"Casa de Ana","position":{"longitude":-99.1,"latitude":19.4},"address":{"line":["Calle 1"],"district":"Xochimilco"}}`,
			`{"resourceType":"Location","address":{"district":"Xochimilco"}}`},
		{"nothing is left", `{"resourceType":"Patient","name":[{"family":"López"}],"address":[{"line":["Calle 1"]}]}`, `{"resourceType":"Patient"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := deidentified(t, "r", tt.in); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestContained: fragments point to what is contained, and entries are found by fullUrl.
func TestContained(t *testing.T) {
	got := deidentified(t, "r", `{"resourceType":"Bundle","id":"b","type":"collection","link":[{"relation":"self","url":"https://here.mx/Patient?name=Ana"}],"entry":[
		{"fullUrl":"urn:uuid:0b2f4c1e-8a6d-4c0e-9f10-aa11bb22cc33","resource":{"resourceType":"Observation","id":"o","status":"final","contained":[{"resourceType":"Patient","id":"p1","gender":"male"},{"resourceType":"Provenance","id":"x"}],"subject":{"reference":"#p1"}}},
		{"fullUrl":"https://here.mx/fhir/Patient/a","resource":{"resourceType":"Condition","id":"c","subject":{"reference":"urn:uuid:0B2F4C1E-8a6d-4c0e-9f10-aa11bb22cc33"}}}]}`)
	var b struct {
		Entry []struct {
			FullURL  string `json:"fullUrl"`
			Resource struct {
				ID        string
				Contained []struct{ ID string }
				Subject   struct{ Reference string }
			}
		}
	}
	if err := json.Unmarshal([]byte(got), &b); err != nil {
		t.Fatal(err)
	}
	one, two := b.Entry[0], b.Entry[1]
	if len(one.Resource.Contained) != 1 || one.Resource.Subject.Reference != "#"+one.Resource.Contained[0].ID || one.Resource.Contained[0].ID == "p1" {
		t.Errorf("a fragment points elsewhere: %s", got)
	}
	d := New(secret, "r")
	if two.Resource.Subject.Reference != one.FullURL || two.FullURL != "Patient/"+d.Pseudonym(fhir.Ref{Type: "Patient", ID: "a"}) || two.Resource.ID != d.Pseudonym(fhir.Ref{Type: "Condition", ID: "c"}) {
		t.Errorf("an entry is not found: %s", got)
	}
	if strings.Contains(got, "0b2f4c1e") || strings.Contains(got, "self") {
		t.Errorf("a link or UUID passes: %s", got)
	}
}

// TestHidden: what says who did something is not shown at all.
func TestHidden(t *testing.T) {
	for _, typ := range []string{"Provenance", "AuditEvent", "Binary", "Parameters", "Nonsense", "HumanName", ""} {
		if out, err := New(secret, "r").Resource(nil, fmt.Appendf(nil, `{"resourceType":%q,"id":"x"}`, typ)); err == nil {
			t.Errorf("%q is shown: %s", typ, out)
		}
	}
}

// TestReleases: a resource has one pseudonym in a release, and another in each other one
// and under each other key.
func TestReleases(t *testing.T) {
	ref := fhir.Ref{Type: "Patient", ID: "a"}
	seen := map[string]string{}
	for _, k := range []string{"one key", "another key"} {
		for _, r := range []string{"", "2026-10", "2026-11"} {
			d := New([]byte(k), r)
			p := d.Pseudonym(ref)
			if !fhir.ValidID(p) || d.Pseudonym(ref) != p || d.AsOf(today).At("https://x").Pseudonym(ref) != p {
				t.Errorf("%q is no steady pseudonym", p)
			}
			if was := seen[p]; was != "" {
				t.Errorf("%s and %s can be joined", was, k+r)
			}
			seen[p] = k + r
			if d.Pseudonym(fhir.Ref{Type: "Person", ID: "a"}) == p || d.Pseudonym(fhir.Ref{Type: "Patient", ID: "b"}) == p {
				t.Error("two resources have one pseudonym")
			}
		}
	}
}

// What must not be found in anything that is given out.
var (
	curpForm  = regexp.MustCompile(`[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d`)
	uuidForm  = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)
	urnForm   = regexp.MustCompile(`"urn:uuid:[0-9a-f-]{36}"`)
	dayForm   = regexp.MustCompile(`(19|20)\d\d-\d\d-(0[2-9]|[12]\d|3[01])`)
	clockForm = regexp.MustCompile(`T(\d\d:\d\d:\d\d)`)
	phoneForm = regexp.MustCompile(`\+52|\d{3}-\d{3,4}`)
)

// leaks says what of a resource is in what was written of it: ids, text, and the forms of
// what identifies people.
func leaks(src, out []byte, weekly bool) (all []string) {
	plain := urnForm.ReplaceAll(out, nil) // pseudonyms of those that stood there, which are looked for below
	for name, form := range map[string]*regexp.Regexp{"a CURP": curpForm, "a UUID": uuidForm, "a telephone": phoneForm} {
		if hit := form.Find(plain); hit != nil {
			all = append(all, name+" "+string(hit))
		}
	}
	if hit := dayForm.Find(out); hit != nil && !weekly {
		all = append(all, "a day "+string(hit))
	}
	for _, hit := range clockForm.FindAllSubmatch(out, -1) {
		if string(hit[1]) != "00:00:00" {
			all = append(all, "an hour "+string(hit[1]))
		}
	}
	d, err := element.Parse(src)
	if err != nil {
		return append(all, err.Error())
	}
	for n := element.Node(0); int(n) < d.Len(); n++ {
		name := string(d.Name(n))
		if d.Kind(n) != element.String || len(d.Bytes(n)) < 4 {
			continue
		}
		switch name {
		case "id", "versionId", "lastUpdated", "family", "value", "line", "city", "postalCode", "text", "display", "div", "birthDate", "valueString", "title", "fullUrl", "reference":
			q := element.Quote(nil, d.Text(n))
			if members := append(bytes.Clone(q), ':'); bytes.Count(out, q) > bytes.Count(out, members) && !isCode(d, d.Text(n)) {
				all = append(all, name+" "+string(q))
			}
		}
	}
	return all
}

// isCode reports whether a text is also a code of the resource, as some words are.
func isCode(d *element.Doc, text string) bool {
	for n := element.Node(0); int(n) < d.Len(); n++ {
		switch name := string(d.Name(n)); name {
		case "code", "status", "state", "district", "system", "gender", "type", "use":
			if d.Kind(n) == element.String && d.Text(n) == text {
				return true
			}
		}
	}
	return false
}

// eachResource calls f with the resources of others' samples and of a made-up population.
func eachResource(t testing.TB, files int, f func(src []byte)) {
	t.Helper()
	entries := func(text []byte) {
		d, err := element.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for e := range d.Items(0, "entry") {
			f(d.AppendCompact(nil, d.Get(e, "resource")))
		}
	}
	for b := range demo.Population(demo.Options{Patients: 30, Seed: 7}) {
		entries(b.JSON)
	}
	for i, file := range samples.Files(t, "synthea-r4-urn", "*.json.gz") {
		if i < files {
			entries(samples.Read(t, file))
		}
	}
}

// TestNothingIsThere: of thousands of resources no id, name, text, CURP, telephone or day
// is in what is given out, and what is given out joins as it did before.
func TestNothingIsThere(t *testing.T) {
	d := New(secret, "2026-11").AsOf(today)
	shown, hidden := 0, 0
	eachResource(t, 4, func(src []byte) {
		doc, err := element.Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		out, err := d.Resource(nil, src)
		if fhir.CodeOf(err) == fhir.Forbidden {
			hidden++
			return
		}
		if err != nil || !json.Valid(out) {
			t.Fatalf("%v: %s", err, out)
		}
		typ := doc.TextAt(0, "resourceType")
		if found := leaks(src, out, typ == "Appointment" || typ == "Slot"); len(found) > 0 {
			t.Fatalf("%q of %s is in %s", found, src, out)
		}
		more, err := d.Prepare(nil, src, Derive(doc, "1990-05-17", today))
		if err != nil || !json.Valid(more) {
			t.Fatalf("%v: %s", err, more)
		}
		if found := leaks([]byte("{}"), more, typ == "Appointment" || typ == "Slot"); len(found) > 0 {
			t.Fatalf("%q of %s is derived: %s", found, src, more)
		}
		shown++
		if ref, ok := fhir.ParseRef(doc.TextAt(0, "subject", "reference")); ok {
			if want := `"subject":{"reference":"` + ref.Type + "/" + d.Pseudonym(ref) + `"`; !bytes.Contains(out, []byte(want)) {
				t.Fatalf("%s does not join: %s", ref, out)
			}
		}
	})
	if shown < 2000 {
		t.Errorf("%d resources were looked at, %d hidden", shown, hidden)
	}
}

// TestLeaksAreNoticed plants what must be found.
func TestLeaksAreNoticed(t *testing.T) {
	src := []byte(`{"resourceType":"Patient","id":"abcd","name":[{"family":"López"}],"birthDate":"1990-05-17"}`)
	for _, planted := range []string{`{"id":"abcd"}`, `{"x":"López"}`, `{"x":"1990-05-17"}`, `{"x":"LOAA900517MDFPNN09"}`, `{"x":"2020-01-01T03:00:00Z"}`, `{"x":"0b2f4c1e-8a6d-4c0e-9f10-aa11bb22cc33"}`, `{"x":"+52 55"}`} {
		if len(leaks(src, []byte(planted), false)) == 0 {
			t.Errorf("%s passes", planted)
		}
	}
}

func BenchmarkResource(b *testing.B) {
	var all [][]byte
	size := 0
	eachResource(b, 2, func(src []byte) {
		all, size = append(all, src), size+len(src)
	})
	d := New(secret, "2026-11")
	var buf []byte
	b.SetBytes(int64(size / len(all)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		buf, _ = d.Resource(buf[:0], all[i%len(all)])
	}
}

func FuzzResource(f *testing.F) {
	for _, s := range []string{`{"resourceType":"Patient","id":"a","birthDate":"1990"}`, `{"resourceType":"Observation","contained":[{"resourceType":"Bundle","entry":[{"fullUrl":"urn:x","resource":{"resourceType":"Patient","id":"p"}}]}]}`,
		`{"resourceType":"Patient","birthDate":"9999-99-99","_birthDate":null,"address":{"district":1}}`, `{"resourceType":"Observation","effectiveInstant":"2024-","valueSampledData":{}}`, `[]`, `{"resourceType":["Patient"]}`,
		`{"resourceType":"Condition","onsetAge":{"value":"x"},"code":{"coding":[{"code":"LOAA900517MDFPNN09"}]}}`, `{"resourceType":"Patient","id":"LOAA900517MDFPNN09","link":[{"other":{"reference":"http://x/Patient/LOAA900517MDFPNN09"}}]}`} {
		f.Add([]byte(s))
	}
	d := New(secret, "r").AsOf(today)
	f.Fuzz(func(t *testing.T, src []byte) {
		out, err := d.Resource(nil, src)
		if err != nil {
			return
		}
		if !json.Valid(out) {
			t.Fatalf("no JSON: %s", out)
		}
		if again, err := d.Resource(nil, src); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("another time it is %s", again)
		}
		if hit := curpForm.Find(out); hit != nil {
			t.Fatalf("a CURP passes: %s", out)
		}
	})
}
