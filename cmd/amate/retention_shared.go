package main

import (
	"bytes"
	"context"
	"errors"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/registry/rights"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/job"
)

// listing are the types of resources that list patients and what is theirs. Earlier
// versions of them name whom the current one does not any more, and so do those that were
// deleted: all of them are looked through.
var listing = []string{"Group", "List", "CareTeam"}

// strike takes a patient who was removed out of what is about others as well, earlier
// versions included. What is signed stays as it was signed.
func (k *keeper) strike(ctx context.Context, patient string, shared []fhir.Ref, gone map[fhir.Ref]bool) error {
	named := []byte("Patient/" + patient + `"`)
	for _, typ := range listing {
		q := &search.History{Type: typ, Count: 500, Bytes: 32 << 20, Restriction: search.Unrestricted}
		for {
			page, err := k.engine.History(ctx, q)
			if err != nil {
				return err
			}
			for i := range page.Entries {
				if r := &page.Entries[i]; bytes.Contains(r.JSON, named) {
					shared = append(shared, r.Ref.Current())
				}
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
	}
	done := map[fhir.Ref]bool{}
	for _, ref := range shared {
		if done[ref] {
			continue
		}
		done[ref] = true
		if err := k.strikeFrom(ctx, ref, gone); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) strikeFrom(ctx context.Context, ref fhir.Ref, gone map[fhir.Ref]bool) error {
	r, err := k.engine.Read(ctx, ref)
	if code := fhir.CodeOf(err); err != nil && code != fhir.Gone && code != fhir.NotFound {
		return err
	}
	if err == nil && k.fixed(&r) {
		k.log.Info("what is signed names a person whose record was removed, and stays as it was signed", "resource", ref.String())
		return nil
	}
	_, err = k.Redact(ctx, ref, k.indexer(), func(json []byte) ([]byte, error) {
		return rights.Without(json, k.indexing.Base, false, func(to fhir.Ref) bool { return gone[to] })
	})
	if errors.Is(err, store.ErrNotOwner) {
		return job.Permanent(err)
	}
	return err
}

// fixed reports whether no write may change a resource.
func (k *keeper) fixed(r *fhir.Resource) bool {
	after := fhir.Resource{Ref: fhir.Ref{Type: r.Ref.Type, ID: r.Ref.ID, Version: r.Ref.Version + 1}, Method: fhir.DELETE}
	b := bundle.Batch{Holds: k.holds, Rights: []string{rights.HoldName}}
	return b.Held(r, &after) != nil
}
