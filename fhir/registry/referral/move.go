package referral

import (
	"context"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// moved is what every step of a referral has in common: it looks at it, changes it and
// writes it.
func (s *service) moved(ctx context.Context, call *operation.Call, by *step, due func(*Deadline, time.Time) time.Time, change func(*task, *writing) error) (*operation.Answer, error) {
	t, err := s.on(ctx, call, by)
	if err != nil {
		return nil, err
	}
	note, err := call.In.Text("note")
	if err != nil {
		return nil, err
	}
	w, now, until := &writing{maker: s.Maker(call.Base)}, s.Now(), time.Time{}
	if due != nil {
		until = due(s.Deadlines.of(t.d.TextAt(0, "priority")), now)
	}
	t.move(w, by.to, now, until)
	t.noted(call, note, now)
	if change != nil {
		if err := change(t, w); err != nil {
			return nil, err
		}
	}
	if err := s.finish(ctx, w, t, by.to); err != nil {
		return nil, err
	}
	return s.answered(ctx, w, t)
}

// accept answers Task/[id]/$accept-referral.
func (s *service) accept(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("note"); err != nil {
		return nil, err
	}
	return s.moved(ctx, call, &accepting, func(d *Deadline, now time.Time) time.Time { return d.Attend.after(now, s.Calendar, s.Zone) }, nil)
}

// reject answers Task/[id]/$reject-referral: why, and where else the patient may go.
func (s *service) reject(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("reason", "alternative", "note"); err != nil {
		return nil, err
	}
	why, err := call.Needed("reason", "why the patient is not taken")
	if err != nil {
		return nil, err
	}
	var others []fhir.Ref
	for _, v := range call.In.All("alternative") {
		ref, err := named(call, v, "alternative", "Organization", "HealthcareService")
		if err != nil {
			return nil, err
		}
		if _, _, err := s.one(ctx, call.Restriction, ref); err != nil {
			return nil, unknown(err, ref)
		}
		others = append(others, ref)
	}
	return s.moved(ctx, call, &rejecting, nil, func(t *task, _ *writing) error {
		t.o.set("statusReason", compose.Object{"text": why})
		for _, ref := range others {
			t.o.push("output", part("alternative", "Alternativa", "Reference", compose.Reference(ref)))
		}
		return nil
	})
}

// cancel answers Task/[id]/$cancel-referral.
func (s *service) cancel(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("reason", "note"); err != nil {
		return nil, err
	}
	why, err := call.Needed("reason", "why it is taken back")
	if err != nil {
		return nil, err
	}
	return s.moved(ctx, call, &cancelling, nil, func(t *task, _ *writing) error {
		t.o.set("statusReason", compose.Object{"text": why})
		return nil
	})
}

// standing are the statuses of an Appointment that takes place.
var standing = []string{"pending", "booked", "arrived", "fulfilled", "checked-in"}

// schedule answers Task/[id]/$schedule-referral: which Appointment the patient has. From
// its end on, the deadline of the report runs.
func (s *service) schedule(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("appointment", "note"); err != nil {
		return nil, err
	}
	ref, err := call.Reference("appointment", "Appointment")
	if err != nil {
		return nil, err
	}
	if ref.ID == "" {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter appointment is needed: the Appointment that was booked")
	}
	r, d, err := s.one(ctx, call.Restriction, ref)
	if err != nil {
		return nil, unknown(err, ref)
	}
	end, err := time.Parse(time.RFC3339Nano, d.TextAt(0, "end"))
	if err != nil || !slices.Contains(standing, d.TextAt(0, "status")) {
		return nil, fhir.Errorf(fhir.Unprocessable, "the Appointment is not booked: its status is %.20s, or it has no end", d.TextAt(0, "status")).At("Appointment.status")
	}
	report := func(dl *Deadline, now time.Time) time.Time {
		if end.After(now) {
			now = end
		}
		return dl.Report.after(now, s.Calendar, s.Zone)
	}
	return s.moved(ctx, call, &scheduling, report, func(t *task, w *writing) error {
		if !takesPart(call, d, t.patient) {
			return fhir.Errorf(fhir.Unprocessable, "the Appointment is of another patient").At("Appointment.participant")
		}
		t.o.push("output", part("appointment", "Cita", "Reference", compose.Reference(ref)))
		for n := range d.Items(0, "basedOn") {
			if on, _ := local(call, d.TextAt(n, "reference")); on == t.request {
				return nil
			}
		}
		o, err := open(r)
		if err != nil {
			return err
		}
		o.push("basedOn", compose.Reference(t.request))
		w.update(r, compose.JSON(o))
		return nil
	})
}

// takesPart reports whether a patient is a participant of an Appointment.
func takesPart(call *operation.Call, d *element.Doc, patient fhir.Ref) bool {
	for p := range d.Items(0, "participant") {
		if ref, ok := local(call, d.TextAt(p, "actor", "reference")); ok && ref == patient {
			return true
		}
	}
	return false
}

// named returns the resource that one of several values of a parameter refers to.
func named(call *operation.Call, v operation.Value, name string, types ...string) (fhir.Ref, error) {
	text := v.Text
	if n, _ := v.Typed(); text == "" && n != element.None {
		text = v.Doc.TextAt(n, "reference")
	}
	ref, ok := local(call, text)
	if !ok || !slices.Contains(types, ref.Type) {
		return ref, fhir.Errorf(fhir.Invalid, "the parameter %s refers to what cannot be there", name).With("it is %.200q, and may be of %v", text, types)
	}
	return ref, nil
}
