package ucum

import (
	_ "embed" // for the table
	"math/big"
	"strings"
	"sync"
)

//go:embed ucum.txt
var published string

// atom is a unit symbol of the table.
type atom struct {
	code, name string
	metric     bool
	arbitrary  bool
	factor, of string // as published: 1 of the unit is factor of another
	function   *scale

	once sync.Once
	unit *Unit // nil when the definition cannot be resolved
}

type prefix struct {
	name   string
	factor *big.Rat
}

type table struct {
	atoms    map[string]*atom
	prefixes map[string]prefix
}

// units is the table, read when it is first needed; that takes about 0.1 ms.
var units = sync.OnceValue(load)

func load() *table {
	t := &table{atoms: make(map[string]*atom, 320), prefixes: make(map[string]prefix, 24)}
	for line := range strings.Lines(published) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch f[0] {
		case "prefix":
			factor, _ := new(big.Rat).SetString(f[2])
			t.prefixes[f[1]] = prefix{f[3], factor}
		case "base":
			t.atoms[f[1]] = &atom{code: f[1], name: f[2], metric: true}
		case "unit":
			t.atoms[f[1]] = &atom{
				code: f[1], name: f[6],
				metric: strings.Contains(f[2], "m"), arbitrary: strings.Contains(f[2], "a"),
				function: scales[f[3]], factor: f[4], of: f[5],
			}
		}
	}
	return t
}

// resolve returns the unit that a stands for.
func (a *atom) resolve() *Unit {
	a.once.Do(func() { a.unit = a.define() })
	return a.unit
}

func (a *atom) define() *Unit {
	u := &Unit{code: a.code, factor: big.NewRat(1, 1), approx: 1}
	if a.of == "" {
		for i, code := range baseUnits {
			if code == a.code {
				u.dim.base[i] = 1
			}
		}
		return u
	}
	if a.arbitrary && a.of == "1" {
		u.dim.other = a.code + "1 "
		return u
	}
	p := parser{src: a.of}
	of, err := p.parse()
	if err != nil {
		return nil
	}
	factor, ok := new(big.Rat).SetString(a.factor)
	if !ok {
		return nil
	}
	u.dim, u.factor = of.dim, factor.Mul(factor, of.factor)
	u.approx, _ = u.factor.Float64()
	if a.function != nil {
		u.special, u.before = a.function, big.NewRat(1, 1)
	}
	return u
}
