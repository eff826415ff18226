package sinac

import (
	"slices"
	"strconv"
	"time"
)

// Row is the record of one birth: a value for each column as the files write it, ""
// where there is none.
type Row [columns]string

// Known reports whether r says something in c: neither nothing, nor a value that
// stands for not knowing.
func (r *Row) Known(c Column) bool {
	v := r[c]
	f := &fields[c]
	if v == "" || slices.Contains(f.unknown, v) {
		return false
	}
	switch {
	case f.codes == nil:
		return f.kind != icd || v != "0000"
	case c == FirstVisitTrimester:
		return v != "8" && v != "9"
	}
	return v != "0" && v != "8" && v != "9"
}

// Int returns the number in c, and whether one is known.
func (r *Row) Int(c Column) (int, bool) {
	if !r.Known(c) {
		return 0, false
	}
	n, err := strconv.Atoi(r[c])
	return n, err == nil
}

// Date returns the day in c, and whether one is known.
func (r *Row) Date(c Column) (time.Time, bool) {
	if !r.Known(c) {
		return time.Time{}, false
	}
	t, err := time.Parse(dateLayout, r[c])
	return t, err == nil
}

// dateLayout is how dates are written.
const dateLayout = "02/01/2006"

// SetDate writes a day.
func (r *Row) SetDate(c Column, day time.Time) { r[c] = day.Format(dateLayout) }

// SetInt writes a number.
func (r *Row) SetInt(c Column, n int) {
	r[c] = strconv.Itoa(n)
	if f := &fields[c]; f.kind == padded {
		for len(r[c]) < f.width {
			r[c] = "0" + r[c]
		}
	}
}
