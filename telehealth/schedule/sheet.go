package schedule

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// sheetKind is the kind of the entries that hold what is taken on one day of somebody who
// gives care, or of a Schedule that nobody in particular is booked by. Whoever takes a
// slot writes these sheets, which have moved when somebody else did: so a slot is taken
// once, however many ask for it, and nobody is in two places.
const sheetKind = "agenda-day"

// sheet is a day of somebody.
type sheet struct {
	Taken []taken `json:"taken,omitempty"`

	entry fhir.Entry // as it was read
	day   time.Time  // of which it is, midnight in UTC
}

// taken is a slot that somebody has, or holds.
type taken struct {
	Schedule    string    `json:"schedule"` // id
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Appointment string    `json:"appointment,omitempty"` // id; "" while it is held
	Hold        string    `json:"hold,omitempty"`        // digest of the secret of who holds it
	Principal   string    `json:"principal,omitempty"`   // who holds it
	Expires     time.Time `json:"expires,omitzero"`      // of a hold, or an offer
}

// sheets are those of all who are booked by an agenda, on the days that a visit touches.
type sheets []*sheet

// owners returns whose sheets an agenda is on: those who cannot be in two places, or the
// Schedule itself.
func (a *Agenda) owners() []string {
	var all []string
	for _, actor := range a.Actors {
		if typ, _, _ := strings.Cut(actor.Reference, "/"); typ == "Practitioner" || typ == "PractitionerRole" {
			all = append(all, actor.Reference)
		}
	}
	if len(all) == 0 {
		all = []string{a.Ref.Current().String()}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// sheetZone is the zone of the days that sheets are of. It is the same for all agendas, so
// that those of one person in two zones meet on one sheet: it is Monday in Tijuana still
// when it is Tuesday in Mexico City.
var sheetZone = time.FixedZone("", -6*60*60)

// daysOf returns the first and the last day of sheets that a span touches.
func daysOf(s Span) (first, last time.Time) {
	first, last = localDay(s.Start.In(sheetZone)), localDay(s.End.Add(-1).In(sheetZone))
	if last.Before(first) { // it is no time
		last = first
	}
	return first, last
}

// sheets reads the days that some times of a are on, with what is kept clear around them,
// without holds that are over. Each is there once.
func (s *Service) sheets(ctx context.Context, a *Agenda, times ...Span) (sheets, error) {
	var all sheets
	for _, owner := range a.owners() {
		read := map[time.Time]bool{}
		for _, at := range times {
			first, last := daysOf(a.Rules.wide(at))
			for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
				if read[day] {
					continue
				}
				read[day] = true
				sh, err := s.sheet(ctx, owner, day)
				if err != nil {
					return nil, err
				}
				all = append(all, sh)
			}
		}
	}
	return all, nil
}

// sheet reads a day of somebody.
func (s *Service) sheet(ctx context.Context, owner string, day time.Time) (*sheet, error) {
	key := sheetKey(owner, day)
	e, err := s.Store.Entry(ctx, sheetKind, key)
	if fhir.CodeOf(err) == fhir.NotFound {
		e, err = fhir.Entry{Kind: sheetKind, Key: key, Group: owner}, nil
	}
	if err != nil {
		return nil, err
	}
	sh, err := s.open(e)
	if err != nil {
		return nil, err
	}
	sh.day = day
	return sh, nil
}

func sheetKey(owner string, day time.Time) string { return owner + "/" + day.Format(time.DateOnly) }

// open reads a sheet.
func (s *Service) open(e fhir.Entry) (*sheet, error) {
	sh := &sheet{entry: e}
	if len(e.Value) > 0 {
		if err := json.Unmarshal(e.Value, sh); err != nil {
			return nil, err
		}
	}
	now := s.Now()
	sh.Taken = slices.DeleteFunc(sh.Taken, func(t taken) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) })
	return sh, nil
}

// mostSheets is how many days are read at once; a question spans fewer.
const mostSheets = 100

