package immunization

import (
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// compiler turns a schedule into a plan.
type compiler struct {
	s        *schedule.Schedule
	p        *plan
	antigen  map[string]int
	group    map[string]int
	ageOf    map[schedule.Period]age
	vaccines int // how many vaccines the schedule names anywhere
}

// compile checks a schedule and makes it ready.
// Errors: see [New].
func compile(s *schedule.Schedule) (*plan, error) {
	c := &compiler{
		s:       s,
		p:       &plan{byCVX: map[string]int{}, obs: map[string]int{}, ages: make([]schedule.Period, 1)},
		antigen: map[string]int{},
		group:   map[string]int{},
		ageOf:   map[schedule.Period]age{},
	}
	for _, step := range []func() error{c.names, c.numberVaccines, c.fillVaccines, c.fillGroups, c.fillAntigens} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("schedule %q: %w", s.Name, err)
		}
	}
	return c.p, nil
}

// names numbers the antigens and vaccine groups.
func (c *compiler) names() error {
	for i := range c.s.Antigens {
		name := c.s.Antigens[i].Name
		if _, twice := c.antigen[name]; twice || name == "" {
			return fmt.Errorf("antigen %d: the name %q is empty or used twice", i+1, name)
		}
		c.antigen[name] = i
	}
	for i := range c.s.Groups {
		name := c.s.Groups[i].Name
		if _, twice := c.group[name]; twice || name == "" {
			return fmt.Errorf("vaccine group %d: the name %q is empty or used twice", i+1, name)
		}
		c.group[name] = i
	}
	return nil
}

// numberVaccines gives a number to each CVX code that the schedule mentions, in the
// order of the codes.
func (c *compiler) numberVaccines() error {
	codes := map[string]bool{}
	note := func(list ...string) {
		for _, cvx := range list {
			codes[cvx] = true
		}
	}
	products := func(list []schedule.Product) {
		for i := range list {
			note(list[i].CVX)
		}
	}
	for i := range c.s.Vaccines {
		note(c.s.Vaccines[i].CVX)
	}
	for i := range c.s.Live {
		note(c.s.Live[i].Previous, c.s.Live[i].Current)
	}
	for i := range c.s.Antigens {
		for j := range c.s.Antigens[i].Against {
			products(c.s.Antigens[i].Against[j].Vaccines)
		}
		for j := range c.s.Antigens[i].Series {
			for k := range c.s.Antigens[i].Series[j].Doses {
				d := &c.s.Antigens[i].Series[j].Doses[k]
				products(d.Preferable)
				products(d.Acceptable)
				note(d.Inadvertent...)
				for _, list := range [][]schedule.Interval{d.Intervals, d.Allowable} {
					for l := range list {
						note(list[l].FromMostRecent...)
					}
				}
				eachCondition(d, func(q *schedule.Condition) { note(q.CVX...) })
			}
		}
	}
	if codes[""] {
		return fmt.Errorf("a vaccine without CVX code")
	}
	for cvx := range codes {
		c.p.vaccines = append(c.p.vaccines, vaccine{cvx: cvx})
	}
	slices.SortFunc(c.p.vaccines, func(a, b vaccine) int { return strings.Compare(a.cvx, b.cvx) })
	for i := range c.p.vaccines {
		c.p.byCVX[c.p.vaccines[i].cvx] = i
	}
	c.vaccines = len(c.p.vaccines)
	return nil
}

// eachCondition calls f for every condition of the skips of a dose.
func eachCondition(d *schedule.TargetDose, f func(*schedule.Condition)) {
	for i := range d.Skips {
		for j := range d.Skips[i].Sets {
			for k := range d.Skips[i].Sets[j].Conditions {
				f(&d.Skips[i].Sets[j].Conditions[k])
			}
		}
	}
}

// fillVaccines says what each vaccine holds and what harms it.
func (c *compiler) fillVaccines() error {
	for i := range c.s.Vaccines {
		def := &c.s.Vaccines[i]
		v := &c.p.vaccines[c.p.byCVX[def.CVX]]
		if v.known {
			return fmt.Errorf("vaccine %s is given twice", def.CVX)
		}
		v.known = true
		for _, h := range def.Antigens {
			n, ok := c.antigen[h.Antigen]
			if !ok {
				return fmt.Errorf("vaccine %s holds %q, which is no antigen of the schedule", def.CVX, h.Antigen)
			}
			v.holds = append(v.holds, holds{antigen: n, begin: c.age(h.Begin), end: c.age(h.End)})
		}
		slices.SortStableFunc(v.holds, func(x, y holds) int { return x.antigen - y.antigen })
	}
	for i := range c.s.Live {
		l := &c.s.Live[i]
		v := &c.p.vaccines[c.p.byCVX[l.Current]]
		q := conflict{previous: c.p.byCVX[l.Previous], begin: l.Begin, minEnd: l.MinEnd, end: l.End}
		if !q.minEnd.Set {
			q.minEnd = q.end
		}
		if v.harmful == nil {
			v.harmful = newSet(c.vaccines)
		}
		v.harmful.add(q.previous)
		v.conflicts = append(v.conflicts, q)
	}
	return nil
}

// fillGroups says which antigens and vaccines belong to each vaccine group.
func (c *compiler) fillGroups() error {
	c.p.antigens = make([]antigen, len(c.s.Antigens))
	for i := range c.p.antigens {
		c.p.antigens[i].group = -1
	}
	for i := range c.s.Groups {
		g := group{def: &c.s.Groups[i], vaccines: newSet(c.vaccines)}
		for _, name := range g.def.Antigens {
			n, ok := c.antigen[name]
			if !ok {
				return fmt.Errorf("vaccine group %q has %q, which is no antigen of the schedule", g.def.Name, name)
			}
			if c.p.antigens[n].group >= 0 {
				return fmt.Errorf("antigen %q is in two vaccine groups", name)
			}
			c.p.antigens[n].group = i
			g.antigens = append(g.antigens, n)
		}
		for n := range c.p.vaccines {
			for _, h := range c.p.vaccines[n].holds {
				if slices.Contains(g.antigens, h.antigen) {
					g.vaccines.add(n)
				}
			}
		}
		c.p.groups = append(c.p.groups, g)
	}
	for i := range c.p.antigens {
		if c.p.antigens[i].group < 0 {
			return fmt.Errorf("antigen %q is in no vaccine group", c.s.Antigens[i].Name)
		}
	}
	return nil
}

// age returns the number of an age, 0 for one that is not set.
func (c *compiler) age(p schedule.Period) age {
	if !p.Set {
		return 0
	}
	n, ok := c.ageOf[p]
	if !ok {
		n = age(len(c.p.ages))
		c.p.ages = append(c.p.ages, p)
		c.ageOf[p] = n
	}
	return n
}

// observation returns the number of an observation code.
func (c *compiler) observation(code string) int {
	n, ok := c.p.obs[code]
	if !ok {
		n = len(c.p.obs)
		c.p.obs[code] = n
	}
	return n
}

// setOf returns the set of some vaccines, nil for none named.
func (c *compiler) setOf(codes []string) set {
	if len(codes) == 0 {
		return nil
	}
	s := newSet(c.vaccines)
	for _, cvx := range codes {
		s.add(c.p.byCVX[cvx])
	}
	return s
}
