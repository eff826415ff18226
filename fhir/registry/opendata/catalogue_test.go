package opendata

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestCatalogue: every file is described, with its sum, and every term is of the vocabulary.
func TestCatalogue(t *testing.T) {
	s, files := site(t)
	raw, err := s.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	terms := c["@context"].(map[string]any)
	sums := map[string]string{}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			if url, ok := v["dcat:downloadURL"].(map[string]any); ok {
				sums[url["@id"].(string)] = v["spdx:checksum"].(map[string]any)["spdx:checksumValue"].(map[string]any)["@value"].(string)
			}
			for name, one := range v {
				prefix, _, _ := strings.Cut(name, ":")
				if !strings.HasPrefix(name, "@") && terms[prefix] == nil {
					t.Errorf("%s is no term", name)
				}
				if name != "@context" {
					walk(one)
				}
			}
		}
	}
	walk(c)
	for i := range s.Releases {
		for _, f := range s.Releases[i].Files() {
			if sums["https://example.org/datos/archivos/"+f.Name] != f.SHA256 || int64(files[f.Name].Len()) != f.Bytes {
				t.Errorf("%s is not described as it is", f.Name)
			}
		}
	}
	if out := os.Getenv("AMATE_TEST_PAGES"); out != "" {
		_ = os.WriteFile(filepath.Join(out, "catalogo.jsonld"), raw, 0o644)
	}
	if !bytes.Contains(raw, []byte(LibreUso)) {
		t.Error("there is no licence")
	}
	expand(t, raw)
}

// expand has a JSON-LD processor read the catalogue as RDF, where Python has one.
func expand(t *testing.T, raw []byte) {
	t.Helper()
	script := `import sys, rdflib
g = rdflib.Graph().parse(data=sys.stdin.read(), format="json-ld")
D = "http://www.w3.org/ns/dcat#"
print(len(set(g.subjects(rdflib.RDF.type, rdflib.URIRef(D + "Dataset")))), len(set(g.subjects(rdflib.RDF.type, rdflib.URIRef(D + "Distribution")))))`
	cmd := exec.Command("python3", "-c", script)
	cmd.Stdin = bytes.NewReader(raw)
	out, err := cmd.Output()
	if err != nil {
		t.Log("SKIPPED: the catalogue is not read as RDF: python3 with rdflib is not there")
		return
	}
	if got := strings.TrimSpace(string(out)); got != "2 16" {
		t.Errorf("as RDF there are %s datasets and distributions, want 2 16", got)
	}
}

// entry is one object of the catalogue.
type entry map[string]any

// under returns the objects of a property, whether there is one or a list of them.
func (e entry) under(name string) (all []entry) {
	switch v := e[name].(type) {
	case map[string]any:
		return []entry{v}
	case []any:
		for _, one := range v {
			if o, ok := one.(map[string]any); ok {
				all = append(all, o)
			}
		}
	}
	return all
}

// said returns what a property says in a language, or in none for "".
func (e entry) said(name, lang string) string {
	for _, o := range e.under(name) {
		if have, _ := o["@language"].(string); have == lang {
			text, _ := o["@value"].(string)
			return text
		}
	}
	return ""
}

// at returns the id that a property refers to.
func (e entry) at(name string) string {
	for _, o := range e.under(name) {
		id, _ := o["@id"].(string)
		return id
	}
	return ""
}

