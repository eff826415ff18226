package opendata

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Text is said in the two languages of the pages and dictionaries.
type Text struct {
	Spanish string `json:"es"`
	English string `json:"en"`
}

// In returns t in a language: "en", or Spanish for everything else.
func (t Text) In(lang string) string {
	if lang == "en" && t.English != "" {
		return t.English
	}
	return t.Spanish
}

// and returns t with more after it, in the languages that both have.
func (t Text) and(separator string, more Text) Text {
	out := Text{Spanish: t.Spanish + separator + more.Spanish}
	if t.English != "" && more.English != "" {
		out.English = t.English + separator + more.English
	}
	return out
}

// Family defines the datasets of one population, which are protected together.
type Family struct {
	Name   string `json:"name"`   // "births"; in paths
	Source string `json:"source"` // name of the rows that it counts
	Unit   Text   `json:"unit"`   // what a row is: "nacimientos"

	Period string `json:"period"` // column of the date by which a row belongs to a period
	Every  string `json:"every"`  // "year" or "month": what a release covers
	Settle int    `json:"settle"` // days after the end of a period before it is published

	K       int `json:"k"`       // people that a cell must count to be shown; 0 is DefaultK
	Margin  int `json:"margin"`  // by how much at least a hidden cell may be larger; 0 is half of K
	Rounded int `json:"rounded"` // base to which counts are rounded; 0 and 1 leave them

	Person       string `json:"person"`       // column of whom a row is of; "" where each is of somebody else
	Contributor  string `json:"contributor"`  // column of who contributed a row, such as a facility; "" for none
	Contributors int    `json:"contributors"` // how many a cell must have; 0 is 3 where Contributor is given

	Dimensions []Dimension `json:"dimensions"`
	Measures   []Measure   `json:"measures"`
	Datasets   []Dataset   `json:"datasets"`
}

// DefaultK is the number of people that a cell must count to be shown.
const DefaultK = 11

// Kinds of dimensions.
const (
	Code  = "code"  // one of Codes, or not known
	Place = "place" // state > municipality, by their INEGI keys in one column of two or five digits
	Month = "month" // of a date
	Band  = "band"  // of a number
)

// Dimension is a way to divide a population.
type Dimension struct {
	Name   string `json:"name"`
	Title  Text   `json:"title"`
	Kind   string `json:"kind"`
	Column string `json:"column"`

	// Bands are the numbers that begin each band but the first, in their order; the last
	// one is open, so that the few above it are not told apart.
	Bands []float64 `json:"bands,omitempty"`
	Unit  Text      `json:"unit,omitzero"` // of Bands: "g"

	Codes []Coded `json:"codes,omitempty"` // of Code
}

// Coded is one value of a dimension, and what of the rows it stands for.
type Coded struct {
	Code   string   `json:"code"`
	Title  Text     `json:"title"`
	Values []string `json:"values,omitempty"` // what the column says; Code itself when left out
}

// Kinds of measures.
const (
	Count = "count" // of rows
	Sum   = "sum"   // of a column
	Mean  = "mean"  // of a column
	Rate  = "rate"  // how many rows of a hundred have true in a column
)

// Measure is what a table says of each cell beside its count.
type Measure struct {
	Name     string  `json:"name"`
	Title    Text    `json:"title"`
	Kind     string  `json:"kind"`
	Column   string  `json:"column,omitempty"`
	Unit     string  `json:"unit,omitempty"`
	Decimals int     `json:"decimals,omitempty"`
	Share    float64 `json:"share,omitempty"` // of Sum: part of it that one contributor may have at most; 0 is 0.8
}

// Dataset is what is published under one title.
type Dataset struct {
	Name        string   `json:"name"` // in paths
	Title       Text     `json:"title"`
	Description Text     `json:"description"`
	Keywords    []Text   `json:"keywords"`
	Measures    []string `json:"measures"` // names; nil for the count alone
	Tables      []Table  `json:"tables"`
}

