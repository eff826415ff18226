package opendata

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/table"
	"pgregory.net/rapid"
)

// TestThreeReleasesAreNotSubtracted publishes a period three times: people are added, taken
// away and added again, so that a count may come back to near what it was.
func TestThreeReleasesAreNotSubtracted(t *testing.T) {
	f := family(t, smallFamily)
	third, returned := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		groups := drawGroups(rt, 3, 12, 60)
		var told []*attacker
		var cubes []*Cube
		var past map[string]Past
		for number := 1; number <= 3; number++ {
			files, c, p := publish(t, f, groups, past, number)
			if files != nil { // or the earlier one stands
				now := read(t, files, smallDims, smallRates).after(told...)
				for i, before := range told {
					for _, what := range differences(before, now, float64(f.K)) {
						rt.Error("releases tell of", what)
					}
					for _, what := range between(before, now, float64(f.K), truthOf(cubes[i], c)) {
						rt.Error("bounds of releases tell of", what)
					}
				}
				for _, what := range attackAll(now, float64(f.K), c) {
					rt.Error(what)
				}
				told, cubes, past = append(told, now), append(cubes, c), Remember(c, p, past)
			}
			i := rapid.IntRange(0, len(groups)-1).Draw(rt, "which")
			by := rapid.SampledFrom([]int{-30, -25, -3, 2, 25, 30}).Draw(rt, "by")
			groups[i].n = max(0, groups[i].n+by)
		}
		if len(told) == 3 {
			third++
			for name, v := range told[0].cells {
				if two, three := told[1].cells[name], told[2].cells[name]; v > 0 && two > 0 && three == v && math.Abs(two-v) >= float64(f.K) {
					returned++
				}
			}
		}
	})
	t.Logf("%d times three releases, %d cells as they were before the last", third, returned)
	if third == 0 {
		t.Error("nothing was published three times")
	}
}

// TestReleaseBeforeTheLast: what counts nearly the same as in the first release, and not as
// in the second, is as the first had it.
func TestReleaseBeforeTheLast(t *testing.T) {
	f := family(t, smallFamily)
	at := func(n int) []group {
		return []group{{"14001", "2025-01-05", "M", "25", "true", n}, {"14001", "2025-01-05", "H", "25", "true", 400}, {"14002", "2025-02-05", "M", "25", "true", 300}, {"14002", "2025-02-05", "H", "40", "false", 200}, {"09001", "2025-02-05", "M", "40", "false", 500}, {"09001", "2025-01-05", "H", "40", "false", 600}}
	}
	var past map[string]Past
	for i, n := range []int{100, 130, 104} {
		files, c, p := publish(t, f, at(n), past, i+1)
		if files == nil {
			return // the second one stands, which tells nothing
		}
		a := read(t, files, smallDims, smallRates)
		const name = "14001|total|M|total|total"
		if v := a.cells[name]; i == 2 && v >= 0 && (v != 100 || !a.kept[name]) {
			t.Errorf("4 people more than in the first release are told of: %v", v)
		}
		past = Remember(c, p, past)
	}
}

// TestPastCells: what was told before is kept where a count is near it, whenever that was.
func TestPastCells(t *testing.T) {
	p := Past{Shown: -1, Hidden: -1}
	for _, v := range []int64{100, 130} {
		p.show(v)
	}
	p.hide(5)
	p.hide(60)
	for _, c := range []struct {
		count, kept int64
		near        bool
		low, high   int64
		hidden, few bool
	}{
		{104, 100, true, 0, 0, false, true}, {130, 130, true, 0, 0, false, true}, {112, 0, false, 0, 0, false, true},
		{12, 0, false, 5, 5, true, true}, {55, 0, false, 60, 60, true, true}, {16, 0, false, 0, 0, false, true},
	} {
		kept, near := p.nearest(c.count, 11)
		ends, hidden := p.around(c.count, 11)
		if kept != c.kept || near != c.near || ends != [2]int64{c.low, c.high} || hidden != c.hidden || p.few(11) != c.few {
			t.Errorf("%d: %d %v, %v %v", c.count, kept, near, ends, hidden)
		}
	}
	gone := Past{Shown: 0, Hidden: -1, ShownEarlier: []int64{20}}
	if v, near := gone.nearest(4, 11); near {
		t.Errorf("four people are told of beside %d", v)
	}
}

