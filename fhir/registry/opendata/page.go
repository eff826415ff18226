package opendata

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed html/page.html
var pageSource string

//go:embed html/page.css
var pageStyle string

var layout = template.Must(template.New("page").Parse(pageSource))

// Policy is the Content-Security-Policy of the pages: their own style sheet, and nothing
// else.
var Policy = func() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}()

// Site is the public pages of what was published.
type Site struct {
	By       Publisher
	Path     string    // of the pages, without a slash at the end: "/datos"
	Releases []Release // newest first; of a period the newest is shown
}

// current returns the newest release of each family and period.
func (s *Site) current() []Release {
	var all []Release
	seen := map[string]bool{}
	sorted := slices.Clone(s.Releases)
	slices.SortStableFunc(sorted, func(x, y Release) int {
		if c := strings.Compare(x.Family, y.Family); c != 0 {
			return c
		}
		if c := strings.Compare(y.Period, x.Period); c != 0 {
			return c
		}
		return y.Number - x.Number
	})
	for _, r := range sorted {
		if !seen[r.Family+"/"+r.Period] {
			seen[r.Family+"/"+r.Period] = true
			all = append(all, r)
		}
	}
	return all
}

// Page returns the page at a path below that of the site, "" for the list; lang is "en", or
// Spanish for everything else. It is false where there is none.
func (s *Site) Page(path, lang string) ([]byte, bool) {
	v := &pageView{Site: s, Lang: "es-MX", path: path}
	if lang == "en" {
		v.Lang = "en"
	}
	switch {
	case path == "":
		v.All = s.current()
	case path == methodPath:
		v.Method = true
	default:
		if !v.find(path) {
			return nil, false
		}
	}
	var b bytes.Buffer
	if err := layout.Execute(&b, v); err != nil {
		panic(fmt.Sprintf("opendata: %v", err)) // the page is part of the program
	}
	return b.Bytes(), true
}

const methodPath = "metodologia"

// pageView is what a page is filled with.
type pageView struct {
	*Site
	Lang    string
	All     []Release // of the list
	Method  bool
	Release *Release
	Set     *Released

	path string
}

func (v *pageView) find(path string) bool {
	parts := strings.Split(path, "/")
	if len(parts) != 3 {
		return false
	}
	for _, r := range v.current() {
		if r.Family != parts[0] || r.Period != parts[1] {
			continue
		}
		for i := range r.Sets {
			if r.Sets[i].Name == parts[2] {
				v.Release, v.Set = &r, &r.Sets[i]
				return true
			}
		}
	}
	return false
}

// CSS is the style sheet, which is our own.
func (v *pageView) CSS() template.CSS { return template.CSS(pageStyle) }

// Say returns a text of the table.
func (v *pageView) Say(key string) string { return v.In(pageTexts[key]) }

// In returns a text in the language of the page.
func (v *pageView) In(t Text) string { return t.In(v.Lang) }

func (v *pageView) lang() string { return v.Lang[:2] }

// URL is that of a page, in the language of this one.
func (v *pageView) URL(parts ...string) string {
	return strings.TrimSuffix(v.Path+"/"+strings.Join(parts, "/"), "/") + "/?lang=" + v.lang()
}

// FileURL is that of a file.
func (v *pageView) FileURL(name string) string { return v.Path + "/archivos/" + name }

// Title is the heading of the page.
func (v *pageView) Title() string {
	switch {
	case v.Set != nil:
		return v.In(v.Set.Title) + ", " + v.Release.Period
	case v.Method:
		return v.Say("method")
	}
	return v.Say("list")
}

type languageChoice struct {
	Code, Name, URL string
	Current         bool
}

// Languages lists the languages, each with this page in it.
func (v *pageView) Languages() []languageChoice {
	at := strings.TrimSuffix(v.Path+"/"+v.path, "/") + "/?lang="
	return []languageChoice{{"es-MX", "Español", at + "es", v.Lang != "en"}, {"en", "English", at + "en", v.Lang == "en"}}
}

// License is where the terms are.
func (v *pageView) License() string { return v.By.license() }

// LicenseName is what the terms are called: those of which no name is known go by their
// URL.
func (v *pageView) LicenseName() string {
	if v.License() == LibreUso {
		return "Libre Uso MX"
	}
	return v.License()
}

// Day writes a day.
func (v *pageView) Day(t time.Time) string {
	if v.Lang == "en" {
		return t.Format("2 January 2006")
	}
	return fmt.Sprintf("%d de %s de %d", t.Day(), months[t.Month()-1].Spanish, t.Year())
}

// Size writes bytes for people.
func (v *pageView) Size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// Kind names a format of files.
func (v *pageView) Kind(f File) string {
	return strings.ToUpper(f.Name[strings.LastIndexByte(f.Name, '.')+1:])
}

// Number writes a count with its thousands apart.
func (v *pageView) Number(text string) string {
	whole, rest, _ := strings.Cut(text, ".")
	if _, err := strconv.Atoi(whole); err != nil {
		return text
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return whole
}

// Cell writes a cell of a preview.
func (v *pageView) Cell(column, text string) string {
	if text == "" && column != noteName {
		return "–"
	}
	return text
}

// Bar is a bar of a chart, in units of its picture.
type Bar struct {
	Label, Text        string
	Y, TextY, W, TextX int
	Hidden             bool
}

// Sizes of a chart.
const (
	chartWide, chartLabel, chartBar, chartRow = 640, 230, 330, 26
)

// Bars lays out a chart.
func (v *pageView) Bars(f Figure) []Bar {
	most := 0.0
	for _, p := range f.Points {
		most = max(most, p.Value)
	}
	all := make([]Bar, len(f.Points))
	for i, p := range f.Points {
		w := 0
		if most > 0 {
			w = int(p.Value / most * chartBar)
		}
		label := []rune(v.In(p.Label))
		if len(label) > 32 {
			label = append(label[:31], '…')
		}
		all[i] = Bar{Label: string(label), Text: v.Number(p.Text), Y: i*chartRow + 3, TextY: i*chartRow + 18, W: max(w, 1), TextX: chartLabel + w + 8, Hidden: p.Hidden}
		if p.Hidden {
			all[i].Text = v.Say("hidden")
			all[i].TextX = chartLabel + 8
		}
	}
	return all
}

// Height is that of a chart.
func (v *pageView) Height(f Figure) int { return len(f.Points)*chartRow + 4 }
