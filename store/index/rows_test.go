package index

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

func TestMake(t *testing.T) {
	inf := math.Inf(1)
	x := &search.Index{
		Tokens: []int64{-5, 3},
		Links: []search.Link{
			{Param: 2, Target: fhir.Ref{Type: "Patient", ID: "a"}},
			{Param: 65535, Target: fhir.Ref{Type: "Patient", ID: "a"}},
			{Param: 2, Target: fhir.Ref{Type: "Patient", ID: "unstorable"}},
		},
		Dates: []search.Range{{Param: 1, Lo: 5, Hi: 6}, {Param: 1, Lo: 7, Hi: 8}, {Param: 2, Lo: math.MinInt64, Hi: math.MaxInt64}},
		Numbers: []search.Amount{
			{Param: 1, Unit: 0, Value: 2, Lo: 2, Hi: 2}, {Param: 1, Unit: 11, Value: 2, Lo: 2, Hi: 2}, {Param: 1, Unit: 9, Value: 2, Lo: 2, Hi: 2},
			{Param: 1, Unit: 0, Value: 1, Lo: -inf, Hi: 1},
			{Param: 3, Unit: 1, Value: 4, Lo: 4, Hi: 4}, {Param: 3, Unit: 2, Value: 4, Lo: 4, Hi: 4}, {Param: 3, Unit: 3, Value: 4, Lo: 4, Hi: 4},
			{Param: 3, Unit: 4, Value: 4, Lo: 4, Hi: 4},
		},
		Strings: []search.Text{
			{Param: 1, Folded: "ana", Exact: "Ana"}, {Param: 1, Folded: "zoe", Exact: "zoe"}, {Param: 1, Folded: "a\x00b\xff", Exact: ""},
			{Param: 2, Folded: "tail", Exact: ""},
		},
	}
	got := Make(x, func(ref fhir.Ref) int64 {
		if ref.ID == "a" {
			return 7
		}
		return 0
	})
	want := Rows{
		Postings: []int64{math.MinInt64 + 3, -5, 2<<44 | 7, 65535<<44 | 7},
		Dates: []Date{
			{Param: 1, Lo: 5, Hi: 6, Mark: MarkFirst}, {Param: 1, Lo: 7, Hi: 8, Mark: MarkLast},
			{Param: 2, Lo: math.MinInt64, Hi: math.MaxInt64, Mark: MarkFirst | MarkLast},
		},
		Numbers: []Number{
			{Param: 1, Value: 1, Lo: -inf, Hi: 1, Mark: MarkPlain | MarkFirst},
			{Param: 1, Value: 2, Lo: 2, Hi: 2, Units: [3]int64{9, 11}, Mark: MarkPlain | MarkLast},
			{Param: 3, Value: 4, Lo: 4, Hi: 4, Units: [3]int64{1, 2, 3}},
			{Param: 3, Value: 4, Lo: 4, Hi: 4, Units: [3]int64{4}},
		},
		Strings: []String{
			{Param: 1, Folded: "ana", Exact: "Ana", Mark: MarkFirst}, {Param: 1, Folded: "zoe", Mark: MarkLast},
			{Param: 1, Folded: "ab", Mark: MarkTail}, {Param: 2, Folded: "tail", Mark: MarkTail},
		},
	}
	want.Sort()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if (&Number{Value: 1, Lo: -inf, Hi: 1}).Plain() || !(&Number{Value: 2, Lo: 2, Hi: 2}).Plain() {
		t.Error("Plain")
	}
}

func TestLinks(t *testing.T) {
	for _, param := range []uint16{0, 1, 19_999, 65_535} {
		for _, key := range []int64{1, 1024, MaxKey} {
			posting := Link(param, key)
			from, to := LinkSpan(param)
			if posting <= 0 || posting < from || posting >= to || LinkTarget(posting) != key {
				t.Errorf("param %d, key %d: %d, from %d to %d, back %d", param, key, posting, from, to, LinkTarget(posting))
			}
		}
	}
	for _, hash := range []int64{0, 1, -1, math.MinInt64, math.MaxInt64} {
		if Token(hash) >= 0 {
			t.Errorf("the token of %d is %d, which a reference could be", hash, Token(hash))
		}
	}
}

// TestDiff: what is gone and what is added make the old rows into the new ones.
func TestDiff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := func(name string) *Rows {
			small := rapid.Int64Range(0, 6)
			x := &search.Index{Tokens: rapid.SliceOfN(small, 0, 6).Draw(t, name)}
			for _, v := range rapid.SliceOfN(small, 0, 6).Draw(t, name) {
				x.Dates = append(x.Dates, search.Range{Param: uint16(v % 2), Lo: v, Hi: v + 1})
				x.Numbers = append(x.Numbers, search.Amount{Param: uint16(v % 2), Unit: v % 3, Value: float64(v), Lo: float64(v), Hi: float64(v)})
				x.Strings = append(x.Strings, search.Text{Param: uint16(v % 2), Folded: string(rune('a' + v)), Exact: []string{"", "X"}[v%2]})
			}
			rows := Make(x, nil)
			return &rows
		}
		old, new := random("old"), random("new")
		gone, added := Diff(old, new)
		check(t, old.Postings, gone.Postings, added.Postings, new.Postings)
		check(t, old.Dates, gone.Dates, added.Dates, new.Dates)
		check(t, old.Numbers, gone.Numbers, added.Numbers, new.Numbers)
		check(t, old.Strings, gone.Strings, added.Strings, new.Strings)
	})
}

func check[T comparable](t *rapid.T, old, gone, added, new []T) {
	set := map[T]bool{}
	for _, row := range old {
		set[row] = true
	}
	for _, row := range gone {
		if !set[row] {
			t.Fatalf("%v is gone, and was not there", row)
		}
		delete(set, row)
	}
	for _, row := range added {
		if set[row] {
			t.Fatalf("%v is added, and was there", row)
		}
		set[row] = true
	}
	if len(set) != len(new) {
		t.Fatalf("%d rows become %d, want %d", len(old), len(set), len(new))
	}
	for _, row := range new {
		if !set[row] {
			t.Fatalf("%v is missing", row)
		}
	}
}
