package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/fhir/samples"
	"github.com/amate-health/amate/store/storetest"
)

// asker sends what one person asks for, as JSON.
type asker struct {
	t     *testing.T
	base  string
	token string
}

func (a *asker) do(method, path, body string, header ...string) (int, http.Header, string) {
	a.t.Helper()
	req, err := http.NewRequest(method, a.base+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Content-Type", "application/fhir+json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(out)
}

// created makes a resource and returns its id.
func (a *asker) created(typ, body string) string {
	a.t.Helper()
	status, _, out := a.do("POST", "/"+typ, body)
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(out), &made); err != nil || status != http.StatusCreated {
		a.t.Fatalf("%s: %d %s", typ, status, out)
	}
	return made.ID
}

// askers returns those who ask, by role.
func askers(t *testing.T, where ...string) map[string]*asker {
	t.Helper()
	p := startGuarded(t, append([]string{"--demo"}, where...)...)
	all := map[string]*asker{}
	for _, role := range []string{"system", "clinician", "vaccinator", "telehealth-app", "analyst", "auditor", "patient"} {
		token, _ := grantFor(t, p, credentialOf(t, where[1], role))
		all[role] = &asker{t: t, base: p.base, token: token}
	}
	return all
}

// onBoth runs a test with access control on both engines.
func onBoth(t *testing.T, f func(t *testing.T, by map[string]*asker)) {
	t.Run("sqlite", func(t *testing.T) { f(t, askers(t, "--data", t.TempDir())) })
	t.Run("postgres", func(t *testing.T) {
		f(t, askers(t, "--data", t.TempDir(), "--database", storetest.EmptyPostgres(t)))
	})
}

// TestWhoSeesSummaries: clinicians do, patients their own, others not; what a consent
// refuses is not in it, and never denied.
func TestWhoSeesSummaries(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, by map[string]*asker) {
		own, other := "/Patient/"+demo.PatientID(demoSeed, 1)+"/$summary", "/Patient/"+demo.PatientID(demoSeed, 2)+"/$summary"
		for _, c := range []struct {
			role, path string
			want       int
		}{
			{"clinician", other, 200}, {"telehealth-app", other, 403}, {"system", other, 200}, {"patient", own, 200},
			{"patient", other, 404}, {"vaccinator", other, 403}, {"analyst", other, 403}, {"auditor", other, 403},
			{"clinician", "/Patient/nobody/$summary", 404}, {"clinician", other + "?graph=x", 400}, {"clinician", other + "?profile=http://x", 400},
			{"clinician", "/Patient/$summary?identifier=" + demoCURP(t, by["clinician"], demo.PatientID(demoSeed, 2)), 200},
			{"patient", "/Patient/$summary?identifier=" + demoCURP(t, by["clinician"], demo.PatientID(demoSeed, 2)), 404},
		} {
			if status, _, out := by[c.role].do("GET", c.path, ""); status != c.want || status == 200 && !strings.Contains(out, `"type":"document"`) {
				t.Errorf("%s %s: %d, want %d %.300s", c.role, c.path, status, c.want, out)
			}
		}
		status, h, _ := by["clinician"].do("GET", other, "", "Accept-Language", "en")
		again, _, body := by["clinician"].do("GET", other, "", "Accept-Language", "en", "If-None-Match", h.Get("Etag"))
		spanish, _, _ := by["clinician"].do("GET", other, "", "Accept-Language", "es", "If-None-Match", h.Get("Etag"))
		if status != 200 || again != http.StatusNotModified || body != "" || spanish != 200 {
			t.Errorf("by entity tag: %d %d %q %d", status, again, body, spanish)
		}
		consentRefuses(t, by)
	})
}

// demoCURP returns the CURP of a patient as a search asks for it.
func demoCURP(t *testing.T, by *asker, id string) string {
	t.Helper()
	_, _, out := by.do("GET", "/Patient/"+id, "")
	var p struct {
		Identifier []struct{ System, Value string }
	}
	if err := json.Unmarshal([]byte(out), &p); err != nil || len(p.Identifier) == 0 {
		t.Fatalf("%s: %s", id, out)
	}
	return p.Identifier[0].System + "%7C" + p.Identifier[0].Value
}

