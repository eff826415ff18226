package analysis

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/fhir/table"
	"github.com/amate-health/amate/fhir/view"
	"github.com/amate-health/amate/store/analytics"
	"github.com/amate-health/amate/store/storetest"
)

// asked are the answers that queries have to give for world, beside what is made up.
var asked = map[string]string{
	"amate_patients.by-municipality":       `{"municipality":"97001","girls":2,"boys":2,"children":4}`,
	"amate_encounters.workload":            `{"start_month":"2031-05","class":"IMP","encounters":2,"mean_stay_days":2.5}`,
	"amate_conditions.leading":             `{"code_system":"urn:test","code":"X","people":90,"under_20":0,"from_60":90}`,
	"amate_observations.blood-pressure":    `{"year":"2031","readings":3,"percent_high":66.7}`,
	"amate_doses.late":                     `{"month":"2031-03","cvx_code":"146","doses":2,"before_first_birthday":1,"youngest_months":2,"oldest_months":14}`,
	"amate_births.low-weight":              `{"year":"2031","state":"97","births":3,"weighed":3,"low_weight":1,"percent_low_weight":33.3}`,
	"amate_birth_certification.timeliness": `"birth_month":"2031-02","births":3,"percent_within_a_day":66.7,"after_60_days":1}`,
	"amate_telehealth_visits.use":          `{"month":"2031-06","visits":5,"finished":3,"cancelled":2,"mean_minutes":16.7}`,
	"amate_coverage.by-municipality": `{"birth_year":2031,"municipality":"97001","children":3,"percent_pertussis_3":33.3,"percent_measles_1":66.7}
{"birth_year":2032,"municipality":"97001","children":1,"percent_pertussis_3":0,"percent_measles_1":null}`,
}

