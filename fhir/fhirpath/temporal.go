package fhirpath

import (
	"fmt"
	"strings"
	"time"
)

// Precision is how much of a date or time is given.
type Precision uint8

// The precisions. A fraction of a second belongs to Second, as in comparisons.
const (
	Year Precision = 1 + iota
	Month
	Day
	Hour
	Minute
	Second
)

// Temporal is a System.Date, System.DateTime or System.Time.
type Temporal struct {
	kind      string // "Date", "DateTime" or "Time"
	precision Precision
	at        time.Time // its fields in its own offset; those past the precision are at their least
	zoned     bool      // an offset is given
	digits    int       // digits of the fraction of a second
}

// System returns "Date", "DateTime" or "Time".
func (t Temporal) System() string { return t.kind }

// Precision returns how much of t is given.
func (t Temporal) Precision() Precision { return t.precision }

// Start returns the first moment that t covers. Without an offset, t is taken to be UTC.
func (t Temporal) Start() time.Time { return t.at }

// parseTemporal reads the text of a literal, without its @.
func parseTemporal(text string) (Temporal, bool) {
	if strings.HasPrefix(text, "T") {
		return parseTime(text[1:])
	}
	if date, rest, ok := strings.Cut(text, "T"); ok {
		t, ok := parseDate(date)
		if !ok {
			return t, false
		}
		t.kind = "DateTime"
		if rest == "" {
			return t, true
		}
		return t.withTime(rest)
	}
	return parseDate(text)
}

// parseDateTime reads a FHIR dateTime or instant, where a bare date is a DateTime too.
func parseDateTime(text string) (Temporal, bool) {
	t, ok := parseTemporal(text)
	if t.kind == "Time" {
		return t, false
	}
	t.kind = "DateTime"
	return t, ok
}

func parseDate(text string) (Temporal, bool) {
	t := Temporal{kind: "Date"}
	layout := ""
	switch len(text) {
	case 4:
		t.precision, layout = Year, "2006"
	case 7:
		t.precision, layout = Month, "2006-01"
	case 10:
		t.precision, layout = Day, "2006-01-02"
	default:
		return t, false
	}
	var err error
	t.at, err = time.Parse(layout, text)
	return t, err == nil && t.at.Year() > 0
}

func parseTime(text string) (Temporal, bool) {
	t := Temporal{kind: "Time", at: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)}
	if strings.ContainsAny(text, "Z+-") {
		return t, false
	}
	return t.clock(text)
}

// withTime adds hours and smaller units, and the offset, to a full date.
func (t Temporal) withTime(text string) (Temporal, bool) {
	if t.precision != Day {
		return t, false
	}
	zone := time.UTC
	if n := strings.IndexAny(text, "Z+-"); n >= 0 {
		if text[n:] != "Z" {
			z, err := time.Parse("-07:00", text[n:])
			if err != nil {
				return t, false
			}
			zone = z.Location()
			if _, seconds := z.Zone(); seconds > 14*3600 || seconds < -14*3600 {
				return t, false
			}
		}
		text, t.zoned = text[:n], true
	}
	t.at = time.Date(t.at.Year(), t.at.Month(), t.at.Day(), 0, 0, 0, 0, zone)
	return t.clock(text)
}

// clock reads hh, hh:mm, hh:mm:ss or hh:mm:ss.fff onto t.
func (t Temporal) clock(text string) (Temporal, bool) {
	whole, fraction, fractional := strings.Cut(text, ".")
	var h, m, s, ns int
	two := func(at, most int) int {
		n := -1
		if c := whole[at]; digit(c) && digit(whole[at+1]) {
			n = int(c-'0')*10 + int(whole[at+1]-'0')
		}
		if n > most {
			n = -1
		}
		return n
	}
	switch len(whole) {
	case 8:
		if s = two(6, 59); whole[5] != ':' {
			return t, false
		}
		fallthrough
	case 5:
		if m = two(3, 59); whole[2] != ':' {
			return t, false
		}
		fallthrough
	case 2:
		h = two(0, 23)
	default:
		return t, false
	}
	if h < 0 || m < 0 || s < 0 || fractional && (len(whole) != 8 || fraction == "" || len(fraction) > 18) {
		return t, false
	}
	t.precision = Hour + Precision(len(whole)/3)
	t.digits = len(fraction)
	for i := range 9 {
		ns *= 10
		if i < len(fraction) {
			if !digit(fraction[i]) {
				return t, false
			}
			ns += int(fraction[i] - '0')
		}
	}
	t.at = time.Date(t.at.Year(), t.at.Month(), t.at.Day(), h, m, s, ns, t.at.Location())
	return t, true
}

