package sqlite

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"zombiezen.com/go/sqlite"

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

// TestJobsOfOneTransaction: of jobs that share a transaction those that fail leave
// nothing, wherever they stand, and the others stay.
func TestJobsOfOneTransaction(t *testing.T) {
	broken := errors.New("broken")
	for _, plan := range []string{"+", "-", "-+", "+-", "--+-+", "+-+", "p+", "+p+-", "---"} {
		s := open(t)
		var jobs []*job
		for i := range plan {
			key := fmt.Sprint(i)
			jobs = append(jobs, &job{ctx: t.Context(), done: make(chan error, 1), run: func(conn *sqlite.Conn) error {
				if err := putEntry(conn, &fhir.Entry{Kind: "k", Key: key, Value: []byte("v")}, 1); err != nil {
					return err
				}
				switch plan[i] {
				case '-':
					return broken
				case 'p':
					panic(broken)
				}
				return nil
			}})
		}
		s.writer.transact(jobs)
		for i, j := range jobs {
			if err := <-j.done; (err == nil) != (plan[i] == '+') {
				t.Errorf("%s: job %d ends with %v", plan, i, err)
			}
			_, err := s.Entry(t.Context(), "k", fmt.Sprint(i))
			if (err == nil) != (plan[i] == '+') {
				t.Errorf("%s: what job %d wrote: %v", plan, i, err)
			}
		}
		if !s.writer.conn.AutocommitEnabled() {
			t.Errorf("%s: the transaction goes on", plan)
		}
	}
}
