package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/analysis"
)

// deidentified is a server with the records of the demonstration and of somebody whose
// name, numbers and dates stand in every place where such things have been put.
type deidentified struct {
	*testing.T
	p  *process
	by map[string]*asker
}

// secretPerson is that somebody. Each SECRETO must be found by nobody who analyses.
const secretPerson = `{"resourceType":"Patient","id":"secreto-1","meta":{"source":"urn:SECRETO","tag":[{"system":"urn:SECRETO","code":"SECRETO"}]},
	"extension":[{"url":"http://example.org/name","valueString":"SECRETO"},{"url":"http://example.org/code","valueCode":"SECRETO"}],
	"contained":[{"resourceType":"Organization","id":"SECRETO","name":"SECRETO"}],
	"identifier":[{"system":"urn:oid:1.2.3","value":"SECRETO"}],"name":[{"family":"SECRETO"}],"telecom":[{"system":"phone","value":"5512345678"}],
	"gender":"female","birthDate":"1931-07-23","_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"1931-07-23T04:05:06Z"}]},
	"address":[{"line":["SECRETO"],"city":"SECRETO","postalCode":"01234"}],"contact":[{"name":{"text":"SECRETO"}}],"managingOrganization":{"reference":"#SECRETO","display":"SECRETO"}}`

const secretDiagnosis = `{"resourceType":"Condition","id":"secreto-2","code":{"coding":[{"system":"http://snomed.info/sct","code":"190905008","display":"SECRETO"},{"system":"urn:x","code":"LOAA310723MDFPNN09"}],"text":"SECRETO"},
	"subject":{"reference":"Patient/secreto-1","display":"SECRETO","identifier":{"system":"urn:oid:1.2.3","value":"SECRETO"}},"onsetDateTime":"2021-07-23T04:05:06Z","recordedDate":"2021-07-24","note":[{"text":"SECRETO"}]}`

func newDeidentified(t *testing.T) *deidentified {
	where := []string{"--data", t.TempDir()}
	s := &deidentified{T: t, p: startGuarded(t, append([]string{"--demo"}, where...)...), by: map[string]*asker{}}
	for _, role := range []string{"system", "analyst", "researcher", "data-steward", "clinician"} {
		token := strings.TrimSpace(mustRun(t, where, "token", "--role", role))
		s.by[role] = &asker{t: t, base: s.p.base, token: token}
	}
	for path, body := range map[string]string{"/Patient/secreto-1": secretPerson, "/Condition/secreto-2": secretDiagnosis} {
		if status, _, out := s.by["system"].do("PUT", path, body); status != http.StatusCreated {
			t.Fatalf("%s: %d %s", path, status, out)
		}
	}
	return s
}

// run runs a view as somebody: that of a name, or one that is given.
func (s *deidentified) run(who, view string, parameters ...string) (status int, out string) {
	s.Helper()
	parts := append([]string{`{"name":"_format","valueCode":"csv"}`}, parameters...)
	if strings.HasPrefix(view, "{") {
		parts = append(parts, `{"name":"viewResource","resource":`+view+`}`)
	} else {
		parts = append(parts, `{"name":"viewReference","valueReference":{"reference":"ViewDefinition/`+view+`"}}`)
	}
	status, _, out = s.by[who].do("POST", "/$viewdefinition-run", `{"resourceType":"Parameters","parameter":[`+strings.Join(parts, ",")+`]}`)
	return status, out
}

// rows runs a view that must run.
func (s *deidentified) rows(who, view string) [][]string {
	s.Helper()
	status, out := s.run(who, view)
	if status != http.StatusOK {
		s.Fatalf("%s, as %s: %d %.300s", view, who, status, out)
	}
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		s.Fatal(err)
	}
	return rows
}

// viewOf is a view of one column for each path.
func viewOf(typ, where string, paths ...string) string {
	var columns []string
	for i, path := range paths {
		columns = append(columns, fmt.Sprintf(`{"name":"c%d","path":%q}`, i, path))
	}
	if where != "" {
		where = fmt.Sprintf(`,"where":[{"path":%q}]`, where)
	}
	return `{"resourceType":"ViewDefinition","name":"attack","resource":"` + typ + `"` + where + `,"select":[{"column":[` + strings.Join(columns, ",") + `]}]}`
}

