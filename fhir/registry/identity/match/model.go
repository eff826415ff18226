package match

import (
	"fmt"
	"math"
)

// Parameter says how often a level is seen: M among pairs of records of one person, U
// among pairs of two people.
type Parameter struct {
	M float64 `json:"m"`
	U float64 `json:"u"`
}

// Model weighs how records compare. Its zero value is of no use: see Default and Learn.
type Model struct {
	Parameters [fields][levels]Parameter

	// Prior is how likely it is that two records with a key in common are of one person.
	Prior float64

	// Certain, Probable and Possible are the least probabilities of the grades.
	Certain, Probable, Possible float64

	// Common are names and how often they are the first one, from 0 to 1; those that are
	// not listed are rare. nil gives every name the same weight.
	Common map[string]float64

	weights [fields][levels]float64
}

// Grade says how two records belong together.
//
// See https://hl7.org/fhir/R4/valueset-match-grade.html.
type Grade uint8

// The grades.
const (
	Not Grade = iota
	Possible
	Probable
	Certain
)

// String returns the code of g in http://terminology.hl7.org/CodeSystem/match-grade.
func (g Grade) String() string {
	return [...]string{"certainly-not", "possible", "probable", "certain"}[g]
}

// Weight is what a field says: Weight bits for the two records being of one person, or
// against it when it is below 0.
type Weight struct {
	Field  Field
	Level  Level
	Weight float64
}

// Match is how two records belong together, and why.
type Match struct {
	Score   float64 // probability, from 0 to 1
	Grade   Grade
	Weights []Weight // of the fields that both have
	Rule    string   // which rule, rather than the sum, decided the grade; "" for none
}

// prepare makes the weights from the parameters.
func (m *Model) prepare() {
	for f := range m.Parameters {
		for l := Equal; l < levels; l++ {
			p := m.Parameters[f][l]
			m.weights[f][l] = math.Log2(max(p.M, 1e-6) / max(p.U, 1e-7))
		}
	}
}

// check reports what is wrong with the parameters.
func (m *Model) check() error {
	for f := range m.Parameters {
		var sum Parameter
		for l := Equal; l < levels; l++ {
			p := m.Parameters[f][l]
			if !(p.M >= 0 && p.M <= 1 && p.U >= 0 && p.U <= 1) {
				return fmt.Errorf("%s, %s: m and u are probabilities, from 0 to 1", Field(f), l)
			}
			sum.M, sum.U = sum.M+p.M, sum.U+p.U
		}
		if math.Abs(sum.M-1) > 0.01 || math.Abs(sum.U-1) > 0.01 {
			return fmt.Errorf("%s: m of all levels, and u of all levels, must each add up to 1", Field(f))
		}
	}
	if !(m.Prior > 0 && m.Prior < 1) {
		return fmt.Errorf("prior: want a probability between 0 and 1")
	}
	if !(m.Possible > 0 && m.Possible <= m.Probable && m.Probable <= m.Certain && m.Certain < 1) {
		return fmt.Errorf("the grades: want 0 < possible <= probable <= certain < 1")
	}
	return nil
}

// homeCap is how many bits address and telephone together can speak for two records
// being of one person: those who live together share them all.
const homeCap = 9

// Total returns the sum of the weights of v, for the given pair of records.
func (m *Model) Total(v *Vector, a, b *Person) float64 {
	sum, home := 0.0, 0.0
	for f, l := range v {
		if l == Missing {
			continue
		}
		w := m.weights[f][l]
		switch Field(f) {
		case Street, Number, Locality, State, Postcode, Phone:
			home += w
		case Given, Family:
			sum += w + m.rarity(Field(f), l, a, b)
		default:
			sum += w
		}
	}
	return sum + min(home, homeCap)
}

// rarity is what an equal name weighs beyond the usual, because it is a rare one, or
// less, because it is common.
func (m *Model) rarity(f Field, l Level, a, b *Person) float64 {
	if l != Equal || m.Common == nil {
		return 0
	}
	name := ""
	if f == Given {
		name = a.Given[0]
	} else {
		name = a.Family[0]
	}
	often := max(m.Common[f.String()+" "+name], 1e-5)
	return min(max(math.Log2(m.Parameters[f][Equal].U/often), -4), 3)
}

// Score returns the probability that two records that compare as v are of one person.
func (m *Model) Score(v *Vector, a, b *Person) float64 {
	bits := m.Total(v, a, b) + math.Log2(m.Prior/(1-m.Prior))
	return 1 / (1 + math.Exp2(-bits))
}

// Grade compares two records.
func (m *Model) Grade(a, b *Person) (Grade, float64) {
	v := Compare(a, b)
	score := m.Score(&v, a, b)
	g, _ := m.rule(&v, a, b, m.grade(score))
	return g, score
}

func (m *Model) grade(score float64) Grade {
	switch {
	case score >= m.Certain:
		return Certain
	case score >= m.Probable:
		return Probable
	case score >= m.Possible:
		return Possible
	}
	return Not
}

// Compare compares two records, and says why they come out as they do.
func (m *Model) Compare(a, b *Person) Match {
	v := Compare(a, b)
	out := Match{Score: m.Score(&v, a, b)}
	out.Grade, out.Rule = m.rule(&v, a, b, m.grade(out.Score))
	for f, l := range v {
		if l != Missing {
			out.Weights = append(out.Weights, Weight{Field(f), l, m.weights[f][l] + m.rarityOf(Field(f), l, a, b)})
		}
	}
	return out
}

func (m *Model) rarityOf(f Field, l Level, a, b *Person) float64 {
	if f != Given && f != Family {
		return 0
	}
	return m.rarity(f, l, a, b)
}
