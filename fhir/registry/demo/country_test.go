package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/registry/birth/sinac"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// days are such on which a demonstration may be begun: leap days, ends of months and years.
var days = []time.Time{
	time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 3, 0, 0, 0, time.UTC), time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC),
}

func optionsOn(now time.Time) Options {
	return Options{Patients: 200, Seed: 1, Date: time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC).AddDate(0, 0, -1)}
}

// TestCountryHasWhatIsShown: whenever it is begun, a demonstration has those whom its
// manual names, and enough of those who are seen, watched and sent on.
func TestCountryHasWhatIsShown(t *testing.T) {
	for _, now := range days {
		o := optionsOn(now)
		c := NewCountry(o, 24, now)
		adults, ill := 0, 0
		for i := range c.People {
			if s := &c.People[i]; s.Years(now) >= 20 && s.Visits > 0 {
				adults++
				if s.Hypertension {
					ill++
				}
			}
		}
		if len(c.People) != 200 || adults < 40 || ill < 3 {
			t.Errorf("%s: of %d people %d adults have visits, %d of them high blood pressure", now, len(c.People), adults, ill)
		}
		there := map[string]int{}
		for _, e := range generate(t, o) {
			text, _ := json.Marshal(e.Resource)
			there[e.Request.URL]++
			born, _ := e.Resource["birthDate"].(string)
			for what, is := range map[string]bool{
				"vaccinations of the newborn": strings.HasPrefix(e.Request.URL, "Immunization/mx1-7-"),
				"Hernández":                   strings.HasPrefix(e.Request.URL, "Patient/") && bytes.Contains(text, []byte("Hernández")),
				"pressure":                    bytes.Contains(text, []byte(`"8480-6"`)) && bytes.Contains(text, []byte(`"value":14`)),
				"nun":                         strings.HasPrefix(e.Request.URL, "Patient/") && bytes.Contains(text, []byte("uñ")) && (born < "1950" || e.Resource["gender"] == "female"),
				"I10":                         bytes.Contains(text, []byte(`"I10"`)),
			} {
				if is {
					there[what]++
				}
			}
		}
		if c.People[0].Doctor != "cedula-90502001" || there["Immunization/mx1-33-pcv-2"] > 0 {
			t.Errorf("%s: the first is a patient of %s, or mx1-33 has the dose that is missing", now, c.People[0].Doctor)
		}
		for _, what := range []string{"Immunization/mx1-33-pcv-1", "Encounter/mx1-1-v2", "Composition/mx1-1-v2-n", "vaccinations of the newborn", "Hernández", "pressure", "nun", "I10"} {
			if there[what] == 0 {
				t.Errorf("%s: there is no %s", now, what)
			}
		}
	}
}

func TestCountryIsDeterministic(t *testing.T) {
	now := days[0]
	first, again := NewCountry(optionsOn(now), 24, now), NewCountry(optionsOn(now), 24, now)
	if !reflect.DeepEqual(first, again) {
		t.Error("the same options gave another country")
	}
	if !reflect.DeepEqual(CountedBirths(3, 2025, 50), CountedBirths(3, 2025, 50)) {
		t.Error("the same seed gave other births")
	}
}

