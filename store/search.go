package store

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/query"
)

// Search answers q: a page of matches, what they include, and the total if asked for.
func Search(ctx context.Context, r Reader, s *Sealer, q *search.Query) (*search.Result, error) {
	purpose := searchPurpose(q)
	from, err := s.open(q.After, purpose)
	if err != nil {
		return nil, err
	}
	known, err := r.Known(ctx, query.References(q))
	if err != nil {
		return nil, err
	}
	x := &searching{Reader: r, q: q, compiler: newCompiler(ctx, r, known)}
	result := &search.Result{Total: -1}
	if err := x.total(ctx, result); err != nil {
		return nil, err
	}
	page, end, err := x.page(ctx, from)
	if err != nil {
		return nil, err
	}
	if end != nil {
		result.Next = s.seal(end, purpose)
	}
	included, err := x.includes(ctx, page)
	if err != nil {
		return nil, err
	}
	if result.Matches, err = expand(page); err != nil {
		return nil, err
	}
	result.Included, err = expand(included)
	return result, err
}

// searching is one search on its way.
type searching struct {
	Reader
	q        *search.Query
	compiler query.Compiler
}

// total fills in the total, if q asks for one.
func (x *searching) total(ctx context.Context, result *search.Result) error {
	if x.q.Total == search.TotalNone {
		if x.q.Restriction == nil {
			return query.ErrUnrestricted
		}
		return nil
	}
	count, err := x.compiler.Count(x.q)
	if err != nil {
		return err
	}
	if x.q.Total == search.TotalEstimate {
		n, exact, err := x.Estimate(ctx, count)
		result.Total, result.Estimate = n, !exact
		return err
	}
	rows, err := x.Select(ctx, count)
	if err != nil {
		return err
	}
	result.Total = rows[0].Number
	return nil
}

// page returns the matches of the page that follows from, and where it ends when
// there are more: one more than asked for is read to know that.
func (x *searching) page(ctx context.Context, from *query.Position) ([]Found, *query.Position, error) {
	if x.q.Count <= 0 {
		return nil, nil, nil
	}
	want := x.q.Count + 1
	var page []Found
	split := -1 // from which match on resources have no value for the first key
	for {
		statement, err := x.compiler.Page(x.q, from, want-len(page), len(x.q.Includes) > 0)
		if err != nil {
			return nil, nil, err
		}
		rows, err := x.Select(ctx, statement)
		if err != nil {
			return nil, nil, err
		}
		if from != nil && from.Missing {
			split = len(page)
		}
		page = append(page, rows[0].Found...)
		if len(page) == want {
			break
		}
		if from = query.Rest(x.q.Sort, from); from == nil {
			return page, nil, nil
		}
	}
	page = page[:x.q.Count]
	last := &page[len(page)-1]
	end := &query.Position{Keys: last.Order, Rkey: last.Key, Missing: split >= 0 && split < len(page)}
	return page, end, nil
}

// expand returns the resources of rows with their JSON.
func expand(rows []Found) ([]fhir.Resource, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	out := make([]fhir.Resource, len(rows))
	for i := range rows {
		var err error
		if out[i], err = rows[i].Expand(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
