package store

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/query"
)

// defaultVersions is the size of a history page when none is asked for.
const defaultVersions = 100

// History answers h: a page of versions, newest first. Errors: fhir.NotFound when
// h names a resource that never existed, or that its restriction does not show.
func History(ctx context.Context, r Reader, s *Sealer, h *search.History) (*search.Versions, error) {
	if h.Type != "" && index.TypeNumber(h.Type) == 0 {
		return nil, fhir.Errorf(fhir.UnknownType, "no such resource type")
	}
	from, err := s.open(h.After, historyPurpose(h))
	if err != nil {
		return nil, err
	}
	known, err := r.Known(ctx, query.RestrictionReferences(h.Restriction))
	if err != nil {
		return nil, err
	}
	count := h.Count
	if count <= 0 {
		count = defaultVersions
	}
	compiler := newCompiler(r, known)
	page, err := compiler.History(h, from, count+1)
	if err != nil {
		return nil, err
	}
	page.Bytes = h.Bytes
	statements := []*query.Statement{page}
	if h.ID != "" {
		total, err := compiler.HistoryCount(h)
		if err != nil {
			return nil, err
		}
		statements = append(statements, total)
	}
	results, err := r.Select(ctx, statements...)
	if err != nil {
		return nil, err
	}
	out := &search.Versions{Total: -1}
	if h.ID != "" {
		if results[1].Number == 0 {
			return nil, fhir.Errorf(fhir.NotFound, "there is no such resource")
		}
		if h.Since.IsZero() && h.At.IsZero() {
			out.Total = results[1].Number
		}
	}
	rows := results[0].Found
	if out.Entries, err = expand(rows[:min(count, len(rows))], h.Bytes); err != nil {
		return nil, err
	}
	if n := len(out.Entries); n < len(rows) {
		last := &rows[n-1]
		out.Next = s.seal(&query.Position{Keys: last.Order, Rkey: last.Key}, historyPurpose(h))
	}
	return out, nil
}
