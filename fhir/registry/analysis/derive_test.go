package analysis

import (
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/demo"
)

// TestDerived shows what is put in for dates that are taken out.
func TestDerived(t *testing.T) {
	for _, tt := range []struct{ name, in, born, want string }{
		{"a dose at two months less a day", `{"resourceType":"Immunization","occurrenceDateTime":"2024-03-14T10:00:00Z"}`, "2024-01-15", "age-band=<1 age-months=1"},
		{"a dose at two months", `{"resourceType":"Immunization","occurrenceDateTime":"2024-03-15"}`, "2024-01-15", "age-band=<1 age-months=2"},
		{"a dose to a schoolchild", `{"resourceType":"Immunization","occurrenceDateTime":"2024-03-15"}`, "2015-01-15", "age-band=5-9 age-months=108"},
		{"a dose to the old", `{"resourceType":"Immunization","occurrenceDateTime":"2024-03-15"}`, "1920-01-15", "age-band=90+ age-months=1080"},
		{"a dose before birth", `{"resourceType":"Immunization","occurrenceDateTime":"2024-03-15"}`, "2024-03-16", ""},
		{"a dose of a month", `{"resourceType":"Immunization","occurrenceDateTime":"2024-03"}`, "2024-01-15", ""},
		{"nobody knows when they were born", `{"resourceType":"Immunization","occurrenceDateTime":"2024-03-15"}`, "", ""},
		{"a hexavalent vaccine", `{"resourceType":"Immunization","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"146"}]}}`, "", "antigen=Diphtheria antigen=Tetanus antigen=Pertussis antigen=Polio antigen=Hib antigen=HepB"},
		{"a stay", `{"resourceType":"Encounter","period":{"start":"2024-03-01T22:00:00Z","end":"2024-03-05T01:00:00Z"}}`, "1984-03-02", "age-band=35-39 stay-days=4"},
		{"a visit that waited", `{"resourceType":"Encounter","period":{"start":"2024-03-01T10:00:00Z","end":"2024-03-01T10:46:30Z"},"length":{"value":16.2,"code":"min"}}`, "", "stay-days=0 minutes=20"},
		{"a length in days", `{"resourceType":"Encounter","period":{"start":"2024-03-01T10:00:00Z","end":"2024-03-01T10:16:30Z"},"length":{"value":1,"code":"d"}}`, "", "stay-days=0 minutes=20"},
		{"a visit", `{"resourceType":"Encounter","period":{"start":"2024-03-01T10:00:00Z","end":"2024-03-01T10:16:30Z"}}`, "", "stay-days=0 minutes=20"},
		{"a diagnosis", `{"resourceType":"Condition","recordedDate":"2024-03-01"}`, "2020-03-01", "age-band=1-4"},
		{"a birth", `{"resourceType":"Composition","type":{"coding":[{"code":"68998-4"}]},"date":"2024-03-09T10:00:00Z","event":[{"period":{"start":"2024-03-01T03:00:00-06:00"}}]}`, "", "days-to-certification=8-30"},
		{"a note", `{"resourceType":"Composition","type":{"coding":[{"code":"11488-4"}]},"date":"2024-03-09T10:00:00Z","event":[{"period":{"start":"2024-03-01"}}]}`, "", ""},
		{"a person", `{"resourceType":"Patient","birthDate":"2020-11-23","address":[{"use":"old","district":"09001"},{"_district":{"extension":[{"valueCoding":{"system":"https://www.inegi.org.mx/app/ageeml/","code":"20067"}}]}}],
			"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueAddress":{"district":"09015"}}]}`, "", "municipality=20067 birth-municipality=09015 age-band=5-9"},
		{"an old person", `{"resourceType":"Patient","birthDate":"1930-01-01"}`, "", "birth-year-or-earlier=true age-band=90+"},
		{"who died has no age", `{"resourceType":"Patient","birthDate":"1980-01-01","deceasedBoolean":true}`, "", ""},
		{"a clinic", `{"resourceType":"Location","address":{"district":"09015"}}`, "", "municipality=09015"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := element.Parse([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, x := range Derive(d, tt.born, today) {
				got = append(got, x.name+"="+strings.Trim(x.value, `"`))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestMonthsHideTheDay: whatever days a child was vaccinated on, month and age in months
// leave every day of some month of birth possible.
func TestMonthsHideTheDay(t *testing.T) {
	type told struct {
		month  string
		months int
	}
	tell := func(born, when time.Time) told { return told{when.Format("2006-01"), monthsBetween(born, when)} }
	for day := range 31 {
		born := time.Date(2024, 1, 1+day, 0, 0, 0, 0, time.UTC)
		for after := 0; after < 400; after += 7 {
			when := born.AddDate(0, 0, after)
			seen := tell(born, when)
			possible := 0
			for other := range 31 {
				b := time.Date(2024, 1, 1+other, 0, 0, 0, 0, time.UTC)
				for d := range 31 {
					at := time.Date(when.Year(), when.Month(), 1+d, 0, 0, 0, 0, time.UTC)
					if at.Month() == when.Month() && !at.Before(b) && tell(b, at) == seen {
						possible++
						break
					}
				}
			}
			if possible < 28 {
				t.Fatalf("%v at %v: %d days of birth are possible", born, when, possible)
			}
		}
	}
}

// TestSameColumns: a view has the same derived columns of what is whole and of what is not.
func TestSameColumns(t *testing.T) {
	d := New(secret, "r").AsOf(today)
	born := map[string]string{}
	rows := 0
	for b := range demo.Population(demo.Options{Patients: 25, Seed: 3}) {
		doc, err := element.Parse(b.JSON)
		if err != nil {
			t.Fatal(err)
		}
		for e := range doc.Items(0, "entry") {
			r, err := element.Parse(doc.AppendCompact(nil, doc.Get(e, "resource")))
			if err != nil {
				t.Fatal(err)
			}
			if r.TextAt(0, "resourceType") == "Patient" {
				born[r.TextAt(0, "id")] = r.TextAt(0, "birthDate")
			}
			subject, _ := Subject(r)
			more := Derive(r, born[subject.ID], today)
			raw, err := more.Add(nil, r.Source())
			if err != nil {
				t.Fatal(err)
			}
			out, err := d.Prepare(nil, r.Source(), more)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range Views() {
				a, b := rowsOf(t, v.Name, raw), rowsOf(t, v.Name, out)
				if len(a) != len(b) {
					t.Fatalf("%s: %v and %v", v.Name, a, b)
				}
				for i := range a {
					rows++
					for column := range a[i] {
						switch {
						case strings.HasSuffix(column, "_id") || column == "birth_year":
						case a[i][column] != b[i][column]:
							t.Fatalf("%s.%s is %q whole, %q in part", v.Name, column, a[i][column], b[i][column])
						}
					}
				}
			}
		}
	}
	if rows < 200 {
		t.Errorf("%d rows", rows)
	}
}