// identifying are forms of what tells who somebody is.
var identifying = regexp.MustCompile(`SECRETO|secreto-|[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d|5512345678|\d{4}-\d\d-\d\d|T\d\d:\d\d|mx1-\d|clues-`)

// TestDeidentified attacks the views that analysts have.
func TestDeidentified(t *testing.T) {
	t.Parallel()
	s := newDeidentified(t)
	t.Run("shipped views", func(t *testing.T) { s.shipped(t) })
	t.Run("views of attackers", func(t *testing.T) { s.attackers(t) })
	t.Run("who may", func(t *testing.T) { s.whoMay(t) })
}

// shipped: nothing that tells who somebody is stands in a row, and rows join.
func (s *deidentified) shipped(t *testing.T) {
	people := map[string]bool{}
	for _, row := range s.rows("analyst", "amate-patients")[1:] {
		people[row[0]] = true
	}
	if whole := s.rows("data-steward", "amate-patients"); len(people) != len(whole)-1 || len(people) < 50 {
		t.Errorf("analysts see %d people of %d", len(people), len(whole)-1)
	}
	for _, v := range analysis.Views() {
		rows := s.rows("analyst", v.ID)
		if whole := s.rows("data-steward", v.ID); len(whole) != len(rows) {
			t.Errorf("%s: %d rows, %d for a steward", v.Name, len(rows), len(whole))
		}
		at := -1
		for i, name := range rows[0] {
			if name == "patient_id" || name == "newborn_id" {
				at = i
			}
		}
		for _, row := range rows[1:] {
			if hit := identifying.FindString(strings.Join(row, "|")); hit != "" {
				t.Fatalf("%s shows %q: %q", v.Name, hit, row)
			}
			if at >= 0 && !people[row[at]] {
				t.Fatalf("%s does not join: %q", v.Name, row)
			}
		}
	}
}

// attackers write views of their own, which see no more than what is shown.
func (s *deidentified) attackers(t *testing.T) {
	for typ, paths := range map[string][]string{
		"Patient": {"id", "meta.lastUpdated.toString()", "meta.versionId", "meta.source", "meta.tag.code.first()", "name.family.first()", "identifier.value.first()", "telecom.value.first()", "birthDate.toString()",
			"birthDate.extension.value.toString()", "extension.where(url = 'http://example.org/name').value.toString()", "extension.where(url = 'http://example.org/code').value.toString()", "contained.id.first()",
			"managingOrganization.reference", "managingOrganization.display", "address.city.first()", "address.line.first()", "contact.name.text.first()", "descendants().where($this is string).first().toString()"},
		"Condition": {"id", "subject.reference", "subject.display", "subject.identifier.value", "code.text", "code.coding.display.first()", "code.coding.code.last()", "note.text.first()", "onset.toString()", "recordedDate.toString()",
			"subject.resolve().name.family.first()", "%resource.subject.display"},
	} {
		for _, path := range paths {
			status, out := s.run("analyst", viewOf(typ, "", path))
			if hit := identifying.FindString(out); hit != "" && status == http.StatusOK {
				t.Errorf("%s.%s shows %q: %.300s", typ, path, hit, out)
			}
			if strings.Contains(out, "SECRETO") || strings.Contains(out, "1931") {
				t.Errorf("%s.%s: %d %.300s", typ, path, status, out)
			}
		}
	}
	for typ, conditions := range map[string][]string{
		"Patient": {"name.family = 'SECRETO'", "id = 'secreto-1'", "identifier.value = 'SECRETO'", "birthDate = @1931-07-23", "birthDate < @1935-01-01", "meta.lastUpdated > @2020-01-01", "meta.versionId = '1'",
			"extension.value = 'SECRETO'", "address.city = 'SECRETO'", "descendants().where($this = 'SECRETO').exists()", "managingOrganization.display = 'SECRETO'"},
		"Condition": {"subject.reference = 'Patient/secreto-1'", "onset = @2021-07-23T04:05:06Z", "onset.toString().contains('07-23')", "code.text = 'SECRETO'", "code.coding.code = 'LOAA310723MDFPNN09'"},
	} {
		for _, where := range conditions {
			if status, out := s.run("analyst", viewOf(typ, where, "id")); status == http.StatusOK && strings.Count(strings.TrimSpace(out), "\n") > 0 {
				t.Errorf("%s where %s finds somebody: %.300s", typ, where, out)
			}
		}
	}
	// An expression that fails says nothing of what it failed for.
	for _, path := range []string{"name.family.first() + 1", "birthDate.toString().toInteger() / 0", "id.substring('x')", "(name | address).single().toString()"} {
		if status, out := s.run("analyst", viewOf("Patient", "", path)); identifying.MatchString(out) {
			t.Errorf("%s: %d %.300s", path, status, out)
		}
	}
}