// consentRefuses tries a patient who does not let clinicians see allergies.
func consentRefuses(t *testing.T, by map[string]*asker) {
	t.Helper()
	id := by["clinician"].created("Patient", `{"resourceType":"Patient","name":[{"family":"Pérez"}]}`)
	subject := fmt.Sprintf(`{"reference":"Patient/%s"}`, id)
	by["clinician"].created("AllergyIntolerance", `{"resourceType":"AllergyIntolerance","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}]},"code":{"text":"Cacahuate"},"patient":`+subject+`}`)
	by["clinician"].created("Condition", `{"resourceType":"Condition","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},"code":{"text":"Asma"},"subject":`+subject+`}`)
	path := "/Patient/" + id + "/$summary"
	if _, _, out := by["clinician"].do("GET", path, ""); !strings.Contains(out, "Cacahuate") || !strings.Contains(out, "Asma") {
		t.Errorf("before: %.2000s", out)
	}
	by["system"].created("Consent", `{"resourceType":"Consent","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
		"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"policyRule":{"text":"LGPDPPSO"},"patient":`+subject+`,
		"provision":{"type":"deny","class":[{"system":"http://hl7.org/fhir/resource-types","code":"AllergyIntolerance"}]}}`)
	_, _, out := by["clinician"].do("GET", path, "")
	for _, not := range []string{"Cacahuate", "716186003", "no-known"} {
		if strings.Contains(out, not) {
			t.Errorf("after: it says %s", not)
		}
	}
	if !strings.Contains(out, "Asma") || !strings.Contains(out, "No hay información sobre alergias que pueda ver quien pidió el resumen") {
		t.Errorf("after: %.3000s", out)
	}
	by["system"].created("Consent", `{"resourceType":"Consent","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
		"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"policyRule":{"text":"LGPDPPSO"},"patient":`+subject+`,"provision":{"type":"deny"}}`)
	if status, _, out := by["clinician"].do("GET", path, ""); status != http.StatusNotFound {
		t.Errorf("of one who refuses everything: %d %.300s", status, out)
	}
}

// proposed is what $import-summary answers, as far as the tests look at it.
type proposed struct {
	document string
	kinds    map[string]string // kind by type of resource
	ids      map[string]string
	written  map[string]string
	differ   map[string]string
}

func readProposals(t *testing.T, text string) (p proposed) {
	t.Helper()
	type part struct {
		Name, ValueString, ValueCode string
		ValueReference               struct{ Reference string }
		Resource                     struct{ ResourceType string }
		Part                         []part
	}
	var all struct{ Parameter []part }
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	p = proposed{kinds: map[string]string{}, ids: map[string]string{}, written: map[string]string{}, differ: map[string]string{}}
	for _, one := range all.Parameter {
		if one.Name == "document" {
			p.document = one.ValueReference.Reference
			continue
		}
		last := one.Part[len(one.Part)-1].Resource.ResourceType
		for _, x := range one.Part {
			switch x.Name {
			case "kind":
				p.kinds[last] = x.ValueCode
			case "id":
				p.ids[last] = x.ValueString
			case "written":
				p.written[last] = x.ValueReference.Reference
			case "difference":
				p.differ[last] += x.ValueString
			}
		}
	}
	return p
}

// TestImportSummary takes in the sample of RACSEL: it is kept, proposed, accepted, and
// never twice.
func TestImportSummary(t *testing.T) {
	t.Parallel()
	sample := string(samples.Read(t, samples.Path(t, "latam", "ips-sample5.json")))
	onBoth(t, func(t *testing.T, by map[string]*asker) {
		doctor := by["clinician"]
		id := doctor.created("Patient", `{"resourceType":"Patient","identifier":[{"system":"urn:oid.2.16.152","value":"CL/F12-1234123-2"}]}`)
		path := "/Patient/" + id + "/$import-summary"
		for who, want := range map[string]int{"vaccinator": 403, "patient": 403, "telehealth-app": 403, "auditor": 403} {
			if status, _, out := by[who].do("POST", path, sample); status != want {
				t.Errorf("%s: %d %s", who, status, out)
			}
		}
		for name, c := range map[string]struct {
			path, body string
			want       int
		}{
			"another patient":   {"/Patient/" + demo.PatientID(demoSeed, 2) + "/$import-summary", sample, 409},
			"nobody":            {"/Patient/nobody/$import-summary", sample, 404},
			"no document":       {path, `{"resourceType":"Bundle","type":"collection"}`, 422},
			"another document":  {path, strings.Replace(sample, "60591-5", "11506-3", 1), 422},
			"unknown proposal":  {path, `{"resourceType":"Parameters","parameter":[{"name":"summary","resource":` + sample + `},{"name":"accept","valueString":"x"}]}`, 400},
			"unknown parameter": {path, `{"resourceType":"Parameters","parameter":[{"name":"resumen","resource":` + sample + `}]}`, 400},
		} {
			if status, _, out := doctor.do("POST", c.path, c.body); status != c.want {
				t.Errorf("%s: %d, want %d %s", name, status, c.want, out)
			}
		}
		if got := count(t, doctor, "DocumentReference?subject=Patient/"+id); got != 0 {
			t.Errorf("what was refused left %d documents", got)
		}
		dirty := strings.Replace(sample, `<div xmlns=\"http://www.w3.org/1999/xhtml\"`, `<div xmlns=\"http://www.w3.org/1999/xhtml\" onclick=\"alert(1)\"`, 1)
		accepted(t, doctor, id, path, sample, dirty)
	})
}

