package match

// JaroWinkler returns how alike two texts are, from 0 to 1: Winkler's form of Jaro's
// measure, with a prefix of at most 4 that counts 0.1 each.
func JaroWinkler(a, b string) float64 {
	if a == b {
		return 1
	}
	if len(a) == 0 || len(b) == 0 || len(a) > 64 || len(b) > 64 {
		return 0
	}
	j := jaro(a, b)
	prefix := 0
	for prefix < min(4, len(a), len(b)) && a[prefix] == b[prefix] {
		prefix++
	}
	return j + float64(prefix)*0.1*(1-j)
}

// jaro compares texts of at most 64 bytes.
func jaro(a, b string) float64 {
	reach := max(len(a), len(b))/2 - 1
	var seenA, seenB uint64
	same := 0
	for i := range len(a) {
		for k := max(0, i-reach); k < min(len(b), i+reach+1); k++ {
			if seenB>>k&1 == 0 && a[i] == b[k] {
				seenA |= 1 << i
				seenB |= 1 << k
				same++
				break
			}
		}
	}
	if same == 0 {
		return 0
	}
	moved, k := 0, 0
	for i := range len(a) {
		if seenA>>i&1 == 0 {
			continue
		}
		for seenB>>k&1 == 0 {
			k++
		}
		if a[i] != b[k] {
			moved++
		}
		k++
	}
	n := float64(same)
	return (n/float64(len(a)) + n/float64(len(b)) + (n-float64(moved/2))/n) / 3
}

// edits returns how many insertions, deletions, replacements and swaps of neighbours
// turn a into b, or 3 when it is more than two (restricted Damerau-Levenshtein).
func edits(a, b string) int {
	if a == b {
		return 0
	}
	if d := len(a) - len(b); d > 2 || d < -2 || len(b) > 40 {
		return 3
	}
	var rows [3][41]int
	for k := range len(b) + 1 {
		rows[0][k] = k
	}
	for i := 1; i <= len(a); i++ {
		row, up, upper := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		row[0] = i
		for k := 1; k <= len(b); k++ {
			cost := 1
			if a[i-1] == b[k-1] {
				cost = 0
			}
			row[k] = min(up[k]+1, row[k-1]+1, up[k-1]+cost)
			if i > 1 && k > 1 && a[i-1] == b[k-2] && a[i-2] == b[k-1] {
				row[k] = min(row[k], upper[k-2]+1)
			}
		}
	}
	return min(rows[len(a)%3][len(b)], 3)
}

// Sound returns how a Spanish word sounds, roughly: letters that are one sound are one
// letter, H is silent, and vowels count only at the beginning. At most 6 letters.
func Sound(w string) string {
	b := make([]byte, 0, 6)
	for i := 0; i < len(w) && len(b) < 6; i++ {
		c := soundOf(w, i)
		if c == 0 || len(b) > 0 && (b[len(b)-1] == c || c == 'A') {
			continue
		}
		b = append(b, c)
	}
	return string(b)
}

// soundOf returns the sound of letter i of w: 'A' for any vowel after the beginning, 0
// for none.
func soundOf(w string, i int) byte {
	next := byte(0)
	if i+1 < len(w) {
		next = w[i+1]
	}
	soft := next == 'E' || next == 'I' || next == 'Y'
	switch c := w[i]; c {
	case 'A', 'E', 'I', 'O', 'U':
		if i == 0 || i == 1 && w[0] == 'H' {
			return vowel[c-'A']
		}
		return 'A'
	case 'H':
		return 0
	case 'V', 'W':
		return 'B'
	case 'Z':
		return 'S'
	case 'C':
		switch {
		case next == 'H':
			return 'X'
		case soft:
			return 'S'
		}
		return 'K'
	case 'Q':
		return 'K'
	case 'G':
		if soft && next != 'Y' {
			return 'J'
		}
		return 'G'
	case 'X':
		return 'J'
	case 'L':
		if next == 'L' {
			return 'Y'
		}
		if i > 0 && w[i-1] == 'L' {
			return 0
		}
		return 'L'
	case 'P':
		if next == 'H' {
			return 'F'
		}
		return 'P'
	default:
		return c
	}
}

// vowel maps the vowels at the beginning of a word; E and I, O and U are told apart
// too badly over the telephone to part records by them.
var vowel = [26]byte{0: 'A', 4: 'E', 8: 'E', 14: 'O', 20: 'O'}
