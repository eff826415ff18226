package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/store/storetest"
)

// sql asks for the answer to a query in lines of JSON.
func (s *rightsScene) sql(who, query string) (int, string) {
	s.Helper()
	return s.do(who, "GET", "$sql-run?"+url.Values{"query": {query}, "_format": {"ndjson"}}.Encode(), "")
}

// settles waits until a query has an answer: tables follow what is written.
func (s *rightsScene) settles(query, want string) {
	s.Helper()
	got := ""
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if _, got = s.sql("analyst", query); strings.TrimSpace(got) == want {
			return
		}
	}
	s.Fatalf("%s: %s, want %s", query, got, want)
}

// TestTablesOfAnalysts: what is written comes into the tables, without who it is of; what is
// refused, blocked, deleted or hidden goes, and comes back; and who may ask.
func TestTablesOfAnalysts(t *testing.T) {
	t.Parallel()
	database := storetest.EmptyPostgres(t)
	for name, where := range map[string][]string{"sqlite": {"--data", t.TempDir()}, "postgres": {"--data", t.TempDir(), "--database", database}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRightsScene(t, where)
			for _, role := range []string{"analyst", "statistician", "data-steward"} {
				status, out, errs := amate(append([]string{"token", "--role", role}, where...)...)
				if status != exitDone {
					t.Fatal(errs)
				}
				s.tokens[role] = strings.TrimSpace(out)
			}
			put := func(typ, id, members string) {
				t.Helper()
				if status, body := s.do("system", "PUT", typ+"/"+id, fmt.Sprintf(`{"resourceType":%q,"id":%q,%s}`, typ, id, members)); status > 201 {
					t.Fatal(status, body)
				}
			}
			for _, id := range []string{"p", "q", "r"} {
				put("Patient", id, `"identifier":[{"system":"urn:oid:2.16.840.1.113883.4.629","value":"SECRETO"}],"name":[{"family":"SECRETO"}],"gender":"female","birthDate":"1992-03-13"`)
				put("Condition", "c"+id, `"subject":{"reference":"Patient/`+id+`"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"J02.9"}],"text":"SECRETO"},"onsetDateTime":"2020-04-17","note":[{"text":"SECRETO"}]`)
			}
			const conditions = `SELECT count(*) AS n FROM amate_conditions`
			s.settles(conditions, `{"n":3}`)
			s.settles(`SELECT count(*) AS n FROM amate_patients p JOIN amate_conditions c ON c.patient_id = p.patient_id WHERE p.birth_year = 1992`, `{"n":3}`)
			for _, table := range []string{"amate_patients", "amate_conditions", "dictionary"} {
				status, body := s.sql("analyst", `SELECT * FROM `+table)
				if status != http.StatusOK || strings.Contains(body, "SECRETO") || strings.Contains(body, "1992-03") || strings.Contains(body, "2020-04-17") || strings.Contains(body, `Patient/p"`) {
					t.Errorf("%s: %d %s", table, status, body)
				}
			}
			for who, want := range map[string]int{"analyst": 200, "statistician": 200, "data-steward": 200, "researcher": 200, "system": 200, "clinician": 403, "nurse": 403, "patient": 403, "guardian": 403,
				"auditor": 403, "administrator": 403, "officer": 403, "nobody": 401} {
				if status, body := s.sql(who, conditions); status != want {
					t.Errorf("%s: %d, want %d: %.200s", who, status, want, body)
				}
			}
			for sql, want := range map[string]int{`SELECT * FROM public.resource`: 422, `SELECT 1; SELECT 2`: 422, `SELECT pg_sleep(1)`: 422, `DROP VIEW amate_patients`: 422} {
				if status, body := s.sql("system", sql); status != want && status != 403 {
					t.Errorf("%s: %d %s", sql, status, body)
				}
			}

			// A consent that refuses, and its end; a birth date that was wrong; a deletion.
			refusal := func(status string) {
				put("Consent", "no", `"status":"`+status+`","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],"patient":{"reference":"Patient/q"},"dateTime":"2026-01-01","policyRule":{"text":"x"},"provision":{"type":"deny"}`)
			}
			refusal("active")
			s.settles(conditions, `{"n":2}`)
			s.settles(`SELECT count(*) AS n FROM amate_patients`, `{"n":2}`)
			refusal("inactive")
			s.settles(conditions, `{"n":3}`)
			put("Patient", "p", `"gender":"female","birthDate":"2015-03-13"`)
			s.settles(`SELECT count(*) AS n FROM amate_conditions WHERE age_band = '5-9'`, `{"n":1}`)
			s.must(http.StatusCreated, "system", "PUT", "Condition/cx", `{"resourceType":"Condition","id":"cx","subject":{"reference":"Patient/r"}}`)
			s.settles(conditions, `{"n":4}`)
			s.must(http.StatusNoContent, "system", "DELETE", "Condition/cx", "")
			s.settles(conditions, `{"n":3}`)

			// Who is blocked by a request of cancellation is in no table.
			s.resolve(200, s.file("patient", "right", codeValue("cancelacion")), "grant")
			s.settles(conditions, `{"n":2}`)
			s.settles(`SELECT count(*) AS n FROM amate_patients`, `{"n":2}`)

			s.library()
			s.rebuilt(where)
			if name == "postgres" {
				behindTheServer(t, database)
			}
		})
	}
}

