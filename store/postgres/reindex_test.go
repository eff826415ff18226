package postgres

import (
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/storetest"
)

func TestReindexing(t *testing.T) {
	storetest.Reindexing(t, func(t *testing.T) storetest.Reindexer { return open(t) })
}

// TestReindexingWords: the dictionary gets what it lacks, though all rows are there.
func TestReindexingWords(t *testing.T) {
	s := open(t)
	const word = -5
	x := search.Index{Tokens: []int64{word}, Words: []search.Word{{Param: 1, Kind: search.CodeWord, Posting: word, Text: "said"}}}
	storetest.Put(t, s, "Observation/a", x)
	for _, words := range []bool{false, true, true} {
		if _, err := s.pool.Exec(t.Context(), `DELETE FROM word`); err != nil {
			t.Fatal(err)
		}
		s.words.Reset()
		n, err := s.Reindex(t.Context(), []fhir.Ref{{Type: "Observation", ID: "a"}}, func(*fhir.Resource) (search.Index, error) { return x, nil }, words)
		if err != nil || n != 0 {
			t.Errorf("%d changed, %v", n, err)
		}
		if err := s.pool.QueryRow(t.Context(), `SELECT count(*) FROM word`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 1}[words]; n != want {
			t.Errorf("%d words, want %d", n, want)
		}
	}
}
