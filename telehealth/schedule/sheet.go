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

// sheets are those of all who are booked by an agenda, on one day.
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

// sheets reads the day of a on which a time is, without holds that are over.
func (s *Service) sheets(ctx context.Context, a *Agenda, at time.Time) (sheets, error) {
	var all sheets
	for _, owner := range a.owners() {
		key := sheetKey(owner, localDay(at.In(a.Rules.Zone)))
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
		all = append(all, sh)
	}
	return all, nil
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
	var all []Taken
	for _, owner := range a.owners() {
		before := sheetKey(owner, localDay(within.Start.In(a.Rules.Zone)).AddDate(0, 0, -1))
		last := sheetKey(owner, localDay(within.End.In(a.Rules.Zone)))
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
			all = append(all, sheets{sh}.taken(a)...)
		}
	}
	return all, nil
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

// taken returns what is taken, as an agenda sees it. Who is booked with others is on
// several sheets: that counts once.
func (all sheets) taken(a *Agenda) []Taken {
	var out []Taken
	for i, sh := range all {
		for _, t := range sh.Taken {
			other := t.Schedule != a.Ref.ID
			if i > 0 && !other {
				continue // it is on the first sheet too
			}
			out = append(out, Taken{Span{t.Start, t.End}, other})
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

// add notes what is taken now.
func (all sheets) add(t taken) {
	for _, sh := range all {
		sh.Taken = append(sh.Taken, t)
	}
}

// heldBy counts the holds of an account; those of nobody, where there is no access
// control, count for none.
func (all sheets) heldBy(principal string) (n int) {
	for _, t := range all[0].Taken {
		if t.Hold != "" && t.Principal == principal && principal != "" {
			n++
		}
	}
	return n
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
