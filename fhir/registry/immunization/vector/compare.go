package vector

import (
	"fmt"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// Difference is something that an assessment says otherwise than a case expects.
type Difference struct {
	What      string // "dose 2 of 2025-05-22", "status", "earliest"
	Want, Got string
}

// String writes a difference for people.
func (d Difference) String() string {
	return fmt.Sprintf("%s: expected %s, got %s", d.What, orNone(d.Want), orNone(d.Got))
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// Compare returns what an assessment says otherwise than the case, nil when they agree.
func (c *Case) Compare(s *schedule.Schedule, a *immunization.Assessment) []Difference {
	g := Group(s, c.Group)
	if g == nil {
		return []Difference{{"vaccine group", c.Group, "no such group in the schedule"}}
	}
	var out []Difference
	for i := range c.Doses {
		status, reasons := doseStatus(a, i, g.Name)
		what := fmt.Sprintf("dose %d of %s", i+1, c.History.Doses[i].Date)
		if want := c.Doses[i]; fold(want.Status) != fold(string(status)) {
			out = append(out, Difference{what, describe(want.Status, want.Reason), describe(string(status), reasons)})
		}
	}
	f := a.Forecasts[slices.IndexFunc(a.Forecasts, func(f immunization.Forecast) bool { return f.Group == g.Name })]
	if fold(c.Status) != fold(string(f.Status)) {
		out = append(out, Difference{"status", c.Status, describe(string(f.Status), f.Why)})
	}
	number := ""
	if f.Number > 0 {
		number = fmt.Sprint(f.Number)
	}
	if want := strings.Trim(c.Number, "-"); want != number {
		out = append(out, Difference{"number", want, number})
	}
	for _, d := range []struct {
		what      string
		want, got schedule.Date
	}{{"earliest", c.Earliest, f.Earliest}, {"recommended", c.Recommended, f.Recommended}, {"past due", c.PastDue, f.PastDue}} {
		if d.want != d.got {
			out = append(out, Difference{d.what, d.want.String(), d.got.String()})
		}
	}
	return out
}

// describe joins a status with its reason.
func describe(status, reason string) string {
	if reason == "" {
		return status
	}
	return status + " (" + reason + ")"
}

// doseStatus returns the evaluation of a dose in a vaccine group, or in its own groups
// when it holds nothing of that one. Of several antigens, it is the one that is most
// against the dose.
func doseStatus(a *immunization.Assessment, dose int, group string) (immunization.Status, string) {
	in := func(group string) (status immunization.Status, reasons string) {
		for i := range a.Evaluations {
			e := &a.Evaluations[i]
			if e.Dose != dose || group != "" && e.Group != group {
				continue
			}
			if status == "" || against(e.Status) > against(status) {
				status, reasons = e.Status, join(e.Reasons)
			}
		}
		return status, reasons
	}
	if status, reasons := in(group); status != "" {
		return status, reasons
	}
	return in("")
}

// join writes reasons.
func join(reasons []immunization.Reason) string {
	var b strings.Builder
	for i, r := range reasons {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(r))
	}
	return b.String()
}

// against orders statuses by how much they are against a dose.
func against(s immunization.Status) int {
	return slices.Index([]immunization.Status{immunization.Valid, immunization.Extraneous, immunization.NotValid, immunization.SubStandard}, s)
}

// Group finds a vaccine group by its name, its title, an alias or the name of an antigen, without
// regard to case and punctuation; nil when there is none.
func Group(s *schedule.Schedule, name string) *schedule.Group {
	want := fold(name)
	for _, matches := range []func(*schedule.Group) bool{
		func(g *schedule.Group) bool { return fold(g.Name) == want },
		func(g *schedule.Group) bool { return fold(g.Title) == want },
		func(g *schedule.Group) bool {
			return slices.ContainsFunc(g.Aliases, func(a string) bool { return fold(a) == want })
		},
		func(g *schedule.Group) bool {
			return slices.ContainsFunc(g.Antigens, func(a string) bool { return fold(a) == want })
		},
	} {
		for i := range s.Groups {
			if matches(&s.Groups[i]) {
				return &s.Groups[i]
			}
		}
	}
	return nil
}

// fold returns the letters and digits of a name in small letters.
func fold(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c > 127:
			return c
		}
		return -1
	}, strings.ToLower(s))
}
