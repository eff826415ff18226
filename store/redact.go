package store

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
)

// Rewrite is the new content of a version that exists.
type Rewrite struct {
	Key, Version int64
	Content      []byte // compressed JSON
}

// Redact takes something out of a resource for good: out of all its versions, and out
// of what it is found by. without returns a resource without it, the same bytes when it
// is not there. The current version is followed by a new one, so that those who follow
// the changes hear of it; those before keep their numbers and times. It asks nobody.
//
// It reports whether anything was there.
func Redact(ctx context.Context, w Writer, ref fhir.Ref, x Indexer, without func(json []byte) ([]byte, error), now func() time.Time) (found bool, err error) {
	for attempt := 1; ; attempt++ {
		err = w.Attempt(ctx, true, func(tx Tx) (err error) {
			p := &purge{run: run{tx: tx, locked: true, now: now().UTC().Truncate(time.Millisecond)}, indexer: x}
			found, err = p.redact(ctx, ref.Current(), without)
			return err
		})
		if !errors.Is(err, ErrMoved) || attempt == maxAttempts {
			return found, err
		}
		if err := pause(ctx, attempt); err != nil {
			return false, err
		}
	}
}

func (p *purge) redact(ctx context.Context, ref fhir.Ref, without func([]byte) ([]byte, error)) (bool, error) {
	rows, err := p.tx.Current(ctx, []fhir.Ref{ref})
	if err != nil || rows[0].Key == 0 {
		return false, err
	}
	versions, err := p.versions(ctx, []fhir.Ref{ref})
	if err != nil {
		return false, err
	}
	rewrites, err := rewritten(rows[0].Key, versions[0].Found, without)
	if err != nil || len(rewrites) == 0 {
		return false, err
	}
	writes := []Write{{Reindex: true}} // of nothing
	if rows[0].live() {
		again, err := p.again(ctx, ref, rows[0], without)
		if err != nil {
			return false, err
		}
		if again {
			writes = append([]Write{*p.steps[0].write}, p.more...)
		}
	}
	if writes[0].Unsaid, err = p.unsaid(writes[:1], versions); err != nil {
		return false, err
	}
	writes[0].Rewrites = rewrites
	return true, p.tx.Write(ctx, writes)
}

// rewritten returns what becomes of those versions in which something is left out.
func rewritten(key int64, versions []Found, without func([]byte) ([]byte, error)) (all []Rewrite, err error) {
	for i := range versions {
		r, err := versions[i].Expand()
		if err != nil {
			return nil, err
		}
		if r.Deleted() {
			continue
		}
		json, err := without(r.JSON)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(json, r.JSON) {
			all = append(all, Rewrite{Key: key, Version: r.Ref.Version, Content: Compress(json)})
		}
	}
	return all, nil
}

// again prepares the version that follows the current one, unless it would be the same.
func (p *purge) again(ctx context.Context, ref fhir.Ref, row Row, without func([]byte) ([]byte, error)) (bool, error) {
	old, err := Expand(row.Content)
	if err != nil {
		return false, err
	}
	json, err := without(old)
	if err != nil || bytes.Equal(json, old) {
		return false, err
	}
	doc, err := element.Parse(json)
	if err != nil {
		return false, err
	}
	content := new(bundle.Content)
	content.Body.JSON, content.Body.VersionAt, content.Body.UpdatedAt = doc.Edit(0).Stamp(ref.ID)
	p.steps = []step{{ref: ref, row: row, content: content}}
	s := &p.steps[0]
	w := p.next(s)
	w.Method = fhir.PUT
	s.json = content.Body.Stamp(w.Ref.Version, w.Updated)
	w.Content = Compress(s.json)
	if content.Index, err = p.indexer(&fhir.Resource{Ref: w.Ref, Updated: w.Updated, Method: w.Method, JSON: s.json}); err != nil {
		return false, err
	}
	return true, p.index(ctx)
}
