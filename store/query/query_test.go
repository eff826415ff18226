package query

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// TestNoRestrictionNoQuery: nothing is compiled for a caller of whom it was not said
// what they may see.
func TestNoRestrictionNoQuery(t *testing.T) {
	for _, d := range []index.Dialect{index.Postgres, index.SQLite} {
		c := goldenCompiler(d)
		for _, text := range goldenSearches {
			q := goldenQuery(t, text)
			q.Restriction = nil
			_, pageErr := c.Page(q, nil, 10, false, false)
			_, countErr := c.Count(q)
			for _, err := range []error{pageErr, countErr} {
				if !errors.Is(err, ErrUnrestricted) {
					t.Errorf("%s: %v", text, err)
				}
			}
		}
		_, forward := c.Forward(nil, "Patient", []int64{1}, 10)
		_, reverse := c.Reverse(nil, "Patient", []uint16{1}, []int64{1}, 10)
		_, history := c.History(&search.History{}, nil, 10)
		_, count := c.HistoryCount(&search.History{Type: "Patient", ID: "a"})
		for _, err := range []error{forward, reverse, history, count} {
			if !errors.Is(err, ErrUnrestricted) {
				t.Error(err)
			}
		}
	}
}

// TestValuesAreBound: what comes from a request is never part of the SQL.
func TestValuesAreBound(t *testing.T) {
	const attack = "x'; DROP TABLE resource; --"
	for _, d := range []index.Dialect{index.Postgres, index.SQLite} {
		for _, text := range []string{"Patient?family=", "Patient?family:exact=", "Patient?family:contains=", "Patient?_id=", "Patient?identifier="} {
			q := goldenQuery(t, text+"a")
			switch e := q.Where[0].(type) {
			case search.Match:
				e.Values[0].Text = attack
			case search.IDs:
				e.Any[0] = attack
			}
			s, err := goldenCompiler(d).Page(q, nil, 10, false, false)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range s.SQL {
				if r == '\'' && d == index.SQLite || r == ';' || r == '-' {
					t.Fatalf("%s: %s", text, s.SQL)
				}
			}
		}
	}
}

func TestPositionComesBack(t *testing.T) {
	for _, p := range []Position{
		{Rkey: 1}, {Rkey: math.MaxInt64, Keys: []any{nil, int64(-1), 1.5, "é", ""}}, {Missing: true, Start: true},
		{Missing: true, Keys: []any{nil, math.Inf(1)}, Rkey: 3},
	} {
		back, err := DecodePosition(p.Append(nil))
		if err != nil || !reflect.DeepEqual(*back, p) {
			t.Errorf("%+v comes back as %+v, %v", p, back, err)
		}
	}
}

// TestForeignPosition: a position of another order is refused.
func TestForeignPosition(t *testing.T) {
	for _, c := range []struct {
		text string
		p    Position
	}{
		{"Patient?", Position{Keys: []any{int64(1)}}},
		{"Patient?", Position{Missing: true}},
		{"Patient?", Position{Missing: true, Start: true}},
		{"Patient?_sort=family", Position{}},
		{"Patient?_sort=family", Position{Keys: []any{int64(1)}}},
		{"Patient?_sort=family", Position{Keys: []any{nil}}},
		{"Patient?_sort=birthdate", Position{Keys: []any{"1980"}}},
		{"Patient?_sort=_id", Position{Missing: true, Keys: []any{nil}}},
		{"Observation?_sort=value-quantity", Position{Keys: []any{int64(1)}}},
	} {
		if _, err := goldenCompiler(index.Postgres).Page(goldenQuery(t, c.text), &c.p, 10, false, false); fhir.CodeOf(err) != fhir.Invalid {
			t.Errorf("%s at %+v: %v", c.text, c.p, err)
		}
	}
}

func FuzzDecodePosition(f *testing.F) {
	f.Add((&Position{Rkey: 1, Keys: []any{nil, int64(1), 1.5, "x"}}).Append(nil))
	f.Add([]byte{})
	f.Add([]byte{0, 255, 0, 0, 0, 0, 0, 0, 0, 0, 3, 255, 255, 255, 255, 255, 255, 255, 255, 127})
	f.Add([]byte{9, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePosition(b)
		if err != nil {
			return
		}
		again, err := DecodePosition(p.Append(nil))
		if err != nil || len(again.Keys) != len(p.Keys) || again.Rkey != p.Rkey {
			t.Errorf("%+v comes back as %+v, %v", p, again, err)
		}
	})
}