// TestListedRows: a row that is listed counts somebody, and who knows that must not find
// that another is small: of 1 and 10 in a total of 11, the 10 cannot be all.
func TestListedRows(t *testing.T) {
	f := family(t, smallFamily)
	groups := []group{{"14001", "2025-01-05", "M", "25", "true", 1}, {"14001", "2025-01-05", "H", "25", "true", 10}, {"14002", "2025-01-05", "M", "25", "true", 90}, {"14002", "2025-02-05", "H", "40", "false", 80}, {"14003", "2025-02-05", "M", "40", "false", 70}, {"14003", "2025-02-05", "H", "40", "false", 60}}
	files, c, p := publish(t, f, groups, nil, 1)
	if files == nil {
		t.Fatal("not published")
	}
	a := read(t, files, smallDims, smallRates)
	for _, what := range attackAll(a, float64(f.K), c) {
		t.Error(what)
	}
	whole, _ := c.keyOf("14001|total|total|total|total")
	_, divided := c.keyOf("14001|total|M|total|total")
	if divided && p.reason[c.at[whole]] == Shown {
		t.Error("11 are shown, with 1 and 10 in them")
	}

	planted := &attacker{cells: map[string]float64{"total": 11, "M": -1, "H": -1}, kept: map[string]bool{}, listed: map[string]bool{"M": true, "H": true}}
	if high := planted.system().extreme("M", 1); math.Abs(high-10) > 1e-6 {
		t.Errorf("of 11 that two rows have, one has at most %v", high)
	}
}

// linkedFamily has three datasets, each of two of three dimensions: each dimension is in two
// of them.
const linkedFamily = `{"name":"linked","source":"test","unit":{"es":"casos"},"period":"date","every":"year","dimensions":[
	{"name":"place","title":{"es":"Lugar"},"kind":"place","column":"place"},
	{"name":"sex","title":{"es":"Sexo"},"kind":"code","column":"sex","codes":[{"code":"M","title":{"es":"Mujer"}},{"code":"H","title":{"es":"Hombre"}}]},
	{"name":"age","title":{"es":"Edad"},"kind":"band","column":"age","bands":[20,35,50]}],
	"datasets":[{"name":"a","title":{"es":"A"},"tables":[{"name":"a","title":{"es":"a"},"by":["place","sex"]}]},
		{"name":"b","title":{"es":"B"},"tables":[{"name":"b","title":{"es":"b"},"by":["place","age"]}]},
		{"name":"c","title":{"es":"C"},"tables":[{"name":"c","title":{"es":"c"},"by":["sex","age"]}]}]}`

// TestDatasetsThatShareDimensions attacks three datasets together.
func TestDatasetsThatShareDimensions(t *testing.T) {
	f := family(t, linkedFamily)
	hidden := 0
	rapid.Check(t, func(rt *rapid.T) {
		files, c, _ := publish(t, f, drawGroups(rt, 1, 3, 12, 60), nil, 1)
		if files == nil {
			return
		}
		a := read(t, files, []string{"place", "sex", "age"}, nil)
		for _, v := range a.cells {
			if v < 0 {
				hidden++
			}
		}
		for _, what := range attackAll(a, float64(f.K), c) {
			rt.Error(what)
		}
	})
	if hidden == 0 {
		t.Error("nothing was attacked")
	}
}

// roundedFamily rounds, and has a rate, a mean of the age, and a band that is open above.
const roundedFamily = `{"name":"rounded","source":"test","unit":{"es":"casos"},"period":"date","every":"year","rounded":5,"dimensions":[
	{"name":"place","title":{"es":"Lugar"},"kind":"place","column":"place"},
	{"name":"age","title":{"es":"Edad"},"kind":"band","column":"age","bands":[20,35,50]}],
	"measures":[{"name":"done","title":{"es":"Hecho"},"kind":"rate","column":"done"},{"name":"old","title":{"es":"Edad media"},"kind":"mean","column":"age","decimals":3}],
	"datasets":[{"name":"one","title":{"es":"Uno"},"measures":["done","old"],"tables":[{"name":"state-age","title":{"es":"x"},"by":["place@state","age"]},{"name":"age","title":{"es":"x"},"by":["age"]}]}]}`

