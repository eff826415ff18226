package visit

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/search"
)

// start answers Appointment/[id]/$start-visit: opens the visit of an Appointment, and notes
// what was asked of the patient at its start. Called again it adds what it is told, and
// answers the same Encounter.
func (s *Service) start(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	told, err := readTold(call)
	if err != nil {
		return nil, err
	}
	a, err := s.shown(ctx, call, call.Ref())
	if err != nil {
		return nil, err
	}
	if err := s.sameCURP(ctx, a, told); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		name, err := s.roomOf(ctx, encounterID(a.ref.ID))
		switch {
		case err == nil:
			err = s.restarted(ctx, call, name, told)
		case fhir.CodeOf(err) == fhir.NotFound:
			err = s.started(ctx, call, a, told)
		}
		if code := fhir.CodeOf(err); err == nil || code != fhir.Conflict && code != fhir.Stale || err == errTaken || try == mostTries {
			if err != nil {
				return nil, err
			}
			break
		}
		if err := pause(ctx, try); err != nil {
			return nil, err
		}
	}
	if told.identity != "" {
		if err := s.vouched(ctx, call, encounterID(a.ref.ID)); err != nil {
			return nil, err
		}
	}
	r, err := s.one(ctx, everything, fhir.Ref{Type: "Encounter", ID: encounterID(a.ref.ID)})
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fhir.Errorf(fhir.Gone, "the Encounter of the visit was deleted")
	}
	return &operation.Answer{JSON: r.JSON}, nil
}

// errTaken is of an Encounter in the place of that of a visit.
var errTaken = fhir.Errorf(fhir.Conflict, "another Encounter has the id of that of the visit")

// encounterID is the id of the Encounter of an Appointment: there is one at most.
func encounterID(appointment string) string { return appointment }

// shown returns an Appointment that the caller sees.
func (s *Service) shown(ctx context.Context, call *operation.Call, ref fhir.Ref) (*appointment, error) {
	r, err := s.one(ctx, call.Restriction, ref)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fhir.Errorf(fhir.NotFound, "no such Appointment is shown to you")
	}
	return readAppointment(r)
}

// startable are the statuses of an Appointment whose visit can begin.
var startable = []string{"booked", "pending", "arrived", "checked-in"}

// started opens a visit.
func (s *Service) started(ctx context.Context, call *operation.Call, a *appointment, told *told) error {
	if !slices.Contains(startable, a.status) {
		return fhir.Errorf(fhir.Unprocessable, "an Appointment that is %s does not begin", a.status)
	}
	now := s.Now().UTC()
	v := &visit{sheet: sheet{
		Room: s.NewID(), Base: call.Base, Encounter: encounterID(a.ref.ID), Appointment: a.ref.ID, Patient: a.patient, Start: a.start.UTC(), End: a.end.UTC(), Status: planned, Since: now,
	}}
	err := s.open(&v.sheet)
	if err != nil {
		return err
	}
	if err := s.entrust(ctx, call, &v.sheet); err != nil {
		return err
	}
	o, err := s.encounter(ctx, call, v, a)
	if err != nil {
		return err
	}
	raw := members{}
	if err := json.Unmarshal(compose.JSON(o), &raw); err != nil {
		return err
	}
	if err := told.into(raw, call, now); err != nil {
		return err
	}
	for name, one := range raw {
		o[name] = one
	}
	o["resourceType"] = "Encounter"
	c, err := create(s.Maker(call.Base), o, v.Encounter)
	if err != nil {
		return err
	}
	c.IfNoneMatch = true
	value, err := json.Marshal(&v.sheet)
	if err != nil {
		return err
	}
	v.changes = append(v.changes, c)
	err = s.apply(ctx, v.changes,
		fhir.Entry{Kind: visitKind, Key: v.Room, Group: openGroup, Value: value},
		fhir.Entry{Kind: roomKind, Key: v.Encounter, Value: []byte(v.Room), Expires: s.closes(&v.sheet).Add(forgetting)})
	if code := fhir.CodeOf(err); code == fhir.Stale {
		if _, lost := s.roomOf(ctx, v.Encounter); fhir.CodeOf(lost) == fhir.NotFound {
			return errTaken
		}
	}
	return err
}

// restarted adds to a visit what was told later.
func (s *Service) restarted(ctx context.Context, call *operation.Call, name string, told *told) error {
	_, err := s.change(ctx, name, func(v *visit) error {
		if err := s.claim(&v.sheet, call); err != nil || told.nothing() {
			return err
		}
		if !v.Ended.IsZero() {
			return fhir.Errorf(fhir.Unprocessable, "the visit has ended: what was found out later belongs into its note")
		}
		return s.edited(ctx, v, fhir.Ref{Type: "Encounter", ID: v.Encounter}, func(m members) error { return told.into(m, call, s.Now().UTC()) })
	})
	return err
}

// CallURL and AttendanceURL are extensions of an Encounter.
const (
	CallURL       = base + "StructureDefinition/visit-call"
	AttendanceURL = base + "StructureDefinition/visit-attendance"
	virtualURL    = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.virtualService"
)

