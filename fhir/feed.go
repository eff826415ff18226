package fhir

import (
	"cmp"
	"context"
	"time"
)

// Mark is a place in the change feed: after one change, before the next. The zero Mark
// is before the first.
type Mark struct {
	Origin  uint64 // of the history that it belongs to; a database that is restored elsewhere has another one
	Tx      uint64 // grows with time
	Key     int64  // orders the changes of one transaction
	Version int64  // that the change made
}

// Compare orders marks of one origin.
func (m Mark) Compare(o Mark) int {
	return cmp.Or(cmp.Compare(m.Tx, o.Tx), cmp.Compare(m.Key, o.Key), cmp.Compare(m.Version, o.Version))
}

// Change is one committed version as the change feed tells of it, without its content.
type Change struct {
	At     Mark
	Ref    Ref    // with the version that was made
	Method Method // DELETE for a deletion

	// Targets are the resources that this version and the one before refer to, each once,
	// by what they are indexed for: so it shows whom a change concerned until then as well.
	// With an Encounter comes what that refers to.
	Targets []Ref
	Many    bool // there are so many targets that they are not listed

	// Touches are the hashes of Ref, of its type, which is a Ref without an id, and of
	// Targets: what is of interest is looked for among them.
	Touches []uint64
}

// Hash returns a number that stands for r without its version. Others may have the same.
func (r Ref) Hash() uint64 {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a
	h := uint64(offset)
	for _, s := range [...]string{r.Type, "/", r.ID} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * prime
		}
	}
	return h
}

type askedAt struct{}

// AskedAt returns a context in which the change feed tells what was there at a moment, at
// least: who asks it several times for one answer waits once.
func AskedAt(ctx context.Context, at time.Time) context.Context {
	return context.WithValue(ctx, askedAt{}, at)
}

// Asked returns the moment of AskedAt, and otherwise this one.
func Asked(ctx context.Context) time.Time {
	if at, ok := ctx.Value(askedAt{}).(time.Time); ok {
		return at
	}
	return time.Now()
}
