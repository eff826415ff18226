package message

import (
	"github.com/amate-health/amate/fhir/message/hl7"
)

// The ADT messages: who a patient is, and where their visit stands.
//
// See https://www.hl7.eu/HL7v2x/v251/std251/ch03.html.
func init() {
	visit := func(status string) func(*Mapper) {
		return func(m *Mapper) {
			m.person(true)
			m.visit(true, true, status)
		}
	}
	person := func(m *Mapper) { m.person(true) }
	register(
		Kind{Code: "ADT", Trigger: "A01", Map: visit("in-progress")},
		Kind{Code: "ADT", Trigger: "A03", Map: visit("finished")},
		Kind{Code: "ADT", Trigger: "A04", Map: visit("in-progress")},
		Kind{Code: "ADT", Trigger: "A08", Map: func(m *Mapper) {
			m.person(true)
			m.visit(true, false, "")
		}},
		Kind{Code: "ADT", Trigger: "A28", Map: person},
		Kind{Code: "ADT", Trigger: "A31", Map: person},
		Kind{Code: "ADT", Trigger: "A40", Map: mergePatients},
	)
}

// mergePatients says of the patient of each MRG that they are the one of PID before it.
func mergePatients(m *Mapper) {
	m.person(true)
	mrg := m.msg.First("MRG")
	if mrg == nil {
		m.fail(&hl7.Error{Code: hl7.SegmentSequence, Segment: "MRG", Sequence: 1, Text: "the segment MRG is missing"})
		return
	}
	found, _ := m.personIDs(mrg, 1)
	if len(found) == 0 || m.patient == "" {
		if len(m.faults) == 0 {
			m.fail(mrg.At(hl7.RequiredField, 1, "there is no identifier of the patient who is merged"))
		}
		return
	}
	for i := range m.msg.Segments {
		if s := &m.msg.Segments[i]; (s.Name == "MRG" || s.Name == "PID") && s.Sequence > 1 {
			m.fail(s.At(hl7.SegmentSequence, 0, "one message merges one patient: send one for each"))
			return
		}
	}
	prior := Draft{
		Way: Merge, Type: "Patient", ID: idOf(m.sender.Name, "Patient", found[0].System, found[0].Value), Identifiers: found,
		Retire: m.patient, Known: true,
	}
	if prior.Link() == m.patient {
		m.fail(mrg.At(hl7.DuplicateKey, 1, "a patient cannot be merged into itself"))
		return
	}
	m.draft(prior)
}
