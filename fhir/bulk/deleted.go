package bulk

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
)

// deleted writes what was deleted of a type since the export before, as transactions that
// delete it.
//
// See https://hl7.org/fhir/uv/bulkdata/STU2/export.html#response---complete-status.
func (e *exporting) deleted(ctx context.Context, typ string) error {
	for {
		if err := e.renew(ctx); err != nil {
			return err
		}
		h := &search.History{Type: typ, Since: e.Since, At: e.run.At, Count: 1000, Bytes: 8 << 20, After: e.at.After, Restriction: search.Unrestricted} // was sees to what is shown
		page, err := e.History(ctx, h)
		if err != nil {
			return err
		}
		var gone []fhir.Resource
		for i := range page.Entries {
			v := &page.Entries[i]
			if !v.Deleted() || v.Updated.After(e.run.At) || !v.Updated.After(e.Since) || !e.Until.IsZero() && v.Updated.After(e.Until) {
				continue
			}
			ok, err := e.was(ctx, v)
			if err != nil {
				return err
			}
			if ok {
				gone = append(gone, fhir.Resource{Ref: v.Ref, JSON: removal(v.Ref)})
			}
		}
		if err := e.remove(ctx, gone, page.Next); err != nil || page.Next == "" {
			return err
		}
	}
}

// was reports whether the version before a deletion was of a record that is exported, and
// one that the orderer may see: nothing is left of what was deleted by which the store could
// tell. Where the patients decide that, all of them must be seen. Only type and id are told.
func (e *exporting) was(ctx context.Context, v *fhir.Resource) (bool, error) {
	only := e.shows.Restriction
	if !e.Records && only.Open() {
		return true, nil
	}
	before, err := e.Read(ctx, fhir.Ref{Type: v.Ref.Type, ID: v.Ref.ID, Version: v.Ref.Version - 1})
	if fhir.CodeOf(err) == fhir.NotFound || fhir.CodeOf(err) == fhir.Gone {
		return false, nil // it was purged
	}
	if err != nil {
		return false, err
	}
	if e.Records {
		if ok, err := e.ofRecord(v.Ref.Type, &before); err != nil || !ok {
			return false, err
		}
	}
	if only.Open() {
		return true, nil
	}
	return e.showed(ctx, &before, only)
}

// showed reports whether a restriction would show a version that is current no more.
func (e *exporting) showed(ctx context.Context, r *fhir.Resource, only *search.Restriction) (bool, error) {
	where, listed := only.Of(r.Ref.Type)
	ix, err := e.Index(r)
	if err != nil || !listed {
		return false, err
	}
	s := &search.Subject{Ref: r.Ref.Current(), Updated: r.Updated, Index: &ix}
	for _, x := range where {
		if ofMembers(x) {
			continue
		}
		switch x.(type) {
		case search.Unblocked, search.Consented: // of the patients
			if ok, err := e.seesPatients(ctx, &ix, only); err != nil || !ok {
				return false, err
			}
		default:
			if ok, err := search.Holds(x, s); err != nil || !ok {
				return false, nil // what cannot be told is not shown
			}
		}
	}
	return true, nil
}

// ofMembers reports whether a condition hides nothing but members: a Group that was
// deleted was shown without these.
func ofMembers(x search.Expr) bool {
	switch x := x.(type) {
	case search.Unblocked:
		return len(x.Params) == 0
	case search.Consented:
		return x.OfMembers()
	}
	return false
}

// seesPatients reports whether all patients to whom a version refers are shown.
func (e *exporting) seesPatients(ctx context.Context, ix *search.Index, only *search.Restriction) (bool, error) {
	var ids []string
	for _, l := range ix.Links {
		if l.Target.Type == "Patient" && !slices.Contains(ids, l.Target.ID) {
			ids = append(ids, l.Target.ID)
		}
	}
	if len(ids) == 0 {
		return false, nil
	}
	found, err := e.Search(ctx, &search.Query{Type: "Patient", Where: []search.Expr{search.IDs{Any: ids}}, Count: len(ids), Restriction: only})
	return err == nil && len(found.Matches) == len(ids), err
}

// beside returns an export of something else that goes on from the place of e, and what
// takes its place back.
func (e *exporting) beside(other *asked) (x *exporting, back func()) {
	x = &exporting{Exporter: e.Exporter, asked: other, run: e.run, at: e.at, total: e.total, shows: e.shows, file: e.file, buffer: e.buffer}
	return x, func() { e.at, e.file, e.buffer = x.at, x.file, x.buffer }
}

