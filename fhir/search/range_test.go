package search_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/search"
)

// TestDatePrefixes is the table of R4 search.html#date and #prefix: prefix by
// prefix, what a search date makes of dates and periods.
func TestDatePrefixes(t *testing.T) {
	const (
		from15Mar  = `"period":{"start":"2013-03-15"}`
		from21Jan  = `"period":{"start":"2013-01-21"}`
		until21Jan = `"period":{"end":"2013-01-21"}`
	)
	date := func(text string) string { return `"period":{"start":"` + text + `","end":"` + text + `"}` }
	for _, c := range []struct {
		query   string
		yes, no []string
	}{
		{"eq2013-01-14", []string{date("2013-01-14T00:00:00Z"), date("2013-01-14T10:00:00Z"), date("2013-01-14")},
			[]string{date("2013-01-15T00:00:00Z"), date("2013-01"), date("2013"), from21Jan, until21Jan}},
		{"2013-01", []string{date("2013-01-14"), date("2013-01"), date("2013-01-31T23:59:59.999Z")}, []string{date("2013-02-01T00:00:00Z"), date("2013"), date("2012-12-31")}},
		{"2013", []string{date("2013-12-31"), date("2013")}, []string{date("2014-01-01")}},
		{"ne2013-01-14", []string{date("2013-01-15T00:00:00Z"), date("2013-01"), from21Jan}, []string{date("2013-01-14T00:00:00Z"), date("2013-01-14T10:00:00Z")}},
		{"lt2013-01-14T10:00", []string{date("2013-01-14"), date("2013-01-14T09:59:59Z"), until21Jan}, []string{date("2013-01-14T10:00:00Z"), from21Jan}},
		{"gt2013-01-14T10:00", []string{date("2013-01-14"), date("2013-01-14T10:01:00Z"), from21Jan}, []string{date("2013-01-14T10:00:30Z"), date("2013-01-13")}},
		{"gt2013-01-14", []string{date("2013-01-15"), date("2013-01"), until21Jan}, []string{date("2013-01-14"), date("2013-01-14T23:59:59Z")}},
		{"ge2013-03-14", []string{from21Jan, from15Mar, date("2013-03-14"), date("2013-03-14T00:00:00Z")}, []string{until21Jan, date("2013-03-13")}},
		{"le2013-03-14", []string{from21Jan, until21Jan, date("2013-03-14"), date("2013-03-14T23:00:00Z")}, []string{from15Mar, date("2013-03-15")}},
		{"sa2013-03-14", []string{from15Mar}, []string{from21Jan, until21Jan, date("2013-03-14")}},
		{"eb2013-03-14", []string{until21Jan}, []string{from15Mar, from21Jan, date("2013-03-14")}},
		{"ap2013-03-14", []string{date("2013-03-14"), date("2013-03-15")}, []string{date("2015-06-15"), date("2010-01-01")}},
		// offsets
		{"2013-01-14T10:00:00Z", []string{date("2013-01-14T04:00:00-06:00")}, []string{date("2013-01-14T10:00:00-06:00")}},
		{"2013-01-14T10:00:00 02:00", []string{date("2013-01-14T08:00:00Z")}, nil}, // a plus sign that was decoded
		{"2013-01-14T23:30:00-06:00", []string{date("2013-01-15T05:30:00Z")}, nil},
		// precision of the time
		{"2013-01-14T10:00", []string{date("2013-01-14T10:00:59Z")}, []string{date("2013-01-14T10:01:00Z")}},
		{"2013-01-14T10:00:00.5Z", []string{date("2013-01-14T10:00:00.512Z")}, []string{date("2013-01-14T10:00:00Z"), date("2013-01-14T10:00:00.612Z")}},
		{"2016-12-31T23:59:59Z", []string{date("2016-12-31T23:59:60Z")}, nil},
		{"2016-02-29", []string{date("2016-02-29")}, []string{date("2016-03-01")}},
	} {
		for _, r := range c.yes {
			if !found(t, `{"resourceType":"Encounter",`+r+`}`, "Encounter?date="+c.query) {
				t.Errorf("%s does not find %s", c.query, r)
			}
		}
		for _, r := range c.no {
			if found(t, `{"resourceType":"Encounter",`+r+`}`, "Encounter?date="+c.query) {
				t.Errorf("%s finds %s", c.query, r)
			}
		}
	}
}

