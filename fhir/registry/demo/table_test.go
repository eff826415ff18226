package demo

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/samples"
)

func TestMunicipalitiesAreThoseOfINEGI(t *testing.T) {
	var all []struct {
		Entity string `json:"cve_entidad"`
		Key    string `json:"cve_municipio"`
		Name   string `json:"nom_municipio"`
	}
	if err := json.Unmarshal(samples.Read(t, samples.Path(t, "terminology", "inegi/municipios_completo.json")), &all); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, m := range all {
		names[m.Entity+m.Key] = m.Name
	}
	for e, entity := range identity.Entities() {
		for _, m := range municipalities[e] {
			if got := names[entity.INEGI+m.key]; got != m.name {
				t.Errorf("%s%s is %q here and %q at INEGI", entity.INEGI, m.key, m.name, got)
			}
		}
	}
}

func TestDiagnosesAreInCIE10(t *testing.T) {
	known := map[string]bool{}
	for line := range strings.Lines(string(samples.Read(t, samples.Path(t, "terminology", "cie10/cie-10-es.csv.gz")))) {
		code, _, _ := strings.Cut(line, ",")
		known[code] = true
	}
	others := []diagnosis{childCheckup, adultCheckup, prenatalCare, vaginalBirth, caesarean, preeclampsia, liveborn, lowWeight}
	for _, list := range [][]diagnosis{chronicDiagnoses, acuteDiagnoses, others} {
		for _, d := range list {
			if !known[strings.ReplaceAll(d.code, ".", "")] { // the file writes codes without their point
				t.Errorf("%s (%s) is no code of CIE-10", d.code, d.name)
			}
		}
	}
}

func TestVaccinesAreInCVX(t *testing.T) {
	known := map[string]bool{}
	for _, m := range regexp.MustCompile(`<CVXCode>\s*(\d+)\s*</CVXCode>`).FindAllSubmatch(samples.Read(t, samples.Path(t, "terminology", "cdc-vaccine/cvx.xml.gz")), -1) {
		known[string(m[1])] = true
	}
	for _, v := range []vaccine{bcg, hepB, hexavalent, rota, pcv, flu, mmr, hepA, dtp, hpv, td, tdap, ppv} {
		if !known[v.cvx] {
			t.Errorf("%s (%s) is no CVX code", v.cvx, v.name)
		}
	}
}
