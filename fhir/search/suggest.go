package search

import (
	"strconv"
	"strings"
)

// show quotes a name from a query for a message, cut to a length that no sensible
// name has.
func show(name string) string {
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "") + "..."
	}
	return strconv.Quote(name)
}

// Nearest is nearest for other packages: "; did you mean x?", or "".
func Nearest(name string, names []string) string { return nearest(name, names) }

// nearest returns a hint at those of names that are close to name, "" when none is.
func nearest(name string, names []string) string {
	if len(name) > 64 {
		return ""
	}
	limit := 1 + len(name)/4
	var hints []string
	for near := 0; near <= limit && len(hints) == 0; near++ {
		for _, n := range names {
			if distance(name, n) == near {
				hints = append(hints, n)
			}
		}
	}
	for _, n := range names { // a beginning is near as well
		if len(hints) == 0 && len(name) >= 3 && strings.HasPrefix(n, name) {
			hints = append(hints, n)
		}
	}
	if len(hints) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(hints[:min(3, len(hints))], " or ") + "?"
}

// distance counts the letters to insert, drop, replace or swap to get from a to b.
func distance(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