// TestBirthsCanBeCertified: what is claimed of them has no fault on the day of the
// certificate; some are late, some registered, one is withdrawn.
func TestBirthsCanBeCertified(t *testing.T) {
	for _, now := range days {
		o := optionsOn(now)
		late, registered, void, curps := 0, 0, 0, map[string]bool{}
		for _, b := range NewCountry(o, 24, now).Births {
			if doses := b.Vaccinations("x"); b.Certified.AddDate(0, 4, 0).Before(now) && !bytes.Contains(doses, []byte(`"reference":"Patient/x"`)) || bytes.Contains(doses, []byte("Immunization/x-bcg")) {
				t.Errorf("%s: a child of %s has the doses %s", now, b.Certified, doses)
			}
			var claim struct {
				Parameter []struct {
					Name     string
					Text     string `json:"valueString"`
					Resource map[string]any
				}
			}
			if err := json.Unmarshal(b.Claim("AAAA"), &claim); err != nil {
				t.Fatal(err)
			}
			var row sinac.Row
			var born, was time.Time
			var mother string
			for _, p := range claim.Parameter {
				if c, ok := sinac.Named(p.Name); ok {
					row[c] = p.Text
				}
				switch p.Name {
				case "newborn":
					born, _ = time.Parse(time.DateOnly, p.Resource["birthDate"].(string))
					row.SetDate(sinac.Born, born)
					row[sinac.Sex] = map[string]string{"male": sinac.Man, "female": sinac.Woman}[p.Resource["gender"].(string)]
				case "mother":
					mother = identifier(p.Resource, identity.SystemCURP)
					was, _ = time.Parse(time.DateOnly, p.Resource["birthDate"].(string))
				}
			}
			row.SetInt(sinac.MotherAge, months(was, born)/12)
			on := b.Certified.In(central)
			day := time.Date(on.Year(), on.Month(), on.Day(), 0, 0, 0, 0, time.UTC)
			row.SetDate(sinac.Certified, day)
			for _, p := range sinac.Check(&row, day) {
				t.Errorf("%s: of a birth of %s, %s: %s", now, born, p.Column, p.Text)
			}
			if faults := identity.CheckCURP(mother, now); faults != nil || curps[mother] {
				t.Errorf("the mother has CURP %s: %v", mother, faults)
			}
			curps[mother] = true
			if b.CURP != "" {
				if faults := identity.CheckCURP(b.CURP, now); faults != nil || curps[b.CURP] {
					t.Errorf("a child has CURP %s: %v", b.CURP, faults)
				}
				curps[b.CURP] = true
			}
			if b.Certified.After(now) || b.Registered.After(now) || !b.Registered.IsZero() && b.Registered.Before(b.Certified) {
				t.Errorf("at %s it is certified at %s and registered at %s", now, b.Certified, b.Registered)
			}
			if day.Sub(born) > 48*time.Hour {
				late++
			}
			if !b.Registered.IsZero() {
				registered++
			}
			if b.Void != "" {
				void++
			}
		}
		if late < 2 || late > 8 || registered < 8 || void != 1 {
			t.Errorf("%s: %d late, %d registered, %d withdrawn", now, late, registered, void)
		}
	}
}

// TestCountedBirths are rows that nothing is wrong with.
func TestCountedBirths(t *testing.T) {
	rows := CountedBirths(1, 2025, 2000)
	for i := range rows {
		for _, p := range sinac.Check(&rows[i], time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)) {
			if p.Rule != "sinac-required" {
				t.Fatalf("row %d, %s: %s", i, p.Column, p.Text)
			}
		}
	}
}

// TestAgendasReferToWhatIsThere: also what is watched at home, and what is prescribed.
func TestAgendasReferToWhatIsThere(t *testing.T) {
	ids := map[string]bool{}
	for _, e := range people(t) {
		ids[e.Request.URL] = true
	}
	schedules, transaction := Agendas()
	watch := Watch("mx1-3", Doctor(), "2026-11-01")
	for _, text := range [][]byte{transaction, watch} {
		var b struct{ Entry []entry }
		if err := json.Unmarshal(text, &b); err != nil {
			t.Fatal(err)
		}
		for _, e := range b.Entry {
			ids[e.Request.URL] = true
			ids["Condition/mx1-3-I10"] = true // it is for whom it is
			walk(e.Resource, func(key string, value any) {
				if key == "reference" && !ids[value.(string)] {
					t.Errorf("%s refers to %s, which is not there", e.Request.URL, value)
				}
			})
		}
	}
	for _, id := range schedules {
		if !ids["Schedule/"+id] || !ids["Practitioner/"+id] {
			t.Errorf("there is no Schedule or Practitioner %s", id)
		}
	}
	for n := range medicines {
		var m map[string]any
		if err := json.Unmarshal(Medicine(n), &m); err != nil || !strings.Contains(fmt.Sprint(m), "MedicationRequest") {
			t.Errorf("medicine %d: %v", n, err)
		}
	}
}
