package schedule

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/zone"
)

const base = "https://github.com/amate-health/amate/fhir/"

// URLs of what is particular to agendas.
const (
	// AgendaURL is the extension of a Schedule that holds its rules.
	AgendaURL = base + "StructureDefinition/agenda"
	// OfURL is the extension of an Appointment that names the Schedule it was booked in.
	OfURL = base + "StructureDefinition/appointment-agenda"
	// WindowURL is the extension of an Appointment on a waiting list that names the Schedule
	// it waits for.
	WindowURL = base + "StructureDefinition/appointment-waits-for"
)

// Agenda is a Schedule with rules.
type Agenda struct {
	Ref    fhir.Ref
	Rules  Rules
	Actors []Actor
	Types  []json.RawMessage // serviceType, as the Schedule has it
	Link   string            // where it is booked, for who finds it published; "" for nowhere
	Phone  string            // likewise
	Public bool              // its free slots are published
	Active bool
	// Horizon of Schedule.planningHorizon; zero for no bound.
	From, Until time.Time
}

// Actor is who or what is booked.
type Actor struct {
	Reference string
	Display   string
}

// ReadAgenda reads the rules of a Schedule: its extension AgendaURL.
// Errors: fhir.Unprocessable when it has none, or they make no sense.
func ReadAgenda(r *fhir.Resource) (*Agenda, error) {
	d, err := element.Parse(r.JSON)
	if err != nil {
		return nil, err
	}
	a, err := readAgenda(d, 0)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, fhir.Errorf(fhir.Unprocessable, "the Schedule has no rules: its extension agenda is missing").At("Schedule.extension")
	}
	a.Ref = r.Ref
	return a, nil
}

// Check holds a Schedule with rules to what rules are: so none is stored by which nothing
// can be booked.
func Check(d *element.Doc, root element.Node, typ string) []fhir.Issue {
	if typ != "Schedule" {
		return nil
	}
	_, err := readAgenda(d, root)
	var told *fhir.Error
	if !errors.As(err, &told) {
		return nil
	}
	start, _ := d.Span(root)
	issue := fhir.Issue{Severity: "error", Type: "business-rule", Rule: "agenda", Details: told.Details, Diagnostics: told.Diagnostics, Expression: told.Expression}
	issue.Line, issue.Col = d.Position(start)
	return []fhir.Issue{issue}
}

// readAgenda reads the rules of a Schedule, nil when it has none.
func readAgenda(d *element.Doc, root element.Node) (a *Agenda, err error) {
	rules := element.None
	for ext := range d.Items(root, "extension") {
		if d.TextAt(ext, "url") != AgendaURL {
			continue
		}
		if rules != element.None {
			return nil, wrong("extension('"+AgendaURL+"')", errors.New("there is one extension agenda at most"))
		}
		rules = ext
	}
	if rules == element.None {
		return nil, nil
	}
	a = &Agenda{Active: d.TextAt(root, "active") != "false"}
	for actor := range d.Items(root, "actor") {
		a.Actors = append(a.Actors, Actor{d.TextAt(actor, "reference"), d.TextAt(actor, "display")})
	}
	for typ := range d.Items(root, "serviceType") {
		a.Types = append(a.Types, d.AppendCompact(nil, typ))
	}
	if horizon := d.Get(root, "planningHorizon"); horizon != element.None {
		if a.From, a.Until, err = period(d, horizon); err != nil {
			return nil, wrong("planningHorizon", err)
		}
	}
	if err := a.read(d, rules); err != nil {
		return nil, err
	}
	if err := a.Rules.Check(); err != nil {
		return nil, wrong("extension('"+AgendaURL+"')", err)
	}
	return a, nil
}

func wrong(where string, err error) error {
	return fhir.Errorf(fhir.Unprocessable, "the rules of the Schedule make no sense").With("%v", err).At("Schedule." + where)
}