// world is a few people of a municipality that does not exist, in a year to come.
func world() (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	for i, sex := range []string{"female", "female", "male"} {
		id := fmt.Sprintf("w%d", i)
		add(`{"resourceType":"Patient","id":%q,"gender":%q,"birthDate":"2031-02-0%d","name":[{"family":"Secreto"}],"address":[{"district":"97001"}],
			"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueAddress":{"district":"97001"}}]}`, id, sex, i+1)
		add(`{"resourceType":"Composition","id":"c%d","status":"final","type":{"coding":[{"system":"http://loinc.org","code":"68998-4"}]},"subject":{"reference":"Patient/%s"},
			"custodian":{"reference":"Organization/o"},"date":%q,"event":[{"period":{"start":"2031-02-0%dT01:00:00Z"}}]}`, i, id, []string{"2031-02-02T01:00:00Z", "2031-02-02T05:00:00Z", "2031-05-05T01:00:00Z"}[i], i+1)
		add(`{"resourceType":"Observation","id":"k%d","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8339-4"}]},"subject":{"reference":"Patient/%s"},"valueQuantity":{"value":%s,"unit":"g","code":"g"}}`, i, id, []string{"2499", "2500", "3100.5"}[i])
		add(`{"resourceType":"Observation","id":"b%d","status":"final","effectiveDateTime":"2031-04-01","code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},"subject":{"reference":"Patient/%s"},
			"component":[{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":%d,"unit":"mmHg","code":"mm[Hg]"}}]}`, i, id, 120+20*i)
		add(`{"resourceType":"Encounter","id":"v%d","status":%q,"class":{"code":"VR"},"subject":{"reference":"Patient/%s"},"period":{"start":"2031-06-01T10:00:00Z","end":"2031-06-01T10:%d:00Z"}}`, i, []string{"finished", "finished", "cancelled"}[i], id, 13+6*i)
	}
	for i, end := range []string{"03", "04"} {
		add(`{"resourceType":"Encounter","id":"i%d","status":"finished","class":{"code":"IMP"},"subject":{"reference":"Patient/w0"},"period":{"start":"2031-05-01","end":"2031-05-%s"}}`, i, end)
	}
	dose := func(id, patient, cvx, day string) {
		add(`{"resourceType":"Immunization","id":%q,"status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":%q}]},"patient":{"reference":"Patient/%s"},"occurrenceDateTime":%q}`, id, cvx, patient, day)
	}
	dose("d1", "w0", "146", "2031-04-10")
	dose("d2", "w0", "146", "2031-06-10")
	dose("d3", "w0", "146", "2031-08-10")
	dose("d4", "w0", "03", "2032-02-10")
	dose("d5", "w1", "146", "2032-04-02")
	dose("d6", "w1", "03", "2032-04-02")
	dose("d7", "w2", "03", "2033-02-03") // on the second birthday
	dose("d8", "w3", "08", "2034-02-03") // the children of 2031 are two years old by now, those of 2032 are not
	add(`{"resourceType":"Patient","id":"w3","gender":"male","birthDate":"2032-02-03","address":[{"district":"97001"}]}`)
	add(`{"resourceType":"Encounter","id":"i2","status":"cancelled","class":{"code":"IMP"},"subject":{"reference":"Patient/w0"},"period":{"start":"2031-05-01","end":"2031-05-09"}}`)
	add(`{"resourceType":"Encounter","id":"v3","status":"cancelled","class":{"code":"VR"},"subject":{"reference":"Patient/w0"},"statusHistory":[{"status":"planned","period":{"start":"2031-06-03T10:00:00Z","end":"2031-06-03T10:30:00Z"}}]}`)
	add(`{"resourceType":"Encounter","id":"v4","status":"finished","class":{"code":"VR"},"subject":{"reference":"Patient/w1"},"period":{"start":"2031-06-03T10:00:00Z","end":"2031-06-03T11:00:00Z"},"length":{"value":12.4,"code":"min"}}`)
	add(`{"resourceType":"Encounter","id":"v5","status":"planned","class":{"code":"VR"},"subject":{"reference":"Patient/w1"}}`)
	add(`{"resourceType":"Immunization","id":"e1","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"146"}]},"patient":{"reference":"Patient/e1"},"occurrenceDateTime":"2031-03-10"}`)
	add(`{"resourceType":"Immunization","id":"e2","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"146"}]},"patient":{"reference":"Patient/e2"},"occurrenceDateTime":"2031-03-10"}`)
	for i := range 90 {
		add(`{"resourceType":"Condition","id":"x%d","code":{"coding":[{"system":"urn:test","code":"X"}]},"subject":{"reference":"Patient/old%d"},"recordedDate":"2031-01-01"}`, i, i)
	}
	return all
}

// born are the dates of birth of those of world who are not in it.
func born(id string) string {
	switch {
	case id == "e1":
		return "2031-01-09"
	case id == "e2":
		return "2030-01-09"
	case strings.HasPrefix(id, "old"):
		return "1950-01-01"
	case strings.HasPrefix(id, "w"):
		return "2031-02-0" + string(id[1]+1)
	}
	return ""
}

