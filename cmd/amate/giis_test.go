package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/record/giis"
	"github.com/amate-health/amate/store/storetest"
)

// The facility of the tests, and another of the same institution.
const (
	giisHome  = "DFSSA003966"
	giisOther = "DFSSA003967"
)

// giisFill stores two facilities with visits of October 2026: two at home, one of which
// lacks a diagnosis, and one elsewhere.
func giisFill(s *rightsScene) {
	s.Helper()
	put := func(typ, id, members string) {
		s.Helper()
		s.must(http.StatusCreated, "system", "PUT", typ+"/"+id, fmt.Sprintf(`{"resourceType":%q,"id":%q,%s}`, typ, id, members))
	}
	for id, clues := range map[string]string{"h": giisHome, "o": giisOther} {
		put("Organization", id, `"name":"Centro de Salud","identifier":[{"system":"urn:oid:2.16.840.1.113883.4.631","value":"`+clues+`"}]`)
	}
	put("Practitioner", "d", `"identifier":[{"system":"urn:oid:2.16.840.1.113883.4.629","value":"ROAA820129MGRDLL03"}],"name":[{"family":"Rodríguez Álvarez","given":["Alicia"]}]`)
	put("PractitionerRole", "d", `"practitioner":{"reference":"Practitioner/d"},"organization":{"reference":"Organization/h"},"code":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/practitioner-role","code":"doctor"}]}]`)
	put("Patient", "p", `"name":[{"family":"Vargas Gutiérrez","given":["Abigaíl"]}],"gender":"female","birthDate":"1992-03-13","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueAddress":{"state":"Guerrero","country":"MX"}}]`)
	for id, of := range map[string]string{"e1": "h", "e2": "h", "e3": "o"} {
		why := `,"reasonCode":[{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"J02.9"}]}]`
		if id == "e2" {
			why = ""
		}
		put("Encounter", id, `"status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"subject":{"reference":"Patient/p"},"participant":[{"individual":{"reference":"Practitioner/d"}}],"serviceProvider":{"reference":"Organization/`+of+`"},"period":{"start":"2026-10-0`+id[1:]+`T10:00:00-06:00"},"serviceType":{"coding":[{"system":"`+giis.SystemService+`","code":"4"}]}`+why)
		put("Observation", id, `"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"subject":{"reference":"Patient/p"},"encounter":{"reference":"Encounter/`+id+`"},"effectiveDateTime":"2026-10-02","valueQuantity":{"value":72,"unit":"/min","system":"http://unitsofmeasure.org","code":"/min"}`)
	}
}

func newGIISScene(t *testing.T, where []string) *rightsScene {
	s := newRightsScene(t, where)
	for name, args := range map[string][]string{
		"statistics": {"--role", "statistician", "--org", giisHome}, "elsewhere": {"--role", "statistician", "--org", giisOther},
		"statistics-research": {"--role", "statistician", "--org", giisHome, "--purpose", "HRESCH"}, "narrow": {"--role", "statistician", "--org", giisHome, "--scope", "user/Observation.rs"},
	} {
		status, out, errs := amate(append(append([]string{"token"}, args...), where...)...)
		if status != exitDone {
			t.Fatalf("token of %s: %s", name, errs)
		}
		s.tokens[name] = strings.TrimSpace(out)
	}
	giisFill(s)
	return s
}

// TestGIISExport is $giis-export over HTTP on both engines: who gets what, and the same
// file from the command line.
func TestGIISExport(t *testing.T) {
	t.Parallel()
	for name, where := range map[string][]string{
		"sqlite": {"--data", t.TempDir()}, "postgres": {"--data", t.TempDir(), "--database", storetest.EmptyPostgres(t)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newGIISScene(t, where)
			const home = "$giis-export?guide=B015&month=2026-10&clues=" + giisHome
			for who, want := range map[string]int{"system": 200, "statistics": 200, "elsewhere": 403, "clinician": 403, "nurse": 403, "researcher": 403, "auditor": 403,
				"administrator": 403, "patient": 403, "guardian": 403, "officer": 403, "statistics-research": 403, "narrow": 422} {
				if status, body := s.do(who, "GET", home, ""); status != want || want != 200 && strings.Contains(body, "ABIGAIL") {
					t.Errorf("%s: %d, want %d\n%.300s", who, status, want, body)
				}
			}
			giisReport(s, home)
			file := giisFile(s, home)
			if status, body := s.do("elsewhere", "GET", "Observation/e1", ""); status == http.StatusOK {
				t.Errorf("a statistician reads of another facility: %s", body)
			}
			for query, want := range map[string]int{
				"clues=" + giisHome: 400, "month=2026-10": 400, "clues=" + giisHome + "&month=October": 400, "clues=X&month=2026-10": 400, "clues=" + giisHome + "&month=2026-10&guide=B016": 400,
				"clues=" + giisHome + "&month=2026-10&x=1": 400, "clues=" + giisHome + "&month=2026-10&month=2026-09": 400, "clues=DFSSA999999&month=2026-10": 422, "clues=" + giisHome + "&month=2126-10": 400,
			} {
				if status, body := s.do("system", "GET", "$giis-export?"+query, ""); status != want || !strings.Contains(body, "OperationOutcome") {
					t.Errorf("%s: %d, want %d\n%.300s", query, status, want, body)
				}
			}
			s.p.terminate(t)
			giisCommand(t, where, file)
		})
	}
}

