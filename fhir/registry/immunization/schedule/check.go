package schedule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Check looks for contradictions, and for what a schedule needs to be reviewed: a source
// for every series.
// Errors: each finding names its place, joined by [errors.Join]; nil for none.
func (s *Schedule) Check() error {
	c := &checker{s: s, vaccine: map[string]*Vaccine{}, antigen: map[string]*Antigen{}, group: map[string]string{}, observation: map[string]bool{}}
	c.head()
	for i := range s.Antigens {
		c.antigenOf(&s.Antigens[i])
	}
	return errors.Join(c.found...)
}

type checker struct {
	s           *Schedule
	vaccine     map[string]*Vaccine
	antigen     map[string]*Antigen
	group       map[string]string // of each antigen
	observation map[string]bool
	at          []string // the place being looked at
	found       []error
}

func (c *checker) fail(format string, args ...any) {
	c.found = append(c.found, fmt.Errorf("%s: "+format, append([]any{strings.Join(c.at, ", ")}, args...)...))
}

// in looks at a place within the present one.
func (c *checker) in(place string, look func()) {
	c.at = append(c.at, place)
	look()
	c.at = c.at[:len(c.at)-1]
}

// head checks all but the antigens, and learns the names.
func (c *checker) head() {
	c.in("schedule "+c.s.Name, func() {
		if c.s.Name == "" || c.s.Version == "" {
			c.fail("it needs a name and a version")
		}
		if !c.s.To.IsZero() && c.s.To < c.s.From {
			c.fail("it ends on %s, before it begins on %s", c.s.To, c.s.From)
		}
		for i := range c.s.Antigens {
			a := &c.s.Antigens[i]
			if c.antigen[a.Name] != nil || a.Name == "" {
				c.fail("the antigen %q has no name, or one that is used twice", a.Name)
			}
			c.antigen[a.Name] = a
		}
		for _, o := range c.s.Observations {
			if c.observation[o.Code] || o.Code == "" {
				c.fail("the observation %q has no code, or one that is used twice", o.Code)
			}
			c.observation[o.Code] = true
			if !slices.Contains([]string{"", "problem", "allergy", "lab", "product"}, o.Kind) {
				c.fail("the observation %s is of no kind %q", o.Code, o.Kind)
			}
			for _, code := range o.Codes {
				if system, value, ok := strings.Cut(code, "|"); !ok || system == "" || value == "" {
					c.fail("the observation %s: %q is not \"system|code\"", o.Code, code)
				}
			}
		}
	})
	c.vaccines()
	c.groups()
	c.conflicts()
}

func (c *checker) vaccines() {
	for i := range c.s.Vaccines {
		v := &c.s.Vaccines[i]
		c.in("vaccine "+v.CVX, func() {
			if c.vaccine[v.CVX] != nil || len(v.CVX) < 2 || strings.Trim(v.CVX, "0123456789") != "" {
				c.fail("it is no CVX code of two digits or more, or it is there twice")
			}
			c.vaccine[v.CVX] = v
			for _, h := range v.Antigens {
				if c.antigen[h.Antigen] == nil {
					c.fail("it holds %q, which is no antigen of the schedule", h.Antigen)
				}
				c.ascending("the ages", named{"beginAge", h.Begin}, named{"endAge", h.End})
			}
		})
	}
}

func (c *checker) groups() {
	seen := map[string]bool{}
	for _, g := range c.s.Groups {
		c.in(fmt.Sprintf("vaccine group %q", g.Name), func() {
			if g.Name == "" || seen[g.Name] {
				c.fail("it has no name, or one that is used twice")
			}
			seen[g.Name] = true
			if g.CVX != "" {
				c.known(g.CVX)
			}
			if len(g.Antigens) == 0 {
				c.fail("it has no antigens")
			}
			for _, a := range g.Antigens {
				if c.antigen[a] == nil {
					c.fail("%q is no antigen of the schedule", a)
				}
				if c.group[a] != "" {
					c.fail("the antigen %q is in the group %q, too", a, c.group[a])
				}
				c.group[a] = g.Name
			}
		})
	}
}

func (c *checker) conflicts() {
	seen := map[[2]string]bool{}
	for _, l := range c.s.Live {
		c.in(fmt.Sprintf("conflict of %s after %s", l.Current, l.Previous), func() {
			c.known(l.Previous)
			c.known(l.Current)
			if seen[[2]string{l.Previous, l.Current}] {
				c.fail("it is there twice")
			}
			seen[[2]string{l.Previous, l.Current}] = true
			if !l.Begin.Set || !l.End.Set {
				c.fail("it needs a begin and an end")
			}
			c.ascending("the times", named{"begin", l.Begin}, named{"minEnd", l.MinEnd}, named{"end", l.End})
		})
	}
}

// known reports a CVX code that the schedule does not have.
func (c *checker) known(cvx string) bool {
	if c.vaccine[cvx] == nil {
		c.fail("the CVX code %q is not among the vaccines of the schedule", cvx)
		return false
	}
	return true
}

// observed reports an observation that the schedule does not name. Those of three digits
// are CDC's.
func (c *checker) observed(code string) {
	if !c.observation[code] && (len(code) != 3 || strings.Trim(code, "0123456789") != "") {
		c.fail("%q is neither an observation of the schedule nor a number of CDC's list", code)
	}
}

// named is a period with the name of its member.
type named struct {
	name string
	Period
}

// length is about how many days a period has, for comparisons.
func (p Period) length() float64 { return float64(p.Months)*365.25/12 + float64(p.Days) }

// ascending reports periods that are shorter than one before them; those not set are
// passed over.
func (c *checker) ascending(what string, periods ...named) {
	last := named{}
	for _, p := range periods {
		if !p.Set {
			continue
		}
		if last.Set && p.length() < last.length() {
			c.fail("%s: %s is %s, which is more than %s, %s", what, last.name, last.Period, p.name, p.Period)
		}
		last = p
	}
}