// accepted is the way from proposals to the record.
func accepted(t *testing.T, doctor *asker, id, path, sample, dirty string) {
	t.Helper()
	ask := func(summary, accept string) proposed {
		t.Helper()
		body := `{"resourceType":"Parameters","parameter":[{"name":"summary","resource":` + summary + `}`
		if accept != "" {
			body += `,{"name":"accept","valueString":"` + accept + `"}`
		}
		status, _, out := doctor.do("POST", path, body+"]}")
		if status != 200 {
			t.Fatalf("%d %s", status, out)
		}
		return readProposals(t, out)
	}
	first := ask(sample, "")
	if fmt.Sprint(first.kinds) != "map[AllergyIntolerance:new Condition:new Immunization:new MedicationStatement:new]" || len(first.written) > 0 {
		t.Errorf("at first %+v", first)
	}
	one := ask(sample, first.ids["Condition"])
	if one.document != first.document || len(one.written) != 1 {
		t.Errorf("one accepted: %+v", one)
	}
	rest, twice := ask(sample, "new"), ask(sample, "new")
	if len(rest.written) != 3 || rest.kinds["Condition"] != "same" || len(twice.written) > 0 || twice.kinds["AllergyIntolerance"] != "same" || twice.document != first.document {
		t.Errorf("the rest: %+v\nagain: %+v", rest, twice)
	}
	for _, c := range []struct {
		query string
		want  int
	}{
		{"DocumentReference?subject=Patient/" + id, 1}, {"Condition?subject=Patient/" + id, 1}, {"AllergyIntolerance?patient=Patient/" + id, 1},
		{"Provenance?target=" + one.written["Condition"], 1}, {"Provenance?target=" + rest.written["Immunization"], 1},
		{"MedicationStatement?code=http://www.whocc.no/atc%7CL02BG03&subject=Patient/" + id, 1},
	} {
		if got := count(t, doctor, c.query); got != c.want {
			t.Errorf("%s: %d, want %d", c.query, got, c.want)
		}
	}
	if low := ask(strings.Replace(sample, `"criticality": "high"`, `"criticality": "low"`, 1), ""); low.kinds["AllergyIntolerance"] != "conflict" || low.differ["AllergyIntolerance"] != "criticality" || low.document == first.document {
		t.Errorf("another criticality: %+v", low)
	}
	unsafe := ask(dirty, "")
	_, _, reference := doctor.do("GET", "/"+unsafe.document, "")
	_, url, _ := strings.Cut(reference, `"url":"`)
	url, _, _ = strings.Cut(url, `"`)
	_, _, document := doctor.do("GET", "/"+url, "")
	if dirty == sample || !strings.Contains(document, "Narrativa retirada") || strings.Contains(document, "alert(1)") {
		t.Errorf("the document is kept as %.500s", document)
	}
}

// count returns how many resources a search finds.
func count(t *testing.T, by *asker, query string) int {
	t.Helper()
	_, _, out := by.do("GET", "/"+query+"&_total=accurate&_summary=count", "")
	var b struct{ Total *int }
	if err := json.Unmarshal([]byte(out), &b); err != nil || b.Total == nil {
		t.Fatalf("%s: %s", query, out)
	}
	return *b.Total
}
