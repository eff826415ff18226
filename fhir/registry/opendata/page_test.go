package opendata

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/amate-health/amate/fhir/table"
)

// published is what the tests of pages look at.
type published struct {
	site  Site
	files disk
}

var once = struct {
	sync.Once
	published
}{}

// someTowns lets the births of a hundred municipalities be of one of them.
func someTowns(s Source) Source {
	return Source{Columns: s.Columns, Rows: func(in Span) Rows {
		return func(ctx context.Context, each func([]table.Cell) error) error {
			return s.Rows(in)(ctx, func(row []table.Cell) error {
				row[0].Text = row[0].Text[:3] + "01"
				return each(row)
			})
		}
	}}
}

// site publishes some births, once for all tests, and returns its pages.
func site(t *testing.T) (*Site, disk) {
	t.Helper()
	once.Do(func() {
		r, files, _, _ := publishBirths(t, birthsFamily(t), someTowns(manyBirths(60_000, 0, 3)), nil, 1)
		by := Publisher{Name: "Secretaría de Salud", Email: "datos@example.org", Base: "https://example.org/datos"}
		once.published = published{Site{By: by, Path: "/datos", Releases: []Release{*r}}, files}
	})
	if once.files == nil {
		t.Fatal("nothing was published")
	}
	s := once.site
	return &s, once.files
}

// TestPages: every link leads somewhere, in both languages, and no script is there.
func TestPages(t *testing.T) {
	s, files := site(t)
	links := regexp.MustCompile(`href="(/datos[^"]*)"`)
	seen := map[string]bool{}
	todo := []string{"/datos/?lang=es"}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		path, query, _ := strings.Cut(strings.TrimPrefix(at, "/datos"), "?")
		path = strings.Trim(path, "/")
		if name, ok := strings.CutPrefix(path, "archivos/"); ok {
			if files[name] == nil {
				t.Errorf("there is no file %s", name)
			}
			continue
		}
		if path == "catalogo.jsonld" {
			continue
		}
		page, ok := s.Page(path, strings.TrimPrefix(query, "lang="))
		if !ok {
			t.Errorf("%s is linked and not there", at)
			continue
		}
		if bytes.Contains(page, []byte("<script")) || bytes.Contains(page, []byte("style=\"")) || anyCURP.Match(page) {
			t.Errorf("%s has what it must not have", at)
		}
		if dir := os.Getenv("AMATE_TEST_PAGES"); dir != "" { // to be looked at
			_ = os.WriteFile(filepath.Join(dir, strings.ReplaceAll(path+"_"+query, "/", "_")+".html"), page, 0o644)
		}
		for _, m := range links.FindAllSubmatch(page, -1) {
			if link := string(m[1]); !seen[link] {
				seen[link] = true
				todo = append(todo, link)
			}
		}
	}
	if len(seen) < 12 {
		t.Errorf("%d links only", len(seen))
	}
	if _, ok := s.Page("nacimientos/2024/nacimientos", "es"); ok {
		t.Error("a page of what was not published")
	}
	empty := &Site{Path: "/datos"}
	if page, ok := empty.Page("", "es"); !ok || !bytes.Contains(page, []byte("Todavía no se ha publicado")) {
		t.Error("nothing is said of an empty catalogue")
	}
}

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
