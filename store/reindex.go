package store

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// Indexer works out by what a resource can be found. It is called by several
// goroutines, and more than once for a resource.
type Indexer = func(r *fhir.Resource) (search.Index, error)

// Reindex brings the index rows of the current versions of refs to what x says of
// them, and returns how many resources had others. Versions stay as they are. What
// does not exist any more is passed over. Given words, it adds what the dictionary may
// lack, too; without, only what those resources say whose rows change. That is enough,
// unless the rows were written by a program that had no dictionary.
//
// Rows are compared before anything is locked, so that those who write wait only
// for resources that have to change; under the lock they are compared again, with
// the version that is current then.
func Reindex(ctx context.Context, w Writer, words *WordCache, refs []fhir.Ref, x Indexer) (changed int, err error) {
	r := &reindexing{indexer: x, words: words, made: map[fhir.Ref]*search.Index{}}
	var stale []fhir.Ref
	err = w.Attempt(ctx, false, func(tx Tx) error {
		steps, err := r.steps(ctx, tx, refs)
		if err == nil {
			stale, err = r.stale(ctx, tx, steps)
		}
		return err
	})
	if err == nil && len(r.unsaid) > 0 {
		err = w.Attempt(ctx, true, func(tx Tx) error { return tx.Write(ctx, []Write{{Reindex: true, Words: r.unsaid}}) })
	}
	if err != nil || len(stale) == 0 {
		return 0, err
	}
	for attempt := 1; ; attempt++ {
		err = w.Attempt(ctx, true, func(tx Tx) (err error) {
			changed, err = r.write(ctx, tx, stale)
			return err
		})
		if !errors.Is(err, ErrMoved) || attempt == maxAttempts {
			return changed, err
		}
		if err := pause(ctx, attempt); err != nil {
			return 0, err
		}
	}
}

// reindexing is one call of Reindex.
type reindexing struct {
	indexer Indexer
	words   *WordCache
	unsaid  []search.Word              // that the dictionary may lack
	made    map[fhir.Ref]*search.Index // by version, so that nothing is worked out twice
}

// steps returns a step for each of refs that exists, with what it is to be found by.
func (r *reindexing) steps(ctx context.Context, tx Tx, refs []fhir.Ref) ([]step, error) {
	rows, err := tx.Current(ctx, refs)
	if err != nil {
		return nil, err
	}
	var steps []step
	for i := range rows {
		row := &rows[i]
		if !row.live() {
			continue
		}
		at := row.Resource.Ref
		steps = append(steps, step{ref: refs[i].Current(), row: *row, write: &Write{
			Key: row.Key, Was: at.Version, Stamp: row.Stamp, Ref: at, Updated: row.Resource.Updated, Method: row.Resource.Method,
			Content: row.Content, Reindex: true,
		}})
	}
	indexes := make([]*search.Index, len(steps))
	err = inParallel(len(steps), func(i int) (err error) {
		if indexes[i] = r.made[steps[i].write.Ref]; indexes[i] == nil {
			indexes[i], err = r.make(&steps[i].row)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range steps {
		r.made[steps[i].write.Ref] = indexes[i]
		steps[i].content = &bundle.Content{Index: *indexes[i]}
	}
	return steps, nil
}

func (r *reindexing) make(row *Row) (*search.Index, error) {
	json, err := Expand(row.Content)
	if err != nil {
		return nil, err
	}
	resource := row.Resource
	resource.JSON = json
	x, err := r.indexer(&resource)
	return &x, err
}

// stale returns those of steps whose rows are not as they should be, without making
// placeholders for what they refer to.
func (r *reindexing) stale(ctx context.Context, tx Tx, steps []step) ([]fhir.Ref, error) {
	var targets []fhir.Ref
	for i := range steps {
		for _, link := range steps[i].content.Index.Links {
			if index.TypeNumber(link.Target.Type) != 0 {
				targets = append(targets, link.Target)
			}
		}
	}
	known, err := tx.Known(ctx, targets)
	if err != nil {
		return nil, err
	}
	var refs []fhir.Ref
	for i := range steps {
		s := &steps[i]
		rows := index.Make(&s.content.Index, func(ref fhir.Ref) int64 {
			if key := known[ref]; key != 0 || index.TypeNumber(ref.Type) == 0 {
				return key
			}
			return index.MaxKey // what has no row yet is not what is stored
		})
		s.row.Index.Sort()
		// Whose it is cannot be told without looking further, which write does.
		if gone, added := index.Diff(&s.row.Index, &rows); s.content.Index.IsTied() || !none(&gone) || !none(&added) {
			refs = append(refs, s.ref)
		} else if r.words != nil {
			r.unsaid = append(r.unsaid, r.words.New([]Write{{Words: index.Words(&s.content.Index)}})...)
		}
	}
	return refs, nil
}

// none reports whether there is no row of any sort.
func none(rows *index.Rows) bool { return reflect.ValueOf(rows).Elem().IsZero() }

// write writes the rows of refs, which are locked.
func (r *reindexing) write(ctx context.Context, tx Tx, refs []fhir.Ref) (changed int, err error) {
	steps, err := r.steps(ctx, tx, refs)
	if err != nil {
		return 0, err
	}
	all := &run{tx: tx, locked: true, steps: steps}
	if err := all.index(ctx); err != nil {
		return 0, err
	}
	var writes []Write
	for i := range steps {
		if w := steps[i].write; !none(&w.Gone) || !none(&w.Added) {
			writes = append(writes, *w)
		}
	}
	if len(writes) == 0 {
		return 0, nil
	}
	return len(writes), tx.Write(ctx, append(writes, all.more...))
}

// Walk goes through the resources of a type that exist: all of them, in the order
// of their keys, or those that changed within some time, in the order of that. It
// is a position, too, and can be stored. Resources that come while it goes on are
// met or not.
type Walk struct {
	Type  string
	Since time.Time `json:",omitzero"` // only what changed from then on; zero is everything
	Until time.Time `json:",omitzero"` // and before then

	Key     int64 `json:",omitempty"` // of the last one met
	Updated int64 `json:",omitempty"` // likewise, in microseconds since 1970 UTC
}

// Past notes that the walk has met a resource.
func (w *Walk) Past(key, updated int64) { w.Key, w.Updated = key, updated }

// Bounds returns from where the walk goes on, and where it ends, by time.
func (w *Walk) Bounds() (updated, key, until int64) {
	return max(w.Updated, w.Since.UnixMicro()), w.Key, w.Until.UnixMicro()
}
