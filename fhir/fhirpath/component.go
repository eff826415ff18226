package fhirpath

import (
	"time"

	"github.com/cockroachdb/apd/v3"
)

// The parts of dates and times. A part that the precision does not reach is empty.
//
// See https://hl7.org/fhirpath/#extract-dateDateTimeTime-components.
var components = map[string]function{
	"yearOf":           part(Year, func(t time.Time) int { return t.Year() }),
	"monthOf":          part(Month, func(t time.Time) int { return int(t.Month()) }),
	"dayOf":            part(Day, func(t time.Time) int { return t.Day() }),
	"hourOf":           part(Hour, func(t time.Time) int { return t.Hour() }),
	"minuteOf":         part(Minute, func(t time.Time) int { return t.Minute() }),
	"secondOf":         part(Second, func(t time.Time) int { return t.Second() }),
	"millisecondOf":    onTemporal(millisecondOf),
	"timezoneOffsetOf": onTemporal(offsetOf),
	"dateOf":           onTemporal(dateOf),
	"timeOf":           onTemporal(timeOf),
}

// onTemporal makes a function of one date or time; a text is read as one.
func onTemporal(f func(Temporal) Value) function {
	return plain(func(_ *run, in Collection) (Collection, error) {
		if len(in) == 0 {
			return nil, nil
		}
		v, err := single(in)
		if err != nil {
			return nil, err
		}
		t, ok := v.(Temporal)
		if s, text := v.(String); text {
			t, ok = parseTemporal(string(s))
		}
		if !ok {
			return nil, nil
		}
		if out := f(t); out != nil {
			return values(out), nil
		}
		return nil, nil
	})
}

func part(p Precision, f func(time.Time) int) function {
	return onTemporal(func(t Temporal) Value {
		if t.precision < p || t.kind == "Time" && p < Hour {
			return nil
		}
		return Integer(f(t.at))
	})
}

func millisecondOf(t Temporal) Value {
	if t.precision < Second || t.digits == 0 {
		return nil
	}
	return Integer(t.at.Nanosecond() / 1_000_000)
}

// offsetOf returns hours.
func offsetOf(t Temporal) Value {
	if !t.zoned {
		return nil
	}
	_, seconds := t.at.Zone()
	out, err := decimals(divide, Decimal{apd.New(int64(seconds), 0)}, Decimal{apd.New(3600, 0)})
	if err != nil || len(out) == 0 {
		return nil
	}
	return out[0].value
}

func dateOf(t Temporal) Value {
	if t.kind == "Time" {
		return nil
	}
	y, m, d := t.at.Date()
	return Temporal{kind: "Date", precision: min(t.precision, Day), at: time.Date(y, m, d, 0, 0, 0, 0, time.UTC)}
}

func timeOf(t Temporal) Value {
	if t.precision < Hour || t.kind == "Time" {
		return nil
	}
	at := time.Date(1, 1, 1, t.at.Hour(), t.at.Minute(), t.at.Second(), t.at.Nanosecond(), time.UTC)
	return Temporal{kind: "Time", precision: t.precision, at: at, digits: t.digits}
}