// read reads the parts of the extension.
func (a *Agenda) read(d *element.Doc, ext element.Node) error {
	minutes := map[string]*time.Duration{
		"length": &a.Rules.Length, "step": &a.Rules.Step, "before": &a.Rules.Before, "after": &a.Rules.After,
		"notice": &a.Rules.Notice, "horizon": &a.Rules.Horizon,
	}
	for part := range d.Items(ext, "extension") {
		name := d.TextAt(part, "url")
		var err error
		switch into := minutes[name]; {
		case into != nil:
			var n int
			n, err = number(d, part)
			*into = time.Duration(n) * time.Minute
		case name == "capacity":
			a.Rules.Capacity, err = number(d, part)
		case name == "zone":
			if a.Rules.Zone, err = zone.Load(d.TextAt(part, "valueCode")); err != nil {
				err = fmt.Errorf("a time zone is a name such as America/Mexico_City")
			}
		case name == "public":
			a.Public = d.TextAt(part, "valueBoolean") == "true"
		case name == "link":
			a.Link = d.TextAt(part, "valueUrl")
		case name == "phone":
			a.Phone = d.TextAt(part, "valueString")
		case name == "open":
			var o Open
			o, err = readOpen(d, part)
			a.Rules.Open = append(a.Rules.Open, o)
		case name == "closed":
			var s Span
			s.Start, s.End, err = period(d, d.Get(part, "valuePeriod"))
			a.Rules.Closed = append(a.Rules.Closed, s)
		default:
			err = fmt.Errorf("%.50q is no part of an agenda", name)
		}
		if err != nil {
			return wrong("extension('"+AgendaURL+"').extension('"+name+"')", err)
		}
	}
	return nil
}

// number reads a whole number, 0 to 1,000,000.
func number(d *element.Doc, part element.Node) (int, error) {
	for _, name := range []string{"valueUnsignedInt", "valuePositiveInt"} {
		if s := d.TextAt(part, name); s != "" {
			n, err := strconv.Atoi(s)
			if err != nil || n < 0 || n > 1_000_000 {
				return 0, fmt.Errorf("%.20q is not a number from 0 to 1,000,000", s)
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("its value is valueUnsignedInt")
}

var weekdays = map[string]time.Weekday{"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}

// readOpen reads one part of a week.
func readOpen(d *element.Doc, ext element.Node) (o Open, err error) {
	for part := range d.Items(ext, "extension") {
		switch name := d.TextAt(part, "url"); name {
		case "day":
			w, ok := weekdays[d.TextAt(part, "valueCode")]
			if !ok {
				return o, fmt.Errorf("a day is mon, tue, wed, thu, fri, sat or sun")
			}
			o.Days = append(o.Days, w)
		case "from":
			o.From, err = ParseClock(d.TextAt(part, "valueTime"))
		case "to":
			// A time of FHIR ends at 23:59: midnight is that at the end of the day here.
			if o.To, err = ParseClock(d.TextAt(part, "valueTime")); err == nil && o.To == 0 {
				o.To = 24 * 60
			}
		case "first":
			o.First, err = time.Parse(time.DateOnly, d.TextAt(part, "valueDate"))
		case "last":
			o.Last, err = time.Parse(time.DateOnly, d.TextAt(part, "valueDate"))
		case "every":
			o.Every, err = number(d, part)
		default:
			err = fmt.Errorf("%.50q is no part of it", name)
		}
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

// period reads a Period; a date ends with its day in UTC.
func period(d *element.Doc, n element.Node) (start, end time.Time, err error) {
	read := func(name string) (time.Time, bool, error) {
		s := d.TextAt(n, name)
		if s == "" {
			return time.Time{}, false, nil
		}
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			return t, false, nil
		}
		t, err := time.Parse(time.DateOnly, s)
		if err != nil {
			return t, true, fmt.Errorf("%.40q is neither an instant nor a date", s)
		}
		return t, true, nil
	}
	if start, _, err = read("start"); err != nil {
		return
	}
	end, whole, err := read("end")
	if whole {
		end = end.AddDate(0, 0, 1)
	}
	return start, end, err
}

// free returns the free slots of a that start within a span, at most limit of them.
func (a *Agenda) free(within Span, taken []Taken, now time.Time, limit int) []Slot {
	if !a.Active {
		return nil
	}
	if a.From.After(within.Start) {
		within.Start = a.From
	}
	if !a.Until.IsZero() && a.Until.Before(within.End) {
		within.End = a.Until
	}
	return a.Rules.Free(within, taken, now, limit)
}

// offers reports whether s may be booked at all: by the rules, the planning horizon, and
// the time that is left.
func (a *Agenda) offers(s Span, now time.Time) bool {
	return slices.ContainsFunc(a.free(Span{s.Start, s.Start.Add(time.Nanosecond)}, nil, now, 0), func(o Slot) bool { return o.Start.Equal(s.Start) && o.End.Equal(s.End) })
}

// span returns the slot that starts at an instant.
func (a *Agenda) span(start time.Time) Span {
	return Span{start.UTC(), start.Add(a.Rules.Length).UTC()}
}
