package directory

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/amate-health/amate/fhir/registry/identity/match"
)

// table reads a CSV file by the names of its columns, of which several may stand for
// one thing: catalogues of different years call it differently.
type table struct {
	in  *csv.Reader
	at  map[string]int // place of a column by its folded name
	row []string
}

func newTable(r io.Reader, required ...string) (*table, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	if mark, _ := buffered.Peek(3); string(mark) == "\xef\xbb\xbf" {
		_, _ = buffered.Discard(3)
	}
	t := &table{in: csv.NewReader(buffered), at: map[string]int{}}
	t.in.LazyQuotes, t.in.FieldsPerRecord, t.in.TrimLeadingSpace = true, -1, true
	head, err := t.in.Read()
	if err != nil {
		return nil, fmt.Errorf("the header: %w", err)
	}
	for i, name := range head {
		if !utf8.ValidString(name) {
			name, _ = charmap.Windows1252.NewDecoder().String(name)
		}
		t.at[match.Fold(name)] = i
	}
	for _, name := range required {
		if _, ok := t.at[name]; !ok {
			return nil, fmt.Errorf("the header has no column %s; it has %s", name, strings.Join(head, ", "))
		}
	}
	return t, nil
}

// next goes to the next row, and reports whether there is one.
func (t *table) next() (bool, error) {
	row, err := t.in.Read()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	t.row = row
	return err == nil, err
}

// get returns the first of the columns that has a value in this row.
func (t *table) get(names ...string) string {
	for _, name := range names {
		i, ok := t.at[name]
		if !ok || i >= len(t.row) {
			continue
		}
		v := strings.Join(strings.Fields(t.row[i]), " ")
		if !utf8.ValidString(v) {
			v, _ = charmap.Windows1252.NewDecoder().String(v)
		}
		if v != "" && match.Fold(v) != "NO ESPECIFICADO" && match.Fold(v) != "NA" {
			return v
		}
	}
	return ""
}

// line is the line of the file that the row begins on.
func (t *table) line() int {
	line, _ := t.in.FieldPos(0)
	return line
}
