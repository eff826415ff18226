package giis

import (
	"fmt"
	"strings"
	"testing"
)

// TestDistance: variables 103 to 106 of visits, as the guide and its official examples have
// them, and as they pass the guide's own rules.
func TestDistance(t *testing.T) {
	asks := func(category, code string) string {
		return fmt.Sprintf(`"status":"active","intent":"order","category":[{"coding":[%s]}],"code":{"coding":[%s]}`, named(category), code)
	}
	study := func(code string) string { return fmt.Sprintf(`{"system":%q,"code":%q}`, SystemStudy, code) }
	dicom := func(code string) string { return fmt.Sprintf(`{"system":%q,"code":%q}`, systemDICOM, code) }
	for name, c := range map[string]struct {
		class    string
		requests []string
		want     string // telemedicina|teleconsulta|estudios|modalidad
	}{
		"a visit there":                            {"AMB", nil, "0|0|-1|-1"},
		"a visit at a distance":                    {"VR", nil, "0|1|-1|1"},
		"a mammography to be read elsewhere":       {"AMB", []string{asks(categoryStudy, dicom("MG"))}, "0|0|6|2"},   // an official example
		"another study, at a distance":             {"VR", []string{asks(categoryStudy, loincOf("1-1"))}, "0|1|7|1"}, // likewise
		"several, one of them twice":               {"AMB", []string{asks(categoryStudy, study("3")), asks(categoryStudy, dicom("ECG")), asks(categoryStudy, dicom("DX"))}, "0|0|2&3|2"},
		"a unit of a higher level is asked":        {"AMB", []string{asks(categoryOpinion, loincOf("1-1"))}, "1|0|-1|-1"},
		"asked, and a study sent: never both":      {"AMB", []string{asks(categoryOpinion, loincOf("1-1")), asks(categoryStudy, study("3"))}, "1|0|-1|-1"},
		"asked in a visit at a distance":           {"VR", []string{asks(categoryOpinion, loincOf("1-1"))}, "0|1|-1|1"},
		"a study that stays in the house":          {"AMB", []string{`"status":"active","code":{"coding":[` + dicom("CT") + `]}`}, "0|0|-1|-1"},
		"a request that was taken back":            {"AMB", []string{strings.Replace(asks(categoryStudy, study("4")), "active", "revoked", 1)}, "0|0|-1|-1"},
		"a code that the guide does not have is 7": {"AMB", []string{asks(categoryStudy, study("9"))}, "0|0|7|2"},
	} {
		t.Run(name, func(t *testing.T) {
			s := clinic()
			s.visit("a", c.class, "2026-10-05T10:00:00-06:00", icd("E11.9"))
			for i, r := range c.requests {
				s.put("ServiceRequest", fmt.Sprint("r", i), `"encounter":{"reference":"Encounter/a"},"subject":{"reference":"Patient/p"},`+r)
			}
			s.put("ServiceRequest", "other", `"encounter":{"reference":"Encounter/b"},`+asks(categoryStudy, study("1")))
			made, err := october(s, nil)
			if err != nil {
				t.Fatal(err)
			}
			if made.File == nil || made.Report.Errors != 0 {
				t.Fatalf("it does not pass the rules: %+v", made.Report)
			}
			rows, _, _, err := Decode(made.File)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join([]string{rows[0].at(vTelemedicine), rows[0].at(vTeleconsulta), rows[0].at(vStudies), rows[0].at(vModality)}, "|")
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestDistanceVectors: combinations that the guide has, and those that it refuses.
func TestDistanceVectors(t *testing.T) {
	for text, valid := range map[string]bool{
		"0|0|6|2": true, "0|1|7|1": true, "0|0|-1|-1": true, "1|0|-1|-1": true,
		"1|1|-1|1": false, "1|1|3|1": false, "0|1|-1|2": false, "1|0|3|2": false, "0|0|3&3|2": false, "0|0|3|1": false, "0|1|7|-1": false, "2|0|-1|-1": false, "0|0|0|2": false,
	} {
		r := mended(t)[0]
		for i, value := range strings.Split(text, "|") {
			r.set(vTelemedicine+i, value)
		}
		if found := checker.Row(&r, 1); (len(found) == 0) != valid {
			t.Errorf("%s: %+v", text, found)
		}
	}
}
