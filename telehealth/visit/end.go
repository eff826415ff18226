package visit

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/telehealth/room"
)

// outcome is what came of a visit: statuses of the Encounter and the Appointment, the
// latter "" where it stays.
type outcome struct{ encounter, appointment string }

// outcomeOf says what came of a visit that ends at a time.
func outcomeOf(v *sheet, now time.Time) outcome {
	switch {
	case !v.Began.IsZero():
		return outcome{finished, "fulfilled"}
	case !v.cameTheirs() && now.After(v.Start):
		return outcome{cancelled, "noshow"}
	}
	return outcome{cancelled, ""}
}

// finish ends a visit, and writes what came of it.
func (s *Service) finish(ctx context.Context, v *visit, o outcome) error {
	if !v.Ended.IsZero() {
		return nil
	}
	v.Ended = s.Now().UTC()
	for _, t := range v.Seats {
		if n := len(t.Times); n > 0 && t.Times[n-1].To.IsZero() {
			t.Times[n-1].To = v.Ended
			if v.Ended.Sub(t.Seen) > s.After && t.Seen.After(t.Times[n-1].From) {
				t.Times[n-1].To = t.Seen // nobody was told of their going
			}
		}
		t.Token, t.Secret = "", ""
	}
	v.turn(o.encounter, v.Ended)
	err := s.record(ctx, v, o.appointment)
	for _, t := range v.Seats {
		t.Name = "" // it is in the Encounter
	}
	return err
}

// settle does what is to be done beside the record when a visit has ended, and then forgets
// it after a time.
func (s *Service) settle(ctx context.Context, v *visit) error {
	s.EndRoom(v.Room)
	if v.Granted {
		if err := s.Revoke(ctx, grantID(v.Room)); err != nil {
			return err
		}
	}
	_, err := s.change(ctx, v.Room, func(v *visit) error {
		if v.entry.Group == doneGroup {
			return nil
		}
		v.entry.Group, v.entry.Expires, v.moved = doneGroup, s.Now().Add(forgetting), true
		return nil
	})
	return err
}

// summary puts into an Encounter who took part, from when to when, and how well it went.
func (v *sheet) summary(m members) error {
	if !v.Began.IsZero() {
		m.set("length", compose.Object{"value": math.Round(v.Ended.Sub(v.Began).Minutes()*10) / 10, "unit": "min", "system": "http://unitsofmeasure.org", "code": "min"})
	}
	var all []map[string]json.RawMessage
	if raw, ok := m["participant"]; ok {
		if err := json.Unmarshal(raw, &all); err != nil {
			return err
		}
	}
	var attended []compose.Object
	for _, t := range v.Seats {
		if len(t.Times) == 0 {
			continue // they had a link, and never came
		}
		attended = append(attended, t.attendance())
		ref, ok := fhir.ParseRef(t.Actor)
		if !ok || ref.Type == "Patient" { // who is the subject
			continue
		}
		period := compose.JSON(compose.Object{"start": stamp(t.Times[0].From), "end": stamp(t.Times[len(t.Times)-1].To)})
		i := slices.IndexFunc(all, func(p map[string]json.RawMessage) bool {
			var individual struct{ Reference string }
			return json.Unmarshal(p["individual"], &individual) == nil && individual.Reference == t.Actor
		})
		if i >= 0 {
			all[i]["period"] = period
		} else {
			all = append(all, map[string]json.RawMessage{"individual": compose.JSON(compose.Object{"reference": t.Actor}), "period": period})
		}
	}
	if all != nil {
		m.set("participant", all)
	}
	return m.extend(AttendanceURL, attended...)
}