// TestRoundingPercentagesAndTopBands attacks what goes beside exact counts: percentages that
// tell a part, means and rounded totals that tell what is left of an open band.
func TestRoundingPercentagesAndTopBands(t *testing.T) {
	f := family(t, roundedFamily)
	exact := family(t, strings.Replace(roundedFamily, `"rounded":5,`, "", 1))
	tried := 0
	rapid.Check(t, func(rt *rapid.T) {
		groups := drawGroups(rt, 1, 3, 12, 60)
		files, c, _ := publish(t, f, groups, nil, 1)
		bare, _, _ := publish(t, exact, groups, nil, 1)
		if files == nil {
			return
		}
		for name, content := range files {
			if !strings.HasSuffix(name, ".csv") || strings.Contains(name, "diccionario") {
				continue
			}
			tried++
			for _, what := range percentages(t, content.Bytes(), float64(f.K), 5) {
				rt.Error(name, what)
			}
		}
		if bare == nil || len(bare) != len(files) {
			rt.Error("what is rounded is hidden otherwise")
		}
		a := read(t, bare, []string{"place", "age"}, []string{"done"}) // knows more than who sees rounded counts
		for _, what := range attackAll(a, float64(f.K), c) {
			rt.Error(what)
		}
		for _, what := range leftovers(a, float64(f.K)) {
			rt.Error(what)
		}
	})
	if tried == 0 {
		t.Error("nothing was attacked")
	}
	planted := []byte("age,casos,done,done_tasa,nota\n<20,100,,4.0,S\n20-34,100,100,96.0,\n")
	if found := percentages(t, planted, 11, 5); len(found) != 2 {
		t.Errorf("percentages that tell of four people are not found: %v", found)
	}
}

// percentages finds rows whose percentage tells a part, or what is left of one, of fewer
// than k, give or take what is rounded.
func percentages(t testing.TB, raw []byte, k, base float64) (found []string) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	whole, rate := slices.Index(rows[0], "casos"), slices.Index(rows[0], "done_tasa")
	for _, row := range rows[1:] {
		n, err1 := strconv.ParseFloat(row[whole], 64)
		share, err2 := strconv.ParseFloat(row[rate], 64)
		if err1 != nil || err2 != nil {
			if err2 == nil {
				found = append(found, fmt.Sprint("a percentage of what is hidden: ", row))
			}
			continue
		}
		for _, part := range []float64{share / 100 * n, (100 - share) / 100 * n} {
			if part > 0.0005*n+1e-9 && part < k-base/2-0.0005*n {
				found = append(found, fmt.Sprintf("%.1f people, of %v", part, row))
			}
		}
	}
	return found
}

// leftovers finds totals that tell, less what is shown of them, of fewer than k: with means
// these would tell the age of a few.
func leftovers(a *attacker, k float64) (found []string) {
	for _, sum := range a.sums() {
		left := a.cells[sum[0]]
		if left < 0 {
			continue
		}
		for _, name := range sum[1:] {
			if v := a.cells[name]; v >= 0 {
				left -= v
			}
		}
		if left > 0 && left < k {
			found = append(found, fmt.Sprintf("%v people are left in %v", left, sum))
		}
	}
	return found
}

// visitFamily counts visits, of which a person may have many, that few may report.
const visitFamily = `{"name":"visited","source":"test","unit":{"es":"consultas"},"period":"date","every":"year","person":"who","contributor":"site","dimensions":[
	{"name":"month","title":{"es":"Mes"},"kind":"month","column":"date"},
	{"name":"sex","title":{"es":"Sexo"},"kind":"code","column":"sex","codes":[{"code":"M","title":{"es":"Mujer"}},{"code":"H","title":{"es":"Hombre"}}]}],
	"datasets":[{"name":"one","title":{"es":"Uno"},"tables":[{"name":"month-sex","title":{"es":"x"},"by":["month","sex"]}]}]}`

