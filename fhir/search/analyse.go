package search

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what a word of full text is. Longer ones are no words but identifiers
// and the like.
const (
	minWord = 2
	maxWord = 40
)

// Analyse returns the words of a text as _text and _content compare them: folded
// (see Fold), without the commonest words, and without the endings that Spanish and
// English give one word for gender, number and tense. It looks at no dictionary and
// treats both languages alike, since a text seldom says which it is in: what counts
// is that the index and the query are cut in the same way. Words come in the order of
// the text, and may repeat.
func Analyse(text string) []string {
	return appendWords(nil, text)
}

// appendWords appends the words of text to all.
func appendWords(all []string, text string) []string {
	folded := Fold(text)
	for len(folded) > 0 {
		r, n := utf8.DecodeRuneInString(folded)
		if !wordRune(r) {
			folded = folded[n:]
			continue
		}
		end := n
		for end < len(folded) {
			r, n = utf8.DecodeRuneInString(folded[end:])
			if !wordRune(r) {
				break
			}
			end += n
		}
		if word := folded[:end]; end >= minWord && end <= maxWord && !stopWords[word] {
			all = append(all, stem(word))
		}
		folded = folded[end:]
	}
	return all
}

func wordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r)
}

// stopWords are so common that they say nothing, and would fill the index.
var stopWords = func() map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(`
		de la el los las un una unos unas del al en con por para que se su sus es son lo le les como mas pero ni ya
		the of and to in is are was were be been an at by for from on or as it its this that with not has have had`) {
		set[word] = true
	}
	return set
}()

// endings are cut off words, the first that fits, and what is put in their place.
// The word must keep as many letters as rest says.
var endings = []struct {
	end, instead string
	rest         int
}{
	{"aciones", "acion", 1}, {"iciones", "icion", 1}, {"siones", "sion", 1}, {"ciones", "cion", 1},
	{"mente", "", 4}, {"ies", "i", 3}, {"ces", "c", 2}, {"ing", "", 4}, {"ed", "", 4},
	{"ss", "ss", 1}, {"us", "us", 1}, {"is", "is", 1}, {"es", "", 3}, {"s", "", 3},
}

// stem cuts the endings of a folded word. Words with digits, and those of other
// letters than a to z, stay as they are.
func stem(word string) string {
	for i := 0; i < len(word); i++ {
		if word[i] < 'a' || word[i] > 'z' {
			return word
		}
	}
	for _, e := range endings {
		if rest, ok := strings.CutSuffix(word, e.end); ok && len(rest) >= e.rest {
			if e.end == "s" && strings.HasSuffix(rest, "s") {
				break
			}
			word = rest + e.instead
			break
		}
	}
	return lastVowel(word)
}

// lastVowel cuts the vowel that a word ends in, by which Spanish tells gender, and
// makes y and z of the end what they are in the plural.
func lastVowel(word string) string {
	if len(word) < 4 {
		return strings.TrimSuffix(word, "z") + map[bool]string{true: "c"}[strings.HasSuffix(word, "z")]
	}
	switch n := len(word) - 1; word[n] {
	case 'a', 'o', 'e':
		return word[:n]
	case 'y':
		return word[:n] + "i"
	case 'z':
		return word[:n] + "c"
	}
	return word
}