func TestDateTypes(t *testing.T) {
	for _, c := range []cases{
		{`{"resourceType":"Patient","birthDate":"1974-12"}`, []string{"Patient?birthdate=1974-12", "Patient?birthdate=1974", "Patient?birthdate=ge1974-12-25"}, []string{"Patient?birthdate=1974-12-25"}},
		{`{"resourceType":"Observation","effectiveInstant":"2013-01-14T10:00:00.123Z"}`, []string{"Observation?date=2013-01-14", "Observation?date=2013-01-14T10:00:00.123Z"}, []string{"Observation?date=2013-01-15"}},
		{`{"resourceType":"Observation","effectivePeriod":{"start":"2013-01","end":"2013-02"}}`, []string{"Observation?date=2013", "Observation?date=ap2013-01-20"}, []string{"Observation?date=2013-01"}},
		{ // a schedule counts by its outer limits
			`{"resourceType":"Observation","effectiveTiming":{"event":["2013-03-24","2013-01-31"]}}`,
			[]string{"Observation?date=gt2013-02-01", "Observation?date=lt2013-02-01", "Observation?date=2013", "Observation?date=ap2013-02-01"},
			[]string{"Observation?date=2013-01-31", "Observation?date=gt2013-03-24", "Observation?date=lt2013-01-31"},
		},
		{`{"resourceType":"Observation","effectiveTiming":{"repeat":{"boundsPeriod":{"start":"2013-01-31"}}}}`, []string{"Observation?date=gt2020"}, []string{"Observation?date=lt2013"}},
		{`{"resourceType":"Observation","effectiveTiming":{"repeat":{"count":3}}}`, []string{"Observation?date:missing=true"}, []string{"Observation?date=2013"}},
		{`{"resourceType":"Encounter","period":{"start":"2013-02-01","end":"2013-01-01"}}`, []string{"Encounter?date:missing=true"}, nil},
		{`{"resourceType":"Patient","birthDate":"1974-13"}`, []string{"Patient?birthdate:missing=true"}, nil},
	} {
		c.run(t)
	}
}

// TestDateAgreesWithTime compares our arithmetic of days with that of the standard
// library, over all the years that FHIR can write.
func TestDateAgreesWithTime(t *testing.T) {
	for at := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 9999; at = at.AddDate(0, 0, 17) {
		text := at.Format("2006-01-02")
		q := query(t, "Patient?birthdate="+text)
		v := q.Where[0].(search.Match).Values[0]
		if want := at.UnixMicro(); v.Lo != want || v.Hi != want+86_400_000_000 {
			t.Fatalf("%s: [%d, %d), want [%d, ...)", text, v.Lo, v.Hi, want)
		}
	}
}

// TestNumberPrefixes is the table of R4 search.html#number.
func TestNumberPrefixes(t *testing.T) {
	for _, c := range []struct {
		query   string
		yes, no []string
	}{
		{"100", []string{"100", "99.5", "100.49", "1e2"}, []string{"99.49", "100.5"}},
		{"100.00", []string{"100", "99.995", "100.004"}, []string{"99.99", "100.005"}},
		{"1e2", []string{"95", "104.9"}, []string{"94.9", "105"}},
		{"1.00e2", []string{"99.5", "100.4"}, []string{"99.4", "100.5"}},
		{"lt100", []string{"99.99"}, []string{"100"}},
		{"le100", []string{"100", "99"}, []string{"100.01"}},
		{"gt100", []string{"100.01"}, []string{"100"}},
		{"ge100", []string{"100"}, []string{"99.99"}},
		{"ne100", []string{"99.4", "100.5"}, []string{"100.4", "99.5"}},
		{"sa100", []string{"100.1"}, []string{"100"}},
		{"eb100", []string{"99.9"}, []string{"100"}},
		{"ap100", []string{"90", "110"}, []string{"89.9", "110.1"}},
		{"ap-100", []string{"-90", "-110"}, []string{"-89.9", "100"}},
		{"-1.5", []string{"-1.5", "-1.55"}, []string{"1.5", "-1.45"}},
		{"0", []string{"0", "0.49", "-0.5"}, []string{"0.5"}},
		{"5.40e-3", []string{"0.0054", "0.005395"}, []string{"0.005405"}},
		{"gt8e-1", []string{"0.81"}, []string{"0.8"}},
	} {
		for _, v := range c.yes {
			if !found(t, probability(v), "RiskAssessment?probability="+c.query) {
				t.Errorf("%s does not find %s", c.query, v)
			}
		}
		for _, v := range c.no {
			if found(t, probability(v), "RiskAssessment?probability="+c.query) {
				t.Errorf("%s finds %s", c.query, v)
			}
		}
	}
}

func probability(v string) string {
	return `{"resourceType":"RiskAssessment","prediction":[{"probabilityDecimal":` + v + `}]}`
}

func TestNumberTypes(t *testing.T) {
	for _, c := range []cases{
		{
			`{"resourceType":"RiskAssessment","prediction":[{"probabilityRange":{"low":{"value":10},"high":{"value":20}}}]}`,
			[]string{"RiskAssessment?probability=gt15", "RiskAssessment?probability=lt15", "RiskAssessment?probability=ge20", "RiskAssessment?probability=ap11", "RiskAssessment?probability=sa9"},
			[]string{"RiskAssessment?probability=10", "RiskAssessment?probability=15", "RiskAssessment?probability=gt20", "RiskAssessment?probability=lt10", "RiskAssessment?probability=sa10"},
		},
		{
			`{"resourceType":"RiskAssessment","prediction":[{"probabilityRange":{"low":{"value":10}}}]}`,
			[]string{"RiskAssessment?probability=gt1000"}, []string{"RiskAssessment?probability=lt10"},
		},
		{
			`{"resourceType":"MolecularSequence","referenceSeq":{"windowStart":42}}`,
			[]string{"MolecularSequence?window-start=42", "MolecularSequence?window-start=42.0"}, []string{"MolecularSequence?window-start=42.2", "MolecularSequence?window-start=43"},
		},
		{probability("1e400"), []string{"RiskAssessment?probability:missing=true"}, []string{"RiskAssessment?probability=gt1"}},
	} {
		c.run(t)
	}
}

