package schedule

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// hold answers Appointment/$hold: keeps a slot for the caller for a few minutes, while
// they fill in a form. Nothing is booked, and no resource is written.
func (s *Service) hold(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("schedule", "start"); err != nil {
		return nil, err
	}
	a, at, err := s.wanted(ctx, call)
	if err != nil {
		return nil, err
	}
	secret, digest := s.secret()
	expires := s.Now().Add(s.HoldFor).UTC().Truncate(time.Second)
	_, err = s.arrange(ctx, a, []Span{at}, func(day sheets, others []Taken) (done arrangement, err error) {
		if a.Rules.Left(at, append(day.taken(a), others...)) == 0 {
			return done, s.full(ctx, a, at)
		}
		if holds := day.heldBy(call.Caller.Principal); holds >= mostHeldBy(&call.Caller) {
			return done, fhir.Errorf(fhir.Throttled, "you hold %d slots about that time: book one, or let them expire", holds)
		}
		day.add(taken{Schedule: a.Ref.ID, Start: at.Start, End: at.End, Hold: digest, Principal: call.Caller.Principal, Expires: expires})
		e, err := heldUntil(a, at, digest, expires)
		return arrangement{entries: []fhir.Entry{e}}, err
	})
	if err != nil {
		return nil, err
	}
	return &operation.Answer{JSON: compose.Parameters(
		compose.Part("hold", "String", secret+"."+a.Ref.ID+"."+at.Start.Format(holdLayout)),
		compose.Part("start", "Instant", at.Start.In(a.Rules.Zone).Format(time.RFC3339)),
		compose.Part("end", "Instant", at.End.In(a.Rules.Zone).Format(time.RFC3339)),
		compose.Part("expires", "Instant", expires.Format(time.RFC3339)),
	)}, nil
}

// mostHolds is how many slots of one day one account holds at a time, so that nobody
// holds a day shut.
const mostHolds = 5

// mostHeldBy is that bound for a caller: an app by itself holds for many people.
func mostHeldBy(c *operation.Caller) int {
	if c.User.ID == "" {
		return 20 * mostHolds
	}
	return mostHolds
}

// holdLayout writes the start of a slot within the name of its hold.
const holdLayout = "20060102T150405Z"

// wanted returns the slot that schedule and start name.
func (s *Service) wanted(ctx context.Context, call *operation.Call) (*Agenda, Span, error) {
	named, err := call.Reference("schedule", "Schedule")
	if err == nil && named.ID == "" {
		err = fhir.Errorf(fhir.Invalid, "the parameter schedule is needed: a reference to the Schedule")
	}
	if err != nil {
		return nil, Span{}, err
	}
	start, err := instant(call, "start")
	if err == nil && start.IsZero() {
		err = fhir.Errorf(fhir.Invalid, "the parameter start is needed: when the slot begins")
	}
	if err != nil {
		return nil, Span{}, err
	}
	a, err := s.agenda(ctx, search.Unrestricted, named.ID)
	if err != nil {
		return nil, Span{}, err
	}
	at := a.span(start)
	return a, at, s.offered(a, at)
}

// offered refuses a time that is no slot of a.
func (s *Service) offered(a *Agenda, at Span) error {
	if a.offers(at, s.Now()) {
		return nil
	}
	why := "no slot begins at this time: the agenda is closed then, or it is too soon or too far ahead"
	if at.Start.Before(s.Now()) {
		why = "this time has passed"
	}
	return &fhir.Error{Code: fhir.Unprocessable, Issues: []fhir.Issue{{
		Severity: "error", Type: "business-rule", Rule: "slot-not-offered", Details: why,
		Diagnostics: "start=" + a.wall(at.Start) + ", on the clock of the agenda; $find answers what is free", Expression: "Parameters.parameter.where(name='start')",
	}}}
}

// held reads the name of a hold: its secret, its agenda and its start.
func (s *Service) held(ctx context.Context, only *search.Restriction, text string) (digest string, a *Agenda, at Span, err error) {
	bad := fhir.Errorf(fhir.Invalid, "the parameter hold is what $hold answered with")
	parts := strings.Split(text, ".")
	if len(parts) < 3 {
		return "", nil, at, bad
	}
	// An id may have points in it.
	start, wrong := time.Parse(holdLayout, parts[len(parts)-1])
	if wrong != nil {
		return "", nil, at, bad
	}
	if a, err = s.agenda(ctx, only, strings.Join(parts[1:len(parts)-1], ".")); err != nil {
		return "", nil, at, err
	}
	return digestOf(parts[0]), a, a.span(start), nil
}

