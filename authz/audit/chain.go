package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/amate-health/amate/fhir"
)

// hash returns the link of an event: over the hash of the event before it, where it
// stands, and all of itself. Each part has a length of its own or the same one
// always, so that no two different rows give the same input.
func hash(before []byte, e *fhir.Event) []byte {
	h := sha256.New()
	var head [8 + 32 + 8 + 8 + 16 + 8]byte
	copy(head[:], "amate.1\n")
	copy(head[8:], before)
	binary.BigEndian.PutUint64(head[40:], uint64(e.Month))
	binary.BigEndian.PutUint64(head[48:], uint64(e.Seq))
	copy(head[56:], e.ID[:])
	binary.BigEndian.PutUint64(head[72:], uint64(len(e.Content)))
	_, _ = h.Write(head[:])
	_, _ = h.Write(e.Content)
	return h.Sum(nil)
}

// link puts events at the end of the chain of their month, which last is the newest
// event of.
func link(last fhir.Event, events []fhir.Event) error {
	seq, before := last.Seq, last.Hash
	for i := range events {
		e := &events[i]
		if e.Month != month(e.ID) {
			return fmt.Errorf("an event of month %d in the chain of %d", month(e.ID), e.Month)
		}
		seq++
		e.Seq = seq
		if e.Keys == nil { // of the inbox
			e.Keys = contentKeys(e.Content)
		}
		e.Hash = hash(before, e)
		before = e.Hash
	}
	return nil
}
