package cdsi

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// shortNames are the vaccine groups as CDC's test cases name them, by the key of their
// name in the supporting data. The others keep theirs.
var shortNames = map[string]string{
	"dtaptdaptd": "DTAP", "polio": "POL", "hpv": "HPV", "hib": "HIB", "covid19": "COVID-19",
	"pneumococcal": "PCV", "hepb": "HepB", "hepa": "HepA", "mmr": "MMR", "varicella": "VAR",
	"rotavirus": "ROTA", "meningococcal": "MCV", "meningococcalb": "MENB", "zoster": "ZOSTER",
	"influenza": "FLU", "rsv": "RSV",
}

// wholeGroups are the groups that are administered in full when any of their antigens is
// due, for supporting data without a schedule file (the JSON conversion).
var wholeGroups = map[string]bool{"mmr": true}

// schedule converts what was read.
func (r *reading) schedule() (*schedule.Schedule, error) {
	s := &schedule.Schedule{
		Name: "cdsi", Title: "CDC CDSi supporting data", Country: "US", Source: "https://www.cdc.gov/iis/cdsi/",
	}
	groups := map[string]int{}
	for _, d := range r.data {
		c := &converter{where: d.file}
		a := c.antigen(d.antigenData)
		if c.err != nil {
			return nil, c.err
		}
		if d.added {
			repeatSeasons(&a)
		}
		for i := range a.Series {
			k := key(a.Series[i].Group)
			n, ok := groups[k]
			if !ok {
				n = len(s.Groups)
				groups[k] = n
				s.Groups = append(s.Groups, r.group(a.Series[i].Group))
			}
			g := &s.Groups[n]
			if i == 0 {
				g.Antigens = append(g.Antigens, a.Name)
			}
			a.Series[i].Group = g.Name
		}
		s.Antigens = append(s.Antigens, a)
	}
	c := &converter{where: "vaccines"}
	s.Vaccines = c.vaccines(r, s.Antigens)
	s.Live = c.live(r.live)
	return s, c.err
}

// repeatSeasons makes the seasons of an antigen that have an end hold every year.
func repeatSeasons(a *schedule.Antigen) {
	for i := range a.Series {
		for j := range a.Series[i].Doses {
			t := &a.Series[i].Doses[j].Season
			t.Yearly = !t.Start.IsZero() && !t.End.IsZero()
		}
	}
}

// group makes a vaccine group of its name in the supporting data.
func (r *reading) group(title string) schedule.Group {
	title = strings.TrimSpace(title)
	k := key(title)
	g := schedule.Group{Name: title, Title: title, Whole: r.whole[k] || wholeGroups[k]}
	if short, ok := shortNames[k]; ok {
		g.Name = short
	}
	return g
}

// converter converts text to values and keeps the first error.
type converter struct {
	where string // file, and place in it
	err   error
}

// fail keeps an error, if it is the first one.
func (c *converter) fail(element, value string, err error) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %s %.60q: %w", c.where, element, value, err)
	}
}

// in runs f with a place named in its errors.
func (c *converter) in(place string, f func()) {
	where := c.where
	c.where += ": " + place
	f()
	c.where = where
}

// given returns a value without spaces around it, "" for "n/a".
func given(value string) string {
	value = strings.TrimSpace(value)
	if strings.EqualFold(value, "n/a") {
		return ""
	}
	return value
}

// isYes reports whether a flag is set.
func isYes(value string) bool {
	value = strings.TrimSpace(value)
	return strings.EqualFold(value, "yes") || strings.EqualFold(value, "y")
}

// period converts an age or an interval.
func (c *converter) period(element, value string) schedule.Period {
	p, err := schedule.ParsePeriod(given(value))
	if err != nil {
		c.fail(element, value, err)
	}
	return p
}

// date converts 20230911, 09/11/2023 or 2023-09-11.
func (c *converter) date(element, value string) schedule.Date {
	v := given(value)
	switch {
	case v == "":
		return schedule.NoDate
	case len(v) == 8:
		v = v[:4] + "-" + v[4:6] + "-" + v[6:]
	case len(v) == 10 && v[2] == '/' && v[5] == '/':
		v = v[6:] + "-" + v[:2] + "-" + v[3:5]
	}
	d, err := schedule.ParseDate(v)
	if err != nil {
		c.fail(element, value, err)
	}
	return d
}

// number converts a whole number from 0 to 1000; "" is 0.
func (c *converter) number(element, value string) int {
	v := given(value)
	if v == "" {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 1000 {
		c.fail(element, value, fmt.Errorf("it is not a whole number up to 1000"))
		return 0
	}
	return n
}

// list splits a value at ; and , and leaves out what is empty.
func list(value string) []string {
	var out []string
	for _, part := range strings.FieldsFunc(given(value), func(r rune) bool { return r == ';' || r == ',' }) {
		if part = given(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// cvx converts a CVX code: two digits or more.
func (c *converter) cvx(element, value string) string {
	v := given(value)
	if v == "" {
		return ""
	}
	if _, err := strconv.ParseUint(v, 10, 16); err != nil || len(v) > 4 {
		c.fail(element, value, fmt.Errorf("it is not a CVX code"))
	}
	if len(v) == 1 {
		v = "0" + v
	}
	return v
}

// codes converts a list of CVX codes.
func (c *converter) codes(element, value string) []string {
	out := list(value)
	for i := range out {
		out[i] = c.cvx(element, out[i])
	}
	return out
}

// vaccines converts what each vaccine holds. Antigens without supporting data are left
// out.
func (c *converter) vaccines(r *reading, antigens []schedule.Antigen) []schedule.Vaccine {
	names := map[string]string{}
	for i := range antigens {
		names[key(antigens[i].Name)] = antigens[i].Name
	}
	var out []schedule.Vaccine
	for _, v := range r.cvx {
		c.in("vaccine "+v.Name, func() {
			w := schedule.Vaccine{CVX: c.cvx("cvx", v.CVX), Name: v.Name}
			if w.CVX == "" {
				c.fail("cvx", v.CVX, fmt.Errorf("it is missing"))
			}
			for _, h := range v.Associations {
				if name, ok := names[key(h.Antigen)]; ok {
					w.Antigens = append(w.Antigens, schedule.Holds{
						Antigen: name,
						Begin:   c.period("associationBeginAge", h.Begin), End: c.period("associationEndAge", h.End),
					})
				}
			}
			out = append(out, w)
		})
	}
	return out
}

// live converts the vaccine conflicts.
func (c *converter) live(conflicts []conflictData) []schedule.Conflict {
	var out []schedule.Conflict
	for _, l := range conflicts {
		c.in("liveVirusConflict", func() {
			k := schedule.Conflict{
				Previous: c.cvx("previous/cvx", l.Previous.CVX), Current: c.cvx("current/cvx", l.Current.CVX),
				Begin:  c.period("conflictBeginInterval", l.Begin),
				MinEnd: c.period("minConflictEndInterval", l.MinEnd), End: c.period("conflictEndInterval", l.End),
			}
			if k.Previous == "" || k.Current == "" {
				c.fail("cvx", "", fmt.Errorf("it is missing"))
			}
			out = append(out, k)
		})
	}
	return out
}
