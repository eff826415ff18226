package store

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store/index"
)

// index gives every step its row key and works out its index rows.
func (r *run) index(ctx context.Context) error {
	keys, err := r.keys(ctx)
	if err != nil {
		return err
	}
	err = inParallel(len(r.steps), func(i int) error {
		s := &r.steps[i]
		if s.write == nil {
			return nil
		}
		if s.content != nil {
			s.write.Index = index.Make(&s.content.Index, func(ref fhir.Ref) int64 { return keys[ref] })
			s.write.Words = index.Words(&s.content.Index)
		}
		s.row.Index.Sort()
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.tie(ctx); err != nil {
		return err
	}
	return inParallel(len(r.steps), func(i int) error {
		if s := &r.steps[i]; s.write != nil {
			s.write.Gone, s.write.Added = index.Diff(&s.row.Index, &s.write.Index)
		}
		return nil
	})
}

// keys returns the row keys of all resources that the batch refers to. Those of
// the batch itself that are new get theirs here.
func (r *run) keys(ctx context.Context) (map[fhir.Ref]int64, error) {
	var fresh []*step
	keys := make(map[fhir.Ref]int64, len(r.steps))
	for i := range r.steps {
		s := &r.steps[i]
		switch {
		case s.match != nil:
			keys[s.match.Resource.Ref.Current()] = s.match.Key
		case s.row.Key != 0:
			keys[s.ref] = s.row.Key
		case s.write != nil:
			fresh = append(fresh, s)
		}
	}
	if len(fresh) > 0 {
		made, err := r.tx.NewKeys(ctx, len(fresh))
		if err != nil {
			return nil, err
		}
		for i, s := range fresh {
			s.write.Key = made[i]
			keys[s.ref] = made[i]
		}
	}
	others := r.outside(keys)
	if len(others) == 0 {
		return keys, nil
	}
	found, err := r.tx.Keys(ctx, others)
	for ref, key := range found {
		keys[ref] = key
	}
	return keys, err
}

// outside returns what the batch refers to and keys does not hold, each once.
func (r *run) outside(keys map[fhir.Ref]int64) []fhir.Ref {
	var refs []fhir.Ref
	seen := map[fhir.Ref]bool{}
	for i := range r.steps {
		s := &r.steps[i]
		if s.write == nil || s.content == nil {
			continue
		}
		for _, link := range s.content.Index.Links {
			_, known := keys[link.Target]
			if !known && !seen[link.Target] && index.TypeNumber(link.Target.Type) != 0 {
				seen[link.Target] = true
				refs = append(refs, link.Target)
			}
		}
	}
	return refs
}
