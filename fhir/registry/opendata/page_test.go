package opendata

import (
	"bytes"
	"context"
	"os"
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
