package search

import (
	"math"
	"time"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// A date is stored as the range of time that it covers, in microseconds UTC. A
// date, and a time without an offset, is taken to be in UTC, on both sides alike.
//
// See https://hl7.org/fhir/R4/search.html#date.

// span is a range of time: Lo <= t < Hi.
type span struct{ lo, hi int64 }

// Lengths in microseconds.
const (
	microsecond int64 = 1
	second            = 1_000_000 * microsecond
	minute            = 60 * second
	hour              = 60 * minute
	day               = 24 * hour
)

// parseSpan reads a date, dateTime or instant: YYYY, YYYY-MM, YYYY-MM-DD, and that
// with Thh:mm, Thh:mm:ss or Thh:mm:ss.fff and perhaps an offset. It does not allocate.
func parseSpan(b []byte) (span, bool) {
	y, ok := decimals(b, 0, 4)
	if !ok || y == 0 {
		return span{}, false
	}
	if len(b) == 4 {
		return span{days(y, 1, 1) * day, days(y+1, 1, 1) * day}, true
	}
	m, ok := decimals(b, 5, 2)
	if !ok || b[4] != '-' || m < 1 || m > 12 {
		return span{}, false
	}
	if len(b) == 7 {
		next := days(y, m+1, 1)
		if m == 12 {
			next = days(y+1, 1, 1)
		}
		return span{days(y, m, 1) * day, next * day}, true
	}
	d, ok := decimals(b, 8, 2)
	if !ok || b[7] != '-' || d < 1 || d > daysIn(y, m) {
		return span{}, false
	}
	start := days(y, m, d) * day
	if len(b) == 10 {
		return span{start, start + day}, true
	}
	if b[10] != 'T' {
		return span{}, false
	}
	return parseClock(b[11:], start)
}

// parseClock reads the time of the day that begins at start.
func parseClock(b []byte, start int64) (span, bool) {
	h, ok := decimals(b, 0, 2)
	m, okM := decimals(b, 3, 2)
	if !ok || !okM || b[2] != ':' || h > 23 || m > 59 {
		return span{}, false
	}
	at, width, rest := start+h*hour+m*minute, minute, b[5:]
	if len(rest) > 0 && rest[0] == ':' {
		s, ok := decimals(rest, 1, 2)
		if !ok || s > 60 { // 60 is a leap second, which belongs to the minute's last
			return span{}, false
		}
		at, width, rest = at+min(s, 59)*second, second, rest[3:]
		if len(rest) > 0 && rest[0] == '.' {
			n := 1
			for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
				if n <= 6 {
					width /= 10
					at += int64(rest[n]-'0') * width
				}
				n++
			}
			if n == 1 {
				return span{}, false
			}
			rest = rest[n:]
		}
	}
	offset, ok := parseOffset(rest)
	return span{at - offset, at - offset + width}, ok
}

// parseOffset reads Z, +hh:mm, -hh:mm or nothing. A space stands for the plus sign
// that form decoding made of it.
func parseOffset(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) == 1 && b[0] == 'Z' {
		return 0, true
	}
	h, ok := decimals(b, 1, 2)
	m, okM := decimals(b, 4, 2)
	if !ok || !okM || len(b) != 6 || b[3] != ':' || h > 14 || m > 59 {
		return 0, false
	}
	switch b[0] {
	case '+', ' ':
		return h*hour + m*minute, true
	case '-':
		return -h*hour - m*minute, true
	}
	return 0, false
}