// takenIn returns what is taken of a on the days of a span.
func (s *Service) takenIn(ctx context.Context, a *Agenda, within Span) ([]Taken, error) {
	var all sheets
	for _, owner := range a.owners() {
		start, end := daysOf(a.Rules.wide(within))
		before, last := sheetKey(owner, start.AddDate(0, 0, -1)), sheetKey(owner, end.AddDate(0, 0, 1))
		found, err := s.Store.Entries(ctx, sheetKind, owner, before, mostSheets)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			if e.Key > last {
				break
			}
			sh, err := s.open(e)
			if err != nil {
				return nil, err
			}
			all = append(all, sh)
		}
	}
	return all.taken(a), nil
}

// write returns the entry that stores sh as it is now. It lasts for a while after its day,
// since nothing is asked of it then.
func (sh *sheet) write(now time.Time) (fhir.Entry, error) {
	e := sh.entry
	var err error
	if e.Value, err = json.Marshal(sh); err != nil {
		return e, err
	}
	e.Expires = time.Time{}
	for _, t := range sh.Taken {
		if last := t.End.Add(keptFor); last.After(e.Expires) {
			e.Expires = last
		}
	}
	if e.Expires.IsZero() {
		e.Expires = now.Add(keptFor)
	}
	return e, nil
}

// keptFor is how long a sheet is kept after its last visit.
const keptFor = 30 * 24 * time.Hour

// taken returns what is taken, as an agenda sees it. What is on several sheets, since more
// than one person or day has it, counts once.
func (all sheets) taken(a *Agenda) []Taken {
	var out []Taken
	seen := map[string]bool{}
	for _, sh := range all {
		for _, t := range sh.Taken {
			if !seen[t.Appointment+t.Hold] {
				seen[t.Appointment+t.Hold] = true
				out = append(out, Taken{Span{t.Start, t.End}, t.Schedule != a.Ref.ID})
			}
		}
	}
	return out
}

// drop removes a hold or Appointment, and reports whether it was there.
func (all sheets) drop(which string) (was bool) {
	for _, sh := range all {
		n := len(sh.Taken)
		sh.Taken = slices.DeleteFunc(sh.Taken, func(t taken) bool { return which != "" && (t.Hold == which || t.Appointment == which) })
		was = was || len(sh.Taken) < n
	}
	return was
}

// add notes what is taken now, on the days that it touches.
func (all sheets) add(t taken) {
	first, last := daysOf(Span{t.Start, t.End})
	for _, sh := range all {
		if !sh.day.Before(first) && !sh.day.After(last) {
			sh.Taken = append(sh.Taken, t)
		}
	}
}

// heldBy counts the holds of an account; those of nobody, where there is no access
// control, count for none.
func (all sheets) heldBy(principal string) int {
	seen := map[string]bool{}
	for _, sh := range all {
		for _, t := range sh.Taken {
			if t.Hold != "" && t.Principal == principal && principal != "" {
				seen[t.Hold] = true
			}
		}
	}
	return len(seen)
}

// othersAtOnce is how many Appointments that were not booked here are read at once.
const othersAtOnce = 200

// others returns when the actors of a are booked by Appointments that were not made here,
// but imported or written by clinic software.
func (s *Service) others(ctx context.Context, a *Agenda, within Span) ([]Taken, error) {
	var all []Taken
	for _, actor := range a.Actors {
		q, err := search.Parse("Appointment", []search.Param{
			{Name: "actor", Value: actor.Reference},
			{Name: "status", Value: "booked,pending,arrived,checked-in,fulfilled"},
			{Name: "date", Value: "lt" + within.End.UTC().Format(time.RFC3339)},
			{Name: "date", Value: "ge" + within.Start.UTC().Add(-24*time.Hour).Format(time.RFC3339)},
			{Name: "_count", Value: strconv.Itoa(othersAtOnce)},
		}, search.Options{})
		if err != nil {
			return nil, err
		}
		q.Restriction = search.Unrestricted // nobody is shown them: they only take time
		for more := true; more; more = q.After != "" {
			found, err := s.Store.Search(ctx, q)
			if err != nil {
				return nil, err
			}
			for i := range found.Matches {
				appointment, err := readAppointment(&found.Matches[i])
				if err != nil || appointment.Agenda != "" {
					continue // one that is booked in an agenda is on the sheets
				}
				all = append(all, Taken{appointment.Span, true})
			}
			q.After = found.Next
		}
	}
	return all, nil
}