// giisReport holds what is reported of a month with an error.
func giisReport(s *rightsScene, path string) {
	s.Helper()
	var report struct {
		Parameter []struct {
			Name         string
			ValueString  string
			ValueBoolean bool
			ValueInteger int
		}
	}
	body := s.must(http.StatusOK, "statistics", "GET", path, "")
	if err := json.Unmarshal([]byte(body), &report); err != nil {
		s.Fatal(err)
	}
	got := map[string]any{}
	for _, p := range report.Parameter {
		got[p.Name] = fmt.Sprint(p.ValueString, p.ValueBoolean, p.ValueInteger)
	}
	if got["name"] != "CEX-DFSSA-2610.TXTfalse 0" || got["made"] != "false 0" || got["rows"] != "false 2" || got["errors"] != "false 2" {
		s.Errorf("the report counts %v\n%s", got, body)
	}
	if !strings.Contains(body, "Encounter/e2") || strings.Contains(body, "Encounter/e3") || strings.Contains(body, "VARGAS") {
		s.Errorf("the report says %s", body)
	}
	s.must(http.StatusUnprocessableEntity, "statistics", "GET", path+"&_format=text/plain", "")
	if csv := s.must(http.StatusOK, "statistics", "GET", path+"&_format=text/csv", ""); !strings.HasPrefix(csv, "line,visit,variable") || strings.Count(csv, "\n") < 3 {
		s.Errorf("as CSV: %s", csv)
	}
}

// giisFile returns the file without the faulty row.
func giisFile(s *rightsScene, path string) string {
	s.Helper()
	file := s.must(http.StatusOK, "statistics", "GET", path+"&faulty=omit&_format=text/plain", "")
	lines := strings.Split(file, "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[1], giisHome+"|142|ROAA820129MGRDLL03|ALICIA|RODRIGUEZ|ALVAREZ|2|0|XXXX999999XXXXXX99|ABIGAIL|VARGAS|GUTIERREZ|13/03/1992|142|12|2|2|") {
		s.Fatalf("the file is %s", file)
	}
	if !strings.Contains(lines[1], "|01/10/2026|4|999|999|0|0|0|72|0|") || !strings.Contains(lines[1], "|J029|") {
		s.Errorf("the row is %s", lines[1])
	}
	return file
}

// giisCommand makes the same file from the command line, and checks it there.
func giisCommand(t *testing.T, where []string, want string) {
	t.Helper()
	out := t.TempDir()
	args := append([]string{"giis", "export", "--clues", giisHome, "--month", "2026-10", "--out", out}, where...)
	if status, said, _ := amate(args...); status != exitFailed || !strings.Contains(said, "43 codigoCIEDiagnostico1: error") {
		t.Errorf("an export with errors: %d, %s", status, said)
	}
	status, said, errs := amate(append(args, "--faulty", "omit", "--report", "json")...)
	if status != exitDone || !json.Valid([]byte(said)) {
		t.Fatalf("export: %d, %s%s", status, said, errs)
	}
	file := filepath.Join(out, "CEX-DFSSA-2610.TXT")
	raw, err := os.ReadFile(file)
	if err != nil || string(raw) != want {
		t.Errorf("%v, the command line made\n%s\nand the API\n%s", err, raw, want)
	}
	if status, said, errs := amate("giis", "check", file); status != exitDone || !strings.Contains(said, "1 rows, 0 errors") {
		t.Errorf("check: %d, %s%s", status, said, errs)
	}
	spoilt := filepath.Join(out, "spoilt.txt")
	if err := os.WriteFile(spoilt, []byte(strings.Replace(want, "|72|", "|720|", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, said, _ := amate("giis", "check", "--report", "csv", spoilt); status != exitFailed || !strings.Contains(said, "31,frecuenciaCardiaca,error,form") {
		t.Errorf("check of a spoilt file: %d, %s", status, said)
	}
	if status, _, _ := amate(append(args, "--default", "nothing=4")...); status != exitUsage {
		t.Errorf("a default of no variable: %d", status)
	}
}
