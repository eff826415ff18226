package giis

import (
	"strconv"
	"strings"
	"time"
)

// Row is one visit: the values of the variables, that of number n at n-1.
type Row [Variables]string

func (r *Row) at(n int) string             { return r[n-1] }
func (r *Row) set(n int, v string)         { r[n-1] = v }
func (r *Row) is(n int, codes string) bool { return one(codes, r[n-1]) }

// measured returns a measure; false when it is unknown or no number.
func (r *Row) measured(n int) (float64, bool) {
	v, err := strconv.ParseFloat(r.at(n), 64)
	return v, err == nil && r.at(n) != table[n-1].unknown
}

// layout of dates.
const layout = "02/01/2006"

func (r *Row) day(n int) (time.Time, bool) {
	t, err := time.Parse(layout, r.at(n))
	return t, err == nil && len(r.at(n)) == len(layout)
}

// months returns the age at the visit in full months; false when a date is missing.
func (r *Row) months() (int, bool) {
	born, ok := r.day(vBorn)
	at, too := r.day(vDate)
	if !ok || !too {
		return 0, false
	}
	return between(born, at), true
}

// between returns the full months from one day to another.
func between(from, to time.Time) int {
	n := (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
	if to.Day() < from.Day() {
		n--
	}
	return n
}

// aged reports whether the age in years at the visit is from a to below b. An age that
// is not known is not of any range.
func (r *Row) aged(a, b int) bool {
	m, ok := r.months()
	return ok && m >= a*12 && m < b*12
}

// Groups of personnel (variable 7).
const (
	doctors      = "1-4 19 24"
	psychology   = "15 16"
	gerontology  = "25 27"
	notForElders = "7-11 21 22 29"
)

// fertile reports whether the visit is of a woman of 9 to 59 years.
func (r *Row) fertile() bool { return r.at(vSex) == "2" && r.aged(9, 60) }

// clinical reports that somebody else than a psychologist gave the visit.
func (r *Row) clinical() bool { return !r.is(vStaff, psychology) }

// list returns the values of a variable that may have several.
func list(value string) []string { return strings.Split(value, "&") }

// String returns the row as a file has it.
func (r *Row) String() string { return strings.Join(r[:], "|") }
