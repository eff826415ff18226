package store

import (
	"context"
	"slices"

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
	x := &searching{Reader: r, q: q, compiler: newCompiler(r, known)}
	result := &search.Result{Total: -1}
	if err := x.total(ctx, result); err != nil {
		return nil, err
	}
	page, end, err := x.page(ctx, from)
	if err != nil {
		return nil, err
	}
	if result.Matches, err = expand(page.rows, q.Bytes); err != nil {
		return nil, err
	}
	if n := len(result.Matches); n < len(page.rows) {
		page.rows, end = page.rows[:n], page.after(&page.rows[n-1])
	}
	if end != nil {
		result.Next = s.seal(end, purpose)
	}
	included, err := x.includes(ctx, page.rows)
	if err != nil {
		return nil, err
	}
	left := q.Bytes
	if left > 0 {
		left = max(left-sizeOf(result.Matches), 1)
	}
	if result.Included, err = expand(included, left); err != nil {
		return nil, err
	}
	if n := len(result.Included); n < len(included) || left > 0 && sizeOf(result.Included) > left {
		return nil, errTooMuch
	}
	return result, nil
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
	count, err := x.compile(ctx, func() (*query.Statement, error) { return x.compiler.Count(x.q) })
	if err != nil {
		return err
	}
	if x.q.Total == search.TotalEstimate {
		guess, err := x.compiler.Guess(x.q)
		if err != nil {
			return err
		}
		x.compiler.Unknown = nil
		n, exact, err := x.Estimate(ctx, count, guess)
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

// mostProbes is how many times, at most, a statement is compiled anew since more has
// become known of how many rows there are. What a chain leads to is counted before
// what it leads from.
const mostProbes = 3

// compile returns what make compiles, once the counts that it depends on are known.
func (x *searching) compile(ctx context.Context, make func() (*query.Statement, error)) (*query.Statement, error) {
	for range mostProbes {
		s, err := make()
		probes := x.compiler.Unknown
		x.compiler.Unknown = nil
		if err != nil || len(probes) == 0 {
			return s, err
		}
		if err := x.probe(ctx, probes); err != nil {
			return nil, err
		}
	}
	return make()
}

// probe counts, and remembers.
func (x *searching) probe(ctx context.Context, probes []query.Probe) error {
	statements := make([]*query.Statement, len(probes))
	for i := range probes {
		statements[i] = probes[i].Statement
	}
	rows, err := x.Select(ctx, statements...)
	if err != nil {
		return err
	}
	for i := range probes {
		x.Weights().Put(probes[i].Key, int(rows[i].Number))
	}
	return nil
}

// matches is a page of matches.
type matches struct {
	rows  []Found
	split bool // the first key of the order is one that a resource may have no value for
}

// add adds those of rows that the page does not have yet: what is written between two parts
// of it may be in both.
func (m *matches) add(rows []Found) {
	before := m.rows
	for i := range rows {
		if !slices.ContainsFunc(before, func(r Found) bool { return r.Key == rows[i].Key }) {
			m.rows = append(m.rows, rows[i])
		}
	}
}

// after is the place after a match.
func (m *matches) after(last *Found) *query.Position {
	return &query.Position{Keys: last.Order, Rkey: last.Key, Missing: m.split && last.Order[0] == nil}
}

// page returns the matches of the page that follows from, and where it ends when
// there are more: one more than asked for is read to know that.
func (x *searching) page(ctx context.Context, from *query.Position) (*matches, *query.Position, error) {
	page := &matches{split: len(x.q.Sort) > 0 && x.q.Sort[0].Param != nil}
	if x.q.Count <= 0 {
		return page, nil, nil
	}
	want := x.q.Count + 1
	for {
		rows, whole, err := x.part(ctx, from, want-len(page.rows))
		if err != nil {
			return nil, nil, err
		}
		limit := want - len(page.rows)
		if page.add(rows.Found); len(page.rows) == want {
			break
		}
		if rows.Cut { // and so will the page be, before its last row
			return page, nil, nil
		}
		if len(rows.Found) == limit && !whole { // and the page had some of them
			from = page.after(&rows.Found[limit-1])
			continue
		}
		if from = query.Rest(x.q.Sort, from); from == nil || whole {
			return page, nil, nil
		}
	}
	page.rows = page.rows[:x.q.Count]
	return page, page.after(&page.rows[x.q.Count-1]), nil
}

// part returns up to limit matches that follow from. whole reports that none are
// left beside these.
func (x *searching) part(ctx context.Context, from *query.Position, limit int) (rows Rows, whole bool, err error) {
	for _, exhaustive := range []bool{false, true} {
		statement, err := x.compile(ctx, func() (*query.Statement, error) {
			return x.compiler.Page(x.q, from, limit, len(x.q.Includes) > 0, exhaustive)
		})
		if err != nil {
			return rows, false, err
		}
		statement.Bytes = x.q.Bytes
		results, err := x.Select(ctx, statement)
		if err != nil {
			return rows, false, err
		}
		rows, whole = results[0], statement.Whole
		if len(rows.Found) == limit || rows.Cut || !statement.Capped {
			break
		}
	}
	return rows, whole, nil
}

// expand returns the resources of rows with their JSON: of as many, from the first
// on, as keep within limit bytes; 0 sets no limit. The first is always there.
func expand(rows []Found, limit int64) ([]fhir.Resource, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	out := make([]fhir.Resource, 0, len(rows))
	size := int64(0)
	for i := range rows {
		r, err := rows[i].Expand()
		if err != nil {
			return nil, err
		}
		if size += int64(len(r.JSON)); limit > 0 && size > limit && i > 0 {
			break
		}
		out = append(out, r)
	}
	return out, nil
}

// sizeOf returns how many bytes of JSON resources have.
func sizeOf(resources []fhir.Resource) (n int64) {
	for i := range resources {
		n += int64(len(resources[i].JSON))
	}
	return n
}
