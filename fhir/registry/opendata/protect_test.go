package opendata

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/table"
	"pgregory.net/rapid"
)

// smallFamily has little of everything: a hierarchy, a month, bands, codes and a rate.
const smallFamily = `{"name":"small","source":"test","unit":{"es":"casos","en":"cases"},"period":"date","every":"year","dimensions":[
	{"name":"place","title":{"es":"Lugar"},"kind":"place","column":"place"},
	{"name":"month","title":{"es":"Mes"},"kind":"month","column":"date"},
	{"name":"sex","title":{"es":"Sexo"},"kind":"code","column":"sex","codes":[{"code":"M","title":{"es":"Mujer"}},{"code":"H","title":{"es":"Hombre"}}]},
	{"name":"age","title":{"es":"Edad"},"kind":"band","column":"age","bands":[20,35]}],
	"measures":[{"name":"done","title":{"es":"Hecho"},"kind":"rate","column":"done"}],
	"datasets":[{"name":"one","title":{"es":"Uno"},"measures":["done"],"tables":[{"name":"place-sex","title":{"es":"x"},"by":["place","sex"],"chart":"sex"},{"name":"state-age-sex","title":{"es":"y"},"by":["place@state","age","sex"]}]},
		{"name":"two","title":{"es":"Dos"},"tables":[{"name":"month","title":{"es":"z"},"by":["place@state","month"]}]}]}`

var smallDims, smallRates = []string{"place", "month", "sex", "age"}, []string{"done"}

func family(t testing.TB, text string) *Family {
	t.Helper()
	f, err := ParseFamily([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// group is some rows that are the same.
type group struct {
	place, date, sex, age, done string
	n                           int
}

func source(groups []group) Source {
	return Source{Columns: []string{"place", "date", "sex", "age", "done"}, Rows: func(Span) Rows {
		return func(_ context.Context, each func([]table.Cell) error) error {
			for _, g := range groups {
				row := []table.Cell{{Text: g.place}, {Text: g.date}, {Text: g.sex}, {Text: g.age}, {Text: g.done}}
				for range g.n {
					if err := each(row); err != nil {
						return err
					}
				}
			}
			return nil
		}
	}}
}

// drawGroups makes up a population: many small places, some large ones. Groups count up to
// one of sizes each.
func drawGroups(t *rapid.T, sizes ...int) []group {
	var all []group
	places := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"14001", "14002", "14003", "14", "09001", "09002", "20001", "99999"}), 1, 6, rapid.ID[string]).Draw(t, "places")
	size := rapid.SampledFrom(sizes)
	for _, place := range places {
		for range rapid.IntRange(1, 9).Draw(t, "groups") {
			all = append(all, group{
				place, "2025-0" + strconv.Itoa(rapid.IntRange(1, 3).Draw(t, "month")) + "-05", rapid.SampledFrom([]string{"M", "H", "?"}).Draw(t, "sex"),
				strconv.Itoa(rapid.IntRange(10, 60).Draw(t, "age")), strconv.FormatBool(rapid.Bool().Draw(t, "done")), rapid.IntRange(1, size.Draw(t, "size")).Draw(t, "n"),
			})
		}
	}
	return all
}

func span(f *Family) Span { s, _ := f.Span("2025"); return s }

