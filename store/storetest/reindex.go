package storetest

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// Reindexer is a store whose index rows can be made anew.
type Reindexer interface {
	Store
	Reindex(ctx context.Context, refs []fhir.Ref, x func(*fhir.Resource) (search.Index, error), words bool) (changed int, err error)
}

// Reindexing runs every test of reindexing on an engine. open returns a fresh, empty store.
func Reindexing(t *testing.T, open func(t *testing.T) Reindexer) {
	for name, test := range reindexTests {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			s := open(t)
			test(&reindexFixture{fixture: fixture{T: t, s: s, ctx: t.Context()}, r: s})
		})
	}
}

// Put puts a small resource with this index.
func Put(t *testing.T, s Store, at string, x search.Index) {
	t.Helper()
	if _, err := s.Apply(t.Context(), &bundle.Batch{Changes: []bundle.Change{update(at, "x", x)}}); err != nil {
		t.Fatal(err)
	}
}

type reindexFixture struct {
	fixture
	r Reindexer
}

// says returns the index of a resource whose text is text: a value of each sort.
func says(text string) search.Index {
	h := fnv.New32a()
	h.Write([]byte(text))
	n := int64(h.Sum32())
	return search.Index{
		Tokens: []int64{n}, Links: []search.Link{{Param: 1, Target: fhir.Ref{Type: "Patient", ID: fmt.Sprint("t", n%5)}}},
		Dates:   []search.Range{{Param: 2, Lo: n, Hi: n + 1}, {Param: 2, Lo: n + 5, Hi: n + 6}},
		Numbers: []search.Amount{{Param: 3, Value: float64(n), Lo: float64(n), Hi: float64(n)}},
		Strings: []search.Text{{Param: 4, Folded: text, Exact: text}},
	}
}

// bySaying reads the text of a resource and returns its index.
func bySaying(r *fhir.Resource) (search.Index, error) {
	_, text, ok := strings.Cut(string(r.JSON), `"implicitRules":"`)
	if !ok {
		return search.Index{}, fmt.Errorf("the resource is %s", r.JSON)
	}
	text, _, _ = strings.Cut(text, `"`)
	return says(text), nil
}

// reindex reindexes resources, and expects that so many change.
func (f *reindexFixture) reindex(want int, refs []fhir.Ref, x func(*fhir.Resource) (search.Index, error)) {
	f.Helper()
	if n, err := f.r.Reindex(f.ctx, refs, x, false); err != nil || n != want {
		f.Errorf("%d changed, %v; want %d", n, err, want)
	}
}

// finding expects that just these ids are found by every sort of value of a text.
func (f *reindexFixture) finding(text, want string) {
	f.Helper()
	x := says(text)
	n := x.Tokens[0]
	param := func(id uint16, typ spec.SearchType) *spec.SearchParam {
		return &spec.SearchParam{ID: id, Code: fmt.Sprint("p", id), Type: typ}
	}
	match := func(id uint16, typ spec.SearchType, v search.Value) search.Expr {
		v.Prefix = "eq"
		return search.Match{Param: param(id, typ), Compared: typ, Values: []search.Value{v}}
	}
	for _, e := range []search.Expr{
		match(9, spec.Token, search.Value{Tokens: []int64{n}}),
		match(2, spec.Date, search.Value{Lo: n + 5, Hi: n + 6}),
		match(3, spec.Number, search.Value{Num: search.Decimal{Value: float64(n), Lo: float64(n) - 0.5, Hi: float64(n) + 0.5}}),
		search.Match{Param: param(4, spec.String), Compared: spec.String, Modifier: "exact", Values: []search.Value{{Text: text}}},
		search.And{match(1, spec.Reference, search.Value{Refs: []fhir.Ref{x.Links[0].Target}}), match(9, spec.Token, search.Value{Tokens: []int64{n}})},
	} {
		q := &search.Query{Type: "Observation", Where: []search.Expr{e}, Count: 1000, Restriction: search.Unrestricted}
		if got := sortedIDs(f.search(q).Matches); got != want {
			f.Errorf("%s by %v finds %q, want %q", text, e, got, want)
		}
	}
}

