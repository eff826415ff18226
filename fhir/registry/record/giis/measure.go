package giis

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

const loinc = "http://loinc.org"

// measure says where a measured variable comes from: Observations of these LOINC codes,
// in one of these UCUM units, each with the factor to that of the guide.
type measure struct {
	of    int
	codes []string
	units map[string]float64
}

var measures = []measure{
	{vWeight, []string{"29463-7", "3141-9"}, map[string]float64{"kg": 1, "g": 0.001, "[lb_av]": 0.45359237}},
	{vHeight, []string{"8302-2", "8306-3", "8308-9"}, map[string]float64{"cm": 1, "m": 100, "[in_i]": 2.54}},
	{vWaist, []string{"8280-0", "56086-2"}, map[string]float64{"cm": 1, "m": 100, "[in_i]": 2.54}},
	{vSystolic, []string{"8480-6"}, map[string]float64{"mm[Hg]": 1, "kPa": 7.50062}},
	{vDiastolic, []string{"8462-4"}, map[string]float64{"mm[Hg]": 1, "kPa": 7.50062}},
	{vPulse, []string{"8867-4"}, map[string]float64{"/min": 1, "{beats}/min": 1}},
	{vBreaths, []string{"9279-1"}, map[string]float64{"/min": 1, "{breaths}/min": 1}},
	{vTemperature, []string{"8310-5"}, map[string]float64{"Cel": 1}},
	{vSaturation, []string{"59408-5", "2708-6"}, map[string]float64{"%": 1}},
	{vGlucose, []string{"2339-0", "2345-7", "1558-6", "41653-7", "41604-0", "15074-8", "14743-9", "14749-6"}, map[string]float64{"mg/dL": 1, "mmol/L": 18.016}},
}

// Codes of glucose that say how it was measured.
var (
	capillary = map[string]bool{"41653-7": true, "41604-0": true, "14743-9": true}
	fasting   = map[string]bool{"1558-6": true, "41604-0": true}
)

// measured returns the value of a variable, as it stands in a row; "" for none. It also
// says by which code.
func (v *visit) measured(n int) (value, code string) {
	for i := range measures {
		m := &measures[i]
		if m.of != n {
			continue
		}
		for _, o := range v.observations {
			for _, code := range m.codes {
				if q := o.quantity(code); q != nil {
					if value := q.in(m); value != "" {
						return value, code
					}
				}
			}
		}
	}
	return "", ""
}

// lost returns what is wrong where a measure was taken, and none of its values is in a
// unit that can be told.
func (v *visit) lost() []Finding {
	var out []Finding
	for i := range measures {
		m := &measures[i]
		if value, _ := v.measured(m.of); value != "" || !v.taken(m) {
			continue
		}
		out = append(out, Finding{Variable: m.of, Name: table[m.of-1].Name, Rule: "unit", Warning: true,
			Text: "a value in " + strings.Join(slices.Sorted(maps.Keys(m.units)), ", ") + ": that of the Observation is left out"})
	}
	return out
}

// taken reports whether an observation of the visit has a value of a measure.
func (v *visit) taken(m *measure) bool {
	for _, o := range v.observations {
		if slices.ContainsFunc(m.codes, func(code string) bool { return o.quantity(code) != nil }) {
			return true
		}
	}
	return false
}

// quantity returns what an observation, or a component of it, has under a LOINC code.
func (o *observation) quantity(code string) *quantity {
	if o.Code.code(loinc) == code && o.ValueQuantity != nil {
		return o.ValueQuantity
	}
	for i := range o.Component {
		if c := &o.Component[i]; c.Code.code(loinc) == code && c.ValueQuantity != nil {
			return c.ValueQuantity
		}
	}
	return nil
}

// in returns a quantity in the unit of the guide, with the decimals that it takes.
func (q *quantity) in(m *measure) string {
	n, err := strconv.ParseFloat(string(q.Value), 64)
	unit := q.Code
	if unit == "" {
		unit = q.Unit
	}
	factor, ok := m.units[unit]
	if err != nil || !ok {
		return ""
	}
	v := &table[m.of-1]
	shown := strconv.FormatFloat(n*factor, 'f', v.decimals, 64)
	if short, err := strconv.ParseFloat(shown, 64); err == nil {
		shown = strconv.FormatFloat(short, 'f', -1, 64)
	}
	return shown
}
