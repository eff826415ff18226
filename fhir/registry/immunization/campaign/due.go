package campaign

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/recommend"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

const (
	childhood = 120    // months: of whom a list is that names no ages
	mostLines = 50_000 // people of one file
	perPage   = 100    // people of a page that names no number
)

// Statuses that are asked for.
const (
	isDue     = "due"     // a dose should be given, overdue or not
	isOverdue = "overdue" // it should have been given
	dueBy     = "due-by"  // it should be given by a later day
)

// wanted is who is looked for.
type wanted struct {
	area
	status   string
	on, by   schedule.Date
	groups   []string // vaccine groups by name; nil for all
	from, to schedule.Date
}

var dueParams = []string{"facility", "municipality", "state", "date", "by", "status", "vaccine", "min-age", "max-age"}

// want reads who is looked for.
func (d *Desk) want(ctx context.Context, f *form) (*wanted, error) {
	today := d.today()
	w := &wanted{status: f.one("status", isDue, isOverdue, dueBy), on: f.date("date", today)}
	w.by = f.date("by", w.on)
	least, most := f.number("min-age", 1440, 0), f.number("max-age", 1440, -1)
	if most < 0 {
		most = 1440
		if least < childhood {
			most = childhood - 1
		}
	}
	names := f.list("vaccine", 30)
	switch {
	case f.err != nil:
		return nil, f.err
	case w.on < today:
		f.fail("date", f.text("date"), "is today or later: what was due is not kept")
	case w.status != dueBy && w.by != w.on:
		f.fail("by", f.text("by"), "goes with status=due-by")
	case w.by < w.on || w.by > w.on+schedule.Date(366):
		f.fail("by", f.text("by"), "is a day within a year of date")
	case least > most:
		f.fail("min-age", f.text("min-age"), "is more than max-age")
	}
	w.from, w.to = birthday(w.on, most+1)+1, birthday(w.on, least)
	if f.err != nil {
		return nil, f.err
	}
	book, err := d.Library.Find(d.Schedule, w.on)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		g := groupNamed(book.Schedule, name)
		if g == nil {
			return nil, unknownVaccine(book.Schedule, name)
		}
		w.groups = append(w.groups, g.Name)
	}
	w.area, err = d.areaOf(ctx, f, true)
	return w, err
}

// birthday returns the latest day of birth of those who are so many months old on a day.
func birthday(on schedule.Date, months int) schedule.Date {
	t := on.Time()
	day := schedule.DateOf(t.AddDate(0, -months, 0))
	for day.Add(schedule.Period{Months: months, Set: true}) > on {
		day--
	}
	return day
}

// candidate is somebody for whom a dose is due.
type candidate struct {
	key     int64
	patient string
	late    bool          // overdue
	since   schedule.Date // first day that it was; else first day on which it is recommended
	home    string
	place   int32
	doses   []recommend.GroupStanding
}

