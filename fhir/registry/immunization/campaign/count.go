package campaign

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/immunization/recommend"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
)

// Dimensions by which a population is split up.
const (
	byYear         = "year"  // of birth
	byMonth        = "month" // of birth
	byState        = "state"
	byMunicipality = "municipality"
	byFacility     = "facility"
	bySex          = "sex"
)

var dimensions = []string{byYear, byMonth, byState, byMunicipality, byFacility, bySex}

// Asked says what is counted.
type Asked struct {
	On       schedule.Date // what was given until then
	From, To schedule.Date // days of birth, both included
	By       []string      // dimensions
	Vaccines []string      // by name, group or antigen; nil for all groups
	Sex      uint8         // as Vaccinee has it; 0 for any

	Population bool // against a population from elsewhere, not against who is registered
	Statistic  bool // figures of few people are hidden, and the others rounded

	area area
}

// Key is a part of a population. Dimensions that are not asked for are zero.
type Key struct {
	Period   int32 // of birth: year, or year*100 + month
	Place    int32 // state, or state*1000 + municipality; 0 is unknown too
	Facility string
	Sex      uint8
}

// Cell is what is counted in a part.
type Cell struct {
	Key        Key
	Registered int // people in the cohort
	Population int // of the same, from elsewhere; -1 when it is not known

	tallies []tally // by target
}

// tally counts one dose.
type tally struct {
	all      int // had the dose
	expected int // are so old that it is overdue unless it was given
	given    int // of the expected: had it
	timely   int // of the expected: had it before it was overdue
	started  int // of the expected: had dose 1
}

// Report is coverage, counted.
type Report struct {
	Asked
	Schedule string // name and version
	Vaccines []*Vaccine
	Cells    []*Cell // by Key
	Total    *Cell

	targets  []target
	smallest int
	hidden   map[*Cell][]bool // by target; nil where nothing is hidden
}

// counter counts rows into a report.
type counter struct {
	*Report
	cells   map[Key]*Cell
	by      map[int64]*fhir.VaccineeSchedule
	places  map[int64]map[string]int // of antigens in a row, by schedule
	born    map[int32]*cohort
	row     recommend.Standing
	reached []schedule.Date // day of each target; NoDate for none
}

// cohort is those born on one day.
type cohort struct {
	period int32
	terms  map[int64][]placed // by the schedule of the row
	plain  []term
}

// placed is a term whose antigens are known by their place in a row.
type placed struct {
	late     schedule.Date
	antigens []int
}

// count counts who is asked for, of those whom r lets be seen.
func (d *Desk) count(ctx context.Context, a Asked, r *search.Restriction) (*Report, error) {
	book, err := d.Library.Find(d.Schedule, a.On)
	if err != nil {
		return nil, err
	}
	report := &Report{Asked: a, Schedule: book.Name(), smallest: cmp.Or(d.Smallest, 11)}
	if report.Vaccines, err = vaccinesOf(book.Schedule, a.Vaccines); err != nil {
		return nil, err
	}
	report.targets = targetsOf(report.Vaccines)
	report.Total = report.cell(Key{})
	c := &counter{
		Report: report, cells: map[Key]*Cell{}, by: map[int64]*fhir.VaccineeSchedule{}, places: map[int64]map[string]int{}, born: map[int32]*cohort{},
		reached: make([]schedule.Date, len(report.targets)),
	}
	kept, err := d.Store.VaccineeSchedules(ctx)
	if err != nil {
		return nil, err
	}
	for i := range kept {
		c.by[kept[i].Number] = &kept[i]
		c.places[kept[i].Number] = map[string]int{}
		for at, name := range kept[i].Antigens {
			c.places[kept[i].Number][name] = at
		}
	}
	q := fhir.VaccineeQuery{BornFrom: int32(a.From), BornTo: int32(min(a.To, a.On)), Lean: true}
	if a.To < a.From || a.On < a.From {
		return report, nil
	}
	if conditions(r) {
		err = d.countSeen(ctx, c, q, r)
	} else {
		err = a.area.each(ctx, d.Store, q, c.add)
	}
	for _, cell := range c.cells {
		report.Cells = append(report.Cells, cell)
	}
	slices.SortFunc(report.Cells, func(x, y *Cell) int { return compareKeys(x.Key, y.Key) })
	return report, err
}

// conditions reports whether some Patients are not to be seen. Who sees no Patient at all
// may be shown statistics of all.
func conditions(r *search.Restriction) bool {
	where, _ := r.Of("Patient")
	return !r.Open() && len(where) > 0
}

