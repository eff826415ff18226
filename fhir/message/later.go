package message

import (
	"context"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/message/hl7"
)

// Later makes the rest of the drafts of a message once it is known who the patient is. It
// may be called again, where something else changed meanwhile. A message with a Later has
// a transaction of its own. Errors: those of the API; a message that is at fault is told
// so by More.
type Later func(ctx context.Context, k *Known) (*More, error)

// Known is what is known when Later is called.
type Known struct {
	API     API      // acts as the sender, by the context
	Patient fhir.Ref // zero for one whom the message brings
	JSON    []byte   // the Patient as it will be
}

// More is what a Later makes.
type More struct {
	Drafts   []Draft // by Put
	Faults   []*hl7.Error
	Warnings []*hl7.Error
	Done     func() // is called when the transaction is over; nil for nothing
}

// late calls the Later of a unit, and decides what becomes of its drafts.
func (p *Processor) late(ctx context.Context, t *transaction, u *unit, entries []entry, links map[string]string) ([]entry, []*hl7.Error, error) {
	k := &Known{API: p.API}
	ref := links[u.mapped.patient]
	if at, ok := fhir.ParseRef(ref); ok {
		k.Patient = at
	}
	for i := range entries {
		if d := entries[i].draft; d.Type == "Patient" && d.Link() == u.mapped.patient {
			k.JSON = entries[i].json
		}
	}
	if k.JSON == nil { // nothing is written of them
		for _, d := range u.drafts {
			one, fault, err := p.match(ctx, &d, t.found)
			if fault != nil || err != nil {
				return nil, nil, err
			}
			if d.Link() == u.mapped.patient && one != nil {
				k.JSON = one.json
			}
		}
	}
	if u.release != nil {
		u.release()
		u.release = nil
	}
	more, err := u.mapped.later(ctx, k)
	if err != nil {
		return nil, nil, err
	}
	u.release = more.Done
	if len(more.Faults) > 0 {
		return nil, more.Faults, nil
	}
	u.mapped.warned = append(u.mapped.warned[:u.mapped.said:u.mapped.said], more.Warnings...)
	var all []entry
	for i := range more.Drafts {
		e, fault, err := p.entry(ctx, t, u, &more.Drafts[i], links)
		if err != nil {
			return nil, nil, err
		}
		if fault != nil {
			return nil, []*hl7.Error{fault}, nil
		}
		if e != nil {
			all = append(all, *e)
		}
	}
	return all, nil, nil
}

// Message returns the message.
func (m *Mapper) Message() *hl7.Message { return m.msg }

// Sender returns who sent it.
func (m *Mapper) Sender() *Sender { return m.sender }

// Tables returns what codes mean: those of the sender before the default.
func (m *Mapper) Tables() *Tables { return m.tables }

// Fail notes a fault, with which nothing of the message is written.
func (m *Mapper) Fail(e *hl7.Error) { m.fail(e) }

// Warn notes what the acknowledgment tells of a message that is written.
func (m *Mapper) Warn(e *hl7.Error) {
	e.Severity = hl7.Warning
	m.warned = append(m.warned, e)
	m.said = len(m.warned)
}

// Later has the rest of the message made once the patient is known.
func (m *Mapper) Later(f Later) { m.later = f }

// Patient makes the patient of PID, with the people of NK1, and returns their link, ""
// where there is a fault.
func (m *Mapper) Patient() string {
	m.kin = true
	m.person(true)
	return m.patient
}

// PatientIDs returns the identifiers of field n of s that a patient is found by, the CURP
// first.
func (m *Mapper) PatientIDs(s *hl7.Segment, n int) []Identifier {
	found, _ := m.personIDs(s, n)
	return found
}

// Entity reads an entity identifier, an EI.
func (m *Mapper) Entity(f hl7.Field, kind string) Identifier { return m.ei(f, kind) }

// Own returns a system of identifiers, or of codes, of the sender's own.
func (m *Mapper) Own(kind string) string { return m.local(kind, "") }

