package table

import (
	"bufio"
	"encoding/csv"
	"io"
)

// lines writes rows as JSON: between brackets, or each on a line.
type lines struct {
	w       *bufio.Writer
	columns []Column
	array   bool
	rows    int
	line    []byte
}

func openJSON(w io.Writer, columns []Column, _ Options) (Writer, error) {
	l := &lines{w: bufio.NewWriter(w), columns: columns, array: true}
	return l, l.w.WriteByte('[')
}

func openNDJSON(w io.Writer, columns []Column, _ Options) (Writer, error) {
	return &lines{w: bufio.NewWriter(w), columns: columns}, nil
}

func (l *lines) Write(row []Cell) error {
	l.line = l.line[:0]
	if l.array && l.rows > 0 {
		l.line = append(l.line, ',')
	}
	l.rows++
	l.line = AppendRow(l.line, l.columns, row)
	if !l.array {
		l.line = append(l.line, '\n')
	}
	_, err := l.w.Write(l.line)
	return err
}

func (l *lines) Close() error {
	if l.array {
		// What a bufio.Writer could not write, Flush tells.
		_ = l.w.WriteByte(']')
	}
	return l.w.Flush()
}

// separated writes rows as CSV by RFC 4180. Lists stand there as JSON.
type separated struct {
	w     *csv.Writer
	cells []string
}

func openCSV(w io.Writer, columns []Column, o Options) (Writer, error) {
	s := &separated{w: csv.NewWriter(w), cells: make([]string, len(columns))}
	s.w.UseCRLF = true
	if o.NoHeader {
		return s, nil
	}
	for i := range columns {
		s.cells[i] = columns[i].Name
	}
	return s, s.w.Write(s.cells)
}

func (s *separated) Write(row []Cell) error {
	for i := range row {
		if s.cells[i] = row[i].Text; row[i].Kind == List {
			s.cells[i] = string(row[i].AppendJSON(nil))
		}
	}
	return s.w.Write(s.cells)
}

func (s *separated) Close() error {
	s.w.Flush()
	return s.w.Error()
}