// countSeen counts those whom a caller may see, some at a time.
func (d *Desk) countSeen(ctx context.Context, c *counter, q fhir.VaccineeQuery, r *search.Restriction) error {
	q.Lean, q.Limit = false, atOnce
	for part := range c.area.parts() {
		for q.After = 0; ; {
			// Whoever reads rows does not search meanwhile: a store has few connections.
			var page []fhir.Vaccinee
			var ids []string
			last := q.After
			err := c.area.part(ctx, keyed{d.Store, &last}, q, part, func(v *fhir.Vaccinee) error {
				one := *v
				one.Given, one.Due = slices.Clone(v.Given), nil
				page, ids = append(page, one), append(ids, v.Patient)
				return nil
			})
			if err != nil || last == q.After {
				if err != nil {
					return err
				}
				break
			}
			q.After = last
			found, err := seen(ctx, d.Store, r, "Patient", ids)
			for i := range page {
				if err == nil && found[page[i].Patient] != nil {
					err = c.add(&page[i])
				}
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// keyed are rows that note the last of the keys that were read.
type keyed struct {
	Rows
	last *int64
}

func (k keyed) Vaccinees(ctx context.Context, q *fhir.VaccineeQuery, each func(*fhir.Vaccinee) error) error {
	return k.Rows.Vaccinees(ctx, q, func(v *fhir.Vaccinee) error {
		*k.last = max(*k.last, v.Key)
		return each(v)
	})
}

func compareKeys(x, y Key) int {
	return cmp.Or(cmp.Compare(x.Period, y.Period), cmp.Compare(x.Place, y.Place), strings.Compare(x.Facility, y.Facility), cmp.Compare(x.Sex, y.Sex))
}

func (r *Report) cell(k Key) *Cell {
	return &Cell{Key: k, Population: -1, tallies: make([]tally, len(r.targets))}
}

// add counts a row.
func (c *counter) add(v *fhir.Vaccinee) error {
	if c.Sex != 0 && v.Sex != c.Sex || c.area.facilities != nil && !slices.Contains(c.area.facilities, cmp.Or(v.Home, v.Post)) {
		return nil
	}
	by := c.by[v.Schedule]
	if by == nil {
		return fmt.Errorf("a row is of a schedule that is not kept")
	}
	if err := c.row.UnpackGiven(v, by); err != nil {
		return err
	}
	born := c.cohort(v.Born)
	terms, ok := born.terms[v.Schedule]
	if !ok {
		terms = inRows(born.plain, c.places[v.Schedule])
		born.terms[v.Schedule] = terms
	}
	cell := c.Total
	if len(c.By) > 0 {
		k := c.key(v, born)
		if cell = c.cells[k]; cell == nil {
			cell = c.cell(k)
			c.cells[k] = cell
		}
		c.Total.Registered++
	}
	cell.Registered++
	for i := range c.targets {
		c.reached[i] = c.day(&terms[i], c.targets[i].number)
	}
	for i := range c.targets {
		c.tally(&cell.tallies[i], i, terms[i].late)
		if cell != c.Total {
			c.tally(&c.Total.tallies[i], i, terms[i].late)
		}
	}
	return nil
}

// tally counts the dose of a target.
func (c *counter) tally(t *tally, target int, late schedule.Date) {
	day := c.reached[target]
	had := !day.IsZero() && day <= c.On
	if had {
		t.all++
	}
	if late.IsZero() || late > c.On {
		return
	}
	t.expected++
	if had {
		t.given++
		if day < late {
			t.timely++
		}
	}
	if first := c.reached[c.targets[target].started]; !first.IsZero() && first <= c.On {
		t.started++
	}
}

// day is when somebody had the n-th valid dose of all antigens of a term; NoDate for never.
func (c *counter) day(t *placed, n int) (day schedule.Date) {
	for _, at := range t.antigens {
		if at < 0 || len(c.row.Antigens[at].Valid) < n {
			return schedule.NoDate
		}
		day = max(day, c.row.Antigens[at].Valid[n-1])
	}
	return day
}

// inRows finds the antigens of terms in rows.
func inRows(terms []term, at map[string]int) []placed {
	all := make([]placed, len(terms))
	for i := range terms {
		all[i].late = terms[i].late
		for _, name := range terms[i].antigens {
			place, ok := at[name]
			if !ok {
				place = -1
			}
			all[i].antigens = append(all[i].antigens, place)
		}
	}
	return all
}

// cohort is that of a day of birth.
func (c *counter) cohort(day int32) *cohort {
	if known := c.born[day]; known != nil {
		return known
	}
	born := schedule.Date(day)
	t := born.Time()
	h := &cohort{terms: map[int64][]placed{}, plain: termsOf(c.targets, born)}
	switch {
	case slices.Contains(c.By, byMonth):
		h.period = int32(100*t.Year() + int(t.Month()))
	case slices.Contains(c.By, byYear):
		h.period = int32(t.Year())
	}
	c.born[day] = h
	return h
}

// key is the part that a row belongs to.
func (c *counter) key(v *fhir.Vaccinee, born *cohort) (k Key) {
	for _, by := range c.By {
		switch by {
		case byYear, byMonth:
			k.Period = born.period
		case byMunicipality:
			k.Place = v.Place
		case byState:
			if k.Place == 0 {
				k.Place = v.Place / 1000
			}
		case byFacility:
			k.Facility = cmp.Or(v.Home, v.Post)
		case bySex:
			k.Sex = v.Sex
		}
	}
	return k
}
