package opendata

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/table"
)

var birthColumns = []string{"residencia", "fecha", "sexo", "edad_madre", "peso", "parto", "oportunidad"}

// manyBirths makes up births: as many municipalities as Mexico has, most of them small.
// The late ones are of one municipality, which sends them all at once.
func manyBirths(n, late int, seed uint64) Source {
	return Source{Columns: birthColumns, Rows: func(s Span) Rows {
		return func(_ context.Context, each func([]table.Cell) error) error {
			r := rand.New(rand.NewPCG(seed, 7))
			var places []string
			for state := 1; state <= 32; state++ {
				towns := 5 + state*state%97
				if state == 20 {
					towns = 570
				}
				for town := 1; town <= towns+40; town++ {
					places = append(places, fmt.Sprintf("%02d%03d", state, town))
				}
			}
			r.Shuffle(len(places), func(i, j int) { places[i], places[j] = places[j], places[i] })
			row := make([]table.Cell, len(birthColumns))
			for i := range n + late {
				u := r.Float64()
				place := places[int(u*u*u*u*float64(len(places)))]
				if i >= n {
					place = places[100]
				}
				day := s.First.AddDate(0, 0, r.IntN(365))
				for i, text := range []string{
					place, day.Format(time.DateOnly), fmt.Sprint(1 + r.IntN(2)), fmt.Sprint(int(26 + 6*r.NormFloat64())), fmt.Sprint(int(3150 + 480*r.NormFloat64())),
					[]string{"V", "C"}[r.IntN(2)], []string{"0-1", "0-1", "0-1", "0-1", "0-1", "0-1", "2-7", "2-7", "8-60", "61+"}[r.IntN(10)],
				} {
					row[i] = table.Cell{Kind: table.String, Text: text}
				}
				if r.IntN(200_000) == 0 {
					row[2].Text = "9"
				}
				if err := each(row); err != nil {
					return err
				}
			}
			return nil
		}
	}}
}

func birthsFamily(t testing.TB) *Family {
	t.Helper()
	raw, err := os.ReadFile("families/births.json")
	if err != nil {
		t.Fatal(err)
	}
	return family(t, string(raw))
}

var birthDims = []string{"lugar", "mes", "sexo", "edad_madre", "peso", "parto", "oportunidad"}

// publishBirths makes a release of made-up births.
func publishBirths(t testing.TB, f *Family, births Source, past map[string]Past, number int) (*Release, disk, *Cube, *Protection) {
	t.Helper()
	ctx := context.Background()
	c, err := Aggregate(ctx, f, births, span(f))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Protect(ctx, c, past)
	if err != nil {
		t.Fatal(err)
	}
	files := disk{}
	r, err := Write(ctx, c, p, number, issued, files.create)
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[Reason]int{}
	for _, r := range p.reason {
		reasons[r]++
	}
	t.Logf("%d births: %d cells, hidden by reason %v, without %v", c.Rows, c.Cells(), reasons, p.Withdrawn)
	return r, files, c, p
}

// TestMillionBirths publishes a million births, and once more when some were registered
// late, and attacks each release and what differs between them. The same attacks find what
// they look for where it was planted.
func TestMillionBirths(t *testing.T) {
	const births, late = 1_000_000, 400
	f := birthsFamily(t)
	_, files, c, p := publishBirths(t, f, manyBirths(births, 0, 1), nil, 1)
	one := read(t, files, birthDims, nil)
	_, more, c2, again := publishBirths(t, f, manyBirths(births, late, 1), Remember(c, p, nil), 2)
	two := read(t, more, birthDims, nil)
	if strings.Contains(fmt.Sprint(p.Withdrawn, again.Withdrawn), "municipality") || len(one.cells) < 10_000 {
		t.Errorf("%d cells are left, without %v", len(one.cells), p.Withdrawn)
	}
	refuse := func(what string, found []string) {
		if len(found) > 0 {
			t.Errorf("%s: %d, such as %v", what, len(found), found[:min(9, len(found))])
		}
	}
	refuse("small cells", append(one.small(11), two.small(11)...))
	refuse("identities", append(files.identities(), more.identities()...))
	refuse("what follows from the margins", append(one.subtract(), two.subtract()...))
	refuse("what few people make different", differences(one, two, 11))
	refuse("what follows from both releases", combined(one, two).follows(two))
	refuse("what follows from both releases of the first", combined(two, one).follows(one))
	if n := two.held(); n == 0 {
		t.Error("of no cell the number of before was kept, so that no late birth was hidden")
	}

	for i, r := range p.reason { // the total less the others tells of it
		if r == Complementary && len(c.axes[0].codes[c.axes[0].of(c.cells[i].key)]) == 5 {
			one.cells[c.Coordinates(c.cells[i].key)] = float64(c.cells[i].count)
		}
	}
	if len(one.subtract()) == 0 {
		t.Error("nothing follows from the margins where complements are shown")
	}
	two.showLate(c2, again)
	if len(differences(one, two, 11)) == 0 {
		t.Error("late births are not found where they are shown")
	}
}

// showLate puts in the true counts where those of before were kept.
func (a *attacker) showLate(c *Cube, p *Protection) {
	for i := range p.kept {
		a.cells[c.Coordinates(c.cells[i].key)] = float64(c.cells[i].count)
	}
}

// held is of how many cells the number of before is kept.
func (a *attacker) held() (n int) {
	for _, kept := range a.kept {
		if kept {
			n++
		}
	}
	return n
}

// follows finds small cells that are hidden in a release, and follow from all that is known.
func (a *attacker) follows(release *attacker) (found []string) {
	for _, what := range a.subtract() {
		name, v, _ := strings.Cut(what, " = ")
		if n, err := strconv.ParseFloat(v, 64); err == nil && release.cells[name] < 0 && n > 0 && n < 11 {
			found = append(found, what)
		}
	}
	return found
}

// subtract takes what is shown from the margins until nothing follows any more.
func (a *attacker) subtract() (found []string) {
	known := map[string]float64{}
	for name, v := range a.cells {
		if v >= 0 && !a.kept[name] {
			known[name] = v
		}
	}
	sums := a.sums()
	for again := true; again; {
		again = false
		for _, sum := range sums {
			missing, left := "", 0.0
			n := 0
			for i, name := range sum {
				v, ok := known[name]
				if !ok {
					missing, n = name, n+1
					continue
				}
				if i == 0 {
					left += v
				} else {
					left -= v
				}
			}
			if n != 1 {
				continue
			}
			if missing == sum[0] {
				left = -left
			}
			known[missing], again = left, true
			found = append(found, fmt.Sprintf("%s = %v", missing, left))
		}
	}
	return found
}

// BenchmarkMillionBirths is all of a release: counting, protecting, auditing and writing.
func BenchmarkMillionBirths(b *testing.B) {
	f := birthsFamily(b)
	for b.Loop() {
		c, err := Aggregate(context.Background(), f, manyBirths(1_000_000, 0, 1), span(f))
		if err != nil {
			b.Fatal(err)
		}
		p, err := Protect(context.Background(), c, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Write(context.Background(), c, p, 1, issued, disk{}.create); err != nil {
			b.Fatal(err)
		}
	}
}
