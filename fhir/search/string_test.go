package search

import "testing"

// TestFoldLatinAgrees holds that the table of Latin letters does what the rules of
// Unicode do, for every pair of letters.
func TestFoldLatinAgrees(t *testing.T) {
	for a := rune(0); a < rune(len(latin)); a++ {
		for b := rune(0); b < rune(len(latin)); b += 1 + a%3 {
			s := "x" + string(a) + string(b) + "y"
			if got, want := foldLatin(s), foldRunes(s, true); got != want {
				t.Fatalf("%q: %q, want %q", s, got, want)
			}
		}
	}
}
