package main

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/terminology"
	"github.com/amate-health/amate/fhir/validate"
)

// vocabulary keeps a registry of terminology in step with what is stored. What this
// process writes is known before the write is answered; what other processes write
// to the same database, within pollEvery.
type vocabulary struct {
	registry *terminology.Registry
	store    rest.Store
	log      *slog.Logger

	mu    sync.Mutex         // over what follows, and the order of changes
	known map[fhir.Ref]int64 // version that the registry has, by place; deleted ones too
}

// learn loads the terminology that is stored.
func learn(ctx context.Context, store rest.Store, log *slog.Logger) (*vocabulary, error) {
	v := &vocabulary{registry: terminology.New(), store: store, log: log, known: map[fhir.Ref]int64{}}
	for _, typ := range terminology.Types() {
		q := &search.Query{Type: typ, Count: 200, Restriction: search.Unrestricted}
		for {
			page, err := store.Search(ctx, q)
			if err != nil {
				return nil, err
			}
			if err := v.take(ctx, page.Matches); err != nil {
				return nil, err
			}
			if page.Next == "" {
				break
			}
			q.After = page.Next
		}
	}
	debug.FreeOSMemory() // reading large code systems takes several times what they keep
	return v, nil
}

// take makes the registry know versions of resources, unless it knows later ones. Errors:
// those of a store that could not be read, after which it is to be called again.
func (v *vocabulary) take(ctx context.Context, resources []fhir.Resource) (failed error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	items := map[fhir.Ref]*terminology.Item{}
	for i := range resources {
		r := &resources[i]
		ref := r.Ref.Current()
		if v.known[ref] >= r.Ref.Version {
			continue
		}
		if r.Deleted() {
			v.known[ref], items[ref] = r.Ref.Version, nil
			continue
		}
		var unread error
		item, err := terminology.Read(r.JSON, func(id string) ([]byte, error) {
			part, err := v.store.Read(ctx, fhir.Ref{Type: "Binary", ID: id})
			if code := fhir.CodeOf(err); err != nil && (code == 0 || code == fhir.Unavailable) {
				unread = err // it says nothing about the resource
			}
			return part.JSON, err
		})
		if unread != nil {
			failed = errors.Join(failed, unread)
			continue
		}
		v.known[ref] = r.Ref.Version
		if err != nil {
			v.log.Warn("a stored terminology resource cannot be used", "resource", r.Ref.String(), "error", err)
		}
		items[ref] = item // nil after an error: what it was before is not so any more
	}
	if len(items) > 0 {
		v.registry.Change(items)
	}
	return failed
}

// applied notices what a write of this process changed.
func (v *vocabulary) applied(ctx context.Context, results []bundle.Result) {
	var changed []fhir.Resource
	for i := range results {
		r := &results[i]
		for _, ref := range r.Deleted {
			if _, ours := terminology.KindOf(ref.Type); ours {
				changed = append(changed, fhir.Resource{Ref: ref, Method: fhir.DELETE})
			}
		}
		if _, ours := terminology.KindOf(r.Resource.Ref.Type); ours && (r.Outcome == bundle.Created || r.Outcome == bundle.Updated || r.Outcome == bundle.Removed) {
			changed = append(changed, r.Resource)
		}
	}
	if len(changed) == 0 {
		return
	}
	if err := v.take(context.WithoutCancel(ctx), changed); err != nil {
		v.log.Warn("terminology that was written is not known yet; it is looked for again", "error", err)
	}
}

// visible answers for the terminology operations whether a caller may see a resource.
func visible(store rest.Store) func(context.Context, fhir.Ref, *search.Restriction) (bool, error) {
	read := storedIn(store)
	return func(ctx context.Context, ref fhir.Ref, may *search.Restriction) (bool, error) {
		_, err := read(ctx, ref, may)
		if fhir.CodeOf(err) == fhir.NotFound {
			return false, nil
		}
		return err == nil, err
	}
}

// terminology returns what the server knows of terminology: at least that of R4.
func (o *opened) terminology() *terminology.Registry {
	if o.vocabulary == nil {
		return terminology.New()
	}
	return o.vocabulary.registry
}

// codes answers the validator's questions from a registry.
type codes struct{ registry *terminology.Registry }

// Member tells whether a code is in a value set, or, without one, in its system.
func (c codes) Member(valueSet, system, code, display string) (member, shown validate.Answer) {
	var m terminology.Membership
	if valueSet == "" {
		m = c.registry.View().Code(system, code, display)
	} else {
		m = c.registry.Member(valueSet, system, code, display)
	}
	switch m.Status {
	case terminology.In:
		member = validate.Yes
	case terminology.NotIn, terminology.Abstract:
		member = validate.No
	}
	if display == "" || m.Concept.System == nil {
		return member, validate.Unknown
	}
	if m.WrongDisplay {
		return member, validate.No
	}
	return member, validate.Yes
}