var issued = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// publish makes a release. It is nil where nothing may be published.
func publish(t testing.TB, f *Family, groups []group, past map[string]Past, number int) (disk, *Cube, *Protection) {
	t.Helper()
	c, err := Aggregate(context.Background(), f, source(groups), span(f))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Protect(context.Background(), c, past)
	if errors.Is(err, ErrTooFew) || errors.Is(err, ErrStands) {
		return nil, c, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	files := disk{}
	if _, err := Write(context.Background(), c, p, number, issued, files.create); err != nil {
		t.Fatalf("%v", err)
	}
	return files, c, p
}

// attackAll tries everything on what was published, and returns what it found.
func attackAll(a *attacker, k float64, c *Cube) (found []string) {
	found = append(found, a.small(k)...)
	s := a.system()
	for name, v := range s.solve() {
		found = append(found, fmt.Sprintf("%s must be %v", name, v))
	}
	s = s.bounded(a, k)
	for _, name := range s.names {
		key, ok := c.keyOf(name)
		if !ok {
			continue
		}
		at, ok := c.at[key]
		if !ok || c.cells[at].count >= int64(k) || c.cells[at].count == 0 {
			continue
		}
		if high := s.extreme(name, 1); high < k-1e-6 {
			found = append(found, fmt.Sprintf("%s is at most %v", name, high))
		} else if low := s.extreme(name, -1); high-low < 1 {
			found = append(found, fmt.Sprintf("%s is %v to %v", name, low, high))
		}
	}
	return found
}

// countOf returns what a cell counts in truth. It is false for one of no table.
func (c *Cube) countOf(name string) (float64, bool) {
	key, ok := c.keyOf(name)
	if at, there := c.at[key]; ok && there {
		return float64(c.cells[at].count), true
	}
	return 0, ok
}

// truthOf returns what a cell counts in truth in two releases.
func truthOf(before, after *Cube) func(string) (was, is float64, ok bool) {
	return func(name string) (float64, float64, bool) {
		was, ok1 := before.countOf(name)
		is, ok2 := after.countOf(name)
		return was, is, ok1 && ok2
	}
}

// TestNobodyIsFound attacks releases of random populations.
func TestNobodyIsFound(t *testing.T) {
	f := family(t, smallFamily)
	released, hidden, withdrawn := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		files, c, p := publish(t, f, drawGroups(rt, 1, 3, 12, 60), nil, 1)
		if files == nil {
			return
		}
		released++
		withdrawn += len(p.Withdrawn)
		a := read(t, files, smallDims, smallRates)
		for _, v := range a.cells {
			if v < 0 {
				hidden++
			}
		}
		for _, what := range attackAll(a, float64(f.K), c) {
			rt.Error(what)
		}
		if rt.Failed() {
			for n, v := range a.cells {
				if key, ok := c.keyOf(n); ok && v < 0 {
					if at, ok := c.at[key]; ok {
						rt.Log(n, c.cells[at].count, p.reason[at])
					} else {
						rt.Log(n, "absent")
					}
				}
			}
		}
		for _, name := range files.identities() {
			rt.Error("a CURP in", name)
		}
	})
	t.Logf("%d releases, %d hidden cells, %d tables with less detail", released, hidden, withdrawn)
	if released == 0 || hidden == 0 {
		t.Error("nothing was attacked")
	}
}