// argumentOf1990 is that year where it stands by itself, and not in an id or a hash.
var argumentOf1990 = regexp.MustCompile(`(^|[^0-9A-Za-z-])1990($|[^0-9A-Za-z-])`)

// library runs a query that is stored, with parameters, over a table by another name.
func (s *rightsScene) library() {
	s.Helper()
	body := `{"resourceType":"Library","id":"l","url":"http://x/l","version":"1","status":"active","type":{"coding":[{"system":"https://sql-on-fhir.org/ig/CodeSystem/LibraryTypesCodes","code":"sql-query"}]},
"relatedArtifact":[{"type":"depends-on","label":"people","resource":"https://github.com/amate-health/amate/fhir/ViewDefinition/amate-patients"}],
"parameter":[{"name":"least","use":"in","type":"integer"}],"content":[{"contentType":"application/sql","data":"c2VsZWN0IGNvdW50KCopIGFzIG4gZnJvbSBwZW9wbGUgd2hlcmUgYmlydGhfeWVhciA+PSA6bGVhc3Q="}]}`
	s.must(http.StatusCreated, "system", "PUT", "Library/l", body)
	call := func(subject, values string) string {
		return `{"resourceType":"Parameters","parameter":[` + subject + `,{"name":"_format","valueCode":"json"},{"name":"parameters","resource":{"resourceType":"Parameters","parameter":[` + values + `]}}]}`
	}
	least := `{"name":"least","valueInteger":1990}`
	for _, subject := range []string{`{"name":"subjectCanonical","valueCanonical":"http://x/l"}`, `{"name":"subjectCanonical","valueCanonical":"http://x/l|1"}`,
		`{"name":"subjectReference","valueReference":{"reference":"Library/l"}}`, `{"name":"subjectResource","resource":` + body + `}`} {
		if got := s.must(http.StatusOK, "analyst", "POST", "$sql-run?_format=json", call(subject, least)); strings.TrimSpace(got) != `[{"n":2}]` {
			s.Errorf("%s: %s", subject, got)
		}
	}
	subject := `{"name":"subjectReference","valueReference":{"reference":"Library/l"}}`
	for values, want := range map[string]int{"": 400, `{"name":"most","valueInteger":1},` + least: 400, `{"name":"least","valueString":"1 OR 1=1"}`: 422, `{"name":"least","valuePeriod":{}}`: 400} {
		if status, got := s.do("analyst", "POST", "$sql-run", call(subject, values)); status != want {
			s.Errorf("%s: %d, want %d: %s", values, status, want, got)
		}
	}
	if status, got := s.do("analyst", "POST", "$sql-run", call(`{"name":"query"}`, "")); status != http.StatusBadRequest || !strings.Contains(got, "SQL") {
		s.Errorf("a query without text: %d %s", status, got)
	}
	s.must(http.StatusNotFound, "analyst", "POST", "$sql-run", call(`{"name":"subjectReference","valueReference":{"reference":"Library/none"}}`, ""))
	values := `{"resourceType":"Parameters","parameter":[{"name":"parameters","resource":{"resourceType":"Parameters","parameter":[` + least + `]}}]}`
	if got := s.must(http.StatusOK, "analyst", "POST", "Library/l/$sql-run?_format=json", values); strings.TrimSpace(got) != `[{"n":2}]` {
		s.Errorf("on the Library: %s", got)
	}
	if got := s.must(http.StatusOK, "analyst", "GET", "ViewDefinition/amate-patients/$sql-run?_format=csv", ""); !strings.HasPrefix(got, "patient_id,") || strings.Contains(got, "SECRETO") {
		s.Errorf("on a view: %s", got)
	}
	for path, want := range map[string]int{"Library/none/$sql-run": 404, "Library/l/$sql-run?query=select+1+as+x": 400, "Library/l/$sql-run?subjectReference=Library/l": 400,
		"ViewDefinition/amate-patients/$sql-run?query=select+1+as+x": 400, "Library/l/$sql-run": 400, "Patient/q/$sql-run": 404} {
		if status, got := s.do("analyst", "GET", path, ""); status != want {
			s.Errorf("%s: %d, want %d: %s", path, status, want, got)
		}
	}
	for who, want := range map[string]int{"clinician": 403, "patient": 403, "auditor": 403, "nobody": 401} {
		if status, got := s.do(who, "POST", "Library/l/$sql-run?_format=json", values); status != want {
			s.Errorf("%s asks a stored query: %d, want %d: %s", who, status, want, got)
		}
	}
	if status, got := s.do("analyst", "GET", "$sql-run?query=select+1+as+x&_format=xls", ""); status != http.StatusNotAcceptable || !strings.Contains(got, "text/csv") || strings.Contains(got, "fhir+xml") {
		s.Errorf("another format: %d %s", status, got)
	}
	s.ordered(body)
	if got := s.must(http.StatusOK, "auditor", "GET", "AuditEvent?_count=200", ""); !strings.Contains(got, "Library/sql-") || argumentOf1990.MatchString(got) {
		s.Errorf("the trail has no hash of a query: %.3000s", got)
	}
}

