package chart

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
)

// state is where a page of $everything ended. It goes into the link to the next one.
type state struct {
	owners []string // ids of those whose compartments are being read
	at     string   // the store's cursor within these; "" for their first page
	next   string   // the store's cursor among the patients, for those after owners; "" when there are none
	seen   []int64  // marks of what was brought along on earlier pages, in the order of the pages
}

// maxSeen is how many marks a link carries. Beyond it the oldest are forgotten, so
// that what they stand for may come once more.
const maxSeen = 400

// markSize is how many bytes of a mark a link carries: two of 400 resources are
// taken for one another less than once in a billion records.
const markSize = 6

// mark stands for a resource that was brought along.
func mark(ref fhir.Ref) int64 {
	h := fnv.New64a()
	h.Write([]byte(ref.Type))
	h.Write([]byte{'/'})
	h.Write([]byte(ref.ID))
	return int64(h.Sum64() >> (64 - 8*markSize))
}

// String returns s as the text of a cursor.
func (s *state) String() string {
	seen := s.seen[max(0, len(s.seen)-maxSeen):]
	var b strings.Builder
	for _, part := range []string{strings.Join(s.owners, " "), s.at, s.next} {
		b.WriteString(part)
		b.WriteByte('\n')
	}
	var eight [8]byte
	for _, m := range seen {
		binary.BigEndian.PutUint64(eight[:], uint64(m))
		b.Write(eight[8-markSize:])
	}
	return b.String()
}

// parseState reads what String wrote. Errors: fhir.Invalid.
func parseState(cursor string) (*state, error) {
	parts := strings.SplitN(cursor, "\n", 4)
	if len(parts) != 4 || len(parts[3])%markSize != 0 {
		return nil, fhir.Errorf(fhir.Invalid, "the page link does not fit this operation")
	}
	s := &state{owners: strings.Fields(parts[0]), at: parts[1], next: parts[2]}
	for marks := range slices.Chunk([]byte(parts[3]), markSize) {
		var eight [8]byte
		copy(eight[8-markSize:], marks)
		s.seen = append(s.seen, int64(binary.BigEndian.Uint64(eight[:])))
	}
	return s, nil
}
