package feed

import (
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// snapshotPage returns the next resources of everything that the client may see.
func (f *Feed) snapshotPage(ctx context.Context, v *view, at cursor) (*page, error) {
	p := &page{next: at}
	s := *at.Snapshot
	size, types := int64(0), v.types()
	for {
		i, found := slices.BinarySearch(types, s.Type)
		if !found {
			s.After = ""
		}
		if i == len(types) {
			p.next.Snapshot = nil
			break
		}
		if len(p.items) >= v.count || size > v.call.MaxBytes/2 {
			s.Type = types[i]
			p.next.Snapshot = &s
			break
		}
		s.Type = types[i]
		if s.After == "" {
			if none, err := f.absent(ctx, s.Type, at.Mark); none || err != nil {
				if err != nil {
					return nil, err
				}
				s.Type += past
				continue
			}
		}
		result, err := f.Store.Search(ctx, &search.Query{Type: s.Type, Count: v.count - len(p.items), Bytes: v.call.MaxBytes, After: s.After, Restriction: v.only})
		if err != nil {
			return nil, err
		}
		for j := range result.Matches {
			size += int64(len(result.Matches[j].JSON))
			p.items = append(p.items, item{result.Matches[j].Ref.Current(), &result.Matches[j]})
		}
		if s.After = result.Next; s.After == "" {
			s.Type += past
		}
	}
	return p, f.hold(ctx, v, at.Copy, p.items)
}

// past follows the name of a type that is done: it sorts after the type, and before all
// others, those included that begin with its name.
const past = " "

// hold notes what is shown to a copy, before it is.
func (f *Feed) hold(ctx context.Context, v *view, copy string, items []item) error {
	if len(items) == 0 {
		return nil
	}
	end, err := f.Changes.End(ctx)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		c, err := f.copy(ctx, copy)
		if err == nil {
			err = f.readRoots(ctx, c)
		}
		if err == nil {
			err = f.allBuckets(ctx, c)
		}
		if err != nil {
			return err
		}
		for i := range items {
			if _, err := f.set(ctx, c, items[i].ref, true); err != nil {
				return err
			}
			if v.deps.chained {
				c.rootsOf(items[i].resource)
			}
		}
		c.Shown = end
		if err = f.save(ctx, c, nil); fhir.CodeOf(err) != fhir.Conflict || try == tries {
			return err
		}
	}
}
