package store

import (
	"bytes"
	"testing"

	"github.com/amate-health/amate/store/query"
)

// TestRowsAreCut: reading ends with the row that is too much, though never with the first.
func TestRowsAreCut(t *testing.T) {
	content := Compress(bytes.Repeat([]byte("x"), 1000))
	for _, tt := range []struct {
		bound int64
		want  int
	}{{0, 9}, {1, 2}, {999, 2}, {1000, 2}, {1999, 2}, {2000, 3}, {5500, 6}, {9000, 9}} {
		var rows Rows
		s := &query.Statement{Bytes: tt.bound}
		for range 9 {
			on := rows.Add(s, Found{Content: content})
			if on == rows.Cut {
				t.Errorf("bound %d: to be read on: %v, cut: %v", tt.bound, on, rows.Cut)
			}
		}
		if len(rows.Found) != tt.want || rows.Cut != (tt.want < 9) {
			t.Errorf("bound %d: %d rows, cut: %v; want %d", tt.bound, len(rows.Found), rows.Cut, tt.want)
		}
	}
}
