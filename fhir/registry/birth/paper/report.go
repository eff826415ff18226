package paper

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
)

// Smallest is of how many births a figure must be to be shown to those who may not know
// whose they are.
const Smallest = 11

// The terms that births are held to.
const (
	certifyWithin  = 24 * time.Hour
	registerWithin = 60 // days: the shortest that a state sets
)

// Asked says what is reported.
type Asked struct {
	Year     int
	Facility string    // CLUES that certifies, or what it begins with; "" for all
	Now      time.Time // of the report
	Zone     *time.Location
	Suppress bool // leave out what is of fewer births than Smallest
}

// Report says how soon and how completely births of a year were certified. It names nobody.
type Report struct {
	Asked  Asked
	Lines  []Line   // by facility and month
	Total  Line     // of the lines that are shown
	Hidden int      // lines that are left out, being of too few births
	Gaps   []Column // in the order of the columns
}

// Line is what is found of the births at a facility in a month.
type Line struct {
	Facility string // CLUES; "" for all
	Month    string // yyyy-mm; "" for all
	Births   int    // with a certificate that counts
	Void     Count  // certificates that were withdrawn
	Replaced Count
	Certify  Times // from birth to certificate, in hours; of first certificates whose hour of birth is known
	Register Times // from birth to registration, in days; of those that are registered
	Waiting  Count // not registered, and born longer ago than the term

	certify, register []float64
	undone            int // not registered, of those whose registration is counted
	missing, of       [sinac.Columns]int
}

// Count is a number that is not always shown.
type Count struct {
	N      int
	Hidden bool
}

// Times sum up how long something took. Without a number of births there are none.
type Times struct {
	N           int
	Median, P90 float64
	Share       float64 // 0 to 1: how many within the term, of those of whom it can be told
	Known       bool    // there is a share
}

// Column says how often nothing is known in a column of SINAC.
type Column struct {
	Column  sinac.Column
	Missing int
	Of      int // births; where those of few are hidden, of the lines that hide none
}

// Run makes a report of what a ledger has.
func Run(ctx context.Context, ledger birth.Ledger, a Asked) (*Report, error) {
	if a.Year < 1900 || a.Year > 9998 {
		return nil, errors.New("a year has four digits")
	}
	if a.Zone == nil {
		a.Zone = central
	}
	lines := map[string]*Line{}
	q := birth.Query{Facility: a.Facility, From: yearDay(a.Year), Until: yearDay(a.Year + 1)}
	err := ledger.Each(ctx, q, func(c *birth.Certificate) error {
		born, ok := c.Row.Date(sinac.Born)
		if !ok {
			return nil
		}
		key := c.Certifier.Facility + born.Format("|2006-01")
		if lines[key] == nil {
			lines[key] = &Line{Facility: c.Certifier.Facility, Month: born.Format("2006-01")}
		}
		lines[key].count(c, &a)
		return nil
	})
	if err != nil {
		return nil, err
	}
	r := &Report{Asked: a}
	for _, l := range lines {
		if a.Suppress && l.Births < Smallest {
			r.Hidden++
			continue
		}
		l.finish(&a)
		r.Total.add(l, &a)
		r.Lines = append(r.Lines, *l)
	}
	slices.SortFunc(r.Lines, func(x, y Line) int { return strings.Compare(x.Facility+x.Month, y.Facility+y.Month) })
	r.Total.finish(&a)
	for column := range sinac.Column(sinac.Columns) {
		r.Gaps = append(r.Gaps, Column{column, r.Total.missing[column], r.Total.of[column]})
	}
	return r, nil
}

func yearDay(year int) string {
	return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

// count puts a certificate into the figures.
func (l *Line) count(c *birth.Certificate, a *Asked) {
	switch c.State {
	case birth.Void:
		l.Void.N++
		return
	case birth.Replaced:
		l.Replaced.N++
		return
	case birth.Draft:
		return
	}
	l.Births++
	for column := range sinac.Column(sinac.Columns) {
		l.of[column]++
		if !c.Row.Known(column) {
			l.missing[column]++
		}
	}
	if c.Row.Known(sinac.BornAt) && c.Replaces == "" {
		if at, err := time.ParseInLocation("2006-01-02T15:04", bornAt(&c.Row), a.Zone); err == nil {
			l.certify = append(l.certify, max(0, c.Certified.Sub(at).Hours()))
		}
	}
	born, _ := c.Row.Date(sinac.Born)
	today := a.Now.In(a.Zone)
	if c.Registration == nil {
		if days(born, time.Date(today.Year(), today.Month(), today.Day(), 0, 0, 0, 0, time.UTC)) > registerWithin {
			l.Waiting.N++
			l.undone++
		}
		return
	}
	if on, err := time.Parse(time.DateOnly, c.Registration.Date); err == nil {
		l.register = append(l.register, max(0, float64(days(born, on))))
	}
}

func days(from, to time.Time) int { return int(to.Sub(from).Hours() / 24) }

// add sums lines up, as far as what they say is shown: else what is hidden in one line
// could be worked out from the others and the sum.
func (l *Line) add(o *Line, a *Asked) {
	l.Births += o.Births
	for _, c := range []struct{ to, from *Count }{{&l.Void, &o.Void}, {&l.Replaced, &o.Replaced}, {&l.Waiting, &o.Waiting}} {
		if !c.from.Hidden {
			c.to.N += c.from.N
		}
	}
	if !a.Suppress || o.Certify.Known {
		l.certify = append(l.certify, o.certify...)
	}
	if !a.Suppress || o.Register.Known {
		l.register, l.undone = append(l.register, o.register...), l.undone+o.undone
	}
	for i := range l.missing {
		if !hide(a, o.missing[i]) && !hide(a, o.of[i]-o.missing[i]) {
			l.missing[i], l.of[i] = l.missing[i]+o.missing[i], l.of[i]+o.of[i]
		}
	}
}

// finish works the figures of a line out, and hides those that are of too few.
func (l *Line) finish(a *Asked) {
	for _, c := range []*Count{&l.Void, &l.Replaced, &l.Waiting} {
		c.Hidden = hide(a, c.N)
	}
	l.Certify = timesOf(l.certify, certifyWithin.Hours(), len(l.certify), a)
	// Of those who wait within the term nobody can tell yet.
	l.Register = timesOf(l.register, registerWithin, len(l.register)+l.undone, a)
}

// hide reports whether a number is of so few births that it tells of them.
func hide(a *Asked, n int) bool { return a.Suppress && n > 0 && n < Smallest }

// timesOf sums up how long it took. of is how many there are whose share is asked for.
func timesOf(took []float64, term float64, of int, a *Asked) Times {
	t := Times{N: len(took)}
	if len(took) == 0 || a.Suppress && len(took) < Smallest {
		if a.Suppress {
			t.N = 0
		}
		return t
	}
	slices.Sort(took)
	t.Median, t.P90 = quantile(took, 0.5), quantile(took, 0.9)
	within := 0
	for _, v := range took {
		if v <= term {
			within++
		}
	}
	if !hide(a, within) && !hide(a, of-within) {
		t.Share, t.Known = float64(within)/float64(of), true
	}
	return t
}

// quantile is the smallest value that a share of the sorted ones does not exceed.
func quantile(sorted []float64, share float64) float64 {
	i := int(share*float64(len(sorted))+0.999999) - 1
	return sorted[max(0, min(i, len(sorted)-1))]
}
