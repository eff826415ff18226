package referral

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Span is how long something may take: hours of the clock, which run by night and on
// holidays, or business days, which end with the day.
type Span struct {
	Hours int `json:"hours,omitempty"`
	Days  int `json:"days,omitempty"`
}

// Deadline says how long each part of a referral of a priority may take.
type Deadline struct {
	Priority string `json:"priority"` // of request-priority: routine, urgent, asap, stat
	Respond  Span   `json:"respond"`  // from the sending until it is accepted or rejected
	Attend   Span   `json:"attend"`   // from there until there is an appointment or an answer
	Report   Span   `json:"report"`   // from the end of the appointment until the signed counter-referral
}

// Deadlines are those of all priorities.
type Deadlines []Deadline

//go:embed deadlines.json
var builtIn []byte

// DefaultDeadlines are those that come with this program. No norm sets them: they are
// for an establishment or a state to replace.
func DefaultDeadlines() Deadlines {
	d, err := ParseDeadlines(builtIn)
	if err != nil {
		panic(err) // it is part of the program
	}
	return d
}

// priorities are the codes of https://hl7.org/fhir/R4/valueset-request-priority.html.
var priorities = []string{"routine", "urgent", "asap", "stat"}

// ParseDeadlines reads a list of deadlines, in JSON, which has each priority once.
func ParseDeadlines(text []byte) (Deadlines, error) {
	var all Deadlines
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i := range all {
		one := &all[i]
		if !slices.Contains(priorities, one.Priority) || seen[one.Priority] {
			return nil, fmt.Errorf("the priority %q: want %s, each once", one.Priority, strings.Join(priorities, ", "))
		}
		seen[one.Priority] = true
		for _, s := range []Span{one.Respond, one.Attend, one.Report} {
			if s.Hours < 0 || s.Days < 0 || s.Hours > 24*366 || s.Days > 366 || (s.Hours == 0) == (s.Days == 0) {
				return nil, fmt.Errorf("the priority %s: each span has hours or days, up to a year", one.Priority)
			}
		}
	}
	if len(all) != len(priorities) {
		return nil, fmt.Errorf("want a deadline for each of %s", strings.Join(priorities, ", "))
	}
	return all, nil
}

// of returns the deadline of a priority; that of routine for one that is not known.
func (d Deadlines) of(priority string) *Deadline {
	i := slices.IndexFunc(d, func(one Deadline) bool { return one.Priority == priority })
	if i < 0 {
		i = slices.IndexFunc(d, func(one Deadline) bool { return one.Priority == "routine" })
	}
	return &d[i]
}

// Calendar tells business days from others.
type Calendar interface {
	// Add returns the day that is n business days after day.
	Add(day time.Time, n int) time.Time
}

// after returns when a span that begins at from is over: for days, when the last of them
// is, where zone is the clock.
func (s Span) after(from time.Time, c Calendar, zone *time.Location) time.Time {
	if s.Days == 0 {
		return from.Add(time.Duration(s.Hours) * time.Hour)
	}
	y, m, d := c.Add(from.In(zone), s.Days).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, zone)
}
