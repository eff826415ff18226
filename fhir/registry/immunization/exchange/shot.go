package exchange

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/message"
	"github.com/amate-health/amate/fhir/message/hl7"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/immunization/code"
	"github.com/amate-health/amate/fhir/registry/immunization/dose"
)

const (
	systemSite  = "http://terminology.hl7.org/CodeSystem/v3-ActSite"
	systemRoute = "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"
	systemType  = "http://terminology.hl7.org/CodeSystem/v2-0203"
)

const (
	noVaccine = "998"  // CVX: none was given; what counts are the observations
	noNumber  = "9999" // ORC-3 of what has no number of the sender's
)

// read reads what an RXA and its segments say, and reports whether it is of a dose.
func (c Config) read(m *message.Mapper, s *shot, index int) bool {
	t, rxa := &s.told, s.rxa
	number, remove := c.number(m, s, index), false
	switch rxa.Field(21).Text(1) {
	case "", "A", "U":
	case "D":
		remove = true
	default:
		m.Fail(rxa.At(hl7.TableValue, 21, "the action is none of A, U and D"))
	}
	if action := rxa.Field(21).Text(1); t.Number == nil && (action == "U" || action == "D") {
		m.Fail(s.orc.At(hl7.RequiredField, 3, "a dose is changed by the number under which it was told"))
	}
	if t.Remove = remove; remove {
		return true
	}
	codings, _ := m.Codings(rxa.Field(5))
	if len(codings) == 0 {
		m.Fail(missing(rxa, 5, "the vaccine is missing"))
	}
	none := false
	for _, one := range codings {
		if cvx, ok := code.CVX(one.System, one.Code); ok && cvx == noVaccine {
			none = true
		}
		t.Codes = append(t.Codes, code.Coding{System: code.System(one.System), Code: one.Code, Display: one.Display})
	}
	if t.When = m.Time(rxa, 3); t.When == "" && !none {
		m.Fail(missing(rxa, 3, "the date of the dose is missing"))
	}
	c.observations(m, s, number, none)
	if none {
		return false
	}
	c.status(m, s)
	c.product(m, s)
	c.place(m, s)
	t.Note = strings.Join(s.notes, "\n")
	return true
}

func missing(s *hl7.Segment, n int, text string) *hl7.Error {
	e := s.At(hl7.RequiredField, n, text)
	e.Application = hl7.MissingData
	return e
}

// number finds what the dose is numbered by: the filler's number, ORC-3. What has none of
// the sender's goes by the message.
func (c Config) number(m *message.Mapper, s *shot, index int) string {
	orc3 := s.orc.Field(3)
	id := m.Entity(orc3, "dose")
	switch id.Value {
	case "":
		m.Fail(missing(s.orc, 3, "the number of the dose is missing"))
		return ""
	case noNumber:
		key := "message " + m.Message().First("MSH").Field(10).Text(1) + " " + strconv.Itoa(index)
		s.told.ID = m.ID("Immunization", key)
		return key
	}
	value := id.Value
	if space := orc3.Text(2); space != "" {
		value = space + "|" + value
	}
	key := id.System + "|" + id.Value
	s.told.ID = m.ID("Immunization", key)
	// The system is the sender's own, so that nobody else's number means this dose.
	s.told.Number = compose.JSON(compose.Object{"type": compose.Concept(systemType, "FILL", ""), "system": m.Own("dose"), "value": value})
	return key
}

// status reads whether the dose was given, and by whom it is known.
func (c Config) status(m *message.Mapper, s *shot) {
	t, rxa := &s.told, s.rxa
	refusal := rxa.Field(18).Text(1)
	switch status := rxa.Field(20).Text(1); status {
	case "", "CP":
	case "PA":
		t.Partly = true
	case "RE", "NA":
		if t.Why = m.Tables().DoseRefusal[refusal]; t.Why != "" {
			break
		}
		if t.Why = dose.Unsaid; refusal == "" && status == "RE" {
			m.Fail(missing(rxa, 18, "the reason of the refusal is missing"))
		} else if refusal != "" {
			m.Fail(rxa.At(hl7.TableValue, 18, "this reason of a refusal is in no table of the sender"))
		}
	default:
		m.Fail(rxa.At(hl7.TableValue, 20, "the completion status is none of CP, PA, RE and NA"))
	}
	source := rxa.Field(9).Text(1)
	origin, ok := m.Tables().DoseSource[source]
	switch {
	case source == "" && t.Why != "": // whoever tells of a refusal was there
	case source == "":
		m.Fail(missing(rxa, 9, "the source is missing: 00 for a dose that was given by who tells of it, 01 for history"))
	case !ok:
		m.Fail(rxa.At(hl7.TableValue, 9, "this source of a dose is in no table of the sender"))
	case origin != "given":
		t.Origin = origin
	}
}

