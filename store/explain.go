package store

import (
	"context"
	"time"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/query"
)

// Explainer is a Reader that tells how it carries a statement out.
type Explainer interface {
	Reader

	// Explain runs s and returns the engine's account of how, without values of the
	// search where that can be had, and what it took.
	Explain(ctx context.Context, s *query.Statement) (text string, took time.Duration, err error)
}

// Explain runs the statements of q, those of its includes aside, and tells how they
// are carried out: what is counted to choose between ways, the page, the total.
func Explain(ctx context.Context, r Explainer, s *Sealer, q *search.Query) ([]search.Plan, error) {
	from, err := s.open(q.After, searchPurpose(q))
	if err != nil {
		return nil, err
	}
	known, err := r.Known(ctx, query.References(q))
	if err != nil {
		return nil, err
	}
	e := &explaining{searching: searching{Reader: r, q: q, compiler: newCompiler(r, known)}, r: r}
	page := func(exhaustive bool) error {
		return e.add(ctx, "page", func() (*query.Statement, error) {
			return e.compiler.Page(q, from, q.Count+1, len(q.Includes) > 0, exhaustive)
		})
	}
	if err := page(false); err != nil {
		return nil, err
	}
	if last := &e.plans[len(e.plans)-1]; e.capped {
		last.Purpose = "page, unless it has to look at too much"
		if err := page(true); err != nil {
			return nil, err
		}
		e.plans[len(e.plans)-1].Purpose = "page, if that did not fill it"
	}
	if q.Total != search.TotalNone {
		err = e.add(ctx, "total", func() (*query.Statement, error) { return e.compiler.Count(q) })
	}
	return e.plans, err
}

// explaining collects plans.
type explaining struct {
	searching
	r      Explainer
	plans  []search.Plan
	capped bool // the last statement may give up
}

func (e *explaining) add(ctx context.Context, purpose string, make func() (*query.Statement, error)) error {
	probing := func() (*query.Statement, error) {
		s, err := make()
		for _, p := range e.compiler.Unknown {
			if err := e.run(ctx, "count, to choose how to begin", p.Statement); err != nil {
				return nil, err
			}
		}
		return s, err
	}
	s, err := e.compile(ctx, probing)
	if err != nil {
		return err
	}
	e.capped = s.Capped
	return e.run(ctx, purpose, s)
}

func (e *explaining) run(ctx context.Context, purpose string, s *query.Statement) error {
	text, took, err := e.r.Explain(ctx, s)
	e.plans = append(e.plans, search.Plan{Purpose: purpose, Start: s.Start, SQL: s.SQL, Args: len(s.Args), Text: text, Took: took})
	return err
}
