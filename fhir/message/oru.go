package message

import (
	"crypto/sha256"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/message/hl7"
)

// Results: patient, visit, and for each OBR an order, a report and its observations.
//
// See https://www.hl7.eu/HL7v2x/v251/std251/ch07.html.
func init() {
	register(Kind{Code: "ORU", Trigger: "R01", Map: results})
}

// group is an OBR with the segments that belong to it.
type group struct {
	orc, obr *hl7.Segment
	notes    []string // of the order
	results  []result
	specimen []*hl7.Segment // SPM

	number     string            // what its resources are numbered by
	digest     [sha256.Size]byte // of the sender and that
	filler     Identifier
	placer     Identifier
	order      string // Link of the ServiceRequest
	sample     string // Link of the Specimen; "" for none
	category   string
	performers []string
	forms      []string       // Attachments of the report
	codes      map[string]int // how often a code came
	seen       []string       // Links of the observations
}

// result is an OBX with its notes.
type result struct {
	obx   *hl7.Segment
	notes []string
	more  []string // further lines of its text
}

func results(m *Mapper) {
	m.person(false)
	if m.patient == "" {
		return
	}
	m.visit(false, false, "")
	groups := m.groups()
	if len(groups) == 0 && len(m.faults) == 0 {
		m.fail(&hl7.Error{Code: hl7.SegmentSequence, Segment: "OBR", Sequence: 1, Text: "the segment OBR is missing"})
	}
	for i := range groups {
		m.group(&groups[i], i)
	}
}

// groups divides the message.
func (m *Mapper) groups() []group {
	var all []group
	var orc *hl7.Segment
	for i := range m.msg.Segments {
		s := &m.msg.Segments[i]
		switch s.Name {
		case "ORC":
			orc = s
		case "OBR":
			all = append(all, group{orc: orc, obr: s})
			orc = nil
		case "OBX", "SPM", "NTE":
			if len(all) == 0 {
				if s.Name == "OBX" {
					m.fail(s.At(hl7.SegmentSequence, 0, "an OBX stands before any OBR"))
				}
				continue // a note on the patient
			}
			all[len(all)-1].take(s)
		}
	}
	return all
}

func (g *group) take(s *hl7.Segment) {
	switch s.Name {
	case "SPM":
		g.specimen = append(g.specimen, s)
	case "OBX":
		g.results = append(g.results, result{obx: s})
	case "NTE":
		note := noteOf(s)
		if note == "" {
			return
		}
		if n := len(g.results); n > 0 {
			g.results[n-1].notes = append(g.results[n-1].notes, note)
		} else {
			g.notes = append(g.notes, note)
		}
	}
}