// Table is one cross of dimensions with all of its margins.
type Table struct {
	Name  string   `json:"name"` // in the names of files
	Title Text     `json:"title"`
	By    []string `json:"by"` // names of dimensions; "place@state" ends at a level

	Chart string `json:"chart,omitempty"` // dimension that is drawn, over all of the others
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// columnForm is of names that become columns of files.
var columnForm = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// ParseFamily reads a definition in JSON, and checks it. Errors: fhir.Invalid.
func ParseFamily(raw []byte) (*Family, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	f := new(Family)
	if err := d.Decode(f); err != nil {
		return nil, fhir.Errorf(fhir.Invalid, "a family of datasets is not in its form").With("%v", err)
	}
	if f.K == 0 {
		f.K = DefaultK
	}
	if f.Margin == 0 {
		f.Margin = (f.K + 1) / 2
	}
	if f.Rounded == 0 {
		f.Rounded = 1
	}
	if f.Contributor != "" && f.Contributors == 0 {
		f.Contributors = 3
	}
	return f, f.check()
}

// check refuses a definition that cannot be carried out, or not safely.
func (f *Family) check() error {
	bad := func(format string, args ...any) error {
		return fhir.Errorf(fhir.Invalid, "a family of datasets cannot be published as it is defined").With(format, args...)
	}
	if !nameForm.MatchString(f.Name) || f.Source == "" || f.Period == "" {
		return bad("it needs a name of small letters, digits and hyphens, a source and the column of its period; the name is %.60q", f.Name)
	}
	if f.K < 3 || f.Margin < 1 || f.Settle < 0 || f.Rounded < 1 || f.Rounded > f.K {
		return bad("%s: k is 3 at least, margin is 1 at least, and rounded is 1 to k", f.Name)
	}
	if f.Every != "year" && f.Every != "month" {
		return bad("%s: every is year or month, not %.40q", f.Name, f.Every)
	}
	columns := map[string]bool{"nota": true, "casos": true}
	claim := func(name string) bool {
		ok := columnForm.MatchString(name) && !columns[name]
		columns[name] = true
		return ok
	}
	for i := range f.Dimensions {
		d := &f.Dimensions[i]
		if !claim(d.Name) || d.Column == "" || d.Title.Spanish == "" {
			return bad("%s: dimension %.60q needs a name of its own, of small letters, a column and a title", f.Name, d.Name)
		}
		if fault := d.fault(); fault != "" {
			return bad("%s: dimension %s %s", f.Name, d.Name, fault)
		}
	}
	for i := range f.Measures {
		m := &f.Measures[i]
		if !claim(m.Name) || !slices.Contains([]string{Sum, Mean, Rate}, m.Kind) || m.Column == "" {
			return bad("%s: measure %.60q needs a name of its own, a column, and a kind: sum, mean or rate", f.Name, m.Name)
		}
	}
	return f.checkDatasets(bad)
}

// fault says what is wrong with a dimension; "" for nothing.
func (d *Dimension) fault() string {
	switch d.Kind {
	case Place, Month:
	case Band:
		if len(d.Bands) == 0 || !slices.IsSorted(d.Bands) {
			return "needs bands in their order"
		}
	case Code:
		seen := map[string]bool{unknown: true, total: true, "": true}
		for _, c := range d.Codes {
			if seen[c.Code] {
				return "has a code twice, or one that is kept for the total and for what is not known"
			}
			seen[c.Code] = true
		}
		if len(d.Codes) == 0 {
			return "needs codes"
		}
	default:
		return "is of no kind that there is: code, place, month or band"
	}
	return ""
}

func (f *Family) checkDatasets(bad func(string, ...any) error) error {
	names := map[string]bool{}
	for i := range f.Datasets {
		d := &f.Datasets[i]
		if !nameForm.MatchString(d.Name) || names[d.Name] || d.Title.Spanish == "" || len(d.Tables) == 0 {
			return bad("%s: dataset %.60q needs a name of its own, a title and tables", f.Name, d.Name)
		}
		names[d.Name] = true
		for _, m := range d.Measures {
			if f.measure(m) < 0 {
				return bad("%s: dataset %s has a measure that the family lacks: %.60q", f.Name, d.Name, m)
			}
		}
		tables := map[string]bool{}
		for j := range d.Tables {
			t := &d.Tables[j]
			if !nameForm.MatchString(t.Name) || tables[t.Name] {
				return bad("%s: a table of dataset %s needs a name of its own: %.60q", f.Name, d.Name, t.Name)
			}
			tables[t.Name] = true
			levels, ok := f.levels(t)
			if !ok {
				return bad("%s: table %s of dataset %s is by a dimension that the family lacks: %.100q", f.Name, t.Name, d.Name, strings.Join(t.By, ", "))
			}
			if at := f.dimension(t.Chart); t.Chart != "" && (at < 0 || levels[at] == 0) {
				return bad("%s: table %s draws %.60q, by which it is not", f.Name, t.Name, t.Chart)
			}
		}
	}
	if len(f.Datasets) == 0 {
		return bad("%s: there is no dataset", f.Name)
	}
	return nil
}

func (f *Family) dimension(name string) int {
	return slices.IndexFunc(f.Dimensions, func(d Dimension) bool { return d.Name == name })
}

func (f *Family) measure(name string) int {
	return slices.IndexFunc(f.Measures, func(m Measure) bool { return m.Name == name })
}

// levels returns how deep a table goes in each dimension: 0 is its total alone.
func (f *Family) levels(t *Table) ([]int, bool) {
	levels := make([]int, len(f.Dimensions))
	for _, by := range t.By {
		name, level, given := strings.Cut(by, "@")
		i := f.dimension(name)
		if i < 0 || levels[i] > 0 {
			return nil, false
		}
		names := f.Dimensions[i].levelNames()
		levels[i] = len(names)
		if given {
			levels[i] = slices.Index(names, level) + 1
		}
		if levels[i] == 0 {
			return nil, false
		}
	}
	return levels, true
}

// levelNames are the levels of a dimension below its total.
func (d *Dimension) levelNames() []string {
	if d.Kind == Place {
		return []string{"state", "municipality"}
	}
	return []string{d.Kind}
}

// Span is the period that a release covers.
type Span struct {
	Name        string    // "2025" or "2025-03"
	First, Next time.Time // from, and before
}

// Span reads the name of a period. Errors: fhir.Invalid.
func (f *Family) Span(name string) (Span, error) {
	form := map[string]string{"year": "2006", "month": "2006-01"}[f.Every]
	at, err := time.Parse(form, name)
	if err != nil {
		return Span{}, fhir.Errorf(fhir.Invalid, "a period of this family is a %s, written %s", f.Every, map[string]string{"year": "YYYY", "month": "YYYY-MM"}[f.Every]).With("it is %.40q", name)
	}
	return f.spanOf(at), nil
}

func (f *Family) spanOf(at time.Time) Span {
	if f.Every == "month" {
		first := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
		return Span{first.Format("2006-01"), first, first.AddDate(0, 1, 0)}
	}
	first := time.Date(at.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	return Span{first.Format("2006"), first, first.AddDate(1, 0, 0)}
}

// Last returns the last period that is over and settled at a moment.
func (f *Family) Last(now time.Time) Span {
	s := f.spanOf(now)
	for !f.Settled(s, now) {
		s = f.spanOf(s.First.AddDate(0, 0, -1))
	}
	return s
}

// Settled reports whether a period is over, and its Settle days with it.
func (f *Family) Settled(s Span, now time.Time) bool {
	return !now.Before(s.Next.AddDate(0, 0, f.Settle))
}

// contains reports whether a date, which begins with YYYY-MM, is in a period.
func (s Span) contains(date string) bool { return strings.HasPrefix(date, s.Name) && len(date) >= 7 }
