package sinac

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Writer writes a file in the layout of 2020 and later: CSV in UTF-8, a header, and
// the columns in their order.
type Writer struct{ out *csv.Writer }

// NewWriter returns a Writer that has written the header.
func NewWriter(w io.Writer) (*Writer, error) {
	out := csv.NewWriter(w)
	head := make([]string, columns)
	for c := range columns {
		head[c] = fields[c].name
	}
	return &Writer{out}, out.Write(head)
}

// Write writes a row.
func (w *Writer) Write(r *Row) error { return w.out.Write(r[:]) }

// Close writes what is left.
func (w *Writer) Close() error {
	w.out.Flush()
	return w.out.Error()
}

// Reader reads a file of any published layout: the columns are known by their names, of
// today or of 2017 to 2019, in any order. A column that nobody knows is passed over.
type Reader struct {
	in      *csv.Reader
	at      []int    // column of each place, -1 for none
	Unknown []string // names of columns that are passed over
}

// ErrNoHeader says that a file does not begin with names of columns.
var ErrNoHeader = errors.New("the first line names no columns of SINAC")

// NewReader reads the header. Files in windows-1252 are taken as well as UTF-8.
func NewReader(r io.Reader) (*Reader, error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	if mark, _ := buffered.Peek(3); string(mark) == "\xef\xbb\xbf" {
		_, _ = buffered.Discard(3)
	}
	in := csv.NewReader(buffered)
	in.LazyQuotes, in.ReuseRecord = true, true
	head, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoHeader, err)
	}
	if len(head) == 1 && strings.ContainsAny(head[0], "|;") {
		return nil, fmt.Errorf("%w: the columns must be parted by commas", ErrNoHeader)
	}
	out := &Reader{in: in}
	seen, known := map[Column]bool{}, 0
	for _, name := range head {
		c, ok := Named(strings.ToUpper(strings.TrimSpace(name)))
		if !ok {
			out.Unknown, out.at = append(out.Unknown, strings.Clone(name)), append(out.at, -1)
			continue
		}
		if seen[c] {
			return nil, fmt.Errorf("column %s stands twice", c)
		}
		seen[c] = true
		known++
		out.at = append(out.at, int(c))
	}
	if known < Columns/4 {
		return nil, ErrNoHeader
	}
	return out, nil
}

// Read returns the next row, and io.EOF after the last one. Codes that lost their
// leading zeros get them back.
func (r *Reader) Read() (Row, error) {
	var row Row
	record, err := r.in.Read()
	if err != nil {
		return row, err
	}
	for i, v := range record {
		if i >= len(r.at) || r.at[i] < 0 {
			continue
		}
		if !utf8.ValidString(v) {
			if v, err = charmap.Windows1252.NewDecoder().String(v); err != nil {
				return row, err
			}
		}
		row[r.at[i]] = restore(&fields[r.at[i]], strings.TrimSpace(strings.Clone(v)))
	}
	return row, nil
}

// Line returns the line on which the row that was read last begins.
func (r *Reader) Line() int {
	line, _ := r.in.FieldPos(0)
	return line
}

// restore gives a value the form that it has in the layout of today.
func restore(f *field, v string) string {
	switch {
	case f.kind == padded && v != "" && len(v) < f.width && strings.Trim(v, "0123456789") == "":
		return strings.Repeat("0", f.width-len(v)) + v
	case strings.HasSuffix(v, ".0") && f.kind != date && f.kind != clock:
		return restore(f, v[:len(v)-2]) // a spreadsheet's number
	case f.kind == date && len(v) > 10 && v[10] == ' ':
		return v[:10] // a date with a time of day
	}
	return v
}
