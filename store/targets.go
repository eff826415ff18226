package store

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/index"
)

// maxTargets is how many targets a change lists.
const maxTargets = 500

// FeedTargets returns what w, and the version before it, refer to, as the feed keeps it.
func FeedTargets(w *Write) []byte {
	var keys []int64
	for _, postings := range [][]int64{w.Index.Postings, w.Gone.Postings} {
		for _, p := range postings {
			if p > 0 {
				keys = append(keys, index.LinkTarget(p))
			}
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if len(keys) > maxTargets {
		return []byte{0}
	}
	out := make([]byte, 0, 4*len(keys))
	last := int64(0)
	for _, k := range keys {
		out = binary.AppendUvarint(out, uint64(k-last))
		last = k
	}
	return out
}

var errTargets = errors.New("targets of a change have another form than expected")

// targetKeys reads what FeedTargets wrote.
func targetKeys(packed []byte) (keys []int64, many bool, err error) {
	if len(packed) == 1 && packed[0] == 0 {
		return nil, true, nil
	}
	last := int64(0)
	for len(packed) > 0 {
		n, width := binary.Uvarint(packed)
		if width <= 0 {
			return nil, false, errTargets
		}
		last += int64(n)
		keys, packed = append(keys, last), packed[width:]
	}
	return keys, false, nil
}

// load reads changes with their targets.
func (f *Feed) load(ctx context.Context, after fhir.Mark, limit int) ([]fhir.Change, error) {
	rows, err := f.reader.ReadFeed(ctx, after, limit)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	changes := make([]fhir.Change, len(rows))
	targets := make([][]int64, len(rows))
	var keys []int64
	refs := make(map[int64]fhir.Ref, len(rows)) // what is written together refers to each other
	for i := range rows {
		changes[i] = rows[i].Change
		refs[changes[i].At.Key] = changes[i].Ref.Current()
		if targets[i], changes[i].Many, err = targetKeys(rows[i].Targets); err != nil {
			return nil, err
		}
		keys = append(keys, targets[i]...)
	}
	if err := f.refs(ctx, keys, refs); err != nil {
		return nil, err
	}
	further, err := f.further(ctx, keys, refs)
	if err != nil {
		return nil, err
	}
	for i := range changes {
		list := targets[i]
		for _, key := range targets[i] {
			list = append(list, further[key]...)
		}
		slices.Sort(list)
		list = slices.Compact(list)
		ch := &changes[i]
		ch.Targets, ch.Touches = make([]fhir.Ref, 0, len(list)), make([]uint64, 0, len(list)+2)
		ch.Touches = append(ch.Touches, ch.Ref.Hash(), fhir.Ref{Type: ch.Ref.Type}.Hash())
		for _, key := range list {
			if ref, ok := refs[key]; ok {
				ch.Targets, ch.Touches = append(ch.Targets, ref), append(ch.Touches, ref.Hash())
			}
		}
	}
	return changes, nil
}

// refs adds those resources that have these row keys to known which it lacks.
func (f *Feed) refs(ctx context.Context, keys []int64, known map[int64]fhir.Ref) error {
	var missing []int64
	for _, key := range keys {
		if _, ok := known[key]; !ok {
			missing = append(missing, key)
		}
	}
	slices.Sort(missing)
	found, err := f.reader.Refs(ctx, slices.Compact(missing))
	maps.Copy(known, found)
	return err
}

// further returns what those of keys that are Encounters refer to, by their row keys, and
// adds that to refs.
func (f *Feed) further(ctx context.Context, keys []int64, refs map[int64]fhir.Ref) (map[int64][]int64, error) {
	var encounters []int64
	for _, key := range keys {
		if refs[key].Type == "Encounter" {
			encounters = append(encounters, key)
		}
	}
	slices.Sort(encounters)
	encounters = slices.Compact(encounters)
	if len(encounters) == 0 {
		return nil, nil
	}
	postings, err := f.reader.Linked(ctx, encounters)
	if err != nil {
		return nil, err
	}
	var all []int64
	targets := make(map[int64][]int64, len(postings))
	for key, list := range postings {
		for _, p := range list {
			if p > 0 {
				targets[key] = append(targets[key], index.LinkTarget(p))
			}
		}
		all = append(all, targets[key]...)
	}
	return targets, f.refs(ctx, all, refs)
}
