package demo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/registry/identity"
)

// entry is an entry of a transaction, read back the way a stranger would.
type entry struct {
	Resource map[string]any
	Request  struct{ Method, URL string }
}

func generate(t testing.TB, o Options) []entry {
	t.Helper()
	all, err := read(o)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func read(o Options) ([]entry, error) {
	var all []entry
	for b := range Population(o) {
		var bundle struct {
			ResourceType, Type string
			Entry              []entry
		}
		if err := json.Unmarshal(b.JSON, &bundle); err != nil {
			return nil, fmt.Errorf("%w in %s", err, b.JSON)
		}
		if bundle.ResourceType != "Bundle" || bundle.Type != "transaction" || len(bundle.Entry) != b.Entries {
			return nil, fmt.Errorf("%s of type %s with %d entries, said to be %d", bundle.ResourceType, bundle.Type, len(bundle.Entry), b.Entries)
		}
		all = append(all, bundle.Entry...)
	}
	return all, nil
}

// people is a population that several tests look at.
func people(t testing.TB) []entry {
	t.Helper()
	all, err := readPeople()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var readPeople = sync.OnceValues(func() ([]entry, error) { return read(Options{Patients: 500, Seed: 1}) })

func TestPopulationIsDeterministic(t *testing.T) {
	render := func(o Options) []byte {
		var all []byte
		for b := range Population(o) {
			all = append(all, b.JSON...)
		}
		return all
	}
	first := render(Options{Patients: 60, Seed: 7})
	if !bytes.Equal(first, render(Options{Patients: 60, Seed: 7})) {
		t.Error("the same options gave different bytes")
	}
	if bytes.Equal(first, render(Options{Patients: 60, Seed: 8})) {
		t.Error("another seed gave the same bytes")
	}
	var few, many []string
	for b := range Population(Options{Patients: 36, Seed: 7}) {
		few = append(few, string(b.JSON))
	}
	for b := range Population(Options{Patients: 60, Seed: 7}) {
		many = append(many, string(b.JSON))
	}
	if !slices.Equal(few, many[:len(few)]) {
		t.Error("asking for more people changed those who were there before")
	}
}

func TestPopulationHasAsManyPatientsAsAskedFor(t *testing.T) {
	for _, n := range []int{0, 1, 6, 7, 8, 100} { // the sixth household has two people, so 6 cuts it
		patients := 0
		for b := range Population(Options{Patients: n, Seed: 1}) {
			patients += b.Patients
		}
		if patients != n {
			t.Errorf("asked for %d patients, got %d", n, patients)
		}
	}
}

func TestReferencesResolve(t *testing.T) {
	ids := map[string]bool{}
	entries := people(t)
	for _, e := range entries {
		name := fmt.Sprintf("%s/%s", e.Resource["resourceType"], e.Resource["id"])
		if ids[name] {
			t.Errorf("%s appears twice", name)
		}
		ids[name] = true
		if e.Request.Method != "PUT" || e.Request.URL != name {
			t.Errorf("%s is sent as %s %s", name, e.Request.Method, e.Request.URL)
		}
	}
	if !ids["Patient/"+PatientID(1, 500)] {
		t.Errorf("there is no %s", PatientID(1, 500))
	}
	for _, e := range entries {
		walk(e.Resource, func(key string, value any) {
			if key == "reference" && !ids[value.(string)] {
				t.Errorf("%s refers to %s, which is not there", e.Request.URL, value)
			}
		})
	}
}

// walk calls visit for every member of every object in v.
func walk(v any, visit func(key string, value any)) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			visit(k, x)
			walk(x, visit)
		}
	case []any:
		for _, x := range v {
			walk(x, visit)
		}
	}
}

func TestNothingHappensInTheFuture(t *testing.T) {
	today := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	for _, e := range generate(t, Options{Patients: 80, Seed: 5, Date: today}) {
		walk(e.Resource, func(key string, value any) {
			if s, ok := value.(string); ok && isDateMember(key) && s[:10] > "2024-02-29" {
				t.Errorf("%s has %s %s, after the reference date", e.Request.URL, key, s)
			}
		})
	}
}

func isDateMember(key string) bool {
	return key == "start" || key == "end" || key == "birthDate" || key == "recorded" || key == "recordedDate" || strings.HasSuffix(key, "DateTime")
}

func TestEverythingIsMarkedAsTestData(t *testing.T) {
	for _, e := range people(t) {
		text, _ := json.Marshal(e.Resource)
		if !bytes.Contains(text, []byte(`"code":"HTEST"`)) {
			t.Errorf("%s has no tag", e.Request.URL)
		}
		if ids, ok := e.Resource["identifier"].([]any); ok {
			for _, id := range ids {
				if text, _ := json.Marshal(id); !bytes.Contains(text, []byte("DATOS DE PRUEBA")) {
					t.Errorf("%s has an identifier that could be real: %s", e.Request.URL, text)
				}
			}
		}
	}
}