// ordered orders the answers to queries, stored and in the call, beside a view, as files.
func (s *rightsScene) ordered(library string) {
	s.Helper()
	subject := func(name, what string) string {
		return `{"name":"subject","part":[{"name":"name","valueString":"` + name + `"},` + what + `]}`
	}
	values := func(n string) string {
		return `{"name":"parameters","resource":{"resourceType":"Parameters","parameter":[{"name":"least","valueInteger":` + n + `}]}}`
	}
	stored := `{"name":"subjectReference","valueReference":{"reference":"Library/l"}}`
	view := `{"name":"subjectCanonical","valueCanonical":"https://github.com/amate-health/amate/fhir/ViewDefinition/amate-patients"}`
	call := func(subjects ...string) string {
		return `{"resourceType":"Parameters","parameter":[{"name":"_format","valueCode":"csv"},` + strings.Join(subjects, ",") + `]}`
	}
	analyst := &asker{s.T, s.p.base, s.tokens["analyst"]}
	status, h, out := analyst.do("POST", "/$sql-export", call(subject("young", stored+","+values("1990")), subject("all", `{"name":"subjectResource","resource":`+library+`},`+values("0")), subject("people", view)), "Prefer", "respond-async")
	if status != http.StatusAccepted {
		s.Fatal(status, out)
	}
	at, done := strings.TrimPrefix(h.Get("Content-Location"), s.p.base), ""
	for end := time.Now().Add(2 * time.Minute); !strings.Contains(done, "completed"); time.Sleep(100 * time.Millisecond) {
		if status, _, done = analyst.do("GET", at, "", "Accept", "application/fhir+json"); status > 202 || time.Now().After(end) {
			s.Fatal(status, done)
		}
	}
	for name, want := range map[string]string{"young.csv": "n\n2\n", "all.csv": "n\n2\n", "people.csv": "patient_id"} {
		file := strings.Replace(at, "$bulk-status", "$bulk-file", 1) + "." + name
		status, _, got := analyst.do("GET", file, "")
		if status != http.StatusOK || name != "people.csv" && strings.ReplaceAll(got, "\r", "") != want || !strings.Contains(got, "patient_id") && name == "people.csv" || strings.Contains(got, "SECRETO") {
			s.Errorf("%s: %d %s\n%s", name, status, got, done)
		}
		for _, who := range []string{"researcher", "clinician", "nurse", "patient"} {
			if status, _ := s.do(who, "GET", file[1:], ""); status != http.StatusNotFound && status != http.StatusForbidden {
				s.Errorf("%s fetches %s: %d", who, name, status)
			}
		}
	}
	for who, want := range map[string]int{"clinician": 403, "nurse": 403, "patient": 403, "guardian": 403, "auditor": 403, "nobody": 401} {
		if status, _, got := (&asker{s.T, s.p.base, s.tokens[who]}).do("POST", "/$sql-export", call(subject("x", stored+","+values("1"))), "Prefer", "respond-async"); status != want {
			s.Errorf("%s orders a query: %d %s", who, status, got)
		}
	}
	for what, want := range map[string]int{
		subject("x", stored): 400, subject("x", stored+`,{"name":"parameters","resource":{"resourceType":"Parameters","parameter":[{"name":"most","valueInteger":1}]}}`): 400,
		subject("x", `{"name":"subjectReference","valueReference":{"reference":"Library/none"}}`): 404, subject("x", view+","+values("1")): 400,
		subject("x", strings.Replace(`{"name":"subjectResource","resource":`+library+`},`+values("1"), "c2VsZWN0IGNvdW50KCop", "ZGVsZXRlIGNvdW50KCop", 1)): 422,
	} {
		if status, _, got := analyst.do("POST", "/$sql-export", call(what), "Prefer", "respond-async"); status != want {
			s.Errorf("%s: %d, want %d: %s", what, status, want, got)
		}
	}
}

