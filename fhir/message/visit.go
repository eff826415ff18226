package message

import (
	"strings"

	"github.com/amate-health/amate/fhir/message/hl7"
)

const actCode = "http://terminology.hl7.org/CodeSystem/v3-ActCode"

// visit makes the encounter of PV1. With all, what PV1 says goes to the record; else
// only an encounter that is not known yet is created. status is "" where the event does
// not say it.
func (m *Mapper) visit(all, needed bool, status string) {
	pv1 := m.msg.First("PV1")
	if pv1 == nil || m.patient == "" {
		if needed && m.patient != "" {
			m.fail(&hl7.Error{Code: hl7.SegmentSequence, Segment: "PV1", Sequence: 1, Text: "the segment PV1 is missing"})
		}
		return
	}
	number := m.cx(pv1.Field(19))
	if number.Value == "" {
		if needed {
			m.fail(pv1.At(hl7.RequiredField, 19, "the visit number is missing"))
		}
		return
	}
	if pv1.Field(19).Component(4).Raw == "" && number.System == m.local("id", "") {
		number.System = m.local("id", "visit")
	}
	d := Draft{Way: Ensure, Type: "Encounter", ID: idOf(m.sender.Name, "Encounter", number.System, number.Value), Identifiers: []Identifier{number}}
	if all {
		d.Way = Merge
	}
	d.JSON = m.encounterOf(pv1, number, status)
	m.encounter = m.draft(d)
}

func (m *Mapper) encounterOf(pv1 *hl7.Segment, number Identifier, status string) []byte {
	start, end := m.at(pv1, 44), m.at(pv1, 45)
	if status == "" {
		status = "in-progress"
		if end != "" {
			status = "finished"
		}
	}
	o := newObject("Encounter")
	o.list("identifier", identifiers(number)).text("status", status).raw("class", m.class(pv1)).reference("subject", m.patient, "")
	var people []string
	for _, as := range []struct {
		field int
		role  string
	}{{7, "ATND"}, {8, "REF"}, {9, "CON"}, {17, "ADM"}} {
		for _, f := range pv1.Field(as.field).Repetitions() {
			if who := m.practitioner(f); who != "" {
				people = append(people, inner().list("type", []string{concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", as.role, "")}).raw("individual", who).end())
			}
		}
	}
	o.list("participant", people).raw("period", period(start, end))
	if place := m.place(pv1.Field(3)); place != "" {
		o.list("location", []string{inner().raw("location", place).end()})
	}
	return o.reference("serviceProvider", m.sender.Facility, "").bytes()
}

// class returns the class of an encounter, from PV1-2.
func (m *Mapper) class(pv1 *hl7.Segment) string {
	sent := pv1.Field(2).Text(1)
	if code := m.tables.Class[strings.ToUpper(sent)]; code != "" {
		return coding(actCode, code, "")
	}
	if sent == "" {
		return coding(actCode, "AMB", "")
	}
	return coding(m.local("code", "class"), sent, "")
}

// practitioner returns a Reference to the one whom an XCN names. With a number, it is
// to a Practitioner, created where there is none; without, it says the name alone.
func (m *Mapper) practitioner(f hl7.Field) string {
	if f.Empty() {
		return ""
	}
	if who, ok := m.people[f.Raw]; ok {
		return who
	}
	name := inner().text("family", text(f.Component(2), 1)).list("given", quotedAll(f.Text(3), f.Text(4))).list("prefix", quotedAll(f.Text(6)))
	display := strings.Join(nonempty(f.Text(6), f.Text(3), f.Text(4), text(f.Component(2), 1)), " ")
	number := f.Text(1)
	who := reference("", display)
	if number != "" {
		a := f.Component(9)
		id := Identifier{m.authority(text(a, 1), text(a, 2), text(a, 3), f.Text(13)), number}
		if id.System == m.local("id", "") {
			id.System = m.local("id", "practitioner")
		}
		o := newObject("Practitioner")
		o.list("identifier", identifiers(id)).raw("active", "true")
		if n := name.end(); n != "" {
			o.list("name", []string{n})
		}
		who = reference(m.draft(Draft{
			Way: Ensure, Type: "Practitioner", ID: idOf(m.sender.Name, "Practitioner", id.System, id.Value), Identifiers: []Identifier{id}, JSON: o.bytes(),
		}), display)
	}
	if m.people == nil {
		m.people = map[string]string{}
	}
	m.people[f.Raw] = who
	return who
}

func quotedAll(texts ...string) []string {
	var out []string
	for _, t := range nonempty(texts...) {
		out = append(out, quoted(t))
	}
	return out
}

// place returns a Reference to the Location that a PL names, created where there is none.
func (m *Mapper) place(f hl7.Field) string {
	parts := nonempty(f.Text(1), f.Text(2), f.Text(3))
	if len(parts) == 0 {
		return ""
	}
	facility := text(f.Component(4), 1)
	id := Identifier{m.local("location", facility), strings.Join(parts, "-")}
	o := newObject("Location")
	o.list("identifier", identifiers(id)).text("status", "active").text("name", strings.Join(parts, " ")).text("mode", "instance")
	return reference(m.draft(Draft{
		Way: Ensure, Type: "Location", ID: idOf(m.sender.Name, "Location", id.System, id.Value), Identifiers: []Identifier{id}, JSON: o.bytes(),
	}), "")
}

// organization returns a Reference to the one that an XON names, created where there is
// none; without a number, it says the name alone.
func (m *Mapper) organization(f hl7.Field) string {
	name, number := f.Text(1), f.Text(10)
	if number == "" {
		number = f.Text(3)
	}
	if number == "" {
		return reference("", name)
	}
	a := f.Component(6)
	id := Identifier{m.authority(text(a, 1), text(a, 2), text(a, 3), f.Text(7)), number}
	if id.System == m.local("id", "") {
		id.System = m.local("id", "organization")
	}
	o := newObject("Organization")
	o.list("identifier", identifiers(id)).raw("active", "true").text("name", name)
	return reference(m.draft(Draft{
		Way: Ensure, Type: "Organization", ID: idOf(m.sender.Name, "Organization", id.System, id.Value), Identifiers: []Identifier{id}, JSON: o.bytes(),
	}), name)
}
