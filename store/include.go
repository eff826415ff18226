package store

import (
	"context"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
	"github.com/amate-health/amate/store/query"
)

const (
	maxIncluded = 10_000  // resources that one page may include
	maxRounds   = 100     // steps of includes that iterate
	maxReverse  = 200_000 // references that one _revinclude looks for at a time
)

var errTooMuch = fhir.Errorf(fhir.TooCostly, "the page and what it includes would be larger than answers may be; ask for a smaller page")

// includes returns what a page brings along by _include and _revinclude, each
// resource once, and none that is a match.
//
// See https://hl7.org/fhir/R4/search.html#include.
func (x *searching) includes(ctx context.Context, page []Found) ([]Found, error) {
	if len(x.q.Includes) == 0 || len(page) == 0 {
		return nil, nil
	}
	seen := make(map[int64]bool, len(page))
	for i := range page {
		seen[page[i].Key] = true
	}
	var all []Found
	fresh := page
	for round := 0; len(fresh) > 0; round++ {
		if round > maxRounds {
			return nil, fhir.Errorf(fhir.TooCostly, "includes that iterate lead on for more than %d steps", maxRounds)
		}
		statements, err := x.includeStatements(fresh, round, maxIncluded+1-len(all))
		if err != nil || len(statements) == 0 {
			return all, err
		}
		results, err := x.Select(ctx, statements...)
		if err != nil {
			return nil, err
		}
		start := len(all)
		for _, rows := range results {
			if rows.Cut {
				return nil, errTooMuch
			}
			for _, f := range rows.Found {
				if !seen[f.Key] {
					seen[f.Key] = true
					all = append(all, f)
				}
			}
		}
		if len(all) > maxIncluded {
			return nil, fhir.Errorf(fhir.TooCostly, "the page would include more than %d resources; ask for a smaller page", maxIncluded)
		}
		fresh = all[start:]
	}
	return all, nil
}

// includeStatements compiles what rows bring along: all includes for the matches
// themselves (round 0), the iterating ones for what was included.
func (x *searching) includeStatements(rows []Found, round, limit int) ([]*query.Statement, error) {
	var statements []*query.Statement
	for i := range x.q.Includes {
		include := &x.q.Includes[i]
		if round > 0 && !include.Iterate {
			continue
		}
		var s *query.Statement
		var err error
		if include.Reverse {
			if keys := referredTo(include, rows); len(keys) > 0 {
				if len(keys)*len(include.Params) > maxReverse {
					return nil, fhir.Errorf(fhir.TooCostly, "_revinclude looks for too many references at a time; ask for a smaller page, or name the parameters")
				}
				s, err = x.compiler.Reverse(x.q.Restriction, include.Source, paramIDs(include), keys, limit)
			}
		} else if keys := targets(include, rows); len(keys) > 0 {
			s, err = x.compiler.Forward(x.q.Restriction, include.Target, keys, limit)
		}
		if err != nil {
			return nil, err
		}
		if s != nil {
			// What is there already may come again; beyond three times the bound, something
			// comes that is over it.
			s.Bytes = 3 * x.q.Bytes
			statements = append(statements, s)
		}
	}
	return statements, nil
}

// targets returns the row keys that rows of the include's source type refer to.
func targets(include *search.Include, rows []Found) []int64 {
	var keys []int64
	for i := range rows {
		if include.Source == "" {
			at, _ := slices.BinarySearch(rows[i].Postings, 0) // those of references are positive
			for _, posting := range rows[i].Postings[at:] {
				if !derived(posting) {
					keys = append(keys, index.LinkTarget(posting))
				}
			}
			continue
		}
		if rows[i].Resource.Ref.Type != include.Source {
			continue
		}
		for _, p := range include.Params {
			from, to := index.LinkSpan(p.ID)
			at, _ := slices.BinarySearch(rows[i].Postings, from)
			for _, posting := range rows[i].Postings[at:] {
				if posting >= to {
					break
				}
				keys = append(keys, index.LinkTarget(posting))
			}
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// referredTo returns the row keys of those rows that the include's parameters can point to.
func referredTo(include *search.Include, rows []Found) []int64 {
	var keys []int64
	for i := range rows {
		if include.Target == "" || rows[i].Resource.Ref.Type == include.Target {
			keys = append(keys, rows[i].Key)
		}
	}
	return keys
}

func paramIDs(include *search.Include) []uint16 {
	ids := make([]uint16, len(include.Params))
	for i, p := range include.Params {
		ids[i] = p.ID
	}
	return ids
}