// noteOf returns the text of an NTE, its repetitions as lines.
func noteOf(s *hl7.Segment) string {
	var lines []string
	for _, f := range s.Field(3).Repetitions() {
		lines = append(lines, f.Whole())
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// annotations writes notes as Annotations.
func annotations(notes []string) []string {
	if len(notes) == 0 {
		return nil
	}
	return []string{inner().text("text", strings.Join(notes, "\n")).end()}
}

// group makes the resources of one OBR.
func (m *Mapper) group(g *group, index int) {
	m.numbers(g, index)
	g.category = m.tables.Sections[strings.ToUpper(g.obr.Field(24).Text(1))]
	if g.category == "" {
		g.category = "laboratory"
	}
	g.performers = nonempty(reference(m.sender.Facility, ""))
	m.specimen(g)
	m.serviceRequest(g)
	g.joinTexts()
	for i := range g.results {
		m.result(g, &g.results[i])
	}
	m.report(g)
}

// numbers finds what the resources of g are numbered by: the filler's number, or else
// the placer's. A group without either goes by the message.
func (m *Mapper) numbers(g *group, index int) {
	g.filler, g.placer = m.ei(g.obr.Field(3), "filler"), m.ei(g.obr.Field(2), "placer")
	if g.orc != nil {
		if g.filler.Value == "" {
			g.filler = m.ei(g.orc.Field(3), "filler")
		}
		if g.placer.Value == "" {
			g.placer = m.ei(g.orc.Field(2), "placer")
		}
	}
	code := g.obr.Field(4).Text(1)
	switch {
	case g.filler.Value != "":
		g.number = g.filler.System + "|" + g.filler.Value
	case g.placer.Value != "":
		g.number = "placer " + g.placer.System + "|" + g.placer.Value
	default:
		g.number = "message " + m.msg.First("MSH").Field(10).Text(1) + " " + strconv.Itoa(index)
	}
	if m.shared(g) {
		g.number += "|" + code // several OBR of one order: a panel each
	}
	if m.numbered[g.number] {
		g.number += "|" + strconv.Itoa(index)
	}
	if m.numbered == nil {
		m.numbered = map[string]bool{}
	}
	m.numbered[g.number] = true
	g.digest = digestOf(m.sender.Name, "order", g.number)
	if g.obr.Field(4).Empty() {
		m.fail(g.obr.At(hl7.RequiredField, 4, "what was examined is missing"))
	}
}

// shared reports whether another OBR of the message has the same number as g.
func (m *Mapper) shared(g *group) bool {
	same := 0
	for i := range m.msg.Segments {
		if s := &m.msg.Segments[i]; s.Name == "OBR" && s.Field(3).Raw == g.obr.Field(3).Raw && s.Field(2).Raw == g.obr.Field(2).Raw {
			same++
		}
	}
	return same > 1 && (g.filler.Value != "" || g.placer.Value != "")
}

// specimen makes the Specimen of SPM, or of OBR-15, which came before it.
func (m *Mapper) specimen(g *group) {
	kind, collected, received := g.obr.Field(15), m.at(g.obr, 7), m.at(g.obr, 14)
	id := Identifier{}
	if len(g.specimen) > 0 {
		spm := g.specimen[0]
		kind = spm.Field(4)
		id = m.specimenID(spm.Field(2))
		if t, ok := m.moment(spm.Field(17)); ok && t != "" {
			collected = t
		}
		if t := m.at(spm, 18); t != "" {
			received = t
		}
	}
	if kind.Empty() {
		return
	}
	what := m.concept(kind)
	if sub := kind.Component(1); len(g.specimen) == 0 && strings.IndexByte(sub.Raw, m.msg.Encoding.Sub) >= 0 {
		what = inner().list("coding", nonempty(coding(m.specimenSystem(text(sub, 3)), text(sub, 1), text(sub, 2)))).text("text", text(sub, 2)).end()
	}
	d := Draft{Way: Put, Type: "Specimen", ID: idIn(g.digest, "Specimen")}
	o := newObject("Specimen").text("id", d.ID)
	o.list("identifier", identifiers(id)).raw("type", what).reference("subject", m.patient, "").text("receivedTime", received)
	o.raw("collection", inner().text("collectedDateTime", collected).end())
	d.JSON = o.bytes()
	g.sample = m.draft(d)
}

// specimenID reads SPM-2, an EIP: the placer's number and the filler's.
func (m *Mapper) specimenID(f hl7.Field) Identifier {
	for _, n := range []int{2, 1} {
		c := f.Component(n)
		if v := text(c, 1); v != "" {
			return Identifier{m.authority(text(c, 2), text(c, 3), text(c, 4), "specimen"), v}
		}
	}
	return Identifier{}
}

func (m *Mapper) specimenSystem(name string) string {
	if s := m.tables.Systems[strings.ToUpper(name)]; s != "" {
		return s
	}
	return m.local("code", name)
}

// serviceRequest makes the order. One that was placed otherwise, by its placer's number,
// stays as who placed it has it.
func (m *Mapper) serviceRequest(g *group) {
	status := ""
	if g.orc != nil {
		status = m.tables.OrderStatus[g.orc.Field(5).Text(1)]
	}
	if status == "" {
		status = "active"
		switch m.tables.ReportStatus[g.obr.Field(25).Text(1)] {
		case "final", "corrected", "amended":
			status = "completed"
		case "cancelled":
			status = "revoked"
		}
	}
	d := Draft{Way: Put, Type: "ServiceRequest", ID: idIn(g.digest, "ServiceRequest")}
	if g.placer.Value != "" {
		d.Way, d.Identifiers, d.Patient = Prefer, []Identifier{g.placer}, m.patient
	}
	o := newObject("ServiceRequest").text("id", d.ID)
	o.list("identifier", orderIDs(g)).text("status", status).text("intent", "order").raw("code", m.concept(g.obr.Field(4))).
		reference("subject", m.patient, "").reference("encounter", m.encounter, "")
	authored := ""
	if g.orc != nil {
		authored = m.at(g.orc, 9)
	}
	if authored == "" {
		authored = m.at(g.obr, 6)
	}
	o.text("authoredOn", authored)
	requester := m.practitioner(g.obr.Field(16).Repetition(1))
	if requester == "" && g.orc != nil {
		requester = m.practitioner(g.orc.Field(12).Repetition(1))
	}
	o.raw("requester", requester)
	var reasons []string
	for _, f := range g.obr.Field(31).Repetitions() {
		reasons = append(reasons, m.concept(f))
	}
	o.list("reasonCode", nonempty(reasons...))
	if g.sample != "" {
		o.list("specimen", []string{reference(g.sample, "")})
	}
	d.JSON = o.list("note", annotations(g.notes)).bytes()
	g.order = m.draft(d)
}

const idTypes = "http://terminology.hl7.org/CodeSystem/v2-0203"

func orderIDs(g *group) []string {
	var out []string
	for _, of := range []struct {
		id   Identifier
		kind string
	}{{g.placer, "PLAC"}, {g.filler, "FILL"}} {
		if of.id.Value != "" {
			out = append(out, inner().raw("type", concept(idTypes, of.kind, "")).text("system", of.id.System).text("value", of.id.Value).end())
		}
	}
	return out
}

// report makes the DiagnosticReport.
func (m *Mapper) report(g *group) {
	sent := g.obr.Field(25).Text(1)
	status := m.tables.ReportStatus[sent]
	if status == "" {
		status = "unknown"
		if sent == "" {
			status = "final"
		}
	}
	d := Draft{Way: Put, Type: "DiagnosticReport", ID: idIn(g.digest, "DiagnosticReport")}
	o := newObject("DiagnosticReport").text("id", d.ID)
	o.list("identifier", orderIDs(g)).list("basedOn", []string{reference(g.order, "")}).text("status", status)
	category := concept("http://terminology.hl7.org/CodeSystem/observation-category", g.category, "")
	if section := g.obr.Field(24).Text(1); section != "" {
		category = inner().list("coding", []string{coding("http://terminology.hl7.org/CodeSystem/v2-0074", section, ""),
			coding("http://terminology.hl7.org/CodeSystem/observation-category", g.category, "")}).end()
	}
	o.list("category", []string{category}).raw("code", m.concept(g.obr.Field(4))).reference("subject", m.patient, "").reference("encounter", m.encounter, "")
	start, end := m.at(g.obr, 7), m.at(g.obr, 8)
	if start != "" && end != "" {
		o.raw("effectivePeriod", period(start, end))
	} else {
		o.text("effectiveDateTime", start)
	}
	o.text("issued", m.instant(g.obr, 22)).list("performer", g.performers)
	if who := m.interpreter(g.obr.Field(32)); who != "" {
		o.list("resultsInterpreter", []string{who})
	}
	if g.sample != "" {
		o.list("specimen", []string{reference(g.sample, "")})
	}
	var links []string
	for _, l := range g.seen {
		links = append(links, reference(l, ""))
	}
	d.JSON = o.list("result", links).list("presentedForm", g.forms).bytes()
	m.draft(d)
}

// interpreter reads OBR-32, an NDL, whose first component is the person.
func (m *Mapper) interpreter(f hl7.Field) string {
	c := f.Component(1)
	if c.Raw == "" {
		return ""
	}
	if !strings.ContainsRune(c.Raw, rune(m.msg.Encoding.Sub)) {
		return m.practitioner(f)
	}
	display := strings.Join(nonempty(text(c, 3), text(c, 2)), " ")
	return reference("", display)
}
