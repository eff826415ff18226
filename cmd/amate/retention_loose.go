package main

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/rights"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// A Binary says by its securityContext whose it is. One that does not say belongs to a
// record if what is in that record refers to it, and nothing else does: a leaflet that was
// given to two patients is neither's. Who else refers to one cannot be looked up, so all
// versions of everything that can are read, once for all records that are due, and only
// if there is such a Binary among what they refer to.
//
// See https://hl7.org/fhir/R4/binary.html#security.

// loose adds to dead what of such Binaries belongs to the records that are due.
func (k *keeper) loose(ctx context.Context, ready []*due, dead map[string][]fhir.Ref) error {
	whose := map[fhir.Ref]string{} // what goes
	for _, d := range ready {
		for _, ref := range slices.Concat(d.record.Refs, dead[d.record.Patient]) {
			whose[ref.Current()] = d.record.Patient
		}
	}
	found := map[fhir.Ref]fhir.Ref{} // Binaries, with their versions
	of := map[fhir.Ref]string{}
	for ref, patient := range whose {
		if !slices.Contains(attaching(), ref.Type) {
			continue
		}
		err := k.versions(ctx, search.History{Type: ref.Type, ID: ref.ID}, func(_, binary fhir.Ref) error {
			if whose[binary] != "" || of[binary] != "" {
				return nil
			}
			at, ok, err := k.unclaimed(ctx, binary)
			if ok {
				found[binary], of[binary] = at, patient
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := k.dropShared(ctx, whose, found); err != nil {
		return err
	}
	for binary, at := range found {
		dead[of[binary]] = append(dead[of[binary]], at)
	}
	return nil
}

// dropShared takes out of found what something refers to that is not in whose.
func (k *keeper) dropShared(ctx context.Context, whose map[fhir.Ref]string, found map[fhir.Ref]fhir.Ref) error {
	if len(found) == 0 {
		return nil
	}
	var any search.Or
	for _, p := range leading() {
		m := search.Match{Param: p, Compared: p.Type}
		for binary := range found {
			m.Values = append(m.Values, search.Value{Raw: binary.String(), Refs: []fhir.Ref{binary}})
		}
		any = append(any, m)
	}
	q := search.Query{Where: []search.Expr{any}, Count: 500, Bytes: 32 << 20, Restriction: search.Unrestricted}
	for {
		page, err := k.engine.Search(ctx, &q)
		if err != nil {
			return err
		}
		for i := range page.Matches {
			if r := &page.Matches[i]; whose[r.Ref.Current()] == "" {
				k.binariesIn(r, func(binary fhir.Ref) error { delete(found, binary); return nil })
			}
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	for _, typ := range attaching() {
		err := k.versions(ctx, search.History{Type: typ}, func(from, binary fhir.Ref) error {
			if whose[from] == "" {
				delete(found, binary)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// versions calls f for each Binary to which a version of a history refers.
func (k *keeper) versions(ctx context.Context, q search.History, f func(from, binary fhir.Ref) error) error {
	q.Count, q.Bytes, q.Restriction = 500, 32<<20, search.Unrestricted
	for {
		page, err := k.engine.History(ctx, &q)
		if err != nil {
			if fhir.CodeOf(err) == fhir.NotFound {
				return nil
			}
			return err
		}
		for i := range page.Entries {
			r := &page.Entries[i]
			if err := k.binariesIn(r, func(binary fhir.Ref) error { return f(r.Ref.Current(), binary) }); err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}

// binariesIn calls f for each Binary of this server to which a resource refers.
func (k *keeper) binariesIn(r *fhir.Resource, f func(fhir.Ref) error) error {
	if !bytes.Contains(r.JSON, []byte("Binary/")) && !bytes.Contains(r.JSON, []byte(`Binary\/`)) {
		return nil
	}
	doc, err := element.Parse(r.JSON)
	if err != nil {
		return err
	}
	for _, ref := range rights.References(doc, k.indexing.Base) {
		if ref.Type == "Binary" {
			if err := f(ref); err != nil {
				return err
			}
		}
	}
	return nil
}

// unclaimed returns the last version of a Binary, and whether none of its versions says
// whose it is.
func (k *keeper) unclaimed(ctx context.Context, binary fhir.Ref) (last fhir.Ref, ok bool, err error) {
	page, err := k.engine.History(ctx, &search.History{Type: "Binary", ID: binary.ID, Count: 1000, Restriction: search.Unrestricted})
	if err != nil || len(page.Entries) == 0 {
		if fhir.CodeOf(err) == fhir.NotFound {
			err = nil
		}
		return binary, false, err
	}
	written := false // else it was removed for good before
	for i := range page.Entries {
		json := page.Entries[i].JSON
		if bytes.Contains(json, []byte(`"securityContext"`)) {
			return binary, false, nil
		}
		written = written || len(json) > 0
	}
	return page.Entries[0].Ref, written && page.Next == "", nil
}

// attaching are the types of resources that can have an attachment, or hold others that
// do: by what they attach they are not found.
var attaching = sync.OnceValue(func() []string {
	return slices.DeleteFunc(slices.Clone(spec.Resources()), func(typ string) bool {
		return typ != "Bundle" && !attaches(spec.TypeOf(typ), nil)
	})
})

// attaches reports whether an Attachment stands in t, other than in an extension, or
// below it. above are the types that it is looked for in already.
func attaches(t *spec.Type, above []*spec.Type) bool {
	if t == nil || slices.Contains(above, t) {
		return false
	}
	return t.Name == "Attachment" || t.Name != "Extension" && slices.ContainsFunc(t.Elements, func(e spec.Element) bool { return attaches(e.Type, append(above, t)) })
}

// leading are the search parameters by whose references Binaries are found.
var leading = sync.OnceValue(func() []*spec.SearchParam {
	all := []*spec.SearchParam{search.TiedTo}
	seen := map[uint16]bool{}
	for _, typ := range spec.Resources() {
		for _, p := range spec.Params(typ) {
			if p.Type == spec.Reference && slices.Contains(p.Targets, "Binary") && !seen[p.ID] {
				seen[p.ID] = true
				all = append(all, p)
			}
		}
	}
	return all
})
