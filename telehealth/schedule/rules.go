// Package schedule is the agenda of those who give care: rules of when somebody can be
// seen, the free slots that follow from them, and booking one so that it is booked once.
//
// Slots are not stored until somebody takes them. What is free on a day follows from the
// rules of the Schedule and from what is taken on it, so a change of the rules holds at
// once, and a year of free slots costs nothing.
package schedule

import (
	"fmt"
	"slices"
	"time"
)

// Rules say when somebody can be seen.
type Rules struct {
	Zone   *time.Location
	Open   []Open
	Closed []Span        // holidays, leave: nothing is offered that touches one
	Length time.Duration // of a visit; more than 0
	Step   time.Duration // between starts of slots; 0 for Length with both buffers
	Before time.Duration // kept free before each visit
	After  time.Duration // kept free after each visit
	// Capacity is how many may be booked at one time: 1 unless visits are in groups or the
	// place overbooks. 0 is 1.
	Capacity int
	Notice   time.Duration // a slot is offered until this long before it starts
	Horizon  time.Duration // a slot is offered from this long before it starts; 0 for no bound
}

// Open is a part of a week in which somebody can be seen, by the clock on their wall.
type Open struct {
	Days     []time.Weekday // nil for every day
	From, To Clock          // To is after From
	First    time.Time      // midnight of the first day that it holds on, in UTC; zero for no bound
	Last     time.Time      // midnight of the last day that it holds on, in UTC; zero for no bound
	// Every is 2 for every other week, and so on, counted from the week of First, which
	// begins on Monday. 0 and 1 are every week.
	Every int
}

// Clock is a time of day in minutes from midnight, 0 to 24*60.
type Clock int

// ParseClock reads HH:MM or HH:MM:SS, of which the seconds must be 00; 24:00 is the end of
// a day.
// Errors: anything else.
func ParseClock(s string) (Clock, error) {
	if s == "24:00" || s == "24:00:00" {
		return 24 * 60, nil
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil && t.Second() == 0 {
			return Clock(t.Hour()*60 + t.Minute()), nil
		}
	}
	return 0, fmt.Errorf("%.20q is not a time of day such as 09:30", s)
}

// String returns HH:MM.
func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", int(c)/60, int(c)%60) }

// Span is a time from Start until just before End.
type Span struct{ Start, End time.Time }

// Touches reports whether two spans share any time.
func (s Span) Touches(o Span) bool { return s.Start.Before(o.End) && o.Start.Before(s.End) }

// Taken is a time that is booked or held.
type Taken struct {
	Span
	Other bool // of another agenda: nothing goes beside it, whatever the capacity
}

// Slot is a time at which somebody can be seen.
type Slot struct {
	Span
	Left int // how many may still be booked, 1 or more
}

// Check reports what is wrong with r.
func (r *Rules) Check() error {
	switch {
	case r.Zone == nil:
		return fmt.Errorf("a time zone is needed, such as America/Mexico_City")
	case r.Length <= 0 || r.Length > 24*time.Hour:
		return fmt.Errorf("the length of a visit is %v: it is more than nothing and at most a day", r.Length)
	case r.Step < 0 || r.Before < 0 || r.After < 0 || r.Notice < 0 || r.Horizon < 0 || r.Capacity < 0:
		return fmt.Errorf("step, buffers, notice, horizon and capacity are not negative")
	case r.Before > 24*time.Hour || r.After > 24*time.Hour:
		return fmt.Errorf("a buffer is at most a day")
	}
	for _, o := range r.Open {
		if o.From < 0 || o.To > 24*60 || o.From >= o.To {
			return fmt.Errorf("open from %v to %v: the end is after the start, both within one day", o.From, o.To)
		}
		if o.Every > 1 && o.First.IsZero() {
			return fmt.Errorf("open every %d weeks: a first day is needed to count from", o.Every)
		}
		if !o.Last.IsZero() && o.Last.Before(o.First) {
			return fmt.Errorf("open until %s, which is before %s", o.Last.Format(time.DateOnly), o.First.Format(time.DateOnly))
		}
	}
	for _, c := range r.Closed {
		if !c.Start.Before(c.End) {
			return fmt.Errorf("closed until %s, which is not after the start", c.End.Format(time.RFC3339))
		}
	}
	return nil
}

