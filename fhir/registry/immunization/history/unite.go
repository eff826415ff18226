package history

import (
	"cmp"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/immunization"
)

// unite orders the doses and drops those that another stands for.
func (g *gathered) unite() {
	slices.SortFunc(g.given, func(a, b given) int {
		return cmp.Or(cmp.Compare(a.Date, b.Date), cmp.Compare(a.CVX, b.CVX), cmp.Compare(a.ref.ID, b.ref.ID), cmp.Compare(a.place, b.place))
	})
	instead := make([]int, len(g.given)) // the dose that stands for each; itself for most
	for from := 0; from < len(g.given); {
		to := from
		for to < len(g.given) && g.given[to].Date == g.given[from].Date {
			instead[to] = to
			to++
		}
		g.sameDay(instead, from, to)
		from = to
	}
	at := make([]int, len(g.given)) // index of each among the doses kept
	g.kept.Doses, g.kept.Refs = make([]immunization.Dose, 0, len(g.given)), make([]fhir.Ref, 0, len(g.given))
	for i, d := range g.given {
		at[i] = -1
		if instead[i] == i {
			at[i] = len(g.kept.Doses)
			g.kept.Doses = append(g.kept.Doses, d.Dose)
			g.kept.Refs = append(g.kept.Refs, d.ref)
		}
	}
	for i, d := range g.given {
		stands := instead[i]
		for instead[stands] != stands {
			stands = instead[stands]
		}
		if stands != i {
			d.doubt("Immunization", Duplicate, "another report of the same day and vaccine stands for it")
		}
		for _, o := range d.doubts {
			o.Dose = at[stands]
			g.kept.Doubts = append(g.kept.Doubts, o)
		}
	}
}

// sameDay finds the duplicates among the doses of one day, from up to but not with to.
// A dose with the same antigens as another, or with some of another's, is the same shot
// told by two sources. Where the one that holds less was given by its source and the
// other is hearsay, both stay, in doubt.
func (g *gathered) sameDay(instead []int, from, to int) {
	for i := from; i < to; i++ {
		for j := i + 1; j < to; j++ {
			a, b := &g.given[i], &g.given[j]
			if instead[i] != i || instead[j] != j {
				continue
			}
			if len(a.antigens) == 0 || len(b.antigens) == 0 {
				if a.CVX == b.CVX && a.ref == b.ref && a.ref.ID != "" {
					instead[j] = i // the same resource twice
				}
				continue
			}
			less, more := within(a.antigens, b.antigens), within(b.antigens, a.antigens)
			switch {
			case less && more && better(b, a), less && !more && (b.primary || !a.primary):
				instead[i] = j
			case less && more, more && !less && (a.primary || !b.primary):
				instead[j] = i
			case slices.ContainsFunc(a.antigens, func(s string) bool { return slices.Contains(b.antigens, s) }):
				b.doubt("Immunization.vaccineCode", Overlap, "another dose of the day holds some of the same antigens")
			}
		}
	}
}

// better reports whether a tells more reliably than b of the same shot: first by who
// says it, then by how precisely. Otherwise the first in order stays.
func better(a, b *given) bool {
	if a.primary != b.primary {
		return a.primary
	}
	if x, y := unspecific(a.CVX), unspecific(b.CVX); x != y {
		return y
	}
	return a.lot && !b.lot
}
