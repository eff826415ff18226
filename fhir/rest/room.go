package rest

import (
	"sync/atomic"

	"github.com/amate-health/amate/fhir"
)

// smallBody is how many bytes of a body are not counted. What is counted bounds
// memory; very many small ones are bounded by how many connections there are.
const smallBody = 64 << 10

// room is the memory for bodies of all requests together. A body stays in it from
// when it arrives until its request is answered, since its resource lies in it.
type room struct {
	held  atomic.Int64
	limit int64
}

// stay is what one request holds of a room.
type stay struct {
	room *room
	n    int64
}

// grow makes the stay n bytes. A body that is alone always fits. Errors: fhir.Throttled.
func (s *stay) grow(n int64) error {
	more := n - s.n
	if n <= smallBody || more <= 0 {
		return nil
	}
	if held := s.room.held.Add(more); held > s.room.limit && held > n {
		s.room.held.Add(-more)
		return fhir.Errorf(fhir.Throttled, "the server holds as many large bodies as it takes at a time; try again later")
	}
	s.n = n
	return nil
}

// leave gives back what the stay holds.
func (s *stay) leave() {
	s.room.held.Add(-s.n)
	s.n = 0
}
