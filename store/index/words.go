package index

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/amate-health/amate/fhir/search"
)

// FullText is the row of text_value of a resource that has text: hashes of its words,
// eight bytes each as those of tokens. PostgreSQL keeps them in an array under a GIN
// index, SQLite in a full-text index that does not give them back.
type FullText struct {
	Print int64   // stands for all the words; rows are compared by it
	Words []int64 // ascending; not of a row that was read from a database
}

func compareFullTexts(a, b FullText) int { return cmp.Compare(a.Print, b.Print) }

// fullTexts returns the row of x; none when there are no words.
func fullTexts(x *search.Index) []FullText {
	if len(x.Text)+len(x.Content) == 0 {
		return nil
	}
	words := make([]int64, 0, len(x.Text)+len(x.Content))
	for _, word := range x.Text {
		words = append(words, wordHash(true, word))
	}
	for _, word := range x.Content {
		words = append(words, wordHash(false, word))
	}
	words = sortedSet(words, cmp.Compare[int64])
	whole := make([]byte, 0, 8*len(words))
	for _, w := range words {
		whole = binary.BigEndian.AppendUint64(whole, uint64(w))
	}
	return []FullText{{Print: firstEight(whole), Words: words}}
}

// wordHash returns the hash of a word. One of the narrative has another than one of
// the whole content.
func wordHash(narrative bool, word string) int64 {
	var buf [64]byte
	kind := byte('c')
	if narrative {
		kind = 't'
	}
	return firstEight(append(append(buf[:0], kind), word...))
}

func firstEight(b []byte) int64 {
	h := sha256.Sum256(b)
	return int64(binary.BigEndian.Uint64(h[:8]))
}

// WordList returns hashes as SQLite's full-text index takes them: letters and digits
// with spaces between. As a query, it asks for all of them.
func WordList(words []int64) string {
	b := make([]byte, 0, 14*len(words))
	for i, w := range words {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendUint(b, uint64(w), 36)
	}
	return string(b)
}

// Words appends a check that the text of the resource has all words of e.
//
// See https://hl7.org/fhir/R4/search.html#content.
func (c *Condition) Words(e *search.Words) {
	if len(e.All) == 0 {
		c.Add("TRUE")
		return
	}
	c.Add("EXISTS (SELECT 1 FROM text_value x WHERE ")
	if c.Dialect == SQLite {
		c.Add("x.rowid = ", c.Key, " AND ")
	} else {
		c.Add("x.rkey = ", c.Key, " AND ")
	}
	c.hasWords(e)
	c.Fence().Add(")")
}

// WordsSet appends a SELECT of the row keys of all resources whose text has all words
// of e, which are some.
func (c *Condition) WordsSet(e *search.Words) {
	if c.Dialect == SQLite {
		c.Add("SELECT x.rowid AS rkey FROM text_value x WHERE ")
	} else {
		c.Add("SELECT x.rkey FROM text_value x WHERE ")
	}
	c.hasWords(e)
}

func (c *Condition) hasWords(e *search.Words) {
	words := make([]int64, len(e.All))
	for i, word := range e.All {
		words[i] = wordHash(e.Narrative, word)
	}
	slices.Sort(words)
	words = slices.Compact(words)
	if c.Dialect == SQLite {
		c.Add("x.text_value MATCH ").Arg(WordList(words))
	} else {
		c.Add("x.words @> ").Arg(words)
	}
}
