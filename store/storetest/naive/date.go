package naive

import (
	"math"
	"strings"
	"time"
)

// interval is a range of time in microseconds since 1970 UTC: lo <= t < hi.
type interval struct{ lo, hi int64 }

type dateValue interval

// layouts of a date with as much of it as is known, and what one more of the last
// part adds.
var layouts = []struct {
	layout string
	next   func(time.Time) time.Time
}{
	{"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
	{"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
	{"2006-01-02", func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	{"2006-01-02T15:04", func(t time.Time) time.Time { return t.Add(time.Minute) }},
	{"2006-01-02T15:04Z07:00", func(t time.Time) time.Time { return t.Add(time.Minute) }},
	{"2006-01-02T15:04:05", func(t time.Time) time.Time { return t.Add(time.Second) }},
	{"2006-01-02T15:04:05Z07:00", func(t time.Time) time.Time { return t.Add(time.Second) }},
}

// parseInterval reads a date, dateTime or instant. Without an offset it is in UTC.
//
// See https://hl7.org/fhir/R4/datatypes.html#dateTime.
func parseInterval(s string) (interval, bool) {
	whole, digits := s, 0
	if at := strings.IndexByte(s, '.'); at > 0 { // the parser takes a fraction anywhere; its digits count
		for _, c := range s[at+1:] {
			if c < '0' || c > '9' {
				break
			}
			digits++
		}
	}
	for _, l := range layouts {
		t, err := time.Parse(l.layout, whole)
		if err != nil {
			continue
		}
		end := l.next(t)
		if digits > 0 {
			end = t.Add(time.Duration(math.Pow10(9 - min(digits, 6))))
		}
		return interval{t.UnixMicro(), end.UnixMicro()}, true
	}
	return interval{}, false
}

func readDate(datatype string, v any) []value {
	switch datatype {
	case "Period":
		if i, ok := readPeriod(v); ok {
			return []value{dateValue(i)}
		}
	case "Timing": // its outer limits
		all, any := readPeriod(object(object(v)["repeat"])["boundsPeriod"])
		for _, s := range texts(v, "event") {
			i, ok := parseInterval(s)
			if !ok {
				continue
			}
			if !any {
				all, any = i, true
			}
			all = interval{min(all.lo, i.lo), max(all.hi, i.hi)}
		}
		if any {
			return []value{dateValue(all)}
		}
	default:
		if i, ok := parseInterval(text1(v)); ok {
			return []value{dateValue(i)}
		}
	}
	return nil
}

// readPeriod reads a Period; an end that is not there is open.
func readPeriod(v any) (interval, bool) {
	i := interval{math.MinInt64, math.MaxInt64}
	start, hasStart := parseInterval(text1(object(v)["start"]))
	end, hasEnd := parseInterval(text1(object(v)["end"]))
	if hasStart {
		i.lo = start.lo
	}
	if hasEnd {
		i.hi = end.hi
	}
	return i, hasStart || hasEnd
}

// matches compares what a resource has with what is asked for.
//
// See https://hl7.org/fhir/R4/search.html#prefix.
func (d dateValue) matches(prefix, text string, now int64) bool {
	q, ok := parseInterval(text)
	if !ok {
		return false
	}
	contained := q.lo <= d.lo && d.hi <= q.hi
	switch prefix {
	case "", "eq":
		return contained
	case "ne":
		return !contained
	case "gt": // something of d lies above q
		return d.hi > q.hi
	case "lt":
		return d.lo < q.lo
	case "ge":
		return d.hi > q.hi || contained
	case "le":
		return d.lo < q.lo || contained
	case "sa":
		return d.lo >= q.hi
	case "eb":
		return d.hi <= q.lo
	case "ap":
		const day = 24 * 3600 * 1_000_000
		gap := now - q.lo
		if gap < 0 {
			gap = -gap
		}
		gap = max(gap/10, day)
		return d.lo < q.hi+gap && d.hi > q.lo-gap
	}
	return false
}
