package record

import (
	"fmt"
	"strconv"

	"github.com/amate-health/amate/fhir/element"
)

// measure is what may be measured of a vital sign.
type measure struct {
	name   string
	lo, hi float64            // what GIIS-B015 takes, in unit; beyond it is unusual
	unit   string             // UCUM
	others map[string]float64 // further units, and by how much to multiply them
}

// measures are the vital signs with the ranges of GIIS-B015 v4.11, the exchange guide
// of outpatient visits. It is written for its statistics: a heart rate of 35 is rare,
// and true of some, so beyond a range an author is warned and not refused.
var measures = map[string]measure{
	systolic:      {"presión sistólica", 50, 300, "mm[Hg]", nil},
	diastolic:     {"presión diastólica", 20, 200, "mm[Hg]", nil},
	heartRate:     {"frecuencia cardiaca", 40, 220, "/min", map[string]float64{"{beats}/min": 1}},
	breathing:     {"frecuencia respiratoria", 10, 99, "/min", map[string]float64{"{breaths}/min": 1}},
	temperature:   {"temperatura", 30, 44, "Cel", nil},
	saturation:    {"saturación de oxígeno", 1, 100, "%", nil},
	saturationAny: {"saturación de oxígeno", 1, 100, "%", nil},
	weight:        {"peso", 1, 400, "kg", map[string]float64{"g": 0.001}},
	height:        {"talla", 30, 220, "cm", map[string]float64{"m": 100}},
	length:        {"talla", 30, 220, "cm", map[string]float64{"m": 100}},
	waist:         {"circunferencia de cintura", 20, 300, "cm", map[string]float64{"m": 100}},
	glucose:       {"glucemia", 20, 999, "mg/dL", nil},
	glucoseStrip:  {"glucemia", 20, 999, "mg/dL", nil},
	glucosePOC:    {"glucemia", 20, 999, "mg/dL", map[string]float64{"mmol/L": 18.016}},
}

// atMost are values that nothing can exceed.
var atMost = map[string]float64{saturation: 100, saturationAny: 100, temperature: 60, systolic: 400}

// sign checks an Observation of the section s, and adds what it says to seen. One with
// a dataAbsentReason counts: it says why the sign was not taken.
func (d *document) sign(s *Section, e *entry, seen map[string]bool) {
	absent := d.has(e.node, "dataAbsentReason")
	code := d.measured(d.Get(e.node, "code"))
	for c := range d.each(e.node, "code", "coding") {
		if d.text(c, "system") == LOINC {
			seen[d.text(c, "code")] = true
		}
	}
	if code != "" && !absent {
		d.value(s, e.path, e.node, code)
	}
	if !d.coded(d.Get(e.node, "code"), LOINC, bloodPressure) || absent {
		return
	}
	values := map[string]float64{}
	i := -1
	for c := range d.each(e.node, "component") {
		i++
		code := d.measured(d.Get(c, "code"))
		if code == "" || d.has(c, "dataAbsentReason") {
			continue
		}
		if v, ok := d.value(s, e.path+".component["+strconv.Itoa(i)+"]", c, code); ok {
			values[code] = v
		}
	}
	up, hasUp := values[systolic]
	down, hasDown := values[diastolic]
	switch {
	case !hasUp || !hasDown:
		d.missing(s.Clause, e.path+".component", e.node, "a blood pressure has both values, systolic and diastolic")
	case up < down:
		d.report("error", "value", rule(s.Clause), e.path+".component", e.node, "the systolic blood pressure is below the diastolic one")
	}
}

// measured returns the LOINC code at n of a known measure, or "".
func (d *document) measured(n element.Node) string {
	for c := range d.each(n, "coding") {
		if code := d.text(c, "code"); d.text(c, "system") == LOINC && measures[code].name != "" {
			return code
		}
	}
	return ""
}

// value checks the valueQuantity at n. ok is false when there is no number to compare.
func (d *document) value(s *Section, path string, n element.Node, code string) (v float64, ok bool) {
	m := measures[code]
	q := d.get(n, "valueQuantity")
	v, err := strconv.ParseFloat(d.text(q, "value"), 64)
	if err != nil {
		d.missing(s.Clause, path+".value", n, m.name+" has no value")
		return 0, false
	}
	factor, known := m.others[d.text(q, "code")]
	if d.text(q, "code") == m.unit {
		factor, known = 1, true
	}
	if !known || d.text(q, "system") != "http://unitsofmeasure.org" {
		d.report("error", "value", rule(s.Clause), path+".valueQuantity.code", q, m.name+" is measured in "+m.unit+" (UCUM)")
		return 0, false
	}
	v *= factor
	most, bounded := atMost[code]
	switch {
	case v <= 0 || bounded && v > most:
		d.report("error", "value", rule(s.Clause), path+".valueQuantity.value", q, m.name+" cannot have this value")
	case v < m.lo || v > m.hi:
		d.report("warning", "value", "giis-b015", path+".valueQuantity.value", q, fmt.Sprintf("%s is unusual: GIIS-B015 takes %g to %g %s", m.name, m.lo, m.hi, m.unit))
	}
	return v, true
}

// alike are signs that stand for one another: the length of a child lying down is its height.
var alike = map[string]string{height: length, length: height}

// signsAsked checks that the signs are there that the norm asks for.
func (d *document) signsAsked(s *Section, n element.Node, path string, seen map[string]bool) {
	names := map[string]string{bloodPressure: "tensión arterial"}
	for _, code := range s.Vitals {
		if seen[code] || seen[alike[code]] {
			continue
		}
		name := names[code]
		if name == "" {
			name = measures[code].name
		}
		d.missing(s.Clause, path+".entry", n, "the vital signs lack "+name+" (LOINC "+code+"): an Observation, with its dataAbsentReason where it was not taken")
	}
}