var reindexTests = map[string]func(*reindexFixture){
	"rows become what they should be": func(f *reindexFixture) {
		f.apply(update("Observation/a", "one", search.Index{}), update("Observation/b", "two", says("something else")),
			update("Observation/c", "two", says("two")), update("Observation/d", "one", says("one")))
		f.apply(remove("Observation/d"))
		before := f.versions(search.History{}, 100)
		refs := []fhir.Ref{ref("Observation/a"), ref("Observation/b"), ref("Observation/c"), ref("Observation/d"), ref("Observation/none")}
		f.reindex(2, refs, bySaying)
		f.reindex(0, refs, bySaying)
		f.finding("one", "a")
		f.finding("two", "b c")
		f.finding("something else", "")
		f.is("Observation/a", 1, "one")
		f.gone("Observation/d", fhir.Gone)
		if after := f.versions(search.History{}, 100); names(after) != names(before) {
			f.Errorf("versions %s, before %s", names(after), names(before))
		}
		f.apply(update("Observation/b", "one", says("one"))) // the rows that an update takes out are those that are there
		f.reindex(0, refs, bySaying)
		f.finding("one", "a b")
		f.finding("two", "c")
		nothing := func(*fhir.Resource) (search.Index, error) { return search.Index{}, nil }
		f.reindex(3, refs, nothing)
		f.finding("one", "")
		f.finding("two", "")
	},
	"many at once": func(f *reindexFixture) {
		var refs []fhir.Ref
		var changes []bundle.Change
		for i := range 300 {
			at := fmt.Sprintf("Observation/o%d", i)
			changes = append(changes, update(at, fmt.Sprint("text", i), search.Index{}))
			refs = append(refs, ref(at))
		}
		f.apply(changes...)
		f.reindex(300, refs, bySaying)
		f.finding("text17", "o17")
		f.finding("text299", "o299")
	},
	"what cannot be indexed stops it": func(f *reindexFixture) {
		f.apply(update("Observation/a", "one", says("two")))
		failing := func(*fhir.Resource) (search.Index, error) { return search.Index{}, fmt.Errorf("no") }
		if _, err := f.r.Reindex(f.ctx, []fhir.Ref{ref("Observation/a")}, failing, false); err == nil {
			f.Error("no error")
		}
		f.finding("two", "a")
	},
	"no row of an older version stays": func(f *reindexFixture) {
		const resources, rounds = 12, 40
		var refs []fhir.Ref
		for i := range resources {
			refs = append(refs, ref(fmt.Sprintf("Observation/o%d", i)))
		}
		for round := range rounds {
			var changes []bundle.Change
			for _, at := range refs { // as a server that knows less would write them
				changes = append(changes, update(at.String(), fmt.Sprint("start", round), says("wrong")))
			}
			f.apply(changes...)
			together(resources+2, func(i int) {
				if i >= resources {
					if _, err := f.r.Reindex(f.ctx, refs, bySaying, false); err != nil {
						f.Error(err)
					}
					return
				}
				text := fmt.Sprint("text", round, "n", i)
				change := update(refs[i].String(), text, says(text))
				if _, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: []bundle.Change{change}}); err != nil {
					f.Error(err)
				}
			})
			f.reindex(0, refs, bySaying) // also where a row stands twice, there would be something to change
			if f.Failed() {
				return
			}
		}
		f.finding("wrong", "")
		f.finding("text3n4", "")
		f.finding(fmt.Sprint("text", rounds-1, "n4"), "o4")
		for _, at := range refs {
			f.is(at.String(), 2*rounds, fmt.Sprint("text", rounds-1, "n", at.ID[1:]))
		}
	},
}
