package match

import (
	"iter"
	"math"
	"strings"
)

// Pairs counts how pairs of records compare. It is what parameters are learned from.
type Pairs map[Vector]float64

// Add counts one pair.
func (p Pairs) Add(v Vector) { p[v]++ }

// rounds is how often parameters are improved at most, steady the change at which they
// are good enough, and doubt how many pairs the parameters before count for.
const (
	rounds = 100
	steady = 1e-5
	doubt  = 20
)

// mostPrior is how likely it is at most taken to be, before anything is compared, that
// two records with a key in common are of one person. A file that consists of duplicates
// says more, and would make little evidence enough.
const mostPrior = 0.2

// Learn returns a model with parameters that fit the pairs, by expectation and
// maximization (Dempster, Laird, Rubin 1977): candidates are pairs that have a key in
// common, whoever they are of; random are pairs drawn from all records, nearly none of
// which are of one person. Nobody needs to have looked at either. before is what is
// believed where the pairs say little.
func Learn(before *Model, candidates, random Pairs) *Model {
	m := *before
	m.others(random)
	m.prepare()
	for range rounds {
		was := m.Parameters
		m.step(before, candidates)
		if m.moved(&was) < steady {
			break
		}
	}
	return &m
}

// others sets U to how random pairs compare.
func (m *Model) others(random Pairs) {
	for f := range m.Parameters {
		var seen [levels]float64
		total := 0.0
		for v, n := range random {
			if l := v[f]; l != Missing {
				seen[l] += n
				total += n
			}
		}
		for l := Equal; l < levels; l++ {
			p := &m.Parameters[f][l]
			p.U = (seen[l] + doubt*p.U) / (total + doubt)
		}
	}
}

// step is one round: each pair counts as one of one person as far as it is likely to.
func (m *Model) step(before *Model, candidates Pairs) {
	var seen [fields][levels]float64
	var total [fields]float64
	same, all := 0.0, 0.0
	odds := math.Log2(m.Prior / (1 - m.Prior))
	for v, n := range candidates {
		bits := odds
		for f, l := range v {
			if l != Missing {
				bits += m.weights[f][l]
			}
		}
		share := n / (1 + math.Exp2(-bits))
		same, all = same+share, all+n
		for f, l := range v {
			if l != Missing {
				seen[f][l] += share
				total[f] += share
			}
		}
	}
	for f := range m.Parameters {
		for l := Equal; l < levels; l++ {
			m.Parameters[f][l].M = (seen[f][l] + doubt*before.Parameters[f][l].M) / (total[f] + doubt)
		}
	}
	if all > 0 {
		m.Prior = min(max(same/all, 1e-6), mostPrior)
	}
	m.prepare()
}

// moved is how far the parameters are from what they were.
func (m *Model) moved(was *[fields][levels]Parameter) float64 {
	most := 0.0
	for f := range m.Parameters {
		for l := Equal; l < levels; l++ {
			most = max(most, math.Abs(m.Parameters[f][l].M-was[f][l].M))
		}
	}
	return most
}

// Commonness returns how often names are the first given name, and the first surname,
// of people; for Model.Common. Those of fewer than least people are left out.
func Commonness(people iter.Seq[*Person], least float64) map[string]float64 {
	count := map[string]float64{}
	given, family := 0.0, 0.0
	for p := range people {
		if len(p.Given) > 0 {
			count["given "+p.Given[0]]++
			given++
		}
		if len(p.Family) > 0 {
			count["family "+p.Family[0]]++
			family++
		}
	}
	for name, n := range count {
		switch {
		case n < least:
			delete(count, name)
		case strings.HasPrefix(name, "given "):
			count[name] = n / given
		default:
			count[name] = n / family
		}
	}
	return count
}