// String returns the text of t, as a literal without its @ and T marks.
func (t Temporal) String() string {
	var b strings.Builder
	if t.kind != "Time" {
		b.WriteString(t.at.Format([...]string{"", "2006", "2006-01", "2006-01-02"}[min(t.precision, Day)]))
		if t.precision <= Day {
			return b.String()
		}
		b.WriteByte('T')
	}
	b.WriteString(t.at.Format([...]string{"15", "15:04", "15:04:05"}[t.precision-Hour]))
	if t.digits > 0 {
		b.WriteString(("." + fmt.Sprintf("%09d", t.at.Nanosecond()))[:1+min(t.digits, 9)])
	}
	if t.zoned {
		b.WriteString(t.at.Format("Z07:00"))
	}
	return b.String()
}

// fields returns the parts of t that its precision covers, largest first.
func (t Temporal) fields(utc bool) []int64 {
	at := t.at
	if utc {
		at = at.UTC()
	}
	all := [...]int64{
		int64(at.Year()), int64(at.Month()), int64(at.Day()), int64(at.Hour()), int64(at.Minute()),
		int64(at.Second())*1_000_000_000 + int64(at.Nanosecond()),
	}
	return append([]int64(nil), all[:t.precision]...)
}

// compare compares two dates or two times. known is false when they agree as far
// as the coarser of them goes, or when only one says where on earth it was.
//
// See https://hl7.org/fhirpath/N1/#datetime-equality.
func (t Temporal) compare(o Temporal) (cmp int, known bool) {
	timed := t.precision > Day && o.precision > Day && t.kind != "Time"
	if timed && t.zoned != o.zoned {
		return 0, false
	}
	a, b := t.fields(timed && t.zoned), o.fields(timed && o.zoned)
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			if a[i] < b[i] {
				return -1, true
			}
			return 1, true
		}
	}
	return 0, len(a) == len(b)
}

// add returns t moved by n of the singular calendar unit; n is whole.
//
// See https://hl7.org/fhirpath/N1/#datetime-arithmetic.
func (t Temporal) add(n int64, unit string) (Temporal, bool) {
	if n > 1_000_000_000_000 || n < -1_000_000_000_000 {
		return t, false
	}
	unit, n = t.coarsen(unit, n)
	switch unit {
	case "year", "month":
		t.at = addMonths(t.at, map[string]int64{"year": 12, "month": 1}[unit]*n)
	case "week":
		t.at = t.at.AddDate(0, 0, int(7*n))
	case "day":
		t.at = t.at.AddDate(0, 0, int(n))
	default:
		length, ok := milliseconds[unit]
		if !ok || n > 1<<62/(length*1_000_000) || n < -1<<62/(length*1_000_000) {
			return t, false
		}
		t.at = t.at.Add(time.Duration(n*length) * time.Millisecond)
		if unit == "millisecond" && t.digits < 3 {
			t.digits = 3
		}
	}
	if t.kind == "Time" {
		t.at = time.Date(1, 1, 1, t.at.Hour(), t.at.Minute(), t.at.Second(), t.at.Nanosecond(), time.UTC)
		return t, unit != "year" && unit != "month" && unit != "week" && unit != "day"
	}
	return t, t.at.Year() >= 1 && t.at.Year() <= 9999
}

// coarsen turns a unit finer than the precision of t into the unit of that
// precision, dropping what is left over: 2014 + 25 months is 2016.
func (t Temporal) coarsen(unit string, n int64) (string, int64) {
	if t.kind == "Time" || t.precision > Day {
		return unit, n
	}
	days := n
	switch unit {
	case "year":
		return unit, n
	case "month":
		if t.precision == Year {
			return "year", n / 12
		}
		return unit, n
	case "week":
		days = 7 * n
	case "day":
	default:
		days = n / (86_400_000 / milliseconds[unit])
	}
	switch t.precision {
	case Year:
		return "year", days / 365
	case Month:
		return "month", days / 30
	}
	return "day", days
}

// addMonths moves by months and stays within the month it arrives at: Jan 31 + 1 month is Feb 28.
func addMonths(at time.Time, n int64) time.Time {
	months := int64(at.Year())*12 + int64(at.Month()) - 1 + n
	year, month := int(months/12), time.Month(months%12+1)
	last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return time.Date(year, month, min(at.Day(), last), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), at.Location())
}
