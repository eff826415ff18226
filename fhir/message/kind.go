package message

import (
	"context"
	"time"

	"github.com/amate-health/amate/fhir/message/hl7"
)

// Kind is a kind of message that is understood.
type Kind struct {
	Code, Trigger string // MSH-9.1 and MSH-9.2: ORU, R01
	// Map makes drafts of what a message says. Faults are told by Fail.
	Map func(m *Mapper)
	// Answer answers a query, in place of Map. What it asks of the API it asks as the
	// sender. Errors are faults of ours, or an *fhir.Error that the sender is told.
	Answer func(ctx context.Context, m *Mapper, api API) (*Reply, error)
	// Profile is what MSH-21 of the acknowledgment says; "" for nothing.
	Profile string
}

// kinds are the messages that are understood. Other files of this package add theirs.
var kinds = map[string]Kind{}

func register(all ...Kind) {
	for _, k := range all {
		kinds[k.Code+"^"+k.Trigger] = k
	}
}

// Mapper is the state of mapping one message. Its methods that are exported are for kinds
// that other packages bring.
type Mapper struct {
	sender *Sender
	tables *Tables
	msg    *hl7.Message
	now    time.Time
	drafts []Draft
	faults []*hl7.Error
	warned []*hl7.Error
	said   int // how many of warned the message alone gives rise to
	later  Later

	kin       bool              // the people of NK1 are of interest
	patient   string            // Link of the patient, once there is one
	encounter string            // Link of the encounter; "" for none
	people    map[string]string // References to practitioners, by what the message says of them
	numbered  map[string]bool   // numbers of groups
	moments   map[string]string // stamps of HL7, as FHIR writes them
}

func (m *Mapper) fail(e *hl7.Error) { m.faults = append(m.faults, e) }

// draft adds d and returns its link. One that is there already stays.
func (m *Mapper) draft(d Draft) string {
	for i := range m.drafts {
		if m.drafts[i].Type == d.Type && m.drafts[i].ID == d.ID {
			return d.Link()
		}
	}
	m.drafts = append(m.drafts, d)
	return d.Link()
}

// Map returns the drafts of what a message says, or what is wrong with it.
func Map(msg *hl7.Message, s *Sender, now time.Time) ([]Draft, []*hl7.Error) {
	m, _ := mapped(msg, s, now, nil)
	return m.drafts, m.faults
}

// mapped maps a message of a kind of this package or of more. The drafts are nil where
// there are faults.
func mapped(msg *hl7.Message, s *Sender, now time.Time, more []Kind) (*Mapper, Kind) {
	s.ready()
	m := &Mapper{sender: s, tables: &s.merged, msg: msg, now: now}
	msh := msg.First("MSH")
	if m.faults = envelope(msh); m.faults != nil {
		return m, Kind{}
	}
	kind, bad := kindOf(msh, more)
	if bad != nil {
		m.fail(bad)
		return m, kind
	}
	if kind.Map != nil {
		kind.Map(m)
	}
	if len(m.faults) > 0 {
		m.drafts, m.later = nil, nil
	}
	return m, kind
}

// kindOf returns the kind of a message.
func kindOf(msh *hl7.Segment, more []Kind) (Kind, *hl7.Error) {
	code, trigger := msh.Field(9).Text(1), msh.Field(9).Text(2)
	known := false
	for _, k := range more {
		if known = known || k.Code == code; k.Code == code && k.Trigger == trigger {
			return k, nil
		}
	}
	if kind, ok := kinds[code+"^"+trigger]; ok {
		return kind, nil
	}
	for _, k := range kinds {
		known = known || k.Code == code
	}
	if known {
		return Kind{}, msh.At(hl7.UnsupportedEvent, 9, "this event is not understood here")
	}
	return Kind{}, msh.At(hl7.UnsupportedMessage, 9, "this type of message is not understood here")
}

// envelope holds MSH to what is understood.
func envelope(msh *hl7.Segment) []*hl7.Error {
	var faults []*hl7.Error
	if msh.Field(9).Text(1) == "" {
		faults = append(faults, msh.At(hl7.RequiredField, 9, "the type of the message is missing"))
	}
	if msh.Field(10).Text(1) == "" {
		faults = append(faults, msh.At(hl7.RequiredField, 10, "the control id of the message is missing"))
	} else if len(msh.Field(10).Raw) > 199 {
		faults = append(faults, msh.At(hl7.DataType, 10, "the control id is longer than 199 bytes"))
	}
	if p := msh.Field(11).Text(1); p != "" && p != "P" && p != "T" && p != "D" {
		faults = append(faults, msh.At(hl7.UnsupportedProcess, 11, "the processing id is none of P, T and D"))
	}
	switch v := msh.Field(12).Text(1); v {
	case "", "2.3", "2.3.1", "2.4", "2.5", "2.5.1":
	default:
		faults = append(faults, msh.At(hl7.UnsupportedVersion, 12, "this version is not read here: want 2.3 to 2.5.1"))
	}
	return faults
}