// TestCatalogueSaysAll: the catalogue, each dataset and each file has all that DCAT-AP makes
// mandatory, and all that it recommends and this server knows.
//
// See https://semiceu.github.io/DCAT-AP/releases/3.0.0/.
func TestCatalogueSaysAll(t *testing.T) {
	s, _ := site(t)
	earlier := s.Releases[0]
	earlier.Number, earlier.Issued = 0, earlier.Issued.AddDate(0, -1, 0)
	s.Releases = append(s.Releases, earlier)
	raw, err := s.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	var c entry
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	has := func(what string, e entry, names ...string) {
		t.Helper()
		for _, name := range names {
			if len(e.under(name)) == 0 && e[name] == nil {
				t.Errorf("%s has no %s", what, name)
			}
		}
	}
	has("the catalogue", c, "dct:title", "dct:description", "dct:publisher", "foaf:homepage", "dct:language", "dct:license", "dct:issued", "dct:modified", "dct:spatial", "dcat:themeTaxonomy", "dcat:dataset")
	if c.said("dct:title", "es") == "" || c.said("dct:description", "es") == "" || c.under("dct:publisher")[0].said("foaf:name", "es") != "Secretaría de Salud" {
		t.Error("the catalogue does not say in Spanish what it is, and whose")
	}
	if first, last := c.said("dct:issued", ""), c.said("dct:modified", ""); first != "2026-02-01T12:00:00Z" || last != "2026-03-01T12:00:00Z" {
		t.Errorf("the catalogue is of %s to %s", first, last)
	}
	sets := c.under("dcat:dataset")
	if len(sets) != 2 {
		t.Fatalf("%d datasets", len(sets))
	}
	for _, d := range sets {
		id, _ := d["@id"].(string)
		has(id, d, "dct:title", "dct:description", "dcat:contactPoint", "dcat:distribution", "dcat:keyword", "dct:publisher", "dct:spatial", "dct:temporal", "dcat:theme",
			"dct:identifier", "dct:issued", "dct:modified", "dct:accrualPeriodicity", "dct:accessRights", "dct:language", "dct:provenance", "dcat:landingPage", "dcat:version")
		if d.said("dct:title", "es") == "" || d.said("dct:description", "es") == "" || d.at("dct:spatial") != mexico || d.at("dcat:theme") != health || d.at("dct:accrualPeriodicity") != authority+"frequency/ANNUAL" {
			t.Errorf("%s is not as it was published", id)
		}
		when := d.under("dct:temporal")[0]
		if from, until := when.said("dcat:startDate", ""), when.said("dcat:endDate", ""); from != "2025-01-01" || until != "2025-12-31" {
			t.Errorf("%s is of %s to %s", id, from, until)
		}
		if kinds, _ := json.Marshal(d.under("dcat:contactPoint")[0]["@type"]); !strings.Contains(string(kinds), `"vcard:Kind"`) {
			t.Errorf("who can be asked is %s", kinds) // without an ontology nobody knows that Organization is one
		}
		for _, f := range d.under("dcat:distribution") {
			id, _ := f["@id"].(string)
			has(id, f, "dcat:accessURL", "dcat:downloadURL", "dct:title", "dct:description", "dcat:mediaType", "dct:format", "dcat:byteSize", "spdx:checksum", "dct:license", "dct:issued", "dcatap:availability")
			media := strings.TrimPrefix(f.at("dcat:mediaType"), "http://www.iana.org/assignments/media-types/")
			forms := map[string]string{".csv": "text/csv CSV", ".parquet": "application/vnd.apache.parquet PARQUET", ".json": "application/json JSON"}
			if want := forms[filepath.Ext(id)]; want == "" || media+" "+filepath.Base(f.at("dct:format")) != want {
				t.Errorf("%s is %s, %s", id, media, f.at("dct:format"))
			}
			sum := f.under("spdx:checksum")[0]
			size, err := strconv.Atoi(f.said("dcat:byteSize", ""))
			if f.at("dct:license") != LibreUso || err != nil || size <= 0 || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(sum.said("spdx:checksumValue", "")) || sum.at("spdx:algorithm") != "http://spdx.org/rdf/terms#checksumAlgorithm_sha256" {
				t.Errorf("%s: %v", id, f)
			}
			if !strings.HasPrefix(f.said("dct:description", "es"), d.said("dct:title", "es")+". ") {
				t.Errorf("%s is described as %s", id, f.said("dct:description", "es"))
			}
		}
	}
}

// TestCatalogueInOneLanguage: what is defined in Spanish alone is described in it, and who
// has no address is not asked.
func TestCatalogueInOneLanguage(t *testing.T) {
	f := family(t, smallFamily)
	c, err := Aggregate(t.Context(), f, source([]group{{"14039", "2025-01-05", "M", "25", "true", 200}, {"14039", "2025-01-05", "H", "25", "false", 210}}), span(f))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Protect(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Write(t.Context(), c, p, 1, issued, disk{}.create)
	if err != nil {
		t.Fatal(err)
	}
	s := &Site{By: Publisher{Name: "Registro", Base: "https://example.org/datos", License: "https://creativecommons.org/licenses/by/4.0/"}, Path: "/datos", Releases: []Release{*r}}
	raw, err := s.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	var all entry
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for _, d := range all.under("dcat:dataset") {
		if title := d.said("dct:title", "en"); title != "" || !slices.Contains([]string{"Uno, 2025", "Dos, 2025"}, d.said("dct:title", "es")) || d["dcat:contactPoint"] != nil {
			t.Errorf("in English it is %q: %v", title, d["dct:title"])
		}
	}
	if bytes.Contains(raw, []byte(`"@value": ""`)) || bytes.Contains(raw, []byte(LibreUso)) {
		t.Error("something says nothing, or has a licence that was not given")
	}
	if page, ok := s.Page("small/2025/one", "es"); !ok || bytes.Contains(page, []byte("Libre Uso")) || !bytes.Contains(page, []byte(">https://creativecommons.org/licenses/by/4.0/</a>")) {
		t.Error("the page does not name the licence that was given")
	}
}