func TestQuantity(t *testing.T) {
	const q = "Observation?value-quantity="
	for _, c := range []cases{
		{
			`{"resourceType":"Observation","valueQuantity":{"value":5.4,"unit":"mg/dl","system":"http://unitsofmeasure.org","code":"mg/dL"}}`,
			[]string{q + "5.4", q + "5.4|http://unitsofmeasure.org|mg/dL", q + "5.4||mg/dL", q + "5.4||mg/dl", q + "gt5|http://unitsofmeasure.org|mg/dL",
				q + "5.40", q + "5.4||", "Observation?combo-value-quantity=5.4", "Observation?value-quantity:missing=false"},
			[]string{q + "5.5", q + "5.4|http://unitsofmeasure.org|g", q + "5.4|http://x|mg/dL", q + "5.4||g", "Observation?component-value-quantity=5.4", q + "lt5.4"},
		},
		{
			`{"resourceType":"Observation","component":[{"valueQuantity":{"value":120,"unit":"mmHg"}}]}`,
			[]string{"Observation?component-value-quantity=gt119||mmHg", "Observation?combo-value-quantity=120"}, []string{q + "120", "Observation?combo-value-quantity=121"},
		},
		{ // less than 5 might be anything below it
			`{"resourceType":"Observation","valueQuantity":{"value":5,"comparator":"<"}}`,
			[]string{q + "lt3", q + "le5"}, []string{q + "gt5", q + "4"},
		},
		{
			`{"resourceType":"Observation","valueSampledData":{"origin":{"value":2,"unit":"mV"},"factor":10,"period":1,"dimensions":1,"data":"-1 0 E 3 U"}}`,
			[]string{q + "gt31", q + "lt-7", q + "ap5||mV", q + "ge32"}, []string{q + "gt32", q + "lt-8", q + "5"},
		},
		{
			`{"resourceType":"Invoice","totalNet":{"value":99.50,"currency":"MXN"}}`,
			[]string{"Invoice?totalnet=99.50", "Invoice?totalnet=99.5||MXN", "Invoice?totalnet=ge99|urn:iso:std:iso:4217|MXN"},
			[]string{"Invoice?totalnet=99.5||USD"},
		},
		{
			`{"resourceType":"Condition","onsetAge":{"value":52,"unit":"years","system":"http://unitsofmeasure.org","code":"a"}}`,
			[]string{"Condition?onset-age=52", "Condition?onset-age=gt50|http://unitsofmeasure.org|a"}, []string{"Condition?onset-age=gt52"},
		},
	} {
		c.run(t)
	}
}

func TestRangesAreOpenWhereUnbounded(t *testing.T) {
	_, ix := load(t, `{"resourceType":"Encounter","period":{"start":"2013-01-21"}}`)
	if r := ix.Dates[0]; r.Hi != math.MaxInt64 {
		t.Errorf("%+v", r)
	}
	_, ix = load(t, `{"resourceType":"Encounter","period":{"end":"2013-01-21"}}`)
	if r := ix.Dates[0]; r.Lo != math.MinInt64 {
		t.Errorf("%+v", r)
	}
}

// TestFoundByOwnText: whatever precision a date is written in, its own text finds it.
func TestFoundByOwnText(t *testing.T) {
	for y := 1900; y < 2100; y += 7 {
		for _, text := range []string{
			fmt.Sprintf("%04d", y), fmt.Sprintf("%04d-%02d", y, y%12+1), fmt.Sprintf("%04d-%02d-%02d", y, y%12+1, y%28+1),
			fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", y, y%12+1, y%28+1, y%24, y%60, y%59),
			fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02d.%03d-06:00", y, y%12+1, y%28+1, y%24, y%60, y%59, y%1000),
		} {
			resource := `{"resourceType":"Condition","onsetDateTime":"` + text + `"}`
			for _, prefix := range []string{"", "eq", "ge", "le", "ap"} {
				if !found(t, resource, "Condition?onset-date="+prefix+text) {
					t.Errorf("%s%s does not find itself", prefix, text)
				}
			}
			for _, prefix := range []string{"ne", "gt", "lt", "sa", "eb"} {
				if found(t, resource, "Condition?onset-date="+prefix+text) {
					t.Errorf("%s%s finds itself", prefix, text)
				}
			}
		}
	}
}