func TestCURPs(t *testing.T) {
	seen, without := map[string]string{}, 0
	for _, e := range people(t) {
		if e.Resource["resourceType"] != "Patient" {
			continue
		}
		curp := identifier(e.Resource, identity.SystemCURP)
		if curp == "" {
			without++
			if identifier(e.Resource, SystemBirth) == "" {
				t.Errorf("%s has neither CURP nor folio of a birth certificate", e.Request.URL)
			}
			continue
		}
		if faults := identity.CheckCURP(curp, ReferenceDate); faults != nil {
			t.Errorf("%s has CURP %s: %v", e.Request.URL, curp, faults)
		}
		if other := seen[curp]; other != "" {
			t.Errorf("%s and %s have CURP %s", e.Request.URL, other, curp)
		}
		seen[curp] = e.Request.URL
		if born := e.Resource["birthDate"].(string); curp[4:10] != born[2:4]+born[5:7]+born[8:10] {
			t.Errorf("%s was born %s, but has CURP %s", e.Request.URL, born, curp)
		}
	}
	if without == 0 || without > 30 {
		t.Errorf("%d of 500 have no CURP; newborns should be the only ones", without)
	}
}

func identifier(resource map[string]any, system string) string {
	ids, _ := resource["identifier"].([]any)
	for _, id := range ids {
		if id := id.(map[string]any); id["system"] == system {
			return id["value"].(string)
		}
	}
	return ""
}

// TestPopulationIsPlausible holds the shape of the population, so that a change
// that empties a part of it is noticed.
func TestPopulationIsPlausible(t *testing.T) {
	count := map[string]int{}
	states := map[string]bool{}
	for _, e := range people(t) {
		typ := e.Resource["resourceType"].(string)
		count[typ]++
		switch typ {
		case "Patient":
			count["gender "+e.Resource["gender"].(string)]++
			born, _ := time.Parse(time.DateOnly, e.Resource["birthDate"].(string))
			switch years := months(born, ReferenceDate) / 12; {
			case years < 18:
				count["minor"]++
			case years >= 65:
				count["old"]++
			}
			states[e.Resource["address"].([]any)[0].(map[string]any)["state"].(string)] = true
		case "Condition":
			count[e.Resource["code"].(map[string]any)["coding"].([]any)[0].(map[string]any)["code"].(string)]++
		}
	}
	ranges := map[string][2]int{
		"Patient": {500, 500}, "RelatedPerson": {30, 45}, "Organization": {96, 96}, "Location": {96, 96},
		"Practitioner": {256, 256}, "PractitionerRole": {256, 256},
		"Encounter": {900, 2000}, "Observation": {7000, 16000}, "Condition": {600, 1800}, "Immunization": {1200, 3000},
		"gender male": {180, 270}, "gender female": {230, 310}, "gender other": {0, 8},
		"minor": {130, 220}, "old": {20, 70},
		"I10": {25, 120}, "E11.9": {15, 80}, "Z34.9": {30, 50}, "O80.9": {8, 35}, "O82.9": {8, 30}, "J00": {25, 200},
	}
	for what, r := range ranges {
		if n := count[what]; n < r[0] || n > r[1] {
			t.Errorf("%d of %s, want %d to %d", n, what, r[0], r[1])
		}
	}
	if len(states) < 26 {
		t.Errorf("people live in %d of the 32 entities", len(states))
	}
	t.Logf("%v", count)
}

func TestAddMonths(t *testing.T) {
	tests := []struct {
		born   string
		months int
		want   string
	}{
		{"2025-03-15", 2, "2025-05-15"}, {"2025-03-15", 132, "2036-03-15"},
		{"2024-12-31", 2, "2025-03-01"}, {"2024-12-31", 4, "2025-05-01"}, {"2024-12-31", 6, "2025-07-01"},
		{"2024-12-31", 12, "2025-12-31"}, {"2024-12-31", 18, "2026-07-01"}, {"2024-12-31", 48, "2028-12-31"},
		{"2024-02-29", 12, "2025-03-01"}, {"2024-02-29", 18, "2025-08-29"}, {"2024-02-29", 48, "2028-02-29"},
		{"2024-02-29", 132, "2035-03-01"}, {"2024-01-31", 1, "2024-03-01"},
	}
	for _, tt := range tests {
		born, err := time.Parse(time.DateOnly, tt.born)
		if err != nil {
			t.Fatal(err)
		}
		if got := date(addMonths(born, tt.months)); got != tt.want {
			t.Errorf("%s plus %d months = %s, want %s", tt.born, tt.months, got, tt.want)
		}
	}
}

func BenchmarkPopulation(b *testing.B) {
	resources := 0
	for b.Loop() {
		for bundle := range Population(Options{Patients: 200, Seed: 1}) {
			resources += bundle.Entries
		}
	}
	b.ReportMetric(float64(resources)/b.Elapsed().Seconds(), "resources/s")
}