// ID returns an id that follows from the sender and what is given.
func (m *Mapper) ID(parts ...string) string {
	return idOf(append([]string{m.sender.Name}, parts...)...)
}

// Codings returns the codings of a CE or CWE, those that they map to first, and its text.
func (m *Mapper) Codings(f hl7.Field) (all []Coding, display string) { return m.codingsOf(f) }

// Concept returns a CE or CWE as a CodeableConcept, "" for none.
func (m *Mapper) Concept(f hl7.Field) string { return m.concept(f) }

// Practitioner returns a Reference to the one whom an XCN names, "" for none. With a
// number they are created where there is none.
func (m *Mapper) Practitioner(f hl7.Field) string { return m.practitioner(f) }

// Time reads field n of s as a date or dateTime of FHIR, and notes a fault where it is
// none.
func (m *Mapper) Time(s *hl7.Segment, n int) string { return m.at(s, n) }

// Value returns value[x] of the Observation that an OBX is: its name, and its JSON or "".
func (m *Mapper) Value(obx *hl7.Segment) (name, json string) { return m.value(&result{obx: obx}) }

// Quantity returns the amount of field n of s, in the unit of the field after it, "" where
// it is no number.
func (m *Mapper) Quantity(s *hl7.Segment, n int) string {
	number := decimalOf(s.Field(n).Text(1))
	if number == "" {
		return ""
	}
	o := inner().raw("value", number)
	if !s.Field(n + 1).Empty() {
		m.unit(o, s.Field(n+1))
	}
	return o.end()
}

// PersonFields says in which fields of a segment a person is told of.
type PersonFields struct{ Name, Mother, Birth, Sex, Address, Phone int }

// Person returns a person whom a query asks for as a Patient, with identifiers.
func (m *Mapper) Person(s *hl7.Segment, at PersonFields, ids []Identifier) []byte {
	o := newObject("Patient").list("identifier", identifiers(ids...))
	last := text(s.Field(at.Mother).Component(1), 1)
	var names, addresses, telecoms []string
	for _, f := range s.Field(at.Name).Repetitions() {
		names = append(names, m.name(f, last))
	}
	for _, f := range s.Field(at.Address).Repetitions() {
		addresses = append(addresses, m.address(f))
	}
	for _, f := range s.Field(at.Phone).Repetitions() {
		telecoms = append(telecoms, m.telecom(f))
	}
	o.list("name", nonempty(names...)).list("telecom", nonempty(telecoms...))
	o.text("gender", m.tables.Sex[strings.ToUpper(s.Field(at.Sex).Text(1))])
	o.text("birthDate", m.day(s, at.Birth))
	return o.list("address", nonempty(addresses...)).bytes()
}

// contacts returns the people of NK1 as Patient.contact.
func (m *Mapper) contacts() []string {
	var all []string
	for i := range m.msg.Segments {
		nk1 := &m.msg.Segments[i]
		if nk1.Name != "NK1" {
			continue
		}
		o := inner()
		if kin := m.tables.Kin[strings.ToUpper(nk1.Field(3).Text(1))]; kin != "" {
			o.list("relationship", []string{concept("http://terminology.hl7.org/CodeSystem/v3-RoleCode", kin, "")})
		} else if !nk1.Field(3).Empty() {
			o.list("relationship", []string{m.concept(nk1.Field(3))})
		}
		o.raw("name", m.name(nk1.Field(2).Repetition(1), ""))
		var telecoms []string
		for _, f := range nk1.Field(5).Repetitions() {
			telecoms = append(telecoms, m.telecom(f))
		}
		o.list("telecom", nonempty(telecoms...)).raw("address", m.address(nk1.Field(4).Repetition(1)))
		all = append(all, nonempty(o.end())...)
	}
	return all
}

// Draft adds a draft. One of its type and id that is there already stays.
func (m *Mapper) Draft(d Draft) string { return m.draft(d) }

// Link returns how drafts refer to the patient; "" before Patient.
func (m *Mapper) Link() string { return m.patient }
