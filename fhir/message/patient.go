package message

import (
	"strings"

	"github.com/amate-health/amate/fhir/message/hl7"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// person makes the patient of PID. With all, what PID says of them goes to the record;
// else only a patient who is not known yet is created.
func (m *Mapper) person(all bool) {
	pid := m.msg.First("PID")
	if pid == nil {
		m.fail(&hl7.Error{Code: hl7.SegmentSequence, Segment: "PID", Sequence: 1, Text: "the segment PID is missing"})
		return
	}
	found, kept := m.personIDs(pid, 3)
	if len(found) == 0 {
		if len(m.faults) == 0 {
			m.fail(pid.At(hl7.RequiredField, 3, "there is no identifier that says who the patient is"))
		}
		return
	}
	d := Draft{Way: Ensure, Type: "Patient", ID: idOf(m.sender.Name, "Patient", found[0].System, found[0].Value), Identifiers: found}
	if all {
		d.Way = Merge
	}
	d.JSON, d.Clear = m.demographics(pid, append(found, kept...))
	m.patient = m.draft(d)
}

// personIDs returns the identifiers of a person in field n, the CURP first, and those
// that nobody is found by.
func (m *Mapper) personIDs(s *hl7.Segment, n int) (found, kept []Identifier) {
	for _, f := range s.Field(n).Repetitions() {
		id := m.cx(f)
		switch {
		case id.Value == "":
		case id.System == identity.SystemCURP:
			if curp, ok := m.curp(s, n, id); ok {
				found = append([]Identifier{curp}, found...)
			}
		default:
			found = append(found, id)
		}
	}
	return found, kept
}

// demographics writes the Patient that PID describes, and lists the members that it
// says have no value any more.
func (m *Mapper) demographics(pid *hl7.Segment, ids []Identifier) (json []byte, clear []string) {
	o := newObject("Patient")
	o.list("identifier", identifiers(ids...)).raw("active", "true")
	mother := text(pid.Field(6).Component(1), 1)
	var names, telecoms, addresses []string
	for _, f := range pid.Field(5).Repetitions() {
		names = append(names, m.name(f, mother))
		mother = ""
	}
	for _, n := range []int{13, 14} {
		for _, f := range pid.Field(n).Repetitions() {
			telecoms = append(telecoms, m.telecom(f))
		}
	}
	for _, f := range pid.Field(11).Repetitions() {
		addresses = append(addresses, m.address(f))
	}
	o.list("name", nonempty(names...)).list("telecom", nonempty(telecoms...))
	if sex := pid.Field(8).Text(1); sex != "" {
		gender := m.tables.Sex[strings.ToUpper(sex)]
		if gender == "" {
			m.fail(pid.At(hl7.TableValue, 8, "this sex is in no table of the sender"))
		}
		o.text("gender", gender)
	}
	o.text("birthDate", m.day(pid, 7))
	switch dead, at := pid.Field(30).Text(1), m.at(pid, 29); {
	case at != "" && dead != "N":
		o.text("deceasedDateTime", at)
	case dead == "Y":
		o.raw("deceasedBoolean", "true")
	case dead == "N":
		o.raw("deceasedBoolean", "false")
	}
	o.list("address", nonempty(addresses...))
	if m.kin {
		o.list("contact", m.contacts())
	}
	if c := pid.Field(16).Text(1); c != "" {
		if code := m.tables.Marital[strings.ToUpper(c)]; code == "UNK" {
			o.raw("maritalStatus", concept("http://terminology.hl7.org/CodeSystem/v3-NullFlavor", code, ""))
		} else if code != "" {
			o.raw("maritalStatus", concept("http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", code, ""))
		} else {
			o.raw("maritalStatus", m.concept(pid.Field(16)))
		}
	}
	for _, member := range []struct {
		field int
		name  string
	}{{5, "name"}, {7, "birthDate"}, {8, "gender"}, {11, "address"}, {13, "telecom"}, {16, "maritalStatus"}} {
		if pid.Field(member.field).Null() {
			clear = append(clear, member.name)
		}
	}
	return o.bytes(), clear
}
