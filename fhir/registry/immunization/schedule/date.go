package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Date is a day of the Gregorian calendar without time zone: doses and births are days.
// Dates are ordered, and their difference is a number of days. The zero value is no
// date, and earlier than every date.
type Date int32

// NoDate is no date.
const NoDate Date = 0

const (
	secondsPerDay = 24 * 60 * 60
	// zeroDay is the day of 1599-12-31 counted from 1970-01-01: the first date is 1600-01-01.
	zeroDay = -135_141
)

// DateOf returns the day of t in t's own time zone.
func DateOf(t time.Time) Date { return Day(t.Year(), t.Month(), t.Day()) }

// Day returns the date of a year, month and day of the month. Values out of their range
// are carried over, as [time.Date] does.
func Day(year int, month time.Month, day int) Date {
	return dateOf(time.Date(year, month, day, 0, 0, 0, 0, time.UTC))
}

// dateOf returns the date of a midnight in UTC, NoDate for a day before 1600.
func dateOf(midnight time.Time) Date {
	return max(NoDate, Date(midnight.Unix()/secondsPerDay-zeroDay))
}

// ParseDate reads YYYY-MM-DD, or a FHIR dateTime that begins with it.
// Errors: s holds no full date from 1600 on; FHIR's partial dates (2020, 2020-05) are
// none.
func ParseDate(s string) (Date, error) {
	if len(s) > 10 && s[10] == 'T' {
		s = s[:10]
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1600 {
		return NoDate, fmt.Errorf("%.30q is not a full date YYYY-MM-DD", s)
	}
	return DateOf(t), nil
}

// IsZero reports whether d is no date.
func (d Date) IsZero() bool { return d == NoDate }

// Time returns the start of the day in UTC.
func (d Date) Time() time.Time { return time.Unix((int64(d)+zeroDay)*secondsPerDay, 0).UTC() }

// String returns YYYY-MM-DD, "" for no date.
func (d Date) String() string {
	if d == NoDate {
		return ""
	}
	return d.Time().Format(time.DateOnly)
}

// MarshalText writes YYYY-MM-DD, nothing for no date.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads YYYY-MM-DD; nothing is no date.
func (d *Date) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*d = NoDate
		return nil
	}
	*d, err = ParseDate(string(b))
	return err
}

// Add returns d moved by p: years first, then months, then weeks and days. A month that
// lacks the day of the month gives the first day of the next month (CDSi Logic
// Specification 4.x, business rule CALCDT-5), so 31 January and one month is 1 March.
// No date stays none.
func (d Date) Add(p Period) Date {
	if d == NoDate {
		return d
	}
	if p.Months == 0 {
		return max(NoDate, d+Date(p.Days))
	}
	year, month, day := d.civil()
	month += p.Months - 1 // from 0
	year, month = year+floor(month, 12), month-12*floor(month, 12)+1
	if day > daysIn(year, month) {
		year, month, day = year+month/12, month%12+1, 1
	}
	return max(NoDate, fromCivil(year, month, day)+Date(p.Days))
}

// Dates are counted in years that begin in March, so that the day that only some years
// have is the last one, in eras of the 400 years after which the calendar repeats.
const (
	daysPerEra = 146_097
	// march is the number of days from the zero date to 1600-03-01.
	march = 61
)

// civil returns the year, the month from 1 and the day of the month from 1.
func (d Date) civil() (year, month, day int) {
	n := int(d) - march
	era := floor(n, daysPerEra)
	n -= era * daysPerEra
	y := (n - n/1_460 + n/36_524 - n/146_096) / 365
	n -= 365*y + y/4 - y/100
	m := (5*n + 2) / 153 // from March, which is 0
	day = n - (153*m+2)/5 + 1
	month, year = m+3, 1600+400*era+y
	if month > 12 {
		month, year = month-12, year+1
	}
	return year, month, day
}

// fromCivil returns the date of a day that the calendar has; it may be before the first
// date.
func fromCivil(year, month, day int) Date {
	m := month - 3
	if m < 0 {
		m, year = m+12, year-1
	}
	era := floor(year-1600, 400)
	y := year - 1600 - 400*era
	return Date(era*daysPerEra + 365*y + y/4 - y/100 + (153*m+2)/5 + day - 1 + march)
}

// daysIn returns the number of days of a month.
func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// floor returns the quotient rounded down.
func floor(n, by int) int {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// Period is a length of time as schedules give it: "2 months", "6 weeks - 4 days",
// "5 months + 4 weeks". Years are 12 months and weeks are 7 days. Set tells "0 days"
// from nothing said.
type Period struct {
	Months int // of the calendar
	Days   int // may be negative, as a grace
	Set    bool
}

// Days returns a period of n days.
func Days(n int) Period { return Period{Days: n, Set: true} }

// ParsePeriod reads a period: terms of a whole number and a unit (day, week, month,
// year, singular or plural) joined by + or -. "" is a period that is not set.
// Errors: anything else.
func ParsePeriod(s string) (Period, error) {
	p := Period{}
	fields := strings.Fields(strings.ToLower(s))
	sign := 1
	for i := 0; i < len(fields); {
		if p.Set {
			switch fields[i] {
			case "+":
				sign = 1
			case "-":
				sign = -1
			default:
				return Period{}, fmt.Errorf("%.40q is not a period: + or - is missing", s)
			}
			i++
		}
		if i+1 >= len(fields) {
			return Period{}, fmt.Errorf("%.40q is not a period such as \"2 months - 4 days\"", s)
		}
		n, err := strconv.Atoi(fields[i])
		if err != nil || n > 100_000 || n < -100_000 {
			return Period{}, fmt.Errorf("%.40q is not a period: %.20q is not a number", s, fields[i])
		}
		switch strings.TrimSuffix(fields[i+1], "s") {
		case "day":
			p.Days += sign * n
		case "week":
			p.Days += sign * 7 * n
		case "month":
			p.Months += sign * n
		case "year":
			p.Months += sign * 12 * n
		default:
			return Period{}, fmt.Errorf("%.40q is not a period: %.20q is not a unit", s, fields[i+1])
		}
		p.Set, i = true, i+2
	}
	return p, nil
}

// String writes p as [ParsePeriod] reads it.
func (p Period) String() string {
	if !p.Set {
		return ""
	}
	var b strings.Builder
	term := func(n int, unit string) {
		if n == 0 {
			return
		}
		switch {
		case b.Len() > 0 && n < 0:
			b.WriteString(" - ")
			n = -n
		case b.Len() > 0:
			b.WriteString(" + ")
		}
		fmt.Fprintf(&b, "%d %s", n, unit)
		if n != 1 {
			b.WriteByte('s')
		}
	}
	if p.Months%12 == 0 {
		term(p.Months/12, "year")
	} else {
		term(p.Months, "month")
	}
	if p.Days%7 == 0 {
		term(p.Days/7, "week")
	} else {
		term(p.Days, "day")
	}
	if b.Len() == 0 {
		return "0 days"
	}
	return b.String()
}

// MarshalText writes p as [Period.String].
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads p as [ParsePeriod].
func (p *Period) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePeriod(string(b))
	return err
}
