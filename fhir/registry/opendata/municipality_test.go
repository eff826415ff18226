package opendata

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestMunicipalities: a place has its name with that of its state, or its key where the
// catalogue does not have it.
func TestMunicipalities(t *testing.T) {
	a := newAxis("lugar", &Dimension{Name: "lugar", Kind: Place})
	for value, want := range map[string]string{
		"14039": "Guadalajara, Jalisco|Guadalajara, Jalisco",
		"09005": "Gustavo A. Madero, Ciudad de México|Gustavo A. Madero, Ciudad de México",
		"25019": "Eldorado, Sinaloa|Eldorado, Sinaloa",
		"20208": "San Juan Mixtepec (20208), Oaxaca|San Juan Mixtepec (20208), Oaxaca",
		"20209": "San Juan Mixtepec (20209), Oaxaca|San Juan Mixtepec (20209), Oaxaca",
		"14777": "Municipio 14777 (clave del INEGI), Jalisco|Municipality 14777 (key of INEGI), Jalisco",
		"14":    "Municipio no especificado, Jalisco|Municipality not specified, Jalisco",
		"14x39": "Municipio no especificado, Jalisco|Municipality not specified, Jalisco",
		"99001": "Municipio no especificado|Municipality not specified",
		"":      "Municipio no especificado|Municipality not specified",
	} {
		n, err := a.leaf(value)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.titles[n].Spanish + "|" + a.titles[n].English; got != want {
			t.Errorf("%q is %s, want %s", value, got, want)
		}
	}
}

// TestMunicipalitiesAreAllThere: as many as each state has, every title once, and the same
// as in the catalogue where that is at hand.
func TestMunicipalitiesAreAllThere(t *testing.T) {
	byState, titles := map[string]int{}, map[string]string{}
	for key, name := range municipalities() {
		state, ok := entityName(key[:2])
		if !ok || len(key) != 5 || !digits(key) || strings.HasSuffix(key, "999") {
			t.Errorf("%s is no key", key)
		}
		if name != strings.TrimSpace(name) || len(name) < 3 || !utf8.ValidString(name) || strings.ContainsAny(name, "\"\t?|�") {
			t.Errorf("%s has no name: %q", key, name)
		}
		title := municipalityTitle(key, state).Spanish
		if other := titles[title]; other != "" {
			t.Errorf("%s and %s are both %s", key, other, title)
		}
		titles[title] = key
		byState[key[:2]]++
	}
	if len(titles) != 2478 || len(byState) != 32 || byState["20"] != 570 || byState["21"] != 217 || byState["09"] != 16 || byState["03"] != 5 || byState["14"] != 125 {
		t.Errorf("%d municipalities of %d states: %v", len(titles), len(byState), byState)
	}
	raw, err := os.ReadFile("../../../../shared/data/terminology/inegi/municipios_completo.json")
	if err != nil {
		t.Log("SKIPPED: the names are not compared with the catalogue, which is not there")
		return
	}
	var all []struct {
		Key  string `json:"cve_completa"`
		Name string `json:"nom_municipio"`
	}
	if err := json.Unmarshal(raw, &all); err != nil || len(all) != len(titles) {
		t.Fatal(len(all), err)
	}
	for _, one := range all {
		if got, _, _ := strings.Cut(municipalities()[one.Key], " ("); got != one.Name {
			t.Errorf("%s is %s, want %s", one.Key, got, one.Name)
		}
	}
}
