package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/query"
)

// PurgeMost is how many resources one transaction purges.
const PurgeMost = 50

// purgedVersions is how many versions of one resource are looked at for what they say
// in words. More are removed all the same.
const purgedVersions = 10_000

// ErrNotOwner says that the role of the database may not remove versions.
var ErrNotOwner = errors.New("this role of the database may not remove versions: purge as the one who owns the schema")

// ErrUnscrubbed says that what was purged may still be read in the file of the database.
var ErrUnscrubbed = errors.New("the file of the database is large, or is being read: what was purged is overwritten by 'amate retention scrub'")

// Purged says what a purge removed.
type Purged struct {
	Resources int // that had anything left to remove
	Versions  int
}

// Purge removes resources for good: all their versions, by what they were found, and
// the words that nothing else says. Of each a last version stays, which says that it
// was deleted and nothing else, so that row keys and versions are never used twice,
// references to it lead to what is gone, and those who follow the changes hear of it.
//
// It asks nobody: no hold, no signature keeps it. Each PurgeMost of refs go in a
// transaction of their own; when it fails, or its process dies, those before are done,
// and the same call can be made again. x says what older versions were found by.
func Purge(ctx context.Context, w Writer, refs []fhir.Ref, x Indexer, now func() time.Time) (Purged, error) {
	var all Purged
	for part := range slices.Chunk(refs, PurgeMost) {
		done, err := purgePart(ctx, w, part, x, now)
		all.Resources += done.Resources
		all.Versions += done.Versions
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func purgePart(ctx context.Context, w Writer, refs []fhir.Ref, x Indexer, now func() time.Time) (done Purged, err error) {
	for attempt := 1; ; attempt++ {
		err = w.Attempt(ctx, true, func(tx Tx) (err error) {
			p := &purge{run: run{tx: tx, locked: true, now: now().UTC().Truncate(time.Millisecond)}, indexer: x}
			done, err = p.part(ctx, refs)
			return err
		})
		if !errors.Is(err, ErrMoved) || attempt == maxAttempts {
			return done, err
		}
		if err := pause(ctx, attempt); err != nil {
			return Purged{}, err
		}
	}
}

// purge is one transaction of a Purge.
type purge struct {
	run
	indexer Indexer
}

func (p *purge) part(ctx context.Context, refs []fhir.Ref) (done Purged, err error) {
	rows, err := p.tx.Current(ctx, refs)
	if err != nil {
		return done, err
	}
	versions, err := p.versions(ctx, refs)
	if err != nil {
		return done, err
	}
	for i := range rows {
		if left := len(versions[i].Found); rows[i].Key != 0 && (rows[i].live() || left > 1) {
			p.steps = append(p.steps, step{ref: refs[i].Current(), row: rows[i]})
			done.Versions += left
		}
	}
	done.Resources = len(p.steps)
	if done.Resources == 0 {
		return done, nil
	}
	for i := range p.steps {
		w := p.next(&p.steps[i])
		w.Method, w.Erase = fhir.DELETE, true
	}
	if err := p.index(ctx); err != nil {
		return done, err
	}
	writes := make([]Write, len(p.steps))
	for i := range p.steps {
		writes[i] = *p.steps[i].write
	}
	if writes[0].Unsaid, err = p.unsaid(writes, versions); err != nil {
		return done, err
	}
	return done, p.tx.Write(ctx, writes)
}

// versions returns all versions of each of refs.
func (p *purge) versions(ctx context.Context, refs []fhir.Ref) ([]Rows, error) {
	compiler := newCompiler(p.tx, nil)
	statements := make([]*query.Statement, len(refs))
	for i, ref := range refs {
		var err error
		statements[i], err = compiler.History(&search.History{Type: ref.Type, ID: ref.ID, Restriction: search.Unrestricted}, nil, purgedVersions)
		if err != nil {
			return nil, err
		}
	}
	return p.tx.Select(ctx, statements...)
}

// unsaid returns the postings that the versions have, of which the dictionary may hold
// words that nothing says any more.
func (p *purge) unsaid(writes []Write, versions []Rows) ([]int64, error) {
	var all []int64
	for i := range writes {
		all = append(all, writes[i].Gone.Postings...)
	}
	for _, rows := range versions {
		for i := range rows.Found {
			r, err := rows.Found[i].Expand()
			if err != nil {
				return nil, err
			}
			if r.Deleted() {
				continue
			}
			ix, err := p.indexer(&r)
			if err != nil {
				continue // an older program let it through; what is current is in Gone
			}
			for _, w := range index.Words(&ix) {
				all = append(all, w.Posting)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Remnant is a resource that was deleted and is still kept.
type Remnant struct {
	Key      int64
	Resource fhir.Resource // its last version that was not a deletion
}
