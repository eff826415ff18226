// Package plan makes catch-up plans: the visits and vaccines by which somebody who began
// late, or not at all, is up to date again.
//
// A plan is found by trying: what is due on a day is given, in as few injections as the
// vaccines of the schedule allow, and the schedule is asked again as if that had
// happened. So a plan follows whatever schedule is in force, and no rule of it is
// written here.
package plan

import (
	"cmp"
	"slices"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// Visit is one day of a plan.
type Visit struct {
	Date  schedule.Date
	Gives []Give // by CVX
}

// Give is one vaccine to be administered.
type Give struct {
	CVX    string
	Groups []Target // the vaccine groups that it is given for, in the schedule's order
}

// Target is the dose of a vaccine group that a vaccine is given for.
type Target struct {
	Group   string // by schedule.Group.Name
	Number  int    // of the dose, from 1
	Overdue bool   // on the day of the visit
}

// Options say how a plan is made.
type Options struct {
	// Until is the last day that the plan reaches; NoDate for two years after its first.
	Until schedule.Date
	// Only names the vaccine groups that are planned for; nil for all.
	Only []string
	// Refused names vaccines, by CVX, that are not to be used: out of stock, or refused.
	Refused []string
	// Most is how many vaccines are given at one visit at most; 0 sets no bound. Those of
	// groups that are overdue come first, and live vaccines stay together, since they must
	// be given on one day or weeks apart.
	Most int
	// Apart is how many days lie between a visit at which something had to wait and the
	// next one; 0 is four weeks, when most doses may follow.
	Apart int
	// Gather is how many days a visit may be put off so that doses which are due soon after
	// are given at it too. Nothing is put off beyond the last day on which it may be given.
	Gather int
}

// monthApart is when most vaccines may follow each other, in days.
const monthApart = 28

// maxVisits is where a plan ends that a schedule with a mistake would never end.
const maxVisits = 60

// CatchUp plans the visits from a day on. The first is on that day when anything is due
// on it, and is not put off. Doses of a vaccine group that was overdue at the beginning are planned for the
// first day on which each counts; the others for the day on which they are recommended,
// or earlier where that would be too late. Vaccine groups that no vaccine is named for
// are left out.
func CatchUp(a immunization.Assessor, h *immunization.History, from schedule.Date, o Options) []Visit {
	m := maker{Options: o, groups: groupsOf(a.Schedule()), late: map[string]bool{}, live: liveOf(a.Schedule()), held: map[string]schedule.Date{}}
	if m.Until.IsZero() {
		m.Until = from.Add(schedule.Period{Months: 24, Set: true})
	}
	// What lies ahead is not known on the day of the plan.
	as := immunization.History{Born: h.Born, Sex: h.Sex, Observations: h.Observations}
	for _, d := range h.Doses {
		if d.Date <= from {
			as.Doses = append(as.Doses, d)
		}
	}
	var visits []Visit
	for on := from; on <= m.Until && len(visits) < maxVisits; {
		now := a.Assess(&as, on)
		if on == from {
			for i := range now.Forecasts {
				m.late[now.Forecasts[i].Group] = now.Forecasts[i].Overdue(on)
			}
		}
		due, next := m.sort(now, on)
		if len(due) == 0 {
			if next.IsZero() {
				break
			}
			on = next
			continue
		}
		if later := m.gather(now, due, on); later > on && on > from {
			on = later
			continue
		}
		gives, waiting := m.spread(m.choose(due, on))
		v := Visit{Date: on, Gives: gives}
		for _, g := range v.Gives {
			as.Doses = append(as.Doses, immunization.Dose{Date: on, CVX: g.CVX})
		}
		visits = append(visits, v)
		on++ // whatever the schedule says, each visit is on a later day
		if waiting {
			on = m.resume(due, on)
		}
	}
	return visits
}

// gather returns the day to which a visit is put off, so that more is given at it. No dose
// waits longer than Gather in all.
func (m *maker) gather(now *immunization.Assessment, due []*immunization.Forecast, on schedule.Date) schedule.Date {
	last := on + schedule.Date(max(0, m.Gather))
	for _, f := range due {
		if m.held[f.Group].IsZero() {
			m.held[f.Group] = on
		}
		last = min(last, m.held[f.Group]+schedule.Date(max(0, m.Gather)))
		if !f.Latest.IsZero() {
			last = min(last, f.Latest)
		}
	}
	later := on
	for i := range now.Forecasts {
		if day := m.day(&now.Forecasts[i]); day > on && day <= last {
			later = max(later, day)
		}
	}
	if later == on {
		clear(m.held)
	}
	return later
}

// resume is the day after a visit on which what had to wait is given.
func (m *maker) resume(due []*immunization.Forecast, next schedule.Date) schedule.Date {
	apart := m.Apart
	if apart <= 0 {
		apart = monthApart
	}
	day := next - 1 + schedule.Date(apart)
	for _, f := range due {
		if !f.Latest.IsZero() && f.Latest >= next {
			day = min(day, f.Latest)
		}
	}
	return max(next, day)
}

// spread returns what is given of some vaccines where there are too many for one visit, and
// whether some have to wait.
func (m *maker) spread(gives []Give) (now []Give, waiting bool) {
	if m.Most <= 0 || len(gives) <= m.Most {
		return gives, false
	}
	overdue := func(g *Give) (n int) {
		for _, t := range g.Groups {
			if t.Overdue {
				n++
			}
		}
		return n
	}
	live := 0
	for i := range gives {
		if m.live[gives[i].CVX] {
			live++
		}
	}
	slices.SortStableFunc(gives, func(a, b Give) int {
		if live > 1 && live <= m.Most && m.live[a.CVX] != m.live[b.CVX] {
			if m.live[a.CVX] {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(overdue(&b), overdue(&a)), cmp.Compare(len(b.Groups), len(a.Groups)))
	})
	now = gives[:m.Most]
	slices.SortFunc(now, func(a, b Give) int { return cmp.Compare(a.CVX, b.CVX) })
	return now, true
}

// maker makes one plan.
type maker struct {
	Options
	groups map[string][]string // vaccine groups of each vaccine, by CVX
	late   map[string]bool     // vaccine groups that were overdue at the beginning

	live map[string]bool          // vaccines that other live ones must keep away from, by CVX
	held map[string]schedule.Date // since when vaccine groups have waited for others
}

// liveOf returns the vaccines of which the conflicts of a schedule are.
func liveOf(s *schedule.Schedule) map[string]bool {
	live := map[string]bool{}
	for _, c := range s.Live {
		live[c.Previous], live[c.Current] = true, true
	}
	return live
}

// groupsOf returns the vaccine groups that each vaccine of a schedule is for.
func groupsOf(s *schedule.Schedule) map[string][]string {
	of := map[string][]string{}
	for _, v := range s.Vaccines {
		for _, g := range s.Groups {
			if slices.ContainsFunc(v.Antigens, func(h schedule.Holds) bool { return slices.Contains(g.Antigens, h.Antigen) }) {
				of[v.CVX] = append(of[v.CVX], g.Name)
			}
		}
	}
	return of
}

// sort returns what should be given on a day, and the first later day on which
// anything is to be given, NoDate for none.
func (m *maker) sort(a *immunization.Assessment, on schedule.Date) (due []*immunization.Forecast, next schedule.Date) {
	for i := range a.Forecasts {
		f := &a.Forecasts[i]
		day := m.day(f)
		switch {
		case day.IsZero(), !f.Latest.IsZero() && max(day, on) > f.Latest:
		case day <= on:
			due = append(due, f)
		case next.IsZero() || day < next:
			next = day
		}
	}
	return due, next
}

// day is when a dose is planned for; NoDate for one that is not.
func (m *maker) day(f *immunization.Forecast) schedule.Date {
	if f.Status != immunization.NotComplete || f.Earliest.IsZero() || len(m.usable(f)) == 0 || m.Only != nil && !slices.Contains(m.Only, f.Group) {
		return schedule.NoDate
	}
	day := max(f.Recommended, f.Earliest)
	if m.late[f.Group] || !f.Latest.IsZero() && day > f.Latest {
		day = f.Earliest
	}
	return day
}

// usable returns the vaccines that may be given for a forecast, the preferred one first.
func (m *maker) usable(f *immunization.Forecast) []string {
	return slices.DeleteFunc(slices.Clone(f.CVX), func(cvx string) bool { return slices.Contains(m.Refused, cvx) })
}

// choose picks vaccines for what is due, few of them: at each turn the one that serves
// most, less half a point for each group that does not need it.
func (m *maker) choose(due []*immunization.Forecast, on schedule.Date) []Give {
	var gives []Give
	for left := slices.Clone(due); len(left) > 0; {
		best, score := "", -1<<31
		for _, f := range left {
			for rank, cvx := range m.usable(f) {
				served := 0
				for _, other := range left {
					if slices.Contains(m.usable(other), cvx) {
						served++
					}
				}
				extra := max(0, len(m.groups[cvx])-served)
				// The order of the schedule decides among equals.
				if s := 100*served - 50*extra - min(rank, 49); s > score {
					best, score = cvx, s
				}
			}
		}
		g := Give{CVX: best}
		left = slices.DeleteFunc(left, func(f *immunization.Forecast) bool {
			if !slices.Contains(m.usable(f), best) {
				return false
			}
			g.Groups = append(g.Groups, Target{Group: f.Group, Number: f.Number, Overdue: !f.PastDue.IsZero() && f.PastDue < on})
			return true
		})
		gives = append(gives, g)
	}
	slices.SortFunc(gives, func(a, b Give) int { return cmp.Compare(a.CVX, b.CVX) })
	return gives
}
