package element

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestRuler compares a ruler with counting, at every offset.
func TestRuler(t *testing.T) {
	for _, text := range []string{
		"", "a", "\n", strings.Repeat("añ\n😀b", 700), strings.Repeat("ñ", 3000), strings.Repeat("\n", 3000), strings.Repeat("abc", 2000),
	} {
		src := []byte(text)
		r := NewRuler(src)
		for i := range src {
			line, col := r.At(i)
			if !utf8.RuneStart(src[i]) {
				continue
			}
			if wantLine, wantCol := position(src, i); line != wantLine || col != wantCol {
				t.Fatalf("offset %d of %.20q: %d:%d, want %d:%d", i, text, line, col, wantLine, wantCol)
			}
			if got := r.Offset(line, col); got != i {
				t.Fatalf("%d:%d of %.20q: offset %d, want %d", line, col, text, got, i)
			}
		}
	}
}
