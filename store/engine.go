package store

import (
	"context"
	"errors"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/query"
)

// Reader runs SELECTs.
type Reader interface {
	Dialect() index.Dialect

	// Select runs the statements, in one round trip if the engine has any. Each sees
	// what was committed before it began.
	Select(ctx context.Context, statements ...*query.Statement) ([]Rows, error)

	// Known returns the row keys of those refs that have a row.
	Known(ctx context.Context, refs []fhir.Ref) (map[fhir.Ref]int64, error)

	// Weights returns what is known of how many rows there are of something; nil when
	// nothing is to be asked.
	Weights() *Weights

	// Estimate returns about how many rows count would find, and whether that is exact
	// after all. guess is the same in a form for a planner.
	Estimate(ctx context.Context, count, guess *query.Statement) (n int64, exact bool, err error)
}

// newCompiler returns a compiler for queries whose references have the row keys known.
func newCompiler(r Reader, known map[fhir.Ref]int64) query.Compiler {
	c := query.Compiler{
		Dialect: r.Dialect(),
		Keys:    func(ref fhir.Ref) int64 { return known[ref] },
	}
	if w := r.Weights(); w != nil {
		c.Weight = w.Get
	}
	return c
}

// Rows is the result of one statement: resources, or a number.
type Rows struct {
	Found  []Found
	Number int64 // of a statement that counts
	Cut    bool  // there may be more: the last one found is that which exceeds Statement.Bytes

	size int64
}

// Add adds f, read for s, unless the rows have been cut before. It reports whether
// there is any use in reading on.
func (r *Rows) Add(s *query.Statement, f Found) bool {
	if r.Cut {
		return false
	}
	r.Found = append(r.Found, f)
	if s.Bytes > 0 {
		r.size += length(f.Content)
		r.Cut = r.size > s.Bytes && len(r.Found) > 1
	}
	return !r.Cut
}

// Found is a version of a resource as a SELECT returns it.
type Found struct {
	Key      int64
	Resource fhir.Resource // without its JSON
	Content  []byte        // compressed JSON
	Order    []any         // keys of the order: int64, float64, string or nil
	Postings []int64       // when the statement asks for them
}

// Expand returns the resource of f with its JSON.
func (f *Found) Expand() (fhir.Resource, error) {
	r := f.Resource
	if r.Deleted() {
		return r, nil
	}
	json, err := Expand(f.Content)
	r.JSON = json
	return r, err
}

// Writer runs one attempt after another to apply a batch.
type Writer interface {
	// Attempt runs f in a transaction. An attempt that is not locked only reads
	// until Write, which must then find everything as it was read. A locked one
	// holds what it locked until it ends, so that f decides on facts. When f
	// fails, nothing is left of what it did. It returns ErrMoved when another
	// writer came in between, so that another attempt may succeed.
	Attempt(ctx context.Context, locked bool, f func(Tx) error) error
}

// Tx is the transaction of an attempt.
type Tx interface {
	Reader

	// Lock waits until no other transaction holds a lock of the same name. The
	// names are sorted. Only in a locked attempt.
	Lock(ctx context.Context, names []string) error

	// Current returns where each of refs stands, the zero Row for those without a
	// row. In a locked attempt they are locked.
	Current(ctx context.Context, refs []fhir.Ref) ([]Row, error)

	// Keys returns the row keys of refs, and makes placeholders for those that have
	// no row. The types are known ones.
	Keys(ctx context.Context, refs []fhir.Ref) (map[fhir.Ref]int64, error)

	// NewKeys returns n row keys that nothing has.
	NewKeys(ctx context.Context, n int) ([]int64, error)

	// Write writes everything and commits. It is called at most once, and last.
	Write(ctx context.Context, writes []Write) error
}

// ErrMoved says that another writer changed what an attempt relied on.
var ErrMoved = errors.New("another writer came in between")

// Row is where a resource stands.
type Row struct {
	Key      int64         // 0 when there is no row
	Resource fhir.Resource // the newest version, without its JSON; Ref.Version is 0 for a placeholder
	Content  []byte        // compressed JSON; nil unless live
	Index    index.Rows    // what is stored now; empty unless live
	Stamp    int64         // another one whenever the row was written, also by a reindexing; for Write
}

// live reports whether the resource exists now.
func (r *Row) live() bool { return r.Resource.Ref.Version > 0 && !r.Resource.Deleted() }

// Write is one version to be written, which becomes the current one.
type Write struct {
	Key     int64
	Fresh   bool     // the resource has no row yet
	Was     int64    // the version that its row must still have, unless Fresh
	Stamp   int64    // of the Row, which must still have it, unless Fresh
	Ref     fhir.Ref // with the new version
	Updated time.Time
	Method  fhir.Method
	Content []byte        // compressed JSON; nil for a deletion
	Index   index.Rows    // all rows of the new version
	Gone    index.Rows    // what Index no longer has
	Added   index.Rows    // what Index newly has
	Words   []search.Word // what tokens of it say, for the dictionary

	Events []fhir.Event // what the audit trail is to hold of the whole batch; only in its first Write

	// Entries are state that belongs to the whole batch; only in its first Write. Where
	// one is not at its version, nothing is written and the error is EntryMoved.
	Entries []fhir.Entry

	Births []fhir.Birth // of the whole batch likewise; in a locked attempt

	// Erase says that all versions before this one, a deletion, are to be removed.
	Erase bool
	Blobs [][]byte // what of the content is kept in blobs
	// Rewrites are versions whose content changes; only in the first Write.
	Rewrites []Rewrite
	Unsaid   []int64 // postings whose words are to be removed where no resource has them; only in the first Write

	// Reindex says that Ref is the current version already, and stays it: only the
	// index rows change. The attempt must be a locked one. Without a Key, there are
	// only Words to write.
	Reindex bool
}

// Served returns the resource that a read found. Errors: fhir.NotFound when it
// found none, fhir.Gone when that is a deletion.
func Served(f *Found) (fhir.Resource, error) {
	switch {
	case f == nil:
		return fhir.Resource{}, fhir.Errorf(fhir.NotFound, "there is no such resource or version")
	case f.Resource.Deleted():
		return f.Resource, fhir.Errorf(fhir.Gone, "the resource was deleted")
	}
	return f.Expand()
}