// TestManyRowsOfOne: a row is not a person. What many visits of few people, or of few
// establishments, come to is hidden, and so is what others less the rest would tell.
func TestManyRowsOfOne(t *testing.T) {
	f := family(t, visitFamily)
	shown, hidden := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		type visit struct{ date, sex, who, site string }
		var visits []visit
		people := map[string]map[string]bool{} // by cell
		sites := map[string]map[string]bool{}
		count := func(into map[string]map[string]bool, v visit, member string) {
			for _, name := range []string{v.date[:7] + "|" + v.sex, v.date[:7] + "|total", "total|" + v.sex, "total|total"} {
				if into[name] == nil {
					into[name] = map[string]bool{}
				}
				into[name][member] = true
			}
		}
		for range rapid.IntRange(2, 12).Draw(rt, "groups") {
			date, sex := fmt.Sprintf("2025-0%d-05", rapid.IntRange(1, 4).Draw(rt, "month")), rapid.SampledFrom([]string{"M", "H"}).Draw(rt, "sex")
			n, of, at := rapid.IntRange(1, 60).Draw(rt, "visits"), rapid.IntRange(1, 40).Draw(rt, "people"), rapid.IntRange(1, 6).Draw(rt, "sites")
			first := rapid.IntRange(0, 20).Draw(rt, "first")
			for i := range n {
				v := visit{date, sex, strconv.Itoa(first + i%of), strconv.Itoa(i % at)}
				visits = append(visits, v)
				count(people, v, v.who)
				count(sites, v, v.site)
			}
		}
		s := Source{Columns: []string{"date", "sex", "who", "site"}, Rows: func(Span) Rows {
			return func(_ context.Context, each func([]table.Cell) error) error {
				for _, v := range visits {
					if err := each([]table.Cell{{Text: v.date}, {Text: v.sex}, {Text: v.who}, {Text: v.site}}); err != nil {
						return err
					}
				}
				return nil
			}
		}}
		files, ok := publishFrom(t, f, s)
		if !ok {
			return
		}
		a := read(t, files, []string{"month", "sex"}, nil)
		enough := func(names ...string) bool {
			who, where := map[string]bool{}, map[string]bool{}
			for _, name := range names {
				for p := range people[name] {
					who[p] = true
				}
				for p := range sites[name] {
					where[p] = true
				}
			}
			return len(who) >= f.K && len(where) >= f.Contributors
		}
		for name, v := range a.cells {
			if v < 0 {
				hidden++
			} else if shown++; v > 0 && !enough(name) {
				rt.Errorf("%s is shown, of %d people in %d establishments", name, len(people[name]), len(sites[name]))
			}
		}
		for _, sum := range a.sums() {
			var gone []string
			for _, name := range sum[1:] {
				if a.cells[name] < 0 {
					gone = append(gone, name)
				}
			}
			if a.cells[sum[0]] >= 0 && len(gone) > 0 && !enough(gone...) {
				rt.Errorf("of %v too few are left", gone)
			}
		}
		for name, v := range a.system().solve() {
			rt.Errorf("%s must be %v", name, v)
		}
	})
	if shown == 0 || hidden == 0 {
		t.Errorf("%d cells are shown, %d hidden", shown, hidden)
	}
}

// publishFrom makes a first release. It is false where nothing may be published.
func publishFrom(t testing.TB, f *Family, s Source) (disk, bool) {
	t.Helper()
	c, err := Aggregate(context.Background(), f, s, span(f))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Protect(context.Background(), c, nil)
	if err == ErrTooFew {
		return nil, false
	}
	if err != nil {
		t.Fatal(err)
	}
	files := disk{}
	if _, err := Write(context.Background(), c, p, 1, issued, files.create); err != nil {
		t.Fatal(err)
	}
	return files, true
}
