package sqlite

import (
	"context"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/store"
	"github.com/amate-health/amate/store/query"
)

// TestSearchOfAWriterEnds: a search within a write stops when its request does, and
// the writer goes on with the next.
func TestSearchOfAWriterEnds(t *testing.T) {
	s := open(t)
	endless := &query.Statement{Number: true, SQL: `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n`}
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Attempt(ctx, true, func(tx store.Tx) error {
		cancel()
		_, err := tx.Select(ctx, endless)
		return err
	})
	if err == nil {
		t.Error("the search ended well")
	}
	err = s.Attempt(t.Context(), true, func(tx store.Tx) error {
		_, err := tx.Select(t.Context(), &query.Statement{Number: true, SQL: `SELECT 1`})
		return err
	})
	if err != nil {
		t.Errorf("the next one: %v", err)
	}
}

// TestCriteriaAreBounded: a criterion that takes too long is refused, so that others
// can write.
func TestCriteriaAreBounded(t *testing.T) {
	s := open(t)
	s.criteriaTime = 1
	endless := &query.Statement{Number: true, SQL: `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n`}
	err := s.Attempt(t.Context(), true, func(tx store.Tx) error {
		_, err := tx.Select(t.Context(), endless)
		return err
	})
	if fhir.CodeOf(err) != fhir.TooCostly {
		t.Errorf("error %v", err)
	}
	s.criteriaTime = criteriaTime
	err = s.Attempt(t.Context(), true, func(tx store.Tx) error {
		_, err := tx.Select(t.Context(), &query.Statement{Number: true, SQL: `SELECT 1`})
		return err
	})
	if err != nil {
		t.Errorf("the next one: %v", err)
	}
}
