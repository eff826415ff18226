package campaign

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
)

// page answers with Patients in the order of their urgency and, included, what is
// recommended to each.
func (d *Desk) page(ctx context.Context, call *operation.Call, w *wanted, after *candidate, count int, self []search.Param) (*operation.Answer, error) {
	found := search.Result{Total: -1}
	size := int64(0)
	// A few more are looked for, and then ever more: there are those whom the caller may not
	// see. A page may be short; the next goes on after it.
	for look := count + 16; len(found.Matches) < count && look <= mostLines; look *= 8 {
		all, more, err := d.find(ctx, w, after, look)
		if err != nil {
			return nil, err
		}
		people, err := d.shown(ctx, call, all)
		if err != nil {
			return nil, err
		}
		full := false
		for i := range people {
			p := &people[i]
			size += int64(len(p.patient.JSON) + len(p.forecast.JSON))
			if full = len(found.Matches) == count || call.MaxBytes > 0 && size > call.MaxBytes && len(found.Matches) > 0; full {
				break
			}
			found.Matches, found.Included = append(found.Matches, *p.patient), append(found.Included, *p.forecast)
			found.Next = p.cursor()
		}
		if full {
			break
		}
		if !more {
			found.Next = ""
			break
		}
		after = &all[len(all)-1]
		found.Next = after.cursor()
	}
	return &operation.Answer{Set: &operation.Set{Result: found, Self: self}}, nil
}

// line is a dose that is due to somebody, as files have it.
type line struct {
	Facility     string `json:"facility,omitempty"`
	Municipality string `json:"municipality,omitempty"`
	Patient      string `json:"patient"`
	CURP         string `json:"curp,omitempty"`
	Name         string `json:"name,omitempty"`
	Born         string `json:"birthDate,omitempty"`
	Sex          string `json:"gender,omitempty"`
	Phone        string `json:"phone,omitempty"`
	Months       int    `json:"ageMonths"`
	Vaccine      string `json:"vaccine"`
	Title        string `json:"title,omitempty"`
	Dose         int    `json:"dose,omitempty"`
	Of           int    `json:"of,omitempty"`
	Status       string `json:"status"`
	Due          string `json:"due"`
	Overdue      string `json:"overdueSince,omitempty"`
	Latest       string `json:"latest,omitempty"`
}

var lineColumns = []string{"facility", "municipality", "patient", "curp", "name", "birthDate", "gender", "phone", "ageMonths", "vaccine", "title", "dose", "of", "status", "due", "overdueSince", "latest"}

func (l *line) record() []string {
	return []string{l.Facility, l.Municipality, l.Patient, plain(l.CURP), plain(l.Name), l.Born, l.Sex, plain(l.Phone), strconv.Itoa(l.Months), l.Vaccine, l.Title, count(l.Dose), count(l.Of), l.Status, l.Due, l.Overdue, l.Latest}
}

// count writes a number; nothing for none.
func count(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// file answers with a line for each dose that is due, the people in the order of their
// urgency.
func (d *Desk) file(ctx context.Context, call *operation.Call, w *wanted) (*operation.Answer, error) {
	all, more, err := d.find(ctx, w, nil, mostLines)
	if err != nil {
		return nil, err
	}
	if more {
		return nil, fhir.Errorf(fhir.TooCostly, "a file has %d people at most: ask for one facility or municipality at a time, or for fewer ages", mostLines)
	}
	titles, err := d.titles(w.on)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	table := csv.NewWriter(&out)
	if call.Media == mediaCSV {
		_ = table.Write(lineColumns) // a Buffer takes all
	}
	for some := range slices.Chunk(all, atOnce) {
		people, err := d.shown(ctx, call, some)
		if err != nil {
			return nil, err
		}
		for i := range people {
			lines, err := people[i].lines(w.on, titles)
			if err != nil {
				return nil, err
			}
			for k := range lines {
				if call.Media == mediaCSV {
					_ = table.Write(lines[k].record())
				} else {
					out.Write(append(compose.JSON(&lines[k]), '\n'))
				}
			}
		}
	}
	table.Flush()
	return &operation.Answer{Media: call.Media, Raw: out.Bytes()}, nil
}

// titles are the vaccine groups for people.
func (d *Desk) titles(on schedule.Date) (map[string]string, error) {
	book, err := d.Library.Find(d.Schedule, on)
	if err != nil {
		return nil, err
	}
	titles := map[string]string{}
	for _, g := range book.Schedule.Groups {
		titles[g.Name] = cmp.Or(g.Title, g.Name)
	}
	return titles, nil
}

// lines are those of a person.
func (p *person) lines(on schedule.Date, titles map[string]string) ([]line, error) {
	doc, err := element.Parse(p.patient.JSON)
	if err != nil {
		return nil, err
	}
	c := contactOf(doc)
	one := line{Facility: p.home, Patient: p.patient.Ref.Current().String(), CURP: c.curp, Name: c.name, Born: c.born, Sex: c.sex, Phone: c.phone}
	if p.place > 0 {
		one.Municipality = fmt.Sprintf("%05d", p.place)
	}
	if born, err := schedule.ParseDate(c.born); err == nil {
		one.Months = months(born, on)
	}
	var all []line
	for i := range p.doses {
		g := &p.doses[i]
		l := one
		l.Vaccine, l.Title, l.Dose, l.Of, l.Due = g.Group, titles[g.Group], g.Number, g.Of, g.Recommended.String()
		switch {
		case g.Overdue(on):
			l.Status, l.Overdue = isOverdue, (g.PastDue + 1).String()
		case g.Due(on):
			l.Status = isDue
		default:
			l.Status = "upcoming"
		}
		if !g.Latest.IsZero() {
			l.Latest = g.Latest.String()
		}
		all = append(all, l)
	}
	return all, nil
}

// months is how many a person has lived on a day.
func months(born, on schedule.Date) int {
	b, t := born.Time(), on.Time()
	n := 12*(t.Year()-b.Year()) + int(t.Month()) - int(b.Month())
	if born.Add(schedule.Period{Months: n, Set: true}) > on {
		n--
	}
	return max(0, n)
}
