package monitor

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// point is a value of a series.
type point struct {
	At    time.Time `json:"t"`
	ID    string    `json:"i"` // of the Observation
	Value float64   `json:"v"`
	Late  bool      `json:"l,omitempty"` // it came so late that it calls nobody
}

// mostPoints is how many of the latest values of a measure are looked at. It is what every
// rule can look back on.
const mostPoints = 200

func comparePoints(a, b point) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) }

// merged returns a series with a point, in the order of time, whatever the order in which
// points come. A point of the same Observation is replaced.
func merged(series []point, p point) []point {
	series = without(series, p.ID)
	i, _ := slices.BinarySearchFunc(series, p, comparePoints)
	series = slices.Insert(series, i, p)
	if len(series) > mostPoints {
		series = series[len(series)-mostPoints:]
	}
	return series
}

func without(series []point, id string) []point {
	return slices.DeleteFunc(series, func(p point) bool { return p.ID == id })
}

// The kinds of what a rule watches for.
const (
	beyond  = "limit"
	changes = "change"
	silent  = "silence"
)

// watch is one thing that a rule watches for. It has one open alert at most.
type watch struct {
	rule *rule
	kind string
}

// key names a watch for as long as its Goal has the rule at its place.
func (w watch) key() string { return w.rule.Goal + "/" + strconv.Itoa(w.rule.Target) + "/" + w.kind }

// watches returns what a rule watches for.
func (r *rule) watches() (all []watch) {
	if r.Low != nil || r.High != nil {
		all = append(all, watch{r, beyond})
	}
	if r.Change != 0 {
		all = append(all, watch{r, changes})
	}
	if r.Silence != 0 {
		all = append(all, watch{r, silent})
	}
	return all
}

// evidence returns the points of a series that call for an alert, in their order; none
// when nothing does. What was closed by then calls for nothing again. It depends on the
// points alone, not on the order in which they came.
func (w watch) evidence(series []point, closed time.Time) []point {
	hit := make([]bool, len(series))
	for i := range series {
		if series[i].Late || !series[i].At.After(closed) {
			continue
		}
		switch w.kind {
		case beyond:
			w.limit(series, i, hit)
		case changes:
			w.change(series, i, hit)
		}
	}
	var all []point
	for i := range series {
		if hit[i] {
			all = append(all, series[i])
		}
	}
	return all
}

func (r *rule) breaks(v float64) bool {
	return r.Low != nil && v < *r.Low || r.High != nil && v > *r.High
}

// limit marks point i, and those before it that count, where enough of the last ones are
// beyond a limit.
func (w watch) limit(series []point, i int, hit []bool) {
	if !w.rule.breaks(series[i].Value) {
		return
	}
	from := max(0, i+1-w.rule.Of)
	n := 0
	for k := from; k <= i; k++ {
		if w.rule.breaks(series[k].Value) {
			n++
		}
	}
	if n < w.rule.Count {
		return
	}
	for k := from; k <= i; k++ {
		hit[k] = hit[k] || w.rule.breaks(series[k].Value)
	}
}

// change marks point i, and the one from which it has changed most within the window,
// where that is enough.
func (w watch) change(series []point, i int, hit []bool) {
	up := w.rule.Change > 0
	from := -1
	for k := i - 1; k >= 0 && series[i].At.Sub(series[k].At) <= w.rule.Window; k-- {
		if from < 0 || up && series[k].Value <= series[from].Value || !up && series[k].Value >= series[from].Value {
			from = k
		}
	}
	if from < 0 {
		return
	}
	// A tenth of a thousandth of what is measured is the arithmetic's.
	const slack = 1e-9
	if d := series[i].Value - series[from].Value; up && d >= w.rule.Change-slack || !up && d <= w.rule.Change+slack {
		hit[i], hit[from] = true, true
	}
}
