package opendata

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/table"
)

// Release is what was published of a family for a period: never changed, only followed by
// another one.
type Release struct {
	Family  string     `json:"family"`
	Period  string     `json:"period"`
	Number  int        `json:"number"` // 1 for the first of the period
	Issued  time.Time  `json:"issued"`
	First   time.Time  `json:"first"` // of the period
	Next    time.Time  `json:"next"`  // the day after it
	Every   string     `json:"every"`
	K       int        `json:"k"`
	Margin  int        `json:"margin"`
	Rounded int        `json:"rounded"`
	Unit    Text       `json:"unit"`
	Sets    []Released `json:"datasets"`

	Withdrawn []string `json:"withdrawn,omitempty"` // tables without all of their detail
}

// Released is one dataset of a Release.
type Released struct {
	Name        string           `json:"name"`
	Title       Text             `json:"title"`
	Description Text             `json:"description"`
	Keywords    []Text           `json:"keywords,omitempty"`
	Tables      []ReleasedTable  `json:"tables"`
	Dictionary  []File           `json:"dictionary"`
	Columns     []ReleasedColumn `json:"columns"`
	Figures     []Figure         `json:"figures,omitempty"`
}

// ReleasedTable is one table of it.
type ReleasedTable struct {
	Name    string     `json:"name"`
	Title   Text       `json:"title"`
	Rows    int        `json:"rows"`
	Hidden  int        `json:"hidden"` // rows of which something is hidden
	Files   []File     `json:"files"`
	Columns []string   `json:"columns"`
	Preview [][]string `json:"preview"`
}

// ReleasedColumn is a column of its tables, for the data dictionary.
type ReleasedColumn struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Title Text   `json:"title"`
	Codes int    `json:"codes,omitempty"` // how many values it has, where they are coded
}