// Free returns the slots that start within a span, in order, at most limit of them (0 for
// all): those of the rules that are offered now and not full. Taken holds the visits that
// are booked or held, without buffers, whoever of them it is.
func (r *Rules) Free(within Span, taken []Taken, now time.Time, limit int) []Slot {
	var free []Slot
	earliest := now.Add(r.Notice)
	// The first and the last local day that a start can fall on.
	first, last := localDay(within.Start.In(r.Zone)), localDay(within.End.In(r.Zone))
	if r.Horizon > 0 {
		if h := now.Add(r.Horizon); h.Before(within.End) {
			within.End, last = h, localDay(h.In(r.Zone))
		}
	}
	if within.Start.Before(earliest) {
		within.Start = earliest
		first = localDay(earliest.In(r.Zone))
	}
	for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
		for _, s := range r.day(day) {
			if s.Start.Before(within.Start) || !s.Start.Before(within.End) || r.closed(s) {
				continue
			}
			if left := r.left(s, taken); left > 0 {
				free = append(free, Slot{Span: s, Left: left})
			}
			if limit > 0 && len(free) == limit {
				return free
			}
		}
	}
	return free
}

// Offers reports whether a span is a slot of the rules that is open, whoever has it.
func (r *Rules) Offers(s Span) bool {
	return slices.ContainsFunc(r.day(localDay(s.Start.In(r.Zone))), func(o Span) bool {
		return o.Start.Equal(s.Start) && o.End.Equal(s.End)
	}) && !r.closed(s)
}

// Left returns how many may still be booked at a slot when others are taken.
func (r *Rules) Left(s Span, taken []Taken) int { return max(0, r.left(s, taken)) }

func (r *Rules) left(s Span, taken []Taken) int {
	wide := r.wide(s)
	left := max(1, r.Capacity)
	for _, t := range taken {
		switch {
		case !t.Other && t.Start.Equal(s.Start) && t.End.Equal(s.End): // beside it, at the same time
			left--
		case wide.Touches(t.Span):
			return 0
		}
	}
	return left
}

// wide returns a slot with what is kept clear around it: two visits are apart by the buffer
// after the one and the buffer before the other.
func (r *Rules) wide(s Span) Span {
	return Span{s.Start.Add(-r.Before - r.After), s.End.Add(r.After + r.Before)}
}

func (r *Rules) closed(s Span) bool {
	return slices.ContainsFunc(r.Closed, s.Touches)
}

// day returns the slots of a day, which is its midnight in UTC, in order, each once.
func (r *Rules) day(day time.Time) []Span {
	step := r.Step
	if step == 0 {
		step = r.Before + r.Length + r.After
	}
	var all []Span
	for i := range r.Open {
		o := &r.Open[i]
		if !o.on(day) {
			continue
		}
		start, end := o.From.on(day, r.Zone), o.To.on(day, r.Zone)
		for at := start.Add(r.Before); !at.Add(r.Length + r.After).After(end); at = at.Add(step) {
			all = append(all, Span{at, at.Add(r.Length)})
		}
	}
	slices.SortFunc(all, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return slices.CompactFunc(all, func(a, b Span) bool { return a.Start.Equal(b.Start) })
}

// on reports whether o holds on a day, which is its midnight in UTC.
func (o *Open) on(day time.Time) bool {
	if o.Days != nil && !slices.Contains(o.Days, day.Weekday()) ||
		!o.First.IsZero() && day.Before(o.First) || !o.Last.IsZero() && day.After(o.Last) {
		return false
	}
	if o.Every <= 1 {
		return true
	}
	weeks := int(monday(day).Sub(monday(o.First)).Hours()) / (7 * 24)
	return weeks%o.Every == 0
}

// monday returns the Monday of the week of a day.
func monday(day time.Time) time.Time {
	return day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
}

// on returns the instant that a clock in a zone shows c on a day. Where the clock is set
// forward over it, it is the instant at which that happens; where it is shown twice, the
// first time.
func (c Clock) on(day time.Time, zone *time.Location) time.Time {
	wall := day.Add(time.Duration(c) * time.Minute) // as if the zone were UTC
	shows := func(near time.Duration) (time.Time, bool) {
		_, offset := wall.Add(near).In(zone).Zone()
		at := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		_, there := at.Zone()
		return at, there == offset
	}
	before, ok := shows(-24 * time.Hour)
	if ok {
		return before
	}
	after, ok := shows(24 * time.Hour)
	if ok {
		return after
	}
	// The clock never shows c: it is set forward between after and before.
	_, offset := after.Zone()
	for at := after; at.Before(before); at = at.Add(time.Minute) {
		if _, o := at.Zone(); o != offset {
			return at
		}
	}
	return before
}

// localDay returns the midnight in UTC of the day that t shows.
func localDay(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}
