package rights

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Calendar tells business days from others. Days are told apart by their year, month and
// day; the clock and the zone of a time play no part.
type Calendar struct {
	closed map[string]bool // further days, as 2026-12-24
}

// NewCalendar returns a calendar with the days of rest of the law, and on top of them
// closed, those on which an authority does not count: dates as 2026-12-24, or spans of
// them as 2026-12-21..2027-01-06. Errors name the entry.
func NewCalendar(closed ...string) (*Calendar, error) {
	c := &Calendar{closed: map[string]bool{}}
	for _, entry := range closed {
		from, to, span := strings.Cut(entry, "..")
		first, err := time.Parse(time.DateOnly, from)
		last := first
		if span && err == nil {
			last, err = time.Parse(time.DateOnly, to)
		}
		if err != nil || last.Before(first) || last.Sub(first) > 366*24*time.Hour {
			return nil, fmt.Errorf("%q is no day as 2026-12-24, nor days as 2026-12-21..2027-01-06", entry)
		}
		for d := first; !d.After(last); d = d.AddDate(0, 0, 1) {
			c.closed[d.Format(time.DateOnly)] = true
		}
	}
	return c, nil
}

// Holidays returns the compulsory days of rest of a year, in order.
//
// Ley Federal del Trabajo, art. 74; 1 October of the year in which a President takes
// office, which was 2024 and is every sixth from then on. Before 2024 that day was 1
// December, which is not given here.
func Holidays(year int) []time.Time {
	days := []time.Time{
		date(year, time.January, 1),
		monday(year, time.February, 1),
		monday(year, time.March, 3),
		date(year, time.May, 1),
		date(year, time.September, 16),
		monday(year, time.November, 3),
		date(year, time.December, 25),
	}
	if year >= 2024 && (year-2024)%6 == 0 {
		days = slices.Insert(days, 5, date(year, time.October, 1))
	}
	return days
}

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// monday returns the nth Monday of a month.
func monday(year int, month time.Month, n int) time.Time {
	first := date(year, month, 1)
	return first.AddDate(0, 0, (int(time.Monday)-int(first.Weekday())+7)%7+7*(n-1))
}

// Business reports whether a day counts.
func (c *Calendar) Business(day time.Time) bool {
	if w := day.Weekday(); w == time.Saturday || w == time.Sunday {
		return false
	}
	y, m, d := day.Date()
	at := date(y, m, d)
	return !c.closed[at.Format(time.DateOnly)] && !slices.ContainsFunc(Holidays(y), at.Equal)
}

// Add returns the day that is n business days after day, which itself does not count: a
// request that comes on a Monday has its first day on Tuesday. With n of 0 it returns day.
func (c *Calendar) Add(day time.Time, n int) time.Time {
	y, m, d := day.Date()
	at := date(y, m, d)
	for range 20_000 { // days; where an authority never opens, no deadline is reached
		if n <= 0 {
			break
		}
		if at = at.AddDate(0, 0, 1); c.Business(at) {
			n--
		}
	}
	return at
}

// Left returns how many business days there are after today until due, that one
// included; negative when due is over, by as many business days.
func (c *Calendar) Left(today, due time.Time) int {
	from, to, sign := midnight(today), midnight(due), 1
	if to.Before(from) {
		from, to, sign = to, from, -1
	}
	n := 0
	for d := from; d.Before(to); {
		if d = d.AddDate(0, 0, 1); c.Business(d) {
			n += sign
		}
	}
	return n
}

func midnight(t time.Time) time.Time {
	y, m, d := t.Date()
	return date(y, m, d)
}