// File is one file of a release.
type File struct {
	Name   string `json:"name"` // "births/2025-1/nacimientos/nacimientos-municipio.csv"
	Media  string `json:"media"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hex
}

// Figure is what a chart shows, and the table beside it.
type Figure struct {
	Title  Text    `json:"title"`
	Unit   Text    `json:"unit"`
	Points []Point `json:"points"`
}

// Point is one bar.
type Point struct {
	Label  Text    `json:"label"`
	Value  float64 `json:"value"`
	Text   string  `json:"text"` // as it stands in the table
	Hidden bool    `json:"hidden,omitempty"`
}

// Names of columns, and what stands in that of notes.
const (
	countName = "casos"
	noteName  = "nota"
	noteGone  = "S" // suppressed
	noteKept  = "A" // as published before (anterior)
)

// mostPreview is how many rows a page shows.
const mostPreview = 20

// Create opens a new file of a release.
type Create func(name string) (io.WriteCloser, error)

// Write writes the files of a release. It audits what it writes first.
// Errors: those of Audit; those of create.
func Write(ctx context.Context, c *Cube, p *Protection, number int, issued time.Time, create Create) (*Release, error) {
	if err := Audit(ctx, c, p); err != nil {
		return nil, err
	}
	f := c.Family
	r := &Release{Family: f.Name, Period: c.Span.Name, Number: number, Issued: issued.UTC().Truncate(time.Second), First: c.Span.First, Next: c.Span.Next,
		Every: f.Every, K: f.K, Margin: f.Margin, Rounded: f.Rounded, Unit: f.Unit, Withdrawn: p.Withdrawn}
	for i := range f.Datasets {
		w := &writing{c: c, p: p, set: &f.Datasets[i], create: create, path: f.Name + "/" + c.Span.Name + "-" + strconv.Itoa(number) + "/" + f.Datasets[i].Name + "/"}
		one, err := w.dataset(ctx)
		if err != nil {
			return nil, err
		}
		r.Sets = append(r.Sets, *one)
	}
	return r, nil
}

// writing writes one dataset.
type writing struct {
	c      *Cube
	p      *Protection
	set    *Dataset
	create Create
	path   string
	out    *Released
	seen   map[string]bool // columns that the dictionary has
}

func (w *writing) dataset(ctx context.Context) (*Released, error) {
	w.out = &Released{Name: w.set.Name, Title: w.set.Title, Description: w.set.Description, Keywords: w.set.Keywords}
	w.seen = map[string]bool{}
	for i := range w.set.Tables {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := w.table(&w.set.Tables[i]); err != nil {
			return nil, err
		}
	}
	w.figures()
	return w.out, w.dictionary()
}

// table writes one table in every format.
func (w *writing) table(t *Table) error {
	given, _ := w.c.Family.levels(t)
	columns, axes := w.columns(given)
	out := ReleasedTable{Name: t.Name, Title: t.Title}
	for _, col := range columns {
		out.Columns = append(out.Columns, col.Name)
	}
	for _, format := range []*table.Format{table.CSV, table.Parquet} {
		file, err := w.file(t.Name+format.Ext, format.Media, func(to io.Writer) error {
			rows, err := format.Open(to, columns, table.Options{})
			if err != nil {
				return err
			}
			out.Rows, out.Hidden, out.Preview = 0, 0, nil
			row := make([]table.Cell, len(columns))
			for i := range w.c.cells {
				if !w.c.within(w.c.cells[i].key, given) {
					continue
				}
				w.row(row, int32(i), axes)
				for _, one := range row {
					if resemblesCURP(one.Text) {
						return fhir.Errorf(fhir.Unprocessable, "the datasets are not published: a value looks like a CURP")
					}
				}
				out.Rows++
				if strings.HasSuffix(row[len(row)-1].Text, noteGone) {
					out.Hidden++
				}
				if len(out.Preview) < mostPreview {
					out.Preview = append(out.Preview, texts(row))
				}
				if err := rows.Write(row); err != nil {
					return err
				}
			}
			return rows.Close()
		})
		if err != nil {
			return err
		}
		out.Files = append(out.Files, file)
	}
	w.out.Tables = append(w.out.Tables, out)
	return nil
}

func texts(row []table.Cell) []string {
	out := make([]string, len(row))
	for i := range row {
		out[i] = row[i].Text
	}
	return out
}

// within reports whether a cell belongs to a table that goes so deep, as the count of a row.
func (c *Cube) within(key uint64, levels []int) bool {
	for d, a := range c.axes {
		most := 0
		if d < len(levels) {
			most = levels[d]
		}
		if int(a.depth[a.of(key)]) > most {
			return false
		}
	}
	return true
}

// columns returns the columns of a table, and the axes that it is by.
func (w *writing) columns(levels []int) (all []table.Column, axes []int) {
	add := func(name, typ string, title Text) {
		all = append(all, table.Column{Name: name, Type: typ, Description: title.Spanish})
		if !w.seen[name] {
			w.seen[name] = true
			w.out.Columns = append(w.out.Columns, ReleasedColumn{Name: name, Type: typ, Title: title})
		}
	}
	for d := range w.c.Family.Dimensions {
		if levels[d] > 0 {
			axes = append(axes, d)
			title := w.c.Family.Dimensions[d].Title
			add(w.c.axes[d].name, "string", title)
			add(w.c.axes[d].name+"_nombre", "string", title.and(" ", Text{"(nombre)", "(name, in Spanish)"}))
			add(w.c.axes[d].name+"_name", "string", title.and(" ", Text{"(nombre en inglés)", "(name)"}))
		}
	}
	add(countName, "integer64", Text{"Número de " + w.c.Family.Unit.Spanish, "Number of " + w.c.Family.Unit.English})
	for _, name := range w.set.Measures {
		m := &w.c.Family.Measures[w.c.Family.measure(name)]
		if m.Kind == Rate {
			add(name, "integer64", m.Title)
			add(name+"_tasa", "decimal", Text{m.Title.Spanish + " (por cada 100)", m.Title.English + " (of each 100)"})
			continue
		}
		add(name, "decimal", m.Title)
	}
	add(noteName, "string", Text{"S: algo del renglón se suprimió. A: los casos son los publicados antes, pues desde entonces cambiaron por pocos. AS: ambas.", "S: something of the row is suppressed. A: the number of cases is that published before, for it changed by few since. AS: both."})
	return all, axes
}

// row fills in one row.
func (w *writing) row(row []table.Cell, i int32, axes []int) {
	c := w.c
	one := &c.cells[i]
	n := 0
	put := func(kind table.Kind, text string) {
		row[n] = table.Cell{Kind: kind, Text: text}
		n++
	}
	number := func(text string, shown bool) {
		if !shown {
			put(table.Null, "")
			return
		}
		put(table.Number, text)
	}
	for _, d := range axes {
		node := c.axes[d].of(one.key)
		put(table.String, c.axes[d].codes[node])
		put(table.String, c.axes[d].titles[node].Spanish)
		put(table.String, c.axes[d].titles[node].In("en"))
	}
	count, note := w.value(i)
	number(strconv.FormatInt(count, 10), note != noteGone)
	for _, name := range w.set.Measures {
		at := c.Family.measure(name)
		m := &c.Family.Measures[at]
		if m.Kind == Rate {
			part, partNote := w.part(one.key, name)
			number(strconv.FormatInt(part, 10), partNote != noteGone)
			number(percent(part, count), note == "" && partNote == "" && count > 0)
			if partNote != "" && !strings.HasSuffix(note, noteGone) {
				note += noteGone
			}
			continue
		}
		s := one.sums[slices.Index(c.columns, at)]
		v := s.total
		if m.Kind == Mean {
			v /= float64(max(1, s.n))
		}
		number(strconv.FormatFloat(v, 'f', m.Decimals, 64), note == "" && s.n > 0)
	}
	put(table.String, note)
}

func percent(part, of int64) string {
	return strconv.FormatFloat(100*float64(part)/float64(max(1, of)), 'f', 1, 64)
}

// value returns what is shown of a cell, and the note that goes with it.
func (w *writing) value(i int32) (int64, string) {
	switch w.p.reason[i] {
	case Shown:
		return w.c.Family.round(w.c.cells[i].count), ""
	case Changed:
		return w.c.Family.round(w.p.kept[i]), noteKept
	}
	return 0, noteGone
}

// part returns what is shown of those in a cell who count in a rate.
func (w *writing) part(key uint64, rate string) (int64, string) {
	at, there := w.c.at[w.c.axes[w.c.Family.flag(rate)].with(key, 1)]
	if !there {
		if !w.c.divided(key, rate) {
			return 0, noteGone // its detail was withdrawn
		}
		return 0, ""
	}
	if v, note := w.value(at); note == "" {
		return v, ""
	}
	return 0, noteGone
}

// divided reports whether cells of a kind are divided by a rate.
func (c *Cube) divided(key uint64, rate string) bool {
	levels := c.levelsOf(key)
	levels[c.Family.flag(rate)] = 1
	return slices.ContainsFunc(c.shapes, func(s shape) bool { return slices.Equal(s.levels, levels) })
}

func (f *Family) round(v int64) int64 {
	base := int64(f.Rounded)
	return (v + base/2) / base * base
}

// file writes one file, and says what it is.
func (w *writing) file(name, media string, write func(io.Writer) error) (File, error) {
	f := File{Name: w.path + name, Media: media}
	to, err := w.create(f.Name)
	if err != nil {
		return f, err
	}
	m := &measured{to: to, sum: sha256.New()}
	err = write(m)
	if closed := to.Close(); err == nil {
		err = closed
	}
	f.Bytes, f.SHA256 = m.bytes, hex.EncodeToString(m.sum.Sum(nil))
	return f, err
}

type measured struct {
	to    io.Writer
	sum   hash.Hash
	bytes int64
}

func (m *measured) Write(b []byte) (int, error) {
	n, err := m.to.Write(b)
	m.sum.Write(b[:n])
	m.bytes += int64(n)
	return n, err
}

var curpForm = regexp.MustCompile(`(?i)[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[A-Z0-9][0-9]`)

func resemblesCURP(text string) bool { return len(text) >= 18 && curpForm.MatchString(text) }

// Files returns all files of a release.
func (r *Release) Files() []File {
	var all []File
	for i := range r.Sets {
		for _, t := range r.Sets[i].Tables {
			all = append(all, t.Files...)
		}
		all = append(all, r.Sets[i].Dictionary...)
	}
	return all
}

// Same reports whether two releases of a period hold the same files.
func (r *Release) Same(other *Release) bool {
	return slices.EqualFunc(r.Files(), other.Files(), func(x, y File) bool { return x.SHA256 == y.SHA256 })
}
