package campaign

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/immunization"
	"github.com/amate-health/amate/fhir/registry/immunization/recommend"
	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
	"github.com/amate-health/amate/fhir/search"
)

const (
	// ReminderSystem is of the code by which CommunicationRequests that remind of a
	// vaccination are found: category=ReminderSystem|ReminderCode.
	ReminderSystem = base + "CodeSystem/vaccination-task"
	ReminderCode   = "vaccination-reminder"

	remindedAge  = 10 * 12 // months: who is older is not reminded
	reminderText = "Es tiempo de una cita de vacunación. Acuda a su unidad de salud con la cartilla."
)

// Reminders keeps a CommunicationRequest for each child for whom a dose is due, or will be
// within some days: one for each child and day on which they should come, revoked once
// nothing is missing on that day any more. It names no vaccine. All fields must be set.
type Reminders struct {
	Store Store
	Write func(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	Maker func(base string) bundle.Maker
	Zone  *time.Location
	Now   func() time.Time
	Days  int // ahead
	Log   *slog.Logger
}

// Reminded counts what was done.
type Reminded struct{ Written, Revoked, Refused int }

// ReminderID is the id of the reminder of a Patient to come on a day.
func ReminderID(patient string, day schedule.Date) string {
	sum := sha256.Sum256([]byte("vaccination reminder\x00" + patient + "\x00" + day.String()))
	return "reminder-" + hex.EncodeToString(sum[:16])
}

// Run writes the reminders that are missing and revokes those that no longer hold. It does
// the same when it is asked again.
func (r *Reminders) Run(ctx context.Context) (done Reminded, err error) {
	today := schedule.DateOf(r.Now().In(r.Zone))
	wanted, err := r.wanted(ctx, today)
	if err != nil {
		return done, err
	}
	active, err := r.active(ctx)
	if err != nil {
		return done, err
	}
	var changes []bundle.Change
	for id := range active {
		if _, ok := wanted[id]; ok {
			delete(wanted, id)
			continue
		}
		change, err := r.revoked(active[id])
		if err != nil {
			return done, err
		}
		changes = append(changes, change)
	}
	if err := r.write(ctx, changes, &done.Revoked, &done.Refused); err != nil {
		return done, err
	}
	return done, r.remind(ctx, wanted, &done)
}

// visit is when somebody should come.
type visit struct {
	patient string
	day     schedule.Date
}

// wanted returns the visits of which people are to be reminded, by the ids of reminders.
func (r *Reminders) wanted(ctx context.Context, today schedule.Date) (map[string]visit, error) {
	kept, err := r.Store.VaccineeSchedules(ctx)
	if err != nil {
		return nil, err
	}
	by := map[int64]*fhir.VaccineeSchedule{}
	for i := range kept {
		by[kept[i].Number] = &kept[i]
	}
	all, until := map[string]visit{}, today+schedule.Date(r.Days)
	var row recommend.Standing
	q := fhir.VaccineeQuery{BornFrom: int32(birthday(today, remindedAge)) + 1, Soonest: int32(until)}
	err = r.Store.Vaccinees(ctx, &q, func(v *fhir.Vaccinee) error {
		if by[v.Schedule] == nil {
			return nil
		}
		if err := row.Unpack(v, by[v.Schedule]); err != nil {
			return err
		}
		if day := nextVisit(&row, today, until); !day.IsZero() {
			all[ReminderID(v.Patient, day)] = visit{v.Patient, day}
		}
		return nil
	})
	return all, err
}

// nextVisit is the first day of those on which a missing dose is recommended; NoDate where
// none is until a day, or it is too late.
func nextVisit(s *recommend.Standing, today, until schedule.Date) (day schedule.Date) {
	for i := range s.Groups {
		g := &s.Groups[i]
		if g.Status != immunization.NotComplete || g.Recommended.IsZero() || g.Recommended > until || !g.Latest.IsZero() && g.Latest < today {
			continue
		}
		if day.IsZero() || g.Recommended < day {
			day = g.Recommended
		}
	}
	return day
}

// active returns the reminders that hold as they are stored, by id.
func (r *Reminders) active(ctx context.Context) (map[string]fhir.Resource, error) {
	q, err := search.Parse("CommunicationRequest", []search.Param{{Name: "category", Value: ReminderSystem + "|" + ReminderCode}, {Name: "status", Value: "active"}, {Name: "_count", Value: "500"}}, search.Options{})
	if err != nil {
		return nil, err
	}
	q.Restriction = search.Unrestricted
	q.Count = 500
	all := map[string]fhir.Resource{}
	for {
		found, err := r.Store.Search(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range found.Matches {
			all[found.Matches[i].Ref.ID] = found.Matches[i]
		}
		if q.After = found.Next; q.After == "" {
			return all, nil
		}
	}
}

// revoked is the change by which a reminder no longer holds.
func (r *Reminders) revoked(was fhir.Resource) (bundle.Change, error) {
	doc, err := element.Parse(was.JSON)
	if err != nil {
		return bundle.Change{}, err
	}
	text := string(was.JSON)
	if n := doc.Get(0, "status"); n != element.None {
		from, to := doc.Span(n)
		text = text[:from] + `"revoked"` + text[to:]
	}
	source, err := bundle.Parse([]byte(text))
	if err != nil {
		return bundle.Change{}, err
	}
	return r.Maker("").Update(source, was.Ref.Current(), false)
}

// remind writes reminders, a page at a time, with the labels of what they rest on: what
// binds a recommendation binds the reminder.
func (r *Reminders) remind(ctx context.Context, wanted map[string]visit, done *Reminded) error {
	ids := make([]string, 0, len(wanted))
	for id := range wanted {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for some := range slices.Chunk(ids, atOnce) {
		forecasts := make([]string, len(some))
		for i, id := range some {
			forecasts[i] = recommend.ForecastID(wanted[id].patient)
		}
		stored, err := seen(ctx, r.Store, search.Unrestricted, "ImmunizationRecommendation", forecasts)
		if err != nil {
			return err
		}
		there, err := seen(ctx, r.Store, search.Unrestricted, "CommunicationRequest", some)
		if err != nil {
			return err
		}
		var changes []bundle.Change
		for i, id := range some {
			recommended := stored[forecasts[i]]
			if recommended == nil || there[id] != nil && !isRevoked(there[id]) {
				continue // it is not written yet; or the reminder was sent, or put aside by somebody
			}
			change, err := r.reminder(id, wanted[id], recommended)
			if err != nil {
				return err
			}
			changes = append(changes, change)
		}
		if err := r.write(ctx, changes, &done.Written, &done.Refused); err != nil {
			return err
		}
	}
	return nil
}

func isRevoked(r *fhir.Resource) bool {
	doc, err := element.Parse(r.JSON)
	return err == nil && doc.TextAt(0, "status") == "revoked"
}

// reminder is the change that writes one.
//
// See https://hl7.org/fhir/R4/communicationrequest.html.
func (r *Reminders) reminder(id string, v visit, recommended *fhir.Resource) (bundle.Change, error) {
	patient := fhir.Ref{Type: "Patient", ID: v.patient}
	one := compose.Object{
		"id": id, "status": "active", "category": []compose.Object{compose.Concept(ReminderSystem, ReminderCode, "Recordatorio de vacunación")},
		"subject": compose.Reference(patient), "recipient": []compose.Object{compose.Reference(patient)}, "about": []compose.Object{compose.Reference(recommended.Ref)},
		"payload": []compose.Object{{"contentString": reminderText}}, "occurrenceDateTime": v.day.String(), "authoredOn": r.Now().UTC().Format(time.RFC3339),
	}
	doc, err := element.Parse(recommended.JSON)
	if err != nil {
		return bundle.Change{}, err
	}
	var labels []json.RawMessage
	for n := range doc.Items(doc.Get(0, "meta"), "security") {
		labels = append(labels, json.RawMessage(doc.Raw(n)))
	}
	if labels != nil {
		one["meta"] = compose.Object{"security": labels}
	}
	source, err := bundle.Parse(append([]byte(`{"resourceType":"CommunicationRequest",`), compose.JSON(one)[1:]...))
	if err != nil {
		return bundle.Change{}, err
	}
	return r.Maker("").Update(source, fhir.Ref{Type: "CommunicationRequest", ID: id}, false)
}

// atWrite is how many resources are written in one transaction.
const atWrite = 100

// write writes changes. One that is refused, as by a legal hold, does not keep the others.
func (r *Reminders) write(ctx context.Context, changes []bundle.Change, done, refused *int) error {
	for some := range slices.Chunk(changes, atWrite) {
		_, err := r.Write(ctx, &bundle.Batch{Changes: some})
		switch c := fhir.CodeOf(err); {
		case err == nil:
			*done += len(some)
		case ctx.Err() != nil || c != fhir.Conflict && c != fhir.Unprocessable && c != fhir.Invalid && c != fhir.Forbidden:
			return err
		case len(some) == 1:
			r.Log.Warn("a reminder of a vaccination is refused", "id", some[0].Ref.ID, "error", err)
			*refused++
		default:
			for i := range some {
				if err := r.write(ctx, some[i:i+1], done, refused); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
