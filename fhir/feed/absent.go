package feed

import (
	"context"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// none remembers types of which there was no resource at all, which are most: so a new
// copy costs as many searches as there are types in use, and not as R4 has.
type none struct {
	mu   sync.Mutex
	when map[string]fhir.Mark // all changes up to it had been seen then
	some map[string]bool      // there was one, and it is not looked again whether there still is
}

// absent reports whether there is no resource of a type, apart from such as came after a
// mark. It may say no of a type of which there is none.
func (f *Feed) absent(ctx context.Context, typ string, at fhir.Mark) (bool, error) {
	n := &f.none
	n.mu.Lock()
	some := n.some[typ]
	n.mu.Unlock()
	if some {
		return false, nil
	}
	end, err := f.Changes.End(ctx)
	if err != nil || end.Origin != at.Origin || end.Compare(at) < 0 { // what came before the mark is not all known here
		return false, err
	}
	n.mu.Lock()
	since, known := n.when[typ]
	n.mu.Unlock()
	if known && since.Compare(end) <= 0 && !f.Changes.Touched(since, []uint64{fhir.Ref{Type: typ}.Hash()}) {
		return true, nil
	}
	found, err := f.Inside.Search(ctx, &search.Query{Type: typ, Count: 1, Restriction: search.Unrestricted})
	if err != nil {
		return false, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.when == nil {
		n.when, n.some = map[string]fhir.Mark{}, map[string]bool{}
	}
	if len(found.Matches) > 0 {
		n.some[typ] = true
		return false, nil
	}
	n.when[typ] = end
	return true, nil
}