// TestAttacksFindFaults takes the protection away: every attack must notice.
func TestAttacksFindFaults(t *testing.T) {
	f := family(t, smallFamily)
	groups := []group{{"14001", "2025-01-05", "M", "25", "true", 200}, {"14001", "2025-01-05", "H", "25", "false", 210}, {"14002", "2025-01-05", "M", "25", "true", 150}, {"14002", "2025-02-05", "H", "40", "true", 4}, {"14001", "2025-02-05", "H", "40", "false", 90}}
	_, c, p := publish(t, f, groups, nil, 1)
	if p == nil {
		t.Fatal("not published")
	}
	write := func(p *Protection) *attacker {
		files := disk{}
		for i := range f.Datasets {
			w := &writing{c: c, p: p, set: &f.Datasets[i], create: files.create, path: f.Datasets[i].Name + "/"}
			if _, err := w.dataset(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		return read(t, files, smallDims, smallRates)
	}
	none := &Protection{reason: make([]Reason, len(c.cells)), least: p.least}
	if found := write(none).small(float64(f.K)); len(found) == 0 {
		t.Error("small cells that are shown are not found")
	}
	if Audit(context.Background(), c, none) == nil {
		t.Error("small cells that are shown pass the audit")
	}
	primary := &Protection{reason: make([]Reason, len(c.cells)), least: p.least}
	for i := range c.cells {
		primary.reason[i] = c.primary(&c.cells[i])
	}
	if len(write(primary).system().solve()) == 0 {
		t.Error("cells that follow from the margins are not found")
	}
	if found := attackAll(write(primary), float64(f.K), c); len(found) == 0 {
		t.Error("nothing is found where only small cells are hidden")
	}
	if Audit(context.Background(), c, primary) == nil {
		t.Error("cells that follow from the margins pass the audit")
	}
	for i := range p.reason { // one cell fewer is hidden
		if p.reason[i] != Complementary {
			continue
		}
		less := *p
		less.reason = append([]Reason(nil), p.reason...)
		less.reason[i] = Shown
		if Audit(context.Background(), c, &less) == nil {
			t.Errorf("%s is shown, and the audit passes", c.Coordinates(c.cells[i].key))
		}
	}
	more := append([]group{{"14001", "2025-01-07", "M", "25", "true", 3}}, groups...)
	before, _, _ := publish(t, f, groups, nil, 1)
	after, c2, _ := publish(t, f, more, nil, 2) // without regard to what was published
	one, two := read(t, before, smallDims, smallRates), read(t, after, smallDims, smallRates)
	if len(differences(one, two, float64(f.K))) == 0 {
		t.Error("what differs between two releases is not found")
	}
	if len(between(one, two, float64(f.K), truthOf(c, c2))) == 0 {
		t.Error("what few people make different between two releases is not found")
	}
	planted := disk{}
	to, _ := planted.create("x")
	_, _ = io.WriteString(to, "1,GOML800101MJCMPR07,2")
	if len(planted.identities()) == 0 {
		t.Error("a CURP is not found")
	}
}

// TestReleasesAreNotSubtracted publishes a period twice, with some people added and taken
// away in between.
func TestReleasesAreNotSubtracted(t *testing.T) {
	f := family(t, smallFamily)
	again, stands := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		groups := drawGroups(rt, 3, 12, 60, 300)
		first, c1, p1 := publish(t, f, groups, nil, 1)
		if first == nil {
			return
		}
		for range rapid.IntRange(0, 3).Draw(rt, "changes") {
			i := rapid.IntRange(0, len(groups)-1).Draw(rt, "which")
			groups[i].n = max(0, groups[i].n+rapid.SampledFrom([]int{-2, -1, 1, 3, 30, 80}).Draw(rt, "by"))
		}
		past := Remember(c1, p1, nil)
		second, c2, p2 := publish(t, f, groups, past, 2)
		if second == nil {
			stands++
			return
		}
		again++
		one, two := read(t, first, smallDims, smallRates), read(t, second, smallDims, smallRates)
		two.after(one)
		for _, what := range differences(one, two, float64(f.K)) {
			rt.Error(what)
		}
		for _, what := range attackAll(two, float64(f.K), c2) {
			rt.Error(what)
		}
		for _, what := range between(one, two, float64(f.K), truthOf(c1, c2)) {
			rt.Error("both releases tell of", what)
		}
		if rt.Failed() {
			for n, v := range two.cells {
				if key, ok := c2.keyOf(n); ok && (v < 0 || two.kept[n]) {
					if at, ok := c2.at[key]; ok {
						rt.Log(n, c2.cells[at].count, p2.reason[at], past[n])
					} else {
						rt.Log(n, "absent")
					}
				}
			}
			rt.Log(p1.Withdrawn, p2.Withdrawn)
			for _, pr := range p2.proofs {
				for _, m := range []map[int32]int64{pr.larger, pr.smaller} {
					rt.Log("proof of", c2.Coordinates(c2.cells[pr.cell].key), pr.up, pr.down)
					for at, by := range m {
						rt.Log("   ", c2.Coordinates(c2.cells[at].key), by)
					}
				}
			}
		}
		if len(p2.Withdrawn) == 0 {
			for name, v := range combined(one, two).system().solve() {
				key, _ := c2.keyOf(name)
				if at, ok := c2.at[key]; ok && math.Abs(v-float64(c2.cells[at].count)) < 1e-6 && v > 0 && v < float64(f.K) {
					rt.Errorf("with both releases, %s must be %v", name, v)
				}
			}
		}
	})
	t.Logf("%d second releases, %d times the first stands", again, stands)
	if again == 0 {
		t.Error("nothing was published again")
	}
}
