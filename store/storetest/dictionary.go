package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// coded is an Observation with a code, which has a display, a status and a subject.
func coded(id, code, display, status, subject string) string {
	return fmt.Sprintf(`{"resourceType":"Observation","id":%q,"status":%q,"code":{"coding":[%s]},"subject":{"reference":%q}}`,
		id, status, codings(code, display), subject)
}

// codings makes a coding of each of the codes, which are parted by commas.
func codings(codes, display string) string {
	var all []string
	for _, code := range strings.Split(codes, ",") {
		all = append(all, fmt.Sprintf(`{"system":"http://loinc.org","code":%q,"display":%q}`, code, display))
	}
	return strings.Join(all, ",")
}

// dictionaryTests are about what tokens say in words: sorting, :text and :below.
var dictionaryTests = map[string]func(*fixture){
	"further keys order more of one word than a page looks at": func(f *fixture) {
		const n = 2_300
		var all, want []string
		for i := range n {
			all = append(all, coded(fmt.Sprintf("o%04d", i), fmt.Sprintf("c%04d", n-i), "", "final", "Patient/p"))
			want = append(want, fmt.Sprintf("o%04d", n-1-i))
		}
		f.load(all...)
		if got := f.pages("Observation?_sort=status,code", 500, nil); !slices.Equal(got, want) {
			f.Errorf("%d resources in another order, or not all of %d; the first pages begin with %v", len(got), n, got[:3])
		}
	},
	"text and below": func(f *fixture) {
		f.load(
			coded("o1", "a", "Presión arterial", "final", "Patient/p"),
			coded("o2", "b", "Peso corporal", "final", "Patient/p"),
			`{"resourceType":"ValueSet","id":"v1","status":"active","url":"http://example.org/fhir/vs"}`,
			`{"resourceType":"ValueSet","id":"v2","status":"active","url":"http://example.org/fhir/vs/part"}`,
			`{"resourceType":"ValueSet","id":"v3","status":"active","url":"http://example.org/fhir/vsx"}`,
		)
		for text, want := range map[string]string{
			"Observation?code:text=presion": "o1", "Observation?code:text=ARTER": "o1", "Observation?code:text=p": "o1 o2",
			"Observation?code:text=rterial": "", "Observation?code:text=peso,arterial": "o1 o2", "Observation?code:text=%25": "",
			"Observation?code:text=p&code=b": "o2", "ValueSet?url:below=http://example.org/fhir/vs": "v1 v2 v3",
			"ValueSet?url:below=http://example.org/fhir/vs/": "v2", "ValueSet?url:below=HTTP://example.org/fhir/": "",
		} {
			f.finds(text, want)
		}
		f.load(coded("o1", "a", "Otra cosa", "final", "Patient/p"))
		f.finds("Observation?code:text=presion", "")
		f.finds("Observation?code:text=cosa", "o1")
	},
	"sorts": func(f *fixture) {
		f.load(
			coded("o1", "b,d", "x", "final", "Patient/p2"), coded("o2", "c", "x", "amended", "Patient/p1"), coded("o3", "a", "x", "final", "Patient/p3"),
			coded("o4", "B", "x", "registered", "Patient/p1"), `{"resourceType":"Observation","id":"o5","status":"final"}`,
		)
		for text, want := range map[string]string{
			"Observation?_sort=code": "o4 o3 o1 o2 o5", "Observation?_sort=-code": "o1 o2 o3 o4 o5",
			"Observation?_sort=status,code": "o2 o3 o1 o5 o4", "Observation?_sort=-status,-code": "o4 o1 o3 o5 o2",
			"Observation?_sort=patient,code": "o4 o2 o1 o3 o5", "Observation?_sort=-patient,-code": "o3 o1 o2 o4 o5",
			"Observation?code=b,c&_sort=code": "o1 o2", "Observation?code=d&_sort=code": "o1",
		} {
			f.orders(text, want)
			f.paged(text, strings.Fields(want))
		}
	},
	// Many resources share a word, and some have several: page by page, in either
	// direction, each stands where the first of its words puts it, and nowhere else.
	"random sorts": func(f *fixture) {
		r := rand.New(rand.NewPCG(1, 2))
		first, last := map[string]string{}, map[string]string{}
		var changes []bundle.Change
		for i := range 90 {
			codes := []string{string(rune('a' + r.IntN(5))), string(rune('a' + r.IntN(5)))}[:1+r.IntN(2)]
			id := fmt.Sprintf("o%02d", i)
			first[id], last[id] = slices.Min(codes), slices.Max(codes)
			changes = append(changes, resource(f, coded(id, strings.Join(codes, ","), "x", "final", "Patient/p")))
		}
		f.apply(changes...)
		up := slices.Collect(func(yield func(string) bool) {
			for i := range 90 {
				yield(fmt.Sprintf("o%02d", i))
			}
		})
		down := slices.Clone(up)
		slices.SortStableFunc(up, func(a, b string) int { return strings.Compare(first[a], first[b]) })
		slices.Reverse(down)
		slices.SortStableFunc(down, func(a, b string) int { return strings.Compare(last[b], last[a]) })
		f.paged("Observation?_sort=code", up)
		f.paged("Observation?_sort=-code", down)
	},
	// Writers that add the same words at once all succeed.
	"at once": func(f *fixture) {
		var failed sync.Map
		together(8, func(i int) {
			for n := range 10 {
				var changes []bundle.Change
				for k := range 5 {
					code := fmt.Sprint("w", (n+k*(1+i%2))%7)
					changes = append(changes, resource(f, coded(fmt.Sprintf("o%d-%d-%d", i, n, k), code, "word "+code, "final", "Patient/p")))
				}
				if _, err := f.s.Apply(f.ctx, &bundle.Batch{Changes: changes}); err != nil {
					failed.Store(i, err)
				}
			}
		})
		failed.Range(func(_, err any) bool { f.Error(err); return true })
		if n := f.search(query(f, "Observation?code:text=word&_summary=count")).Total; n != 400 {
			f.Errorf("%d found by text, want 400", n)
		}
	},
	// What a circle holds is what Distance says, near the poles and the date line too.
	"places": func(f *fixture) {
		r := rand.New(rand.NewPCG(3, 4))
		var changes []bundle.Change
		subjects := map[string]*search.Index{}
		for i := range 60 {
			id := fmt.Sprintf("l%d", i)
			lat, lon := 180*r.Float64()-90, 360*r.Float64()-180
			if i%3 == 0 {
				lat, lon = 19+r.Float64(), -99+r.Float64()
			}
			c := resource(f, fmt.Sprintf(`{"resourceType":"Location","id":%q,"position":{"latitude":%f,"longitude":%f}}`, id, lat, lon))
			content, err := c.Build(nil, fhir.Ref{Type: "Location", ID: id}, nil)
			if err != nil {
				f.Fatal(err)
			}
			subjects[id], changes = &content.Index, append(changes, c)
		}
		f.apply(changes...)
		for _, at := range []string{"19.4|-99.1|20|km", "19.4|-99.1|100|km", "89|10|3000|km", "-89.9|0|2000|km", "0|180|4000|km", "0|-180|4000|km", "10|10|20000|km", "0|0|0|km", "0|0|30000|km"} {
			q := query(f, "Location?near="+at)
			var want []string
			for id, ix := range subjects {
				if ok, err := search.Holds(search.And(q.Where), &search.Subject{Index: ix}); err != nil {
					f.Fatal(err)
				} else if ok {
					want = append(want, id)
				}
			}
			slices.Sort(want)
			q.Count = 100
			if got := sortedIDs(f.search(q).Matches); got != strings.Join(want, " ") {
				f.Errorf("near %s: %q, want %q", at, got, want)
			}
		}
	},
}

// paged expects the same order whatever the size of the pages.
func (f *fixture) paged(text string, want []string) {
	f.Helper()
	for _, count := range []int{1, 2, 7, 100} {
		if got := f.pages(text, count, nil); !slices.Equal(got, want) {
			f.Errorf("%s by %d:\n%v, want\n%v", text, count, got, want)
		}
	}
}