// remove writes deletions. Each is of nobody but its id, so that nothing is left out of it.
func (e *exporting) remove(ctx context.Context, gone []fhir.Resource, after string) error {
	x, back := e.beside(&asked{})
	defer back()
	x.shows = &Rights{}
	return x.append(ctx, "Bundle", Deleted, gone, after)
}

// removal is a transaction that deletes a resource.
func removal(ref fhir.Ref) []byte {
	return compose.JSON(compose.Object{
		"resourceType": "Bundle", "type": "transaction",
		"entry": []compose.Object{{"request": compose.Object{"method": "DELETE", "url": ref.Current().String()}}},
	})
}

// provenance writes the Provenances of what is exported.
//
// See https://hl7.org/fhir/uv/bulkdata/STU2/export.html#query-parameters.
func (e *exporting) provenance(ctx context.Context) error {
	if err := e.renew(ctx); err != nil {
		return err
	}
	if e.records != nil && len(e.records) == 0 {
		return nil
	}
	like := &asked{Elements: e.Elements}
	if e.Provenance == recordProvenance {
		like = &asked{Elements: e.Elements, Since: e.Since, Until: e.Until, Filters: e.Filters}
	}
	all, back := e.beside(like)
	defer back()
	return all.scan(ctx, "Provenance", func(found []fhir.Resource, after string) error {
		if err := e.renew(ctx); err != nil {
			return err
		}
		kept, err := e.about(ctx, found)
		if err != nil {
			return err
		}
		return all.append(ctx, "Provenance", Outputs, kept, after)
	})
}

// about leaves those Provenances that are about what is exported.
func (e *exporting) about(ctx context.Context, found []fhir.Resource) ([]fhir.Resource, error) {
	targets := make([][]fhir.Ref, len(found))
	ids := map[string][]string{}
	for i := range found {
		d, err := element.Parse(found[i].JSON)
		if err != nil {
			return nil, err
		}
		for n := range d.Items(0, "target") {
			ref, ok := fhir.ParseRef(strings.TrimPrefix(d.TextAt(n, "reference"), e.shows.Search.Base+"/"))
			if !ok {
				continue
			}
			targets[i] = append(targets[i], ref)
			ids[ref.Type] = append(ids[ref.Type], ref.ID)
		}
	}
	exported := map[fhir.Ref]int64{} // with the version
	of := e
	if e.Provenance == recordProvenance { // of the records, whatever is exported of them
		of = &exporting{Exporter: e.Exporter, run: e.run, shows: e.shows, records: e.records, asked: &asked{
			Types: slices.DeleteFunc(slices.Sorted(maps.Keys(ids)), func(typ string) bool { return !ofPatients(typ) }), Records: true, Group: e.Group, Patients: e.Patients,
		}}
	}
	for _, typ := range of.Types {
		if err := of.look(ctx, typ, ids[typ], exported); err != nil {
			return nil, err
		}
	}
	var kept []fhir.Resource
	for i := range found {
		for _, ref := range targets[i] {
			version, ok := exported[ref.Current()]
			if ok && (e.Provenance != latestProvenance || ref.Version == 0 || ref.Version == version) {
				kept = append(kept, found[i])
				break
			}
		}
	}
	return kept, nil
}

// look finds which of some resources are exported.
func (e *exporting) look(ctx context.Context, typ string, ids []string, into map[fhir.Ref]int64) error {
	if len(ids) == 0 {
		return nil
	}
	q, err := e.query(typ)
	if err != nil {
		return err
	}
	for len(ids) > 0 {
		some := ids[:min(len(ids), 500)]
		ids = ids[len(some):]
		q.Count, q.Where = len(some), append([]search.Expr{search.IDs{Any: some}}, q.Where...)
		for q.After = ""; ; {
			found, err := e.Search(ctx, q)
			if err != nil {
				return err
			}
			for i := range found.Matches {
				r := &found.Matches[i]
				ok := true
				if e.Records || e.records != nil {
					if ok, err = e.ofRecord(typ, r); err != nil {
						return err
					}
				}
				if ok && !r.Updated.After(e.run.At) {
					into[r.Ref.Current()] = r.Ref.Version
				}
			}
			if q.After = found.Next; q.After == "" {
				break
			}
		}
		q.Where = q.Where[1:]
	}
	return nil
}
