package fhirpath

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// See https://hl7.org/fhirpath/N1/#conversion.
var conversion = map[string]function{
	"iif":                {min: 2, max: 3, eval: iif},
	"toBoolean":          converting(toBoolean),
	"convertsToBoolean":  convertible(toBoolean),
	"toInteger":          converting(toInteger),
	"convertsToInteger":  convertible(toInteger),
	"toLong":             converting(toInteger),
	"convertsToLong":     convertible(toInteger),
	"toDecimal":          converting(toDecimal),
	"convertsToDecimal":  convertible(toDecimal),
	"toString":           converting(toString),
	"convertsToString":   convertible(toString),
	"toDate":             converting(toDate),
	"convertsToDate":     convertible(toDate),
	"toDateTime":         converting(toDateTime),
	"convertsToDateTime": convertible(toDateTime),
	"toTime":             converting(toTime),
	"convertsToTime":     convertible(toTime),
	"toQuantity":         {max: 1, eval: toQuantityUnit},
	"convertsToQuantity": {max: 1, eval: func(r *run, s scope, in Collection, args []node) (Collection, error) {
		out, err := toQuantityUnit(r, s, in, args)
		if err != nil || len(in) == 0 {
			return nil, err
		}
		return truths(len(out) == 1), nil
	}},
}

// iif evaluates only the branch that it takes.
func iif(r *run, s scope, in Collection, args []node) (Collection, error) {
	if len(in) > 1 {
		return nil, failure("iif() takes one item, found %d", len(in))
	}
	if len(in) == 1 {
		s.this = in
	}
	c, err := args[0].eval(r, s)
	if err != nil {
		return nil, err
	}
	l, err := truth(c)
	if err != nil {
		return nil, err
	}
	if l == yes {
		return args[1].eval(r, s)
	}
	return optional(r, s, args, 2)
}

// converting makes a toX() of f, which returns nil for what cannot be converted.
func converting(f func(Value) Value) function {
	return plain(func(_ *run, in Collection) (Collection, error) {
		if len(in) == 0 {
			return nil, nil
		}
		v, err := single(in)
		if err != nil || v == nil {
			return nil, err
		}
		if out := f(v); out != nil {
			return values(out), nil
		}
		return nil, nil
	})
}

// convertible makes a convertsToX() of f.
func convertible(f func(Value) Value) function {
	return plain(func(_ *run, in Collection) (Collection, error) {
		if len(in) == 0 {
			return nil, nil
		}
		v, err := single(in)
		if err != nil {
			return nil, err
		}
		return truths(v != nil && f(v) != nil), nil
	})
}

func toBoolean(v Value) Value {
	switch v := v.(type) {
	case Boolean:
		return v
	case String:
		switch strings.ToLower(string(v)) {
		case "true", "t", "yes", "y", "1", "1.0":
			return Boolean(true)
		case "false", "f", "no", "n", "0", "0.0":
			return Boolean(false)
		}
	case Integer, Decimal:
		d := decimalOf(v)
		if d.IsZero() {
			return Boolean(false)
		}
		if d.Cmp(apd.New(1, 0)) == 0 {
			return Boolean(true)
		}
	}
	return nil
}

func toInteger(v Value) Value {
	switch v := v.(type) {
	case Integer:
		return v
	case Boolean:
		if v {
			return Integer(1)
		}
		return Integer(0)
	case String:
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			return Integer(n)
		}
	}
	return nil
}

var decimalForm = regexp.MustCompile(`^[+-]?\d+(\.\d+)?$`)

func toDecimal(v Value) Value {
	switch v := v.(type) {
	case Integer:
		return decimalOf(v)
	case Decimal:
		return v
	case Boolean:
		if v {
			return Decimal{apd.New(10, -1)}
		}
		return Decimal{apd.New(0, -1)}
	case String:
		if decimalForm.MatchString(string(v)) {
			if d, ok := parseDecimal(string(v)); ok {
				return d
			}
		}
	}
	return nil
}

func toString(v Value) Value {
	if _, ok := v.(TypeInfo); ok {
		return nil
	}
	return String(v.String())
}

// temporalForm cuts v to a text of at most one date or time, "" when it is none.
func temporalForm(v Value) string {
	switch v := v.(type) {
	case String:
		return string(v)
	case Temporal:
		if v.kind == "Time" {
			return "T" + v.String()
		}
		return v.String()
	}
	return ""
}

func toDate(v Value) Value {
	date, _, _ := strings.Cut(temporalForm(v), "T")
	if t, ok := parseTemporal(temporalForm(v)); !ok || t.kind == "Time" {
		return nil
	}
	t, ok := parseDate(date)
	if !ok {
		return nil
	}
	return t
}

func toDateTime(v Value) Value {
	t, ok := parseDateTime(temporalForm(v))
	if !ok {
		return nil
	}
	return t
}

func toTime(v Value) Value {
	t, ok := parseTime(strings.TrimPrefix(temporalForm(v), "T"))
	if !ok {
		return nil
	}
	return t
}

var quantityForm = regexp.MustCompile(`^([+-]?\d+(?:\.\d+)?)(?:\s*'([^']+)'|\s+([a-zA-Z]+))?$`)

func toQuantity(v Value) Value {
	switch v := v.(type) {
	case Quantity:
		return v
	case Boolean:
		return Quantity{Value: toDecimal(v).(Decimal), Unit: "1"}
	case Integer, Decimal:
		return Quantity{Value: decimalOf(v), Unit: "1"}
	case String:
		m := quantityForm.FindStringSubmatch(string(v))
		if m == nil {
			return nil
		}
		d, ok := parseDecimal(m[1])
		switch {
		case !ok:
			return nil
		case m[2] != "":
			return Quantity{Value: d, Unit: m[2]}
		case m[3] == "":
			return Quantity{Value: d, Unit: "1"}
		case calendarUnits[m[3]] != "":
			return Quantity{Value: d, Unit: calendarUnits[m[3]], Calendar: true}
		}
	}
	return nil
}

// toQuantityUnit is toQuantity([unit]).
func toQuantityUnit(r *run, s scope, in Collection, args []node) (Collection, error) {
	unit, err := optional(r, s, args, 0)
	if err != nil || len(in) == 0 {
		return nil, err
	}
	v, err := single(in)
	if err != nil || v == nil {
		return nil, err
	}
	q, ok := toQuantity(v).(Quantity)
	if !ok {
		return nil, nil
	}
	want, ok, err := text(unit)
	if err != nil {
		return nil, err
	}
	if !ok || want == q.Unit && !q.Calendar {
		return values(q), nil
	}
	word := calendarUnits[want]
	if word != "" {
		want = word
	}
	if q.months() > 0 && word == "" && q.code == "" || q.Unit == "" {
		return nil, nil // a calendar year is not the year of UCUM
	}
	if out, ok := q.to(want, word != ""); ok {
		return values(out), nil
	}
	return nil, nil
}
