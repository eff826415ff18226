package opendata

import (
	"encoding/json"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir/table"
)

// lower begins a text with a small letter.
func lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

// Entry is a line of a data dictionary: a column, or one of its codes.
type Entry struct {
	Column string `json:"column"`
	Type   string `json:"type"`
	Code   string `json:"code,omitempty"`
	Parent string `json:"parent,omitempty"` // code of which it is a part
	Text
}

// dictionary writes what the columns and their codes mean, for people and for programs.
func (w *writing) dictionary() error {
	entries := w.entries()
	columns := []table.Column{
		{Name: "columna", Type: "string"}, {Name: "tipo", Type: "string"}, {Name: "codigo", Type: "string"}, {Name: "parte_de", Type: "string"},
		{Name: "es", Type: "string"}, {Name: "en", Type: "string"},
	}
	csv, err := w.file("diccionario.csv", table.CSV.Media, func(to io.Writer) error {
		rows, err := table.CSV.Open(to, columns, table.Options{})
		if err != nil {
			return err
		}
		for _, e := range entries {
			row := []table.Cell{}
			for _, text := range []string{e.Column, e.Type, e.Code, e.Parent, e.Spanish, e.English} {
				row = append(row, table.Cell{Kind: table.String, Text: text})
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
	js, err := w.file("diccionario.json", "application/json", func(to io.Writer) error {
		e := json.NewEncoder(to)
		e.SetIndent("", " ")
		e.SetEscapeHTML(false)
		return e.Encode(map[string]any{
			"dataset": w.set.Name, "title": w.set.Title, "encoding": "UTF-8", "separator": ",", "missing": "",
			"absentRows": Text{"Una combinación que no aparece cuenta cero.", "A combination that is not there counts nobody."}, "entries": entries,
		})
	})
	w.out.Dictionary = []File{csv, js}
	return err
}

func (w *writing) entries() []Entry {
	var all []Entry
	for at, col := range w.out.Columns {
		all = append(all, Entry{Column: col.Name, Type: col.Type, Text: col.Title})
		d := w.c.Family.dimension(col.Name)
		if d < 0 {
			continue
		}
		a := w.c.axes[d]
		used := w.c.used(d)
		for _, n := range a.sorted() {
			if !used[n] {
				continue
			}
			e := Entry{Column: col.Name, Type: "code", Code: a.codes[n], Text: a.titles[n]}
			if p := a.parent[n]; p > 0 {
				e.Parent = a.codes[p]
			}
			w.out.Columns[at].Codes++
			all = append(all, e)
		}
	}
	notes := strings.Fields(noteGone + " " + noteKept)
	meaning := []Text{{"Suprimido para proteger a las personas", "Suppressed to protect people"}, {"El publicado antes", "As published before"}}
	for i, code := range notes {
		all = append(all, Entry{Column: noteName, Type: "code", Code: code, Text: meaning[i]})
	}
	return all
}
