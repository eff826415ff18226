package giis

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"golang.org/x/text/encoding/charmap"
)

// FileName returns the name of the file of a month: CEX-DFSSA-2410.TXT of the facilities
// of an institution in an entity, as their CLUES begin, in October 2024.
func FileName(clues string, month time.Time) string {
	return "CEX-" + clues[:min(len(clues), 5)] + "-" + month.Format("0601") + ".TXT"
}

var fileName = regexp.MustCompile(`^CEX-([A-Z]{5})-([0-9]{4})\.TXT$`)

// CheckName returns what is wrong with the name of a file, and with rows that are not of
// what it says. Names of other forms are warned of.
func CheckName(name string, rows []Row) []Finding {
	m := fileName.FindStringSubmatch(strings.ToUpper(name))
	if m == nil {
		return []Finding{{Rule: "file-name", Warning: true, Text: "a name like CEX-DFSSA-2410.TXT: guide, entity and institution, year and month"}}
	}
	month, err := time.Parse("0601", m[2])
	if err != nil {
		return []Finding{{Rule: "file-name", Warning: true, Text: "a year and a month at the end of the name"}}
	}
	var out []Finding
	for i := range rows {
		r := &rows[i]
		if at, ok := r.day(vDate); ok && (at.Year() != month.Year() || at.Month() != month.Month()) {
			f := found(r, i+2, vDate, "month", "a visit of the month that the name of the file says")
			f.Warning = true
			out = append(out, f)
		}
		if !strings.HasPrefix(r.at(vCLUES), m[1]) {
			f := found(r, i+2, vCLUES, "file-name", "a facility of the entity and institution that the name of the file says")
			f.Warning = true
			out = append(out, f)
		}
	}
	return out
}

// header is the row of names.
func header() string {
	names := make([]string, Variables)
	for i := range table {
		names[i] = table[i].Header
	}
	return strings.Join(names, "|")
}

// Encode returns a file of rows, in windows-1252. It fails on a value that has no place
// in a file: a separator, a line break, or a character outside of windows-1252.
func Encode(rows []Row) ([]byte, error) {
	out := []byte(header() + "\n")
	for i := range rows {
		for n, value := range rows[i] {
			if n > 0 {
				out = append(out, '|')
			}
			for _, r := range value {
				b, ok := charmap.Windows1252.EncodeRune(r)
				if !ok || r == '|' || r < ' ' || r == 0x7F {
					return nil, fmt.Errorf("giis: row %d: %s has a character that a file cannot hold", i+1, table[n].Name)
				}
				out = append(out, b)
			}
		}
		out = append(out, '\n')
	}
	return out, nil
}

// Errors of Decode.
var (
	errEmpty = errors.New("giis: the file is empty")
	errUTF8  = errors.New("giis: the file begins with a mark of Unicode: it is to be in windows-1252")
)

// Decode reads a file. What keeps a line from being a row is among the findings, and the
// line is left out; lines gives the number of each row's line.
func Decode(file []byte) (rows []Row, lines []int, findings []Finding, err error) {
	switch {
	case len(bytes.TrimSpace(file)) == 0:
		return nil, nil, nil, errEmpty
	case bytes.HasPrefix(file, []byte("\xEF\xBB\xBF")), bytes.HasPrefix(file, []byte("\xFF\xFE")), bytes.HasPrefix(file, []byte("\xFE\xFF")):
		return nil, nil, nil, errUTF8
	}
	text, err := charmap.Windows1252.NewDecoder().Bytes(file)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("giis: %w", err)
	}
	for i, line := range strings.Split(strings.TrimRight(string(text), "\r\n"), "\n") {
		line = strings.TrimSuffix(line, "\r")
		values := strings.Split(line, "|")
		switch {
		case len(values) != Variables:
			findings = append(findings, Finding{Line: i + 1, Rule: "columns", Text: fmt.Sprintf("%d variables, and there are %d", Variables, len(values))})
		case i == 0:
			findings = append(findings, headerFindings(values)...)
		default:
			rows, lines = append(rows, Row(values)), append(lines, i+1)
		}
	}
	return rows, lines, findings, nil
}

// headerFindings compares the first row of a file with the names of the guide.
func headerFindings(names []string) []Finding {
	var out []Finding
	for i := range table {
		v := &table[i]
		if got := strings.TrimSpace(names[i]); !strings.EqualFold(got, v.Header) && !strings.EqualFold(got, v.Name) {
			out = append(out, Finding{Line: 1, Variable: v.Number, Name: v.Name, Rule: "header", Text: "the name " + v.Header})
		}
	}
	return out
}

// CheckFile checks a file that is called name: each row, and all together.
func (c *Checker) CheckFile(name string, file []byte) (*Report, error) {
	rows, lines, findings, err := Decode(file)
	if err != nil {
		return nil, err
	}
	p := c.Check(rows)
	for i := range p.Findings {
		if at := p.Findings[i].Line; at > 0 {
			p.Findings[i].Line = lines[at-2]
		}
	}
	for _, f := range CheckName(name, rows) {
		if f.Line > 0 {
			f.Line = lines[f.Line-2]
		}
		p.add(f)
	}
	for _, f := range findings {
		p.add(f)
	}
	return p, nil
}
