package trial

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/amate-health/amate/fhir/registry/identity/match"
)

// Result says how the decisions on pairs of records compare with what is so.
type Result struct {
	Right  int // pairs of one person that were matched
	Wrong  int // pairs of two people that were matched
	Missed int // pairs of one person that were not
}

// Precision is which share of the matches is right; 1 when there are none.
func (r Result) Precision() float64 { return share(r.Right, r.Right+r.Wrong) }

// Recall is which share of what belongs together was matched; 1 when nothing does.
func (r Result) Recall() float64 { return share(r.Right, r.Right+r.Missed) }

// F1 is the harmonic mean of the two.
func (r Result) F1() float64 {
	p, c := r.Precision(), r.Recall()
	if p+c == 0 {
		return 0
	}
	return 2 * p * c / (p + c)
}

func share(n, of int) float64 {
	if of == 0 {
		return 1
	}
	return float64(n) / float64(of)
}

// String is the closing line of an evaluation.
func (r Result) String() string {
	return fmt.Sprintf("precision %.4f recall %.4f F1 %.4f", r.Precision(), r.Recall(), r.F1())
}

// Candidates returns the pairs of records, by their places, that have a key in common:
// the lower place first, each once. Keys that more than most records share are passed
// over.
func Candidates(all []Record, most int) [][2]int32 {
	groups := map[match.Key][]int32{}
	for i := range all {
		for _, k := range all[i].Person.Keys() {
			groups[k] = append(groups[k], int32(i))
		}
	}
	var pairs [][2]int32
	for _, g := range groups {
		if len(g) > most {
			continue
		}
		for i, a := range g {
			for _, b := range g[i+1:] {
				pairs = append(pairs, [2]int32{a, b})
			}
		}
	}
	slices.SortFunc(pairs, func(a, b [2]int32) int {
		if a[0] != b[0] {
			return int(a[0] - b[0])
		}
		return int(a[1] - b[1])
	})
	return slices.Compact(pairs)
}

// mostInKey is up to how many records may share a key.
const mostInKey = 200

// Learn returns a model that fits records, without looking at whom they are of.
func Learn(before *match.Model, all []Record) *match.Model {
	candidates, random := match.Pairs{}, match.Pairs{}
	for _, p := range Candidates(all, mostInKey) {
		candidates.Add(match.Compare(&all[p[0]].Person, &all[p[1]].Person))
	}
	draw := rand.New(rand.NewPCG(1, 2)) // the same pairs each time
	for range min(200_000, len(all)*50) {
		a, b := draw.IntN(len(all)), draw.IntN(len(all))
		if a != b {
			random.Add(match.Compare(&all[a].Person, &all[b].Person))
		}
	}
	m := match.Learn(before, candidates, random)
	m.Common = match.Commonness(func(yield func(*match.Person) bool) {
		for i := range all {
			if !yield(&all[i].Person) {
				return
			}
		}
	}, 2)
	return m
}

// Records decides about all pairs of the records: those are matched that the model
// grades probable at least. Linked is what comes of it when the matched ones are put
// together: who matches a record that matches a third is the same person as the third.
func Records(m *match.Model, all []Record) (pairs, linked Result) {
	sets := newSets(len(all))
	for _, p := range Candidates(all, mostInKey) {
		a, b := &all[p[0]], &all[p[1]]
		if g, _ := m.Grade(&a.Person, &b.Person); g < match.Probable {
			continue
		}
		sets.join(p[0], p[1])
		if a.Entity == b.Entity {
			pairs.Right++
		} else {
			pairs.Wrong++
		}
	}
	together := count(all, func(i int) string { return all[i].Entity })
	found := count(all, func(i int) string { return strconv.Itoa(int(sets.of(int32(i)))) })
	linked.Right = count(all, func(i int) string { return fmt.Sprint(sets.of(int32(i)), all[i].Entity) })
	linked.Wrong, linked.Missed = found-linked.Right, together-linked.Right
	pairs.Missed = together - pairs.Right
	return pairs, linked
}

// count returns how many pairs of records are in one group.
func count(all []Record, group func(i int) string) int {
	sizes := map[string]int{}
	pairs := 0
	for i := range all {
		g := group(i)
		pairs += sizes[g]
		sizes[g]++
	}
	return pairs
}

// sets are groups of numbers that have been joined.
type sets []int32

func newSets(n int) sets {
	s := make(sets, n)
	for i := range s {
		s[i] = int32(i)
	}
	return s
}

func (s sets) of(i int32) int32 {
	for s[i] != i {
		s[i] = s[s[i]]
		i = s[i]
	}
	return i
}

func (s sets) join(a, b int32) { s[s.of(a)] = s.of(b) }

// Pairs decides about pairs: those are matched that the model grades probable at least.
// A pair of which it is said that somebody should look at it counts for neither side.
// The table counts how the pairs that are said to be something were graded.
func Pairs(m *match.Model, all []Pair) (r Result, table map[string]map[match.Grade]int) {
	table = map[string]map[match.Grade]int{}
	for i := range all {
		p := &all[i]
		g, _ := m.Grade(&p.A, &p.B)
		if table[p.Said] == nil {
			table[p.Said] = map[match.Grade]int{}
		}
		table[p.Said][g]++
		switch matched := g >= match.Probable; {
		case p.Said == "Match" && matched:
			r.Right++
		case p.Said == "Match":
			r.Missed++
		case p.Said == "Not a Match" && matched:
			r.Wrong++
		}
	}
	return r, table
}
