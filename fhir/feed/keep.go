package feed

import (
	"context"
	"encoding/json"
	"time"

	"github.com/amate-health/amate/fhir"
)

const (
	// KeepCopies is for how long what is kept of a copy stays that nobody asks for. Who
	// comes later begins anew.
	KeepCopies = 30 * 24 * time.Hour
	// KeepChanges is for how long the change feed goes back, at least: longer than any copy
	// that is kept needs it.
	KeepChanges = 3 * KeepCopies

	notedAfter = 24 * time.Hour // a copy that is asked for is noted to be, so often
	keepPage   = 200            // entries that are looked at together
)

// Keeper is where copies are removed.
type Keeper interface {
	Store
	Remove(ctx context.Context, kind, key string, version int64) error
}

// Kept says what Housekeep has looked at.
type Kept struct {
	Copies  int // that are kept
	Removed int // that were not asked for any more
	Logs    int // removed, which no cursor that is still good leads to
}

// Housekeep removes what is kept of copies that nobody has asked for since a time, and of
// the others what lies before first, the first change that there still is. It goes through
// the copies after the one given, in their order, and calls done after each with its id,
// so that it can be gone on with from there.
func Housekeep(ctx context.Context, store Keeper, since time.Time, first fhir.Mark, after string, done func(id string, all Kept) error) (Kept, error) {
	var all Kept
	for {
		heads, err := store.Entries(ctx, headKind, "", after, keepPage)
		if err != nil {
			return all, err
		}
		for i := range heads {
			e := &heads[i]
			if err := keep(ctx, store, e, since, first, &all); err != nil {
				return all, err
			}
			if err := done(e.Key, all); err != nil {
				return all, err
			}
			after = e.Key
		}
		if len(heads) < keepPage {
			return all, nil
		}
	}
}

// keep looks at one copy.
func keep(ctx context.Context, store Keeper, e *fhir.Entry, since time.Time, first fhir.Mark, all *Kept) error {
	c := &copied{}
	if err := json.Unmarshal(e.Value, c); err != nil {
		return err
	}
	if !c.Dead && c.Used >= since.UnixMicro() {
		all.Copies++
		return clear(ctx, store, logKind, e.Key, logKey(e.Key, first, 0), &all.Logs)
	}
	if !c.Dead {
		// From here on nobody finds it, however long the rest takes.
		c.Dead = true
		value, err := json.Marshal(c)
		if err != nil {
			return err
		}
		switch err := store.Put(ctx, fhir.Entry{Kind: headKind, Key: e.Key, Version: e.Version, Value: value}); {
		case fhir.CodeOf(err) == fhir.Conflict: // it was asked for just now
			all.Copies++
			return nil
		case err != nil:
			return err
		}
	}
	n := 0
	for _, kind := range []string{setKind, logKind} {
		if err := clear(ctx, store, kind, e.Key, "", &n); err != nil {
			return err
		}
	}
	if err := store.Remove(ctx, rootKind, e.Key, 0); err != nil {
		return err
	}
	all.Removed++
	return store.Remove(ctx, headKind, e.Key, 0)
}

// clear removes the entries of a copy with keys before before; all for "".
func clear(ctx context.Context, store Keeper, kind, copy, before string, n *int) error {
	for {
		entries, err := store.Entries(ctx, kind, copy, "", keepPage)
		if err != nil {
			return err
		}
		for i := range entries {
			if before != "" && entries[i].Key >= before {
				return nil
			}
			if err := store.Remove(ctx, kind, entries[i].Key, 0); err != nil {
				return err
			}
			*n++
		}
		if len(entries) < keepPage {
			return nil
		}
	}
}
