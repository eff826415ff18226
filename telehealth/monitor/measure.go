package monitor

import (
	_ "embed"
	"encoding/json"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/ucum"
)

//go:embed measures.json
var measuresFile []byte

// Measure is something that is measured at home.
type Measure struct {
	Key      string   // those with the same key are watched together: "glucose"
	Codes    []string // of LOINC; the first is the one that is stored
	Display  string
	Text     string // in Spanish
	Category string // of observation-category
	Profile  string // of the resource; "" for none
	Beside   string // a further code that the profile asks for; "" for none

	BesideDisplay string

	Unit      string  // of UCUM; "" where there are components
	Written   string  // the same for people
	Decimals  int     // to which a converted value is rounded
	Low, High float64 // no living body has a value outside of them
	Molar     float64 // grams of one mole, where amounts of substance are converted; 0 where they are not

	Components []Measure

	unit *ucum.Unit
}

// table is what is known of measures.
type table struct {
	all    map[string]*Measure // by their codes
	single map[string]*Measure // what a rule can be about: with the components, without what has some
	keys   map[string]*Measure // those that stand for their key: in whose unit rules compare
	list   []*Measure          // of single, in the order of the file
}

var known = readMeasures()

func readMeasures() *table {
	var file []Measure
	if err := json.Unmarshal(measuresFile, &file); err != nil {
		panic(err) // it is part of the program
	}
	t := &table{all: map[string]*Measure{}, single: map[string]*Measure{}, keys: map[string]*Measure{}}
	for i := range file {
		m := &file[i]
		for _, c := range m.Codes {
			t.all[c] = m
		}
		for k := range m.Components {
			t.add(&m.Components[k])
		}
		if len(m.Components) == 0 {
			t.add(m)
		}
	}
	return t
}

func (t *table) add(m *Measure) {
	m.unit = unitOf(m.Unit)
	t.list = append(t.list, m)
	if t.keys[m.Key] == nil {
		t.keys[m.Key] = m
	}
	for _, c := range m.Codes {
		t.single[c] = m
	}
}

// component returns the component of m with a code, nil when it has none.
func (m *Measure) component(code string) *Measure {
	for i := range m.Components {
		if m.Components[i].Codes[0] == code {
			return &m.Components[i]
		}
	}
	return nil
}

// number is how the value of a reading is written: as a plain decimal.
var number = regexp.MustCompile(`^-?[0-9]{1,9}(\.[0-9]{1,9})?$`)

var (
	perLitre  = unitOf("mmol/L")
	massLitre = unitOf("mg/L")
)

func unitOf(code string) *ucum.Unit {
	u, err := ucum.Parse(code)
	if err != nil {
		panic(err)
	}
	return u
}

// convert returns a value in the unit of m; ok is false where that cannot be said.
func (m *Measure) convert(v *big.Rat, from *ucum.Unit) (out *big.Rat, ok bool) {
	if from.Comparable(m.unit) {
		return ucum.Convert(v, from, m.unit)
	}
	if m.Molar == 0 {
		return nil, false
	}
	molar := new(big.Rat).SetFloat64(m.Molar)
	if from.Comparable(perLitre) {
		if v, ok = ucum.Convert(v, from, perLitre); !ok {
			return nil, false
		}
		return ucum.Convert(new(big.Rat).Mul(v, molar), massLitre, m.unit)
	}
	if !from.Comparable(massLitre) {
		return nil, false
	}
	if v, ok = ucum.Convert(v, from, massLitre); !ok {
		return nil, false
	}
	return ucum.Convert(new(big.Rat).Quo(v, molar), perLitre, m.unit)
}

// named are units as devices write them, in place of their UCUM codes.
var named = map[string]string{
	"mmHg": "mm[Hg]", "bpm": "/min", "1/min": "/min", "lb": "[lb_av]", "lbs": "[lb_av]", "degF": "[degF]", "°F": "[degF]", "F": "[degF]",
	"°C": "Cel", "C": "Cel", "degC": "Cel", "mg/dl": "mg/dL", "mmol/l": "mmol/L", "rpm": "/min", "{beats}/min": "/min",
}

// read returns a value in the unit of m: as it was written where it has that unit, else
// converted and rounded.
func (m *Measure) read(text, unit string) (value string, converted bool, problem string) {
	if !number.MatchString(text) {
		return "", false, "value"
	}
	if u, ok := named[unit]; ok {
		unit = u
	}
	if unit == m.Unit {
		return text, false, ""
	}
	from, err := ucum.Parse(unit)
	v, good := new(big.Rat).SetString(text)
	if unit == "" || len(unit) > 50 || err != nil || !good {
		return "", false, "unit"
	}
	out, ok := m.convert(v, from)
	if !ok {
		return "", false, "unit"
	}
	value = out.FloatString(m.Decimals)
	if strings.Contains(value, ".") {
		value = strings.TrimSuffix(strings.TrimRight(value, "0"), ".")
	}
	return value, true, ""
}

// possible reports whether a body can have a value.
func (m *Measure) possible(value string) bool {
	f, err := strconv.ParseFloat(value, 64)
	return err == nil && f >= m.Low && f <= m.High
}

// common returns a stored value in the unit that rules of its key are compared in.
func (m *Measure) common(value, unit string) (float64, bool) {
	to := known.keys[m.Key]
	text, _, problem := to.read(value, unit)
	if problem != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}