// whoMay: nobody who analyses can ask for somebody, and what shows people is another role,
// whose use is told.
func (s *deidentified) whoMay(t *testing.T) {
	for _, who := range []string{"analyst", "researcher"} {
		for _, asked := range []string{`{"name":"patient","valueReference":{"reference":"Patient/secreto-1"}}`, `{"name":"group","valueReference":{"reference":"Group/x"}}`, `{"name":"_since","valueInstant":"2020-01-01T00:00:00Z"}`} {
			if status, out := s.run(who, "amate-patients", asked); status != http.StatusForbidden {
				t.Errorf("%s asks by %s: %d %.300s", who, asked, status, out)
			}
		}
		all, _ := s.run(who, "amate-patients")
		if status, _, out := s.by[who].do("GET", "/$viewdefinition-run?viewReference=ViewDefinition/amate-patients&_format=csv&_id=secreto-1", ""); all != http.StatusOK || status == http.StatusOK && strings.Count(out, "\n") < 50 {
			t.Errorf("%s asks by id: %d %.300s", who, status, out)
		}
	}
	for _, path := range []string{"/Patient/secreto-1", "/Patient?_id=secreto-1", "/Condition?subject=Patient/secreto-1", "/Patient/secreto-1/_history/1", "/Patient/secreto-1/$everything", "/Patient/$export", "/$export"} {
		if status, _, out := s.by["analyst"].do("GET", path, "", "Prefer", "respond-async"); status != http.StatusForbidden {
			t.Errorf("an analyst gets %s: %d %.300s", path, status, out)
		}
	}
	for _, path := range []string{"/Patient/secreto-1", "/Patient?family=SECRETO"} {
		if status, _, out := s.by["data-steward"].do("GET", path, ""); status != http.StatusForbidden {
			t.Errorf("a steward gets %s: %d %.300s", path, status, out)
		}
	}
	status, _, out := s.by["researcher"].do("GET", "/Patient/secreto-1", "")
	if status != http.StatusOK || strings.Contains(out, `"family"`) || strings.Contains(out, "1931-") {
		t.Errorf("a researcher reads %d %.300s", status, out)
	}
	if _, out := s.run("data-steward", viewOf("Patient", "id = 'secreto-1'", "name.family.first()")); !strings.Contains(out, "SECRETO") {
		t.Errorf("a steward sees %.300s", out)
	}
	s.told(t)
}

// told: a steward's use is a warning in the log, a figure, and an entry of the trail.
func (s *deidentified) told(t *testing.T) {
	_, metrics := fetch(t, strings.TrimSuffix(s.p.base, "/fhir")+"/metrics", "")
	if !regexp.MustCompile(`amate_identified_access_total\{operation="viewdefinition-run"\} [1-9]`).MatchString(metrics) {
		t.Error("no figure tells that a steward saw who people are")
	}
	eventually(t, "the trail tells of the steward", func() bool {
		_, _, out := s.by["system"].do("GET", "/AuditEvent?_count=200", "")
		var b struct {
			Entry []struct{ Resource json.RawMessage }
		}
		if err := json.Unmarshal([]byte(out), &b); err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Entry {
			if strings.Contains(string(e.Resource), "data-steward") && strings.Contains(string(e.Resource), "viewdefinition-run") {
				return true
			}
		}
		return false
	})
}
