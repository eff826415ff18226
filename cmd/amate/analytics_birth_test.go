package main

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/registry/birth"
)

// tablesOf asks the tables that are kept of what a ward has written.
type tablesOf struct {
	*testing.T
	base, token string
}

// rows returns what a query answers, in lines of JSON.
func (s tablesOf) rows(query string) []string {
	s.Helper()
	a := &asker{s.T, s.base, s.token}
	status, _, out := a.do("GET", "/$sql-run?"+url.Values{"query": {query}, "_format": {"ndjson"}}.Encode(), "")
	if status != http.StatusOK && status != http.StatusServiceUnavailable {
		s.Fatalf("%s: %d %s", query, status, out)
	}
	if status == http.StatusServiceUnavailable {
		return nil
	}
	all := strings.Split(strings.TrimSpace(out), "\n")
	slices.Sort(all)
	return all
}

// settles waits until a query answers with these lines: tables follow what is written.
func (s tablesOf) settles(query string, want ...string) {
	s.Helper()
	slices.Sort(want)
	var got []string
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if got = s.rows(query); slices.Equal(got, want) {
			return
		}
	}
	s.Fatalf("%s:\n%s\nwant\n%s", query, strings.Join(got, "\n"), strings.Join(want, "\n"))
}

// exactDate is a date of a day in this century or the last.
var exactDate = regexp.MustCompile(`(19|20)\d\d-\d\d-\d\d`)

// anonymous expects that no table says any of some things, nor a day.
func (s tablesOf) anonymous(secrets ...string) {
	s.Helper()
	var tables []string
	for end := time.Now().Add(90 * time.Second); len(tables) < 9; time.Sleep(100 * time.Millisecond) { // until all are made
		if tables = s.rows(`SELECT DISTINCT table_name AS name FROM dictionary WHERE table_name <> 'dictionary'`); time.Now().After(end) {
			s.Fatalf("the tables are %v", tables)
		}
	}
	for _, line := range tables {
		name := strings.Split(line, `"`)[3]
		text := strings.Join(s.rows(`SELECT * FROM `+name), "\n")
		for _, secret := range secrets {
			if secret == "" || strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
				s.Errorf("%s says %q: %.2000s", name, secret, text)
			}
		}
		if day := exactDate.FindString(text); day != "" {
			s.Errorf("%s tells of the day %s: %.2000s", name, day, text)
		}
	}
}

// counted looks at what analysts see of births: of two that were certified on their day, of a
// light child who was certified late, and not of one whose certificate is void.
func (m *maternity) counted(c returned) {
	m.Helper()
	late := m.born.AddDate(0, 0, -12)
	born := map[string]string{"newborn": `{"resourceType":"Patient","gender":"male","birthDate":"` + late.Format(time.DateOnly) + `"}`, "PESO": "2499"}
	light := m.certify("Lucía", born)
	void := m.certify("Berta", nil)
	m.do(200, midwife, "POST", "$birth-void", params("folio", "String", void.text("folio"), "reason", "String", "Se certificó por error"))
	s := tablesOf{m.T, m.base, m.tokens[m.who("analyst")]}
	month, lateMonth, now := m.born.Format("2006-01"), late.Format("2006-01"), time.Now().In(birth.Zone).Format("2006-01")

	s.settles(`SELECT b.status, b.birth_month, b.encounter_id = e.encounter_id AS during, e.class, p.gender, p.birth_municipality, p.multiple_birth, p.facility_id = b.facility_id AS place, o.value_number AS grams, o.value_unit AS unit
FROM amate_births b JOIN amate_patients p ON p.patient_id = b.newborn_id JOIN amate_encounters e ON e.encounter_id = b.encounter_id AND e.patient_id = b.newborn_id
JOIN amate_observations o ON o.patient_id = b.newborn_id AND o.code = '8339-4'`,
		m.line(`{"status":"final","birth_month":"`+month+`","during":true,"class":"IMP","gender":"female","birth_municipality":"20067","multiple_birth":false,"place":true,"grams":3150,"unit":"g"}`),
		m.line(`{"status":"final","birth_month":"`+month+`","during":true,"class":"IMP","gender":"female","birth_municipality":"20067","multiple_birth":false,"place":true,"grams":3150,"unit":"g"}`),
		m.line(`{"status":"final","birth_month":"`+lateMonth+`","during":true,"class":"IMP","gender":"male","birth_municipality":"20067","multiple_birth":false,"place":true,"grams":2499,"unit":"g"}`))
	s.settles(`SELECT t.status, t.birth_month, t.certified_month, t.certified_within, b.newborn_id = t.newborn_id AND b.facility_id = t.facility_id AS same
FROM amate_birth_certification t JOIN amate_births b ON b.certificate_id = t.certificate_id`,
		m.line(`{"status":"final","birth_month":"`+month+`","certified_month":"`+now+`","certified_within":"0-1","same":true}`),
		m.line(`{"status":"final","birth_month":"`+month+`","certified_month":"`+now+`","certified_within":"0-1","same":true}`),
		m.line(`{"status":"final","birth_month":"`+lateMonth+`","certified_month":"`+now+`","certified_within":"8-30","same":true}`))
	s.settles(`SELECT count(*) AS n FROM amate_births`, `{"n":3}`)
	ask := func(query, want string) {
		m.Helper()
		if answer := m.do(200, "analyst", "GET", "$sql-run?_format=ndjson&subjectCanonical="+url.QueryEscape(queryCanonical+query), ""); !strings.Contains(answer, want) {
			m.Errorf("%s answers %s", query, answer)
		}
	}
	if late.Month() == m.born.Month() {
		ask("amate-births-low-weight", `"state":"20","births":3,"weighed":3,"low_weight":1,"percent_low_weight":33.3}`)
		ask("amate-birth-certification-timeliness", `"births":3,"percent_within_a_day":66.7,"after_60_days":0}`)
	} else {
		ask("amate-births-low-weight", `"low_weight":1,`)
		ask("amate-birth-certification-timeliness", `"births":2,"percent_within_a_day":100`)
	}
	s.anonymous("García", "Lucía", "Berta", doctorCURP, motherCURP("María"), motherCURP("Lucía"), c.text("folio"), light.text("folio"), "01234", c.ref("newborn"), c.ref("mother"), hospital)
}

// line writes what PostgreSQL answers as SQLite does, which has no true and false.
func (w *ward) line(json string) string {
	if slices.Contains(w.where, "--database") {
		return json
	}
	return strings.NewReplacer(":true", ":1", ":false", ":0").Replace(json)
}