// before orders candidates: who is overdue, the longest first; then who is due.
func (c *candidate) before(o *candidate) int {
	if c.late != o.late {
		if c.late {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(c.since, o.since), cmp.Compare(c.key, o.key))
}

// cursor writes where c stands in that order.
func (c *candidate) cursor() string { return fmt.Sprintf("%t.%d.%d", c.late, c.since, c.key) }

func readCursor(text string) (*candidate, error) {
	if text == "" {
		return nil, nil
	}
	c := &candidate{}
	if _, err := fmt.Sscanf(text, "%t.%d.%d", &c.late, &c.since, &c.key); err != nil || c.cursor() != text {
		return nil, fhir.Errorf(fhir.Invalid, "this is no page of the list")
	}
	return c, nil
}

// finding looks through rows.
type finding struct {
	*wanted
	by    map[int64]*fhir.VaccineeSchedule
	row   recommend.Standing
	doses []recommend.GroupStanding
}

// holds returns the candidate that a row is; nil for none. Its doses are good until the
// next call.
func (w *finding) holds(v *fhir.Vaccinee) (*candidate, error) {
	by := w.by[v.Schedule]
	if by == nil {
		return nil, fmt.Errorf("a row is of a schedule that is not kept")
	}
	if err := w.row.Unpack(v, by); err != nil {
		return nil, err
	}
	c := candidate{key: v.Key, patient: v.Patient, home: cmp.Or(v.Home, v.Post), place: v.Place}
	w.doses = w.doses[:0]
	for i := range w.row.Groups {
		g := &w.row.Groups[i]
		if w.groups != nil && !slices.Contains(w.groups, g.Group) || !w.asked(g) {
			continue
		}
		w.doses = append(w.doses, *g)
		late, since := false, g.Recommended
		if g.Overdue(w.on) {
			late, since = true, g.PastDue+1
		}
		if one := (&candidate{key: v.Key, late: late, since: since}); len(w.doses) == 1 || one.before(&c) < 0 {
			c.late, c.since = late, since
		}
	}
	if len(w.doses) == 0 {
		return nil, nil
	}
	c.doses = w.doses
	return &c, nil
}

// asked reports whether a vaccine group is in the state that is asked for.
func (w *wanted) asked(g *recommend.GroupStanding) bool {
	switch w.status {
	case isOverdue:
		return g.Overdue(w.on)
	case dueBy:
		return g.Status == immunization.NotComplete && !g.Recommended.IsZero() && g.Recommended <= w.by && (g.Latest.IsZero() || g.Latest >= w.on)
	}
	return g.Due(w.on)
}

// find returns the first most candidates after one in their order, nil for the first, and
// whether there are more.
func (d *Desk) find(ctx context.Context, w *wanted, after *candidate, most int) (all []candidate, more bool, err error) {
	f := &finding{wanted: w, by: map[int64]*fhir.VaccineeSchedule{}}
	kept, err := d.Store.VaccineeSchedules(ctx)
	if err != nil {
		return nil, false, err
	}
	for i := range kept {
		f.by[kept[i].Number] = &kept[i]
	}
	q := fhir.VaccineeQuery{BornFrom: int32(w.from), BornTo: int32(w.to), Soonest: int32(w.by)}
	if w.status == isOverdue {
		q.Overdue = int32(w.on)
	}
	trim := func() {
		slices.SortFunc(all, func(a, b candidate) int { return a.before(&b) })
		if len(all) > most {
			all, more = all[:most], true
		}
	}
	var last *candidate // of those that are kept for sure
	err = w.each(ctx, d.Store, q, func(v *fhir.Vaccinee) error {
		c, err := f.holds(v)
		if err != nil || c == nil || after != nil && c.before(after) <= 0 {
			return err
		}
		if last != nil && last.before(c) < 0 {
			more = true
			return nil
		}
		c.doses = slices.Clone(c.doses)
		if all = append(all, *c); len(all) >= 4*most+64 {
			trim()
			bound := all[most-1]
			last = &bound
		}
		return nil
	})
	trim()
	return all, more, err
}

// person is a candidate whom the caller may see.
type person struct {
	candidate
	patient, forecast *fhir.Resource
}

// shown returns those of some candidates whom the caller may see, with what is
// recommended to them. Who may not see what that rests on may not see that it is due.
func (d *Desk) shown(ctx context.Context, call *operation.Call, all []candidate) (people []person, err error) {
	ids, forecasts := make([]string, len(all)), make([]string, len(all))
	for i := range all {
		ids[i], forecasts[i] = all[i].patient, recommend.ForecastID(all[i].patient)
	}
	patients, err := seen(ctx, d.Store, call.Restriction, "Patient", ids)
	if err != nil {
		return nil, err
	}
	recommended, err := seen(ctx, d.Store, call.Restriction, "ImmunizationRecommendation", forecasts)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if p, r := patients[ids[i]], recommended[forecasts[i]]; p != nil && r != nil {
			people = append(people, person{all[i], p, r})
		}
	}
	return people, nil
}

// due answers Patient/$immunization-due.
func (d *Desk) due(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	f := formOf(call, append(dueParams, "_count")...)
	count := f.number("_count", 1<<20, perPage)
	if f.err == nil && call.Caller.Org == "" && !runs(&call.Caller) {
		return nil, fhir.Errorf(fhir.Forbidden, "your role sees who is due at the establishment that you act for, and the token names none")
	}
	w, err := d.want(ctx, f)
	if err != nil {
		return nil, err
	}
	after, err := readCursor(call.Cursor)
	if err != nil {
		return nil, err
	}
	if call.Media != "" {
		return d.file(ctx, call, w)
	}
	return d.page(ctx, call, w, after, max(1, min(count, max(1, call.MaxCount))), f.self(append(dueParams, "_count")...))
}