// booking is a call of $book.
type booking struct {
	patient         fhir.Ref
	reason, comment string
	virtual         bool
	series          Series           // of which this is the first
	others          []compose.Object // further participants
	waiting         *appointment     // what it was on the waiting list as; nil for nothing
	digest          string           // of the hold that it has; "" for none
}

// book answers Appointment/$book: books what was held, or a slot that is free, for a
// Patient whom the caller sees; with repeat the same time in the weeks after it too, or
// nothing.
func (s *Service) book(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("hold", "schedule", "start", "patient", "reason", "comment", "virtual", "participant", "waiting", "repeat", "every"); err != nil {
		return nil, err
	}
	k, a, at, err := s.booking(ctx, call)
	if err != nil {
		return nil, err
	}
	times, err := s.times(a, at, k.series)
	if err != nil {
		return nil, err
	}
	if err := s.within(ctx, call, k.patient, len(times)); err != nil {
		return nil, err
	}
	var ids []string
	for range times {
		ids = append(ids, s.NewID())
	}
	if k.waiting != nil {
		ids[0] = k.waiting.Ref.ID
	}
	results, err := s.arrange(ctx, a, times, func(days sheets, others []Taken) (done arrangement, err error) {
		had := days.drop(k.digest) || k.waiting != nil && days.drop(ids[0])
		if k.digest != "" && !had {
			return done, s.unheld(ctx, a, at, a.Rules.Left(at, append(days.taken(a), others...)) > 0)
		}
		for i, at := range times {
			if a.Rules.Left(at, append(days.taken(a), others...)) == 0 {
				return done, s.full(ctx, a, at)
			}
			days.add(taken{Schedule: a.Ref.ID, Start: at.Start, End: at.End, Appointment: ids[i]})
			entries, err := s.bookedBy(ctx, call, ids[i], at)
			if err != nil {
				return done, err
			}
			changes, err := s.booked(call, a, at, k, ids, i)
			if err != nil {
				return done, err
			}
			done.entries, done.changes = append(done.entries, entries...), append(done.changes, changes...)
		}
		return done, nil
	})
	if err != nil {
		return nil, err
	}
	if k.digest != "" {
		_ = s.Store.Remove(ctx, heldKind, k.digest, 0) // or else it lapses, to no effect
	}
	if len(times) > 1 {
		return collection(results), nil
	}
	return resource(results), nil
}

// booking reads a call of $book.
func (s *Service) booking(ctx context.Context, call *operation.Call) (*booking, *Agenda, Span, error) {
	k := &booking{}
	var a *Agenda
	var at Span
	waiting, err := call.Reference("waiting", "Appointment")
	if err != nil {
		return nil, nil, at, err
	}
	hold, err := call.In.Text("hold")
	if err != nil {
		return nil, nil, at, err
	}
	switch {
	case waiting.ID != "":
		if k.waiting, a, at, err = s.offeredTo(ctx, call, waiting); err == nil {
			k.patient = fhir.Ref{Type: "Patient", ID: k.waiting.patient()}
		}
	case hold != "":
		k.digest, a, at, err = s.held(ctx, search.Unrestricted, hold)
	default:
		a, at, err = s.wanted(ctx, call)
	}
	if err == nil && k.waiting == nil {
		k.patient, err = s.patient(ctx, call)
	}
	if err == nil {
		k.reason, err = call.In.Text("reason")
	}
	if err == nil {
		k.comment, err = call.In.Text("comment")
	}
	if err != nil {
		return nil, nil, at, err
	}
	virtual, err := call.In.Text("virtual")
	if err != nil {
		return nil, nil, at, err
	}
	if virtual != "" {
		if k.virtual, err = strconv.ParseBool(virtual); err != nil {
			return nil, nil, at, fhir.Errorf(fhir.Invalid, "the parameter virtual is true or false").With("%.20q", virtual)
		}
	}
	if k.series, err = series(call); err == nil && k.series.Count > 1 && k.waiting != nil {
		err = fhir.Errorf(fhir.Invalid, "the parameter repeat does not go with waiting: one slot was offered")
	}
	if err == nil {
		k.others, err = s.companions(ctx, call)
	}
	if err != nil {
		return nil, nil, at, err
	}
	return k, a, at, nil
}

// mostCompanions is how many more may take part in what is booked.
const mostCompanions = 10