// rebuilt has the tables made anew by the command, while they are read.
func (s *rightsScene) rebuilt(where []string) {
	s.Helper()
	made := func() string {
		status, out, errs := amate(append([]string{"analytics", "status"}, where...)...)
		if status != exitDone {
			s.Fatal(errs)
		}
		return out
	}
	before := made()
	if !strings.Contains(before, "amate_patients") {
		s.Fatal(before)
	}
	time.Sleep(time.Second) // times are told in seconds
	if status, _, errs := amate(append([]string{"analytics", "rebuild", "amate_patients"}, where...)...); status != exitDone {
		s.Fatal(errs)
	}
	line := func(out string) string {
		_, rest, _ := strings.Cut(out, "amate_patients")
		row, _, _ := strings.Cut(rest, "\n")
		return row
	}
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		now := line(made())
		if now != line(before) && strings.Contains(now, "current") {
			break
		}
		if time.Now().After(end) {
			s.Fatalf("the table was not made anew: %s", now)
		}
		if _, got := s.sql("analyst", `SELECT count(*) AS n FROM amate_patients`); strings.TrimSpace(got) != `{"n":2}` {
			s.Errorf("meanwhile: %s", got)
		}
	}
	for _, format := range []string{"markdown", "csv"} {
		if _, out, errs := amate(append([]string{"analytics", "dictionary", "--format", format}, where...)...); !strings.Contains(out, "birth_year") {
			s.Errorf("%s: %s%s", format, out, errs)
		}
	}
}

// behindTheServer reads the tables as a login that the command made.
func behindTheServer(t *testing.T, database string) {
	t.Helper()
	if status, _, errs := amate("analytics", "grant", "amate_superset", "--database", database); status != exitDone {
		t.Fatal(errs)
	}
	conn, err := pgx.Connect(t.Context(), strings.Replace(database, "postgres://amate@", "postgres://amate_superset@", 1))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var n int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM amate_patients`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d patients, %v", n, err)
	}
	var raw json.RawMessage
	if err := conn.QueryRow(t.Context(), `SELECT to_json(count(*)) FROM public.resource`).Scan(&raw); err == nil {
		t.Errorf("an analyst reads resources: %s", raw)
	}
}