// product reads lot, manufacturer, amount, site and route.
func (c Config) product(m *message.Mapper, s *shot) {
	t, rxa := &s.told, s.rxa
	t.Lot = rxa.Field(15).Repetition(1).Text(1)
	if len(rxa.Field(15).Repetitions()) > 1 {
		e := rxa.At(hl7.DataType, 15, "only the first of several lots is recorded")
		e.Application = hl7.Ignored
		m.Warn(e)
	}
	if when := m.Time(rxa, 16); when != "" {
		t.Expiry, _, _ = strings.Cut(when, "T")
	}
	if mvx := strings.ToUpper(rxa.Field(17).Text(1)); mvx != "" {
		maker, ok := code.LookupMaker(mvx)
		if !ok {
			maker = code.Maker{Name: rxa.Field(17).Text(2)}
			if system := rxa.Field(17).Text(3); system == "" || code.System(system) == code.SystemMVX {
				maker.MVX = mvx
			}
		}
		t.Maker = maker
	}
	if amount := rxa.Field(6).Text(1); amount != "" && amount != "999" {
		if q := m.Quantity(rxa, 6); q != "" {
			t.Amount = json.RawMessage(q)
		} else {
			m.Fail(rxa.At(hl7.DataType, 6, "the amount is no number"))
		}
	}
	if s.rxr != nil {
		t.Route = concept(m, s.rxr.Field(1), systemRoute, m.Tables().DoseRoute)
		t.Site = concept(m, s.rxr.Field(2), systemSite, m.Tables().DoseSite)
	}
}

// concept reads a code that a table of the sender translates; nil for none.
func concept(m *message.Mapper, f hl7.Field, system string, table map[string]string) json.RawMessage {
	if f.Empty() {
		return nil
	}
	var all []compose.Object
	for _, at := range []int{1, 4} {
		if to := table[strings.ToUpper(f.Text(at))]; to != "" && len(all) == 0 {
			all = append(all, compose.Coding(system, to, ""))
		}
	}
	codings, display := m.Codings(f)
	for _, one := range codings {
		all = append(all, compose.Coding(one.System, one.Code, one.Display))
	}
	v := compose.Object{"coding": all}
	if display != "" {
		v["text"] = display
	}
	return compose.JSON(v)
}

// place reads who gave the dose, and where.
func (c Config) place(m *message.Mapper, s *shot) {
	t, rxa := &s.told, s.rxa
	if who := m.Practitioner(rxa.Field(10).Repetition(1)); who != "" {
		t.Who = json.RawMessage(who)
	}
	facility := rxa.Field(11).Component(4)
	names := []string{facility.Sub(1).Whole(), facility.Sub(2).Whole()}
	if t.Origin == "" && names[0] == "" && names[1] == "" { // whoever tells of it gave it
		names[0] = m.Message().First("MSH").Field(4).Text(1)
	}
	for _, name := range names {
		if to := m.Tables().Codes["facility|"+name]; to.System == identity.SystemCLUES {
			name = to.Code
		}
		if name = strings.ToUpper(strings.TrimSpace(name)); name != "" && isCLUES(name, c) {
			t.CLUES = name
			return
		}
	}
	t.Place = strings.TrimSpace(names[0])
	if t.Place == "" {
		t.Place = rxa.Field(11).Text(1)
	}
}

func isCLUES(name string, c Config) bool {
	for _, problem := range identity.Check(identity.SystemCLUES, name, c.Now()) {
		if !problem.Warning {
			return false
		}
	}
	return true
}