// decimals reads n digits at offset at.
func decimals(b []byte, at, n int) (int64, bool) {
	if len(b) < at+n {
		return 0, false
	}
	var v int64
	for _, c := range b[at : at+n] {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return v, true
}

func daysIn(y, m int64) int64 {
	if m == 2 {
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (m+m/8)%2
}

// days returns the days from 1970-01-01 to a date of the Gregorian calendar, whose
// year is counted from March here, so that the leap day comes last.
func days(y, m, d int64) int64 {
	if m <= 2 {
		y, m = y-1, m+12
	}
	return 365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d - 719_469
}

// dateEmit returns how a date of type t is indexed; nil when t is no date.
func dateEmit(t *spec.Type) func(*extractor, *leaf, element.Node) {
	switch {
	case t.Is("date"), t.Is("dateTime"), t.Is("instant"):
		return emitDate
	case t.Is("Period"):
		return emitPeriod
	case t.Is("Timing"):
		return emitTiming
	}
	return nil
}

func (x *extractor) span(n element.Node) (span, bool) {
	if n == element.None || x.d.Kind(n) != element.String {
		return span{}, false
	}
	return parseSpan(x.d.Bytes(n))
}

func (x *extractor) date(l *leaf, s span) {
	x.ix.Dates = append(x.ix.Dates, Range{Param: l.param, Lo: s.lo, Hi: s.hi, Pair: x.pairing})
}

func emitDate(x *extractor, l *leaf, n element.Node) {
	if s, ok := x.span(n); ok {
		x.date(l, s)
	}
}

// period reads a Period; an end that is missing is open.
func (x *extractor) period(n element.Node) (span, bool) {
	start, okStart := x.span(x.d.Get(n, "start"))
	end, okEnd := x.span(x.d.Get(n, "end"))
	s := span{math.MinInt64, math.MaxInt64}
	if okStart {
		s.lo = start.lo
	}
	if okEnd {
		s.hi = end.hi
	}
	return s, (okStart || okEnd) && s.lo < s.hi
}

func emitPeriod(x *extractor, l *leaf, n element.Node) {
	if s, ok := x.period(n); ok {
		x.date(l, s)
	}
}

// emitTiming covers the outer limits of a schedule: its events and its bounds.
func emitTiming(x *extractor, l *leaf, n element.Node) {
	all, found := x.period(x.d.Get(x.d.Get(n, "repeat"), "boundsPeriod"))
	x.each(n, "event", func(e element.Node) {
		s, ok := x.span(e)
		switch {
		case !ok:
		case !found:
			all, found = s, true
		default:
			all.lo, all.hi = min(all.lo, s.lo), max(all.hi, s.hi)
		}
	})
	if found {
		x.date(l, all)
	}
}

// parseDate reads one value of a date parameter, still escaped.
func parseDate(name, raw string, now time.Time) (Value, error) {
	v := Value{Raw: raw}
	text := unescape(raw)
	v.Prefix, text = cutPrefix(text)
	s, ok := parseSpan([]byte(text))
	if !ok {
		return v, badValueOf(name, raw, "a date is written like 2019, 2019-02, 2019-02-28 or 2019-02-28T10:30:00-06:00, perhaps after "+prefixList)
	}
	v.Lo, v.Hi = s.lo, s.hi
	if v.Prefix == "ap" {
		// A tenth of the gap between now and the date, at least a day.
		gap := max(now.UnixMicro()-s.lo, s.lo-now.UnixMicro(), 10*day) / 10
		v.Lo, v.Hi = s.lo-gap, s.hi+gap
	}
	return v, nil
}

// holds compares the stored range r with v by the prefix.
//
// See https://hl7.org/fhir/R4/search.html#prefix.
func (r Range) holds(v *Value) bool {
	within := r.Lo >= v.Lo && r.Hi <= v.Hi
	switch v.Prefix {
	case "ne":
		return !within
	case "gt":
		return r.Hi > v.Hi
	case "lt":
		return r.Lo < v.Lo
	case "ge":
		return r.Hi > v.Hi || within
	case "le":
		return r.Lo < v.Lo || within
	case "sa":
		return r.Lo >= v.Hi
	case "eb":
		return r.Hi <= v.Lo
	case "ap":
		return r.Lo < v.Hi && r.Hi > v.Lo
	}
	return within
}