// attendance composes the extension that tells of somebody in a visit.
func (t *seat) attendance() compose.Object {
	who := compose.Object{"display": t.Name}
	if t.Actor != "" {
		who["reference"] = t.Actor
	}
	parts := []compose.Object{{"url": "role", "valueCode": string(t.Role)}, {"url": "who", "valueReference": who}}
	var total time.Duration
	for _, at := range t.Times {
		total += at.To.Sub(at.From)
		parts = append(parts, compose.Object{"url": "time", "valuePeriod": compose.Object{"start": stamp(at.From), "end": stamp(at.To)}})
	}
	number := func(name string, v float64, digits int) {
		parts = append(parts, compose.Object{"url": name, "valueDecimal": json.RawMessage(strconv.FormatFloat(v, 'f', digits, 64))})
	}
	parts = append(parts, compose.Object{"url": "seconds", "valueInteger": int(total.Seconds())}, compose.Object{"url": "drops", "valueInteger": t.Drops},
		compose.Object{"url": "admitted", "valueBoolean": t.Admitted})
	if t.NoVideo {
		parts = append(parts, compose.Object{"url": "audioOnly", "valueBoolean": true})
	}
	if n := float64(t.Quality.Count); n > 0 {
		number("loss", t.Quality.Loss/n, 4)
		number("worstLoss", t.Quality.WorstLoss, 4)
		number("jitter", t.Quality.Jitter/n, 1)
		number("roundTrip", t.Quality.RoundTrip/n, 1)
		parts = append(parts, compose.Object{"url": "relayed", "valueBoolean": t.Quality.Relayed})
	}
	return compose.Object{"extension": parts}
}

// end answers Encounter/[id]/$end-visit: ends the visit for everybody, and offers the draft
// of its note. Sent again, it is answered the same.
func (s *Service) end(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, "participant"); err != nil {
		return nil, err
	}
	v, err := s.called(ctx, call)
	if err != nil {
		return nil, err
	}
	if !s.isApp(call.Caller) {
		who, err := s.caller(ctx, call, &v.sheet)
		if err != nil {
			return nil, err
		}
		if who.role != room.Clinician {
			return nil, fhir.Errorf(fhir.Forbidden, "a clinician of the visit ends it")
		}
	}
	v, err = s.change(ctx, v.Room, func(v *visit) error { return s.finish(ctx, v, outcomeOf(&v.sheet, s.Now())) })
	if err == nil {
		err = s.settle(ctx, v)
	}
	if err != nil {
		return nil, err
	}
	parts := []compose.Object{compose.Part("encounter", "Reference", compose.Reference(call.Ref())), compose.Part("status", "Code", v.Status)}
	if v.Status != finished {
		why := "nobody of the patient's side was let in by $join and the page: the visit counts as not held, and has no note"
		return &operation.Answer{JSON: compose.Parameters(append(parts, compose.Part("reason", "String", why))...)}, nil
	}
	parts = append(parts, compose.Part("draft", "Url", call.Base+"/Encounter/"+call.ID+"/$draft-note?type=6.2"))
	note, err := s.draft(ctx, call)
	if err != nil {
		return nil, err
	}
	if note != nil {
		parts = append(parts, compose.Object{"name": "note", "resource": note})
	}
	return &operation.Answer{JSON: compose.Parameters(parts...)}, nil
}

// draft asks for the draft of the note of a visit, as the caller; nil where they may not
// have it.
func (s *Service) draft(ctx context.Context, call *operation.Call) (json.RawMessage, error) {
	if call.Send == nil {
		return nil, nil
	}
	answer, err := call.Send(ctx, compose.JSON(compose.Object{"resourceType": "Bundle", "type": "batch", "entry": []compose.Object{
		{"request": compose.Object{"method": "POST", "url": "Encounter/" + call.ID + "/$draft-note?type=6.2"}}}}))
	if err != nil {
		return nil, err
	}
	var b struct {
		Entry []struct {
			Resource json.RawMessage
			Response struct{ Status string }
		}
	}
	if err := json.Unmarshal(answer, &b); err != nil {
		return nil, err
	}
	if len(b.Entry) != 1 || len(b.Entry[0].Response.Status) < 3 || b.Entry[0].Response.Status[:1] != "2" {
		return nil, nil
	}
	return b.Entry[0].Resource, nil
}