// companions returns who else is to take part: whom the caller sees, and no other Patient,
// in whose record the Appointment would be.
func (s *Service) companions(ctx context.Context, call *operation.Call) (all []compose.Object, err error) {
	for _, v := range call.In.All("participant") {
		text := v.Text
		if n, _ := v.Typed(); text == "" && n != element.None {
			text = v.Doc.TextAt(n, "reference")
		}
		ref, ok := fhir.ParseRef(strings.TrimPrefix(text, call.Base+"/"))
		ref = ref.Current()
		switch {
		case !ok || ref.Type == "Patient":
			return nil, fhir.Errorf(fhir.Invalid, "the parameter participant is a reference to somebody of this server who is no Patient: an Appointment is booked for one").With("%.100q", text)
		case len(all) == mostCompanions:
			return nil, fhir.Errorf(fhir.Invalid, "the parameter participant is given %d times at most", mostCompanions)
		}
		found, err := s.one(ctx, call.Restriction, ref)
		if err != nil {
			return nil, err
		}
		if found == nil {
			return nil, fhir.Errorf(fhir.Unprocessable, "there is no such participant, or they are not shown to you").With("%s", ref)
		}
		all = append(all, compose.Object{"actor": compose.Reference(ref), "status": "needs-action"})
	}
	return all, nil
}

// virtualURL is the R5 element Appointment.virtualService, as R4 carries it.
const virtualURL = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.virtualService"

// booked returns what a booking writes of the i-th Appointment: that, the Slot, which is
// busy, and when its patient is to be reminded.
func (s *Service) booked(call *operation.Call, a *Agenda, at Span, k *booking, ids []string, i int) ([]bundle.Change, error) {
	id, o := ids[i], s.planned(a, at)
	if len(ids) > 1 {
		o["identifier"] = []compose.Object{{"system": SeriesSystem, "value": ids[0]}}
	}
	o["status"], o["created"] = "booked", s.Now().UTC().Format(time.RFC3339)
	o["participant"] = append(append([]compose.Object{{"actor": compose.Reference(k.patient), "status": "accepted"}}, o["participant"].([]compose.Object)...), k.others...)
	if k.reason != "" {
		o["reasonCode"] = []compose.Object{{"text": k.reason}}
	}
	if k.comment != "" {
		o["patientInstruction"] = k.comment
	}
	if k.virtual {
		o["extension"] = append(o["extension"].([]compose.Object), compose.Object{"url": virtualURL, "extension": []compose.Object{
			{"url": "channelType", "valueCoding": compose.Coding(base+"CodeSystem/virtual-channel", "amate-visit", "Consulta a distancia")}}})
	}
	slot := slotRef(id)
	o["slot"] = []compose.Object{compose.Reference(slot)}
	m := s.Maker(call.Base)
	var changes []bundle.Change
	add := func(c bundle.Change, err error) error {
		changes = append(changes, c)
		return err
	}
	if k.waiting != nil {
		o["id"] = id
		if err := add(update(m, compose.JSON(o), k.waiting.Ref)); err != nil {
			return nil, err
		}
	} else if err := add(create(m, o, id)); err != nil {
		return nil, err
	}
	if err := add(create(m, slotOf(a, at, "busy"), slot.ID)); err != nil {
		return nil, err
	}
	for i, before := range s.Reminders {
		if when := at.Start.Add(-before); when.After(s.Now()) {
			if err := add(create(m, reminder(k.patient, id, when, "active"), reminderID(id, i))); err != nil {
				return nil, err
			}
		}
	}
	return changes, nil
}

// slotRef refers to the Slot of an Appointment.
func slotRef(appointment string) fhir.Ref { return fhir.Ref{Type: "Slot", ID: appointment} }

func slotOf(a *Agenda, at Span, status string) compose.Object {
	return compose.Object{"resourceType": "Slot", "schedule": compose.Reference(a.Ref), "status": status,
		"start": at.Start.In(a.Rules.Zone).Format(time.RFC3339), "end": at.End.In(a.Rules.Zone).Format(time.RFC3339)}
}

// reminderID names a reminder of an Appointment.
func reminderID(appointment string, i int) string {
	return strings.TrimRight(appointment[:min(len(appointment), 60)], "-.") + "-r" + strconv.Itoa(i)
}

// reminder is the request to remind a patient of an Appointment. Who follows changes
// learns of it in time, and sends it by what means there are; it says nothing of what the
// visit is about.
func reminder(patient fhir.Ref, appointment string, when time.Time, status string) compose.Object {
	return compose.Object{
		"resourceType": "CommunicationRequest", "status": status, "subject": compose.Reference(patient),
		"category":           []compose.Object{{"coding": []compose.Object{compose.Coding("http://terminology.hl7.org/CodeSystem/communication-category", "reminder", "Reminder")}}},
		"about":              []compose.Object{compose.Reference(fhir.Ref{Type: "Appointment", ID: appointment})},
		"payload":            []compose.Object{{"contentString": "Recordatorio de su cita"}},
		"occurrenceDateTime": when.UTC().Format(time.RFC3339), "recipient": []compose.Object{compose.Reference(patient)},
	}
}