// keep writes the rows of all views, de-identified.
func keep(t *testing.T, k analytics.Keeper) {
	t.Helper()
	resources, dates := []*element.Doc{}, map[string]string{}
	read := func(json []byte) {
		d, err := element.Parse(json)
		if err != nil {
			t.Fatal(err)
		}
		if d.TextAt(0, "resourceType") == "Patient" {
			dates[d.TextAt(0, "id")] = d.TextAt(0, "birthDate")
		}
		resources = append(resources, d)
	}
	for _, json := range world() {
		read([]byte(json))
	}
	for b := range demo.Population(demo.Options{Patients: 20, Seed: 5}) {
		d, err := element.Parse(b.JSON)
		if err != nil {
			t.Fatal(err)
		}
		for e := range d.Items(0, "entry") {
			read(d.AppendCompact(nil, d.Get(e, "resource")))
		}
	}
	p, err := k.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2034, 1, 1, 0, 0, 0, 0, time.UTC)
	d := New(secret, "2034-01").AsOf(day)
	for _, v := range Views() {
		definition, err := element.Parse(v.Definition)
		if err != nil {
			t.Fatal(err)
		}
		c, err := view.Compile(definition, 0)
		if err != nil {
			t.Fatal(err)
		}
		tab, err := analytics.Named(analytics.Table{Name: v.Name, Resource: c.Resource, Columns: c.Columns, Print: "1"})
		if err != nil {
			t.Fatal(err)
		}
		p.Serial++
		base := analytics.BaseName(tab.Name, p.Serial)
		p.Tables[tab.Name] = &analytics.Kept{Base: base}
		if err := k.Create(t.Context(), p, &tab, base); err != nil {
			t.Fatal(err)
		}
		change := analytics.Replacement{Base: base, Columns: tab.Columns}
		for i, r := range resources {
			if r.TextAt(0, "resourceType") != c.Resource {
				continue
			}
			subject, _ := Subject(r)
			when := dates[subject.ID]
			if when == "" {
				when = born(subject.ID)
			}
			out, err := d.Prepare(nil, r.Source(), Derive(r, when, day))
			if err != nil {
				t.Fatal(err)
			}
			shown, err := element.Parse(out)
			if err != nil {
				t.Fatal(err)
			}
			key := fmt.Appendf(nil, "%016d", i)
			change.Keys = append(change.Keys, key)
			if err := c.Each(t.Context(), shown, 0, func(row []table.Cell) error {
				change.Rows = append(change.Rows, analytics.Row{Key: key, Cells: append([]table.Cell(nil), row...)})
				return nil
			}); err != nil {
				t.Fatalf("%s: %v", v.Name, err)
			}
		}
		if err := k.Write(t.Context(), p, change); err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		if err := k.Publish(t.Context(), p, analytics.Shown{Table: &tab, Base: base}); err != nil {
			t.Fatal(err)
		}
	}
}

// answers runs every query, and returns what it says in lines of JSON.
func answers(t *testing.T, r analytics.Runner) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, v := range Views() {
		for _, q := range v.Queries {
			name := v.Name + "." + q.Name
			s, err := analytics.Parse(q.SQL)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var columns []table.Column
			var out []byte
			if _, err := r.Run(t.Context(), &analytics.Query{Statement: s, Rows: 10_000}, func(c []table.Column) error {
				columns = c
				return nil
			}, func(row []table.Cell) error {
				out = append(table.AppendRow(out, columns, row), '\n')
				return nil
			}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all[name] = string(out)
		}
	}
	return all
}

// TestQueries: each question of the documentation has the right answer in both engines.
func TestQueries(t *testing.T) {
	limits := analytics.Limits{Time: time.Minute, Connections: 2}
	check := func(t *testing.T, r analytics.Runner) {
		got := answers(t, r)
		for name, text := range got { // PostgreSQL writes 0.0 where SQLite writes 0
			got[name] = strings.NewReplacer(".0,", ",", ".0}", "}").Replace(text)
		}
		for name, want := range asked {
			if !strings.Contains(got[name], want) {
				t.Errorf("%s does not say %s:\n%.3000s", name, want, got[name])
			}
		}
		for name, text := range got {
			if asked[name] == "" || strings.Contains(text, "Secreto") {
				t.Errorf("%s: %.300s", name, text)
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "analytics.db")
		k, err := analytics.OpenSQLite(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		keep(t, k)
		r, err := analytics.RunSQLite(path, limits)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		check(t, r)
	})
	t.Run("postgres", func(t *testing.T) {
		url := storetest.Postgres(t)
		k, missing, err := analytics.OpenPostgres(t.Context(), url)
		if err != nil || missing != nil {
			t.Fatal(err, missing)
		}
		defer k.Close()
		keep(t, k)
		r, _, err := analytics.RunPostgres(t.Context(), url, limits)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		check(t, r)
	})
}
