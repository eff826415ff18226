package opendata

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/table"
)

var birthColumns = []string{"residencia", "fecha", "sexo", "edad_madre", "peso", "parto", "oportunidad"}

// manyBirths makes up births: as many municipalities as Mexico has, most of them small.
func manyBirths(n int, seed uint64) Source {
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
			for range n {
				u := r.Float64()
				place := places[int(u*u*u*u*float64(len(places)))]
				day := s.First.AddDate(0, 0, r.IntN(365))
				for i, text := range []string{
					place, day.Format(time.DateOnly), fmt.Sprint(1 + r.IntN(2)), fmt.Sprint(int(26 + 6*r.NormFloat64())), fmt.Sprint(int(3150 + 480*r.NormFloat64())),
					fmt.Sprint(1 + r.IntN(2)), []string{"0-1", "0-1", "0-1", "0-1", "0-1", "0-1", "2-7", "2-7", "8-60", "61+"}[r.IntN(10)],
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

// TestMillionBirths publishes a million births, once more with late ones among them, and
// attacks both.
func TestMillionBirths(t *testing.T) {
	f := birthsFamily(t)
	ctx := context.Background()
	release := func(n int, past map[string]Past) (disk, *Cube, *Protection) {
		began := time.Now()
		c, err := Aggregate(ctx, f, manyBirths(n, 1), span(f))
		if err != nil {
			t.Fatal(err)
		}
		counted := time.Now()
		p, err := Protect(ctx, c, past)
		if err != nil {
			t.Fatal(err)
		}
		protected := time.Now()
		files := disk{}
		if _, err := Write(ctx, c, p, 1, issued, files.create); err != nil {
			t.Fatal(err)
		}
		reasons := map[Reason]int{}
		for _, r := range p.reason {
			reasons[r]++
		}
		t.Logf("%d births: %d cells, hidden by reason %v, without %v; counted in %v, protected in %v, written in %v", n, c.Cells(), reasons, p.Withdrawn,
			counted.Sub(began), protected.Sub(counted), time.Since(protected))
		return files, c, p
	}
	files, c, p := release(1_000_000, nil)
	dims := []string{"lugar", "mes", "sexo", "edad_madre", "peso", "parto", "oportunidad"}
	a := read(t, files, dims, nil)
	if found := a.small(11); len(found) > 0 {
		t.Errorf("small cells: %v", found[:min(9, len(found))])
	}
	if found := files.identities(); len(found) > 0 {
		t.Errorf("identities in %v", found)
	}
	if found := a.subtract(); len(found) > 0 {
		t.Errorf("%d follow from the margins: %v", len(found), found[:min(9, len(found))])
	}
	if len(a.cells) < 10_000 || strings.Contains(fmt.Sprint(p.Withdrawn), "municipality") {
		t.Errorf("%d cells are left, without %v", len(a.cells), p.Withdrawn)
	}
	past := Remember(c, p, nil)
	c2, err := Aggregate(ctx, f, manyBirths(1_000_000, 1), span(f))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Protect(ctx, c2, past)
	if err != nil {
		t.Fatal(err)
	}
	for i := range again.reason {
		if (again.reason[i] == Shown) != (p.reason[i] == Shown) {
			t.Fatalf("without any change, %s is shown in one release only", c2.Coordinates(c2.cells[i].key))
		}
	}
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
		c, err := Aggregate(context.Background(), f, manyBirths(1_000_000, 1), span(f))
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
