package pages

import (
	"io/fs"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTexts holds that both languages say the same things, with the same gaps to fill.
func TestTexts(t *testing.T) {
	gaps := regexp.MustCompile(`%[a-z]`)
	es, en := slices.Sorted(maps.Keys(texts["es"])), slices.Sorted(maps.Keys(texts["en"]))
	if !slices.Equal(es, en) {
		t.Fatalf("the keys differ:\n%v\n%v", es, en)
	}
	for _, k := range es {
		a, b := texts["es"][k], texts["en"][k]
		if a == "" || b == "" || !slices.Equal(gaps.FindAllString(a, -1), gaps.FindAllString(b, -1)) {
			t.Errorf("%s: %q and %q", k, a, b)
		}
	}
}

// TestTemplatesNameTexts holds that every text that a template asks for is there.
func TestTemplatesNameTexts(t *testing.T) {
	asks := regexp.MustCompile(`\.T "([^"]+)"`)
	n := 0
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".html") {
			return err
		}
		text, err := fs.ReadFile(files, name)
		for _, m := range asks.FindAllStringSubmatch(string(text), -1) {
			n++
			if _, ok := texts["es"][m[1]]; !ok {
				t.Errorf("%s asks for %q", name, m[1])
			}
		}
		if strings.Contains(string(text), "<script>") || regexp.MustCompile(`\son[a-z]+=|\sstyle=`).Match(text) {
			t.Errorf("%s has a script or a style of its own, which its Content-Security-Policy forbids", name)
		}
		return err
	})
	if err != nil || n < 50 {
		t.Errorf("%d texts are asked for, %v", n, err)
	}
}

func TestLanguage(t *testing.T) {
	for _, c := range []struct{ url, cookie, accept, want string }{
		{"/", "", "", "es"}, {"/", "", "en-GB,en;q=0.8", "en"}, {"/", "", "fr, en;q=0.5", "en"}, {"/", "", "de", "es"},
		{"/", "", "es-MX, en;q=0.9", "es"}, {"/", "en", "es", "en"}, {"/?lang=es", "en", "en", "es"}, {"/?lang=xx", "", "en", "en"},
		{"/", "<script>", "en;;q=x,,", "es"},
	} {
		r := httptest.NewRequest("GET", c.url, nil)
		r.Header.Set("Accept-Language", c.accept)
		if c.cookie != "" {
			r.Header.Set("Cookie", languageCookie+"="+c.cookie)
		}
		if got := Language(r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestPageEscapes holds that what others have named cannot become part of a page.
func TestPageEscapes(t *testing.T) {
	w := httptest.NewRecorder()
	p := &Page{Heading: "error-title", Body: struct{ Text, Detail, Link, LinkText string }{`<script>alert(1)</script>`, `"><img src=x>`, "javascript:alert(1)", "x"}}
	if err := p.Write(w, httptest.NewRequest("GET", "/x?lang=en&a=%22%3E%3Cscript%3E", nil), 400, "message"); err != nil {
		t.Fatal(err)
	}
	body := w.Body.String()
	for _, bad := range []string{"<script>alert", "<img src=x", `href="javascript`, `"><script`} {
		if strings.Contains(body, bad) {
			t.Errorf("the page has %s\n%s", bad, body)
		}
	}
	for _, h := range []string{"Content-Security-Policy", "X-Frame-Options", "Referrer-Policy", "Cache-Control"} {
		if w.Header().Get(h) == "" {
			t.Errorf("there is no %s", h)
		}
	}
	if !strings.Contains(body, `<html lang="en">`) || !strings.Contains(body, "This cannot go on") {
		t.Errorf("the page is not in English:\n%s", body)
	}
}
