package exchange

import (
	"context"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/message"
	"github.com/amate-health/amate/fhir/message/hl7"
	"github.com/amate-health/amate/fhir/registry/immunization/dose"
)

// shot is an RXA with the segments that belong to it.
type shot struct {
	orc, rxa, rxr *hl7.Segment
	obx           []*hl7.Segment
	notes         []string
	told          dose.Told
}

// vaccinations maps a VXU^V04: the patient as ADT does, and each RXA.
func (c Config) vaccinations(m *message.Mapper) {
	msg := m.Message()
	pid := msg.First("PID")
	patient := m.Patient()
	for n, what := range map[int]string{5: "the name", 7: "the birth date"} {
		if pid != nil && pid.Field(n).Empty() {
			e := pid.At(hl7.RequiredField, n, what+" of the patient is missing")
			e.Application = hl7.MissingData
			m.Fail(e)
		}
	}
	if patient == "" {
		return
	}
	if pd1 := msg.First("PD1"); pd1.Field(12).Text(1) == "Y" {
		e := pd1.At(hl7.TableValue, 12, "the wish that the record be protected is not acted on by a message: it takes a Consent")
		e.Application = hl7.Ignored
		m.Warn(e)
	}
	shots := divide(m)
	var told []*shot
	for i := range shots {
		s := &shots[i]
		if s.rxa == nil {
			m.Fail(s.orc.At(hl7.SegmentSequence, 0, "the order has no segment RXA"))
			continue
		}
		if c.read(m, s, i) {
			told = append(told, s)
		}
	}
	m.Later(c.write(patient, told))
}

// divide parts a message into its doses.
func divide(m *message.Mapper) []shot {
	var all []shot
	segments := m.Message().Segments
	for i := range segments {
		s := &segments[i]
		n := len(all) - 1
		switch s.Name {
		case "ORC":
			all = append(all, shot{orc: s})
		case "RXA":
			if n < 0 || all[n].rxa != nil {
				m.Fail(s.At(hl7.SegmentSequence, 0, "the segment ORC before it is missing: its number says which dose it is"))
				continue
			}
			all[n].rxa = s
		case "RXR":
			if n >= 0 {
				all[n].rxr = s
			}
		case "OBX":
			if n < 0 || all[n].rxa == nil {
				m.Fail(s.At(hl7.SegmentSequence, 0, "an OBX stands before any RXA"))
				continue
			}
			all[n].obx = append(all[n].obx, s)
		case "NTE":
			if note := strings.TrimSpace(s.Field(3).Whole()); n >= 0 && note != "" {
				all[n].notes = append(all[n].notes, note)
			}
		}
	}
	return all
}

// write returns what makes the Immunizations of a message.
func (c Config) write(patient string, shots []*shot) message.Later {
	return func(ctx context.Context, k *message.Known) (more *message.More, err error) {
		more = &message.More{}
		link, before := patient, []fhir.Resource(nil)
		if k.Patient.ID != "" {
			release := c.Doses.Hold(k.Patient.ID)
			defer func() {
				if err != nil {
					release()
				}
			}()
			more.Done, link = release, k.Patient.Current().String()
			if before, err = known(ctx, k.API, k.Patient.ID); err != nil {
				return nil, err
			}
		}
		told := make([]dose.Told, len(shots))
		for i, s := range shots {
			told[i] = s.told
		}
		taken, err := c.Doses.Take(ctx, "", k.JSON, link, before, told)
		if err != nil {
			return nil, err
		}
		for i := range taken {
			t := &taken[i]
			for n := range t.Issues {
				e := shots[i].fault(&t.Issues[n])
				if e.Severity == "" {
					more.Faults = append(more.Faults, e)
				} else {
					more.Warnings = append(more.Warnings, e)
				}
			}
			if t.JSON != nil {
				more.Drafts = append(more.Drafts, message.Draft{Way: message.Put, Type: "Immunization", ID: t.Ref.ID, Version: t.Ref.Version, JSON: t.JSON})
			}
		}
		return more, nil
	}
}

// places are the fields that parameters of a dose come from.
var places = map[string]struct {
	segment string
	field   int
}{
	"vaccine": {"RXA", 5}, "product": {"RXA", 5}, "when": {"RXA", 3}, "lot": {"RXA", 15}, "expiry": {"RXA", 16}, "manufacturer": {"RXA", 17},
	"origin": {"RXA", 9}, "notDone": {"RXA", 18}, "subpotent": {"RXA", 20}, "clues": {"RXA", 11}, "performer": {"RXA", 10}, "quantity": {"RXA", 6},
	"number": {"ORC", 3}, "patient": {"PID", 7}, "site": {"RXR", 2}, "route": {"RXR", 1},
}

// fault tells a finding of a dose as HL7 does.
func (s *shot) fault(i *fhir.Issue) *hl7.Error {
	_, name, _ := strings.Cut(i.Expression, "'")
	name, _, _ = strings.Cut(name, "'")
	at := places[name]
	e := &hl7.Error{Code: hl7.DataType, Segment: at.segment, Sequence: 1, Field: at.field, Text: i.Details + " [" + i.Rule + "]", Application: hl7.IllogicalValue}
	for _, segment := range []*hl7.Segment{s.orc, s.rxa, s.rxr} {
		if segment != nil && segment.Name == at.segment {
			e.Sequence, e.Quoted = segment.Sequence, segment.Field(at.field).Raw
		}
	}
	if at.segment == "" {
		e.Segment, e.Sequence = "RXA", s.rxa.Sequence
	}
	switch i.Rule {
	case "dose-vaccine":
		e.Code, e.Application = hl7.TableValue, hl7.NotInTable
	case "dose-date", "dose-expiry":
		e.Application = hl7.InvalidDate
	case "dose-future", "dose-before-birth", "dose-deceased", "too-young", "too-old", "too-soon", "lot-expired":
		e.Application = hl7.IllogicalDate
	case "dose-unknown":
		e.Code = hl7.UnknownKey
	case "lot-missing":
		e.Code, e.Application = hl7.RequiredField, hl7.MissingData
	}
	switch i.Severity {
	case "warning":
		e.Severity = hl7.Warning
	case "information":
		e.Severity = hl7.Information
	}
	return e
}