// encounter composes the Encounter of a visit that begins.
func (s *Service) encounter(ctx context.Context, call *operation.Call, v *visit, a *appointment) (compose.Object, error) {
	provider, err := s.staff(ctx, call, v, a)
	if err != nil {
		return nil, err
	}
	o := compose.Object{
		"status": v.Status, "class": compose.Coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "VR", "virtual"),
		"subject": compose.Reference(fhir.Ref{Type: "Patient", ID: v.Patient}), "appointment": []compose.Object{compose.Reference(a.ref)},
		"extension": []compose.Object{{"url": virtualURL, "extension": []compose.Object{
			{"url": "channelType", "valueCoding": compose.Coding(base+"CodeSystem/virtual-channel", "amate-visit", "Consulta a distancia")},
			{"url": "address", "valueUrl": s.Page(call.Base, v.Room, "")},
		}}},
	}
	if provider != "" {
		o["serviceProvider"] = compose.Object{"reference": provider}
	}
	var all []compose.Object
	for _, who := range v.Clinicians {
		all = append(all, compose.Object{"individual": compose.Object{"reference": who},
			"type": []compose.Object{compose.Concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "ATND", "attender")}})
	}
	if all != nil {
		o["participant"] = all
	}
	for name, from := range map[string]string{"reasonCode": "reasonCode", "reasonReference": "reasonReference", "basedOn": "basedOn"} {
		if n := a.doc.Get(0, from); n != element.None {
			o[name] = json.RawMessage(a.doc.AppendCompact(nil, n))
		}
	}
	for n := range a.doc.Items(0, "serviceType") {
		o["serviceType"] = json.RawMessage(a.doc.AppendCompact(nil, n))
		break
	}
	return o, nil
}

// staff finds the professionals of a visit, and the establishment that provides it: that
// of the role which the Appointment names, that for which the caller acts, or that of a
// role of theirs.
func (s *Service) staff(ctx context.Context, call *operation.Call, v *visit, a *appointment) (provider string, err error) {
	add := func(ref string) {
		if ref != "" && !slices.Contains(v.Clinicians, ref) {
			v.Clinicians = append(v.Clinicians, ref)
		}
	}
	for _, ref := range a.others {
		switch ref.Type {
		case "Practitioner":
			add(ref.String())
		case "PractitionerRole":
			r, err := s.one(ctx, everything, ref)
			if err != nil || r == nil {
				return "", cmp.Or(err, error(fhir.Errorf(fhir.Unprocessable, "who takes part is not known here").With("%s", ref)))
			}
			d, err := element.Parse(r.JSON)
			if err != nil {
				return "", err
			}
			add(d.TextAt(0, "practitioner", "reference"))
			provider = cmp.Or(provider, d.TextAt(0, "organization", "reference"))
		}
	}
	if len(v.Clinicians) == 0 {
		return "", fhir.Errorf(fhir.Unprocessable, "the Appointment names no professional: a Practitioner, or a PractitionerRole, takes part in a visit").At("Appointment.participant")
	}
	if provider == "" && call.Caller.Org != "" {
		found, err := s.all(ctx, "Organization", search.Param{Name: "identifier", Value: identity.SystemCLUES + "|" + call.Caller.Org})
		if err != nil {
			return "", err
		}
		if len(found) == 1 {
			provider = found[0].Ref.Current().String()
		}
	}
	if provider != "" {
		return provider, nil
	}
	roles, err := s.all(ctx, "PractitionerRole", search.Param{Name: "practitioner", Value: v.Clinicians[0]}, search.Param{Name: "active:not", Value: "false"})
	if err != nil || len(roles) != 1 {
		return "", err
	}
	d, err := element.Parse(roles[0].JSON)
	if err != nil {
		return "", err
	}
	return d.TextAt(0, "organization", "reference"), nil
}

// record writes how a visit stands into its Encounter, and a status into its Appointment
// unless that is "".
func (s *Service) record(ctx context.Context, v *visit, appointment string) error {
	err := s.edited(ctx, v, fhir.Ref{Type: "Encounter", ID: v.Encounter}, func(m members) error { return v.into(m) })
	if err != nil || appointment == "" {
		return err
	}
	return s.edited(ctx, v, fhir.Ref{Type: "Appointment", ID: v.Appointment}, func(m members) error {
		m.set("status", appointment)
		return nil
	})
}

// into puts status, history and period into an Encounter.
func (v *sheet) into(m members) error {
	m.set("status", v.Status)
	var history []compose.Object
	period := compose.Object{}
	for _, h := range append(v.History[:len(v.History):len(v.History)], span{Status: v.Status, From: v.Since}) {
		if h.Status == arrived || h.Status == inProgress && period["start"] == nil {
			period["start"] = stamp(h.From)
		}
		if !h.To.IsZero() {
			history = append(history, compose.Object{"status": h.Status, "period": compose.Object{"start": stamp(h.From), "end": stamp(h.To)}})
		}
	}
	if history != nil {
		m.set("statusHistory", history)
	}
	if !v.Ended.IsZero() && period["start"] != nil {
		period["end"] = stamp(v.Ended)
	}
	if len(period) > 0 {
		m.set("period", period)
	}
	if v.Ended.IsZero() {
		return nil
	}
	return v.summary(m)
}

// sameCURP holds a CURP that was shown against that of the patient.
func (s *Service) sameCURP(ctx context.Context, a *appointment, t *told) error {
	if t.curp == "" {
		return nil
	}
	_, d, err := s.person(ctx, fhir.Ref{Type: "Patient", ID: a.patient})
	if err != nil {
		return err
	}
	for i := range d.Items(0, "identifier") {
		if d.TextAt(i, "system") == identity.SystemCURP && d.TextAt(i, "value") == t.curp {
			return nil
		}
	}
	return fhir.Errorf(fhir.Unprocessable, "the CURP that was shown is not that of the patient").At("curp")
}
