package vector_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/registry/immunization/vector"
)

// oneCase is a case of two doses a month apart, in the layout of CDC's.
const oneCase = `[{"cdcTestId":"2013-0001","testcaseName":" Two doses ","vaccineGroup":"dtap","assessmentDate":"2020-06-01T00:00:00",
"patient":{"dob":"2020-01-01T00:00:00","gender":"F"},
"evaluation":{"seriesStatus":"Not complete","administeredDoses":[
 {"dateAdministered":"2020-02-01T00:00:00","cvx":"01","mvx":"","evaluationStatus":"Valid","evaluationReason":null},
 {"dateAdministered":"2020-02-20T00:00:00","cvx":"01","mvx":"","evaluationStatus":"Not Valid","evaluationReason":"Interval: too Soon"}]},
"forecast":{"forecastNum":"2","earliestDate":"2020-03-19T00:00:00","recommendedDate":"2020-03-19T00:00:00","pastDueDate":"0001-01-01T00:00:00"}}]`

// engine returns the engine of a schedule that the case is about.
func engine(t testing.TB) *immunization.Engine {
	t.Helper()
	s := &schedule.Schedule{}
	if err := json.Unmarshal([]byte(`{"name":"t","version":"1","groups":[{"name":"DTAP","title":"DTaP/Tdap/Td","antigens":["Tetanus"]}],
"antigens":[{"name":"Tetanus","series":[{"name":"s","group":"DTAP","type":"Standard","select":{"default":true},"doses":[{"preferable":[{"cvx":"01"}]},
{"preferable":[{"cvx":"01"}],"intervals":[{"fromPrevious":true,"absMin":"24 days","min":"28 days"}]}]}]}],
"vaccines":[{"cvx":"01","antigens":[{"antigen":"Tetanus"}]}]}`), s); err != nil {
		t.Fatal(err)
	}
	e, err := immunization.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestCompare(t *testing.T) {
	e := engine(t)
	for _, r := range []struct{ old, new, want string }{
		{"", "", "[]"},
		{`"evaluationStatus":"Valid"`, `"evaluationStatus":"Extraneous"`, "[dose 1 of 2020-02-01: expected Extraneous, got Valid]"},
		{`"evaluationStatus":"Not Valid"`, `"evaluationStatus":"Valid"`, "[dose 2 of 2020-02-20: expected Valid (Interval: too Soon), got Not Valid (too soon)]"},
		{`Not complete`, `Complete`, "[status: expected Complete, got Not Complete (a dose is needed)]"},
		{`"forecastNum":"2"`, `"forecastNum":"-"`, "[number: expected none, got 2]"},
		{`"earliestDate":"2020-03-19`, `"earliestDate":"2020-03-18`, "[earliest: expected 2020-03-18, got 2020-03-19]"},
		{`"recommendedDate":"2020-03-19T00:00:00"`, `"recommendedDate":null`, "[recommended: expected none, got 2020-03-19]"},
		{`"pastDueDate":"0001-01-01T00:00:00"`, `"pastDueDate":"2020-05-01"`, "[past due: expected 2020-05-01, got none]"},
		{`"vaccineGroup":"dtap"`, `"vaccineGroup":"DTaP Tdap Td"`, "[]"},
		{`"vaccineGroup":"dtap"`, `"vaccineGroup":"tetanus"`, "[]"},
		{`"vaccineGroup":"dtap"`, `"vaccineGroup":"Polio"`, "[vaccine group: expected Polio, got no such group in the schedule]"},
	} {
		text := strings.Replace(oneCase, r.old, r.new, 1)
		cases, err := vector.Read([]byte(text))
		if err != nil || len(cases) != 1 {
			t.Fatalf("%s: %v", r.new, err)
		}
		c := &cases[0]
		if got := fmt.Sprint(c.Compare(e.Schedule(), e.Assess(&c.History, c.On))); got != r.want {
			t.Errorf("%s: %s, want %s", r.new, got, r.want)
		}
	}
}

func TestLoad(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte(oneCase)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"plain.json": []byte(oneCase), "packed.json.gz": packed.Bytes()} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		cases, err := vector.Load(path)
		if err != nil || len(cases) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		c := cases[0]
		if c.ID != "2013-0001" || c.Title != "Two doses" || c.On.String() != "2020-06-01" || c.History.Sex != immunization.Female || len(c.History.Doses) != 2 || !c.PastDue.IsZero() {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// A wrong case is named.
func TestReadRefuses(t *testing.T) {
	for _, r := range []struct{ old, new, want string }{
		{`"cdcTestId":"2013-0001"`, `"cdcTestId":""`, "case 1"},
		{`"dob":"2020-01-01T00:00:00"`, `"dob":null`, "2013-0001"},
		{`"dob":"2020-01-01T00:00:00"`, `"dob":"2020-02-31"`, "2020-02-31"},
		{`"cvx":"01"`, `"cvx":""`, "dose 1"},
		{`[{`, `{`, ""},
	} {
		if _, err := vector.Read([]byte(strings.Replace(oneCase, r.old, r.new, 1))); err == nil || !strings.Contains(err.Error(), r.want) {
			t.Errorf("%s: %v", r.new, err)
		}
	}
}

// FuzzRead: whatever a file of cases holds, it is refused, or can be run.
func FuzzRead(f *testing.F) {
	f.Add([]byte(oneCase))
	f.Add([]byte(strings.Replace(oneCase, "2020-06-01", "1600-01-01", 1)))
	f.Add([]byte(strings.Replace(oneCase, "2020-01-01", "9999-12-31", 1)))
	f.Add([]byte(`[null]`))
	e := engine(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		cases, err := vector.Read(text)
		if err != nil {
			return
		}
		for i := range cases {
			c := &cases[i]
			_ = c.Compare(e.Schedule(), e.Assess(&c.History, c.On))
		}
	})
}
