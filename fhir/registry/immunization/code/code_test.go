package code_test

import (
	"slices"
	"testing"

	"github.com/amate-health/amate/fhir/registry/immunization/code"
)

func TestCVX(t *testing.T) {
	for _, c := range []struct{ system, code, want string }{
		{code.SystemCVX, "08", "08"},
		{code.SystemCVX, "8", "08"},
		{code.SystemCVX, " 008 ", "08"},
		{"CVX", "146", "146"},
		{"HL70292", "146", "146"},
		{"urn:oid:2.16.840.1.113883.12.292", "03", "03"},
		{"http://terminology.hl7.org/CodeSystem/v2-0292", "03", "03"},
		{code.SystemSNOMED, "836402002", "19"},
		{"SCT", "871895005", "146"},
		{code.SystemSNOMED, "836374004", "45"}, // hepatitis B of any presentation
		{code.SystemATC, "J07AN01", "19"},
		{"ATC", "j07bd52", "03"},
		{code.SystemCVX, "99", ""}, // reserved
		{code.SystemCVX, "", ""},
		{code.SystemCVX, "0", ""},
		{code.SystemCVX, "12345", ""},
		{code.SystemSNOMED, "836495005", ""}, // varicella or zoster
		{code.SystemSNOMED, "836368004", ""}, // any vaccine against bacteria
		{code.SystemMVX, "PMC", ""},
		{"http://loinc.org", "08", ""},
		{"", "08", ""},
	} {
		got, ok := code.CVX(c.system, c.code)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("CVX(%q, %q) = %q, %v, want %q", c.system, c.code, got, ok, c.want)
		}
	}
}

// What a vaccine is written with must be read back as a vaccine against some of the
// same: a translation may lose the presentation, never add a disease.
func TestCodingsComeBack(t *testing.T) {
	back := 0
	for _, v := range code.Vaccines() {
		codings := code.Codings(v.CVX)
		if len(codings) == 0 || codings[0] != (code.Coding{System: code.SystemCVX, Code: v.CVX, Display: v.Name}) {
			t.Fatalf("CVX %s is written %v", v.CVX, codings)
		}
		if v.Name == "" || v.Display == "" {
			t.Errorf("CVX %s has no name", v.CVX)
		}
		for _, c := range codings {
			cvx, ok := code.CVX(c.System, c.Code)
			if !ok || len(v.Antigens) == 0 {
				continue // a class of products, such as J07BM
			}
			back++
			w, _ := code.Lookup(cvx)
			for _, a := range w.Antigens {
				if !slices.Contains(v.Antigens, a) && v.CVX != "28" && v.CVX != "191" {
					t.Errorf("CVX %s (%s) is written %s|%s, which is %s (%s)", v.CVX, v.Name, c.System, c.Code, cvx, w.Name)
				}
			}
		}
	}
	if back < 300 {
		t.Errorf("only %d codes came back", back)
	}
}

func TestTablesAgree(t *testing.T) {
	seen := map[string]bool{}
	for _, v := range code.Vaccines() {
		if seen[v.CVX] {
			t.Errorf("CVX %s is there twice", v.CVX)
		}
		seen[v.CVX] = true
		for _, a := range v.Antigens {
			if _, ok := code.LookupAntigen(a); !ok {
				t.Errorf("CVX %s holds %q, which is no antigen", v.CVX, a)
			}
		}
		if !slices.Contains([]code.Status{code.Active, code.Inactive, code.NonUS, code.Never}, v.Status) {
			t.Errorf("CVX %s has the status %q", v.CVX, v.Status)
		}
	}
	// All of Mexico's schedule, with what was given in its past.
	for _, cvx := range []string{"19", "08", "146", "119", "116", "133", "216", "215", "141", "150", "140", "88", "213", "309", "312", "03", "83", "01",
		"62", "165", "09", "04", "43", "115", "305", "33", "21", "120", "110", "20", "45", "85", "94", "137", "122", "17", "10", "208", "198", "02", "178", "100", "177"} {
		v, ok := code.Lookup(cvx)
		if !ok || len(v.Antigens) == 0 || len(code.Diseases(cvx)) == 0 {
			t.Errorf("CVX %s is %+v", cvx, v)
		}
	}
	if d := code.Diseases("146"); len(d) != 6 || d[0].Code != "397430003" {
		t.Errorf("hexavalent vaccine is against %v", d)
	}
	if d := code.Diseases("316"); len(d) != 1 {
		t.Errorf("two antigens of one disease: %v", d)
	}
}

func TestMakers(t *testing.T) {
	if m, ok := code.LookupMaker(" pmc"); !ok || m.Name != "Sanofi Pasteur" {
		t.Errorf("PMC is %v", m)
	}
	if m, ok := code.LookupMaker("ZZZ"); ok {
		t.Errorf("ZZZ is %v", m)
	}
}
