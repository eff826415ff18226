package record

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/document/page"
	"github.com/amate-health/amate/fhir/element"
)

// unwritten is what a draft has where its author is to write.
const unwritten = `<div xmlns="http://www.w3.org/1999/xhtml" lang="es-MX" xml:lang="es-MX"><p>Por escribir.</p></div>`

// section drafts one section, with what is known of the visit.
func (m *making) section(s *Section, custodian reference) draftSection {
	out := draftSection{Title: s.Title, Code: concept{Coding: []coding{{System: SectionSystem, Code: s.Code}}}}
	if s.LOINC != "" {
		out.Code.Coding = append(out.Code.Coding, coding{System: LOINC, Code: s.LOINC})
	}
	entries := m.entries(s)
	blocks := m.doc.show(entries)
	if text := m.words(s, custodian); text != "" {
		blocks = append(blocks, page.Text(text))
	}
	out.Text = narrativeText{"empty", unwritten}
	if len(blocks) > 0 {
		out.Text = narrativeText{"generated", xhtml(blocks)}
	}
	for _, e := range entries {
		out.Entry = append(out.Entry, reference{Reference: e.name})
	}
	return out
}

// words is the text of a section that has no entries but is known.
func (m *making) words(s *Section, custodian reference) string {
	d, visit := m.doc, m.doc.comp
	switch s.Code {
	case "motivo-de-atencion":
		return m.reasons()
	case "motivo-de-egreso":
		return d.said(d.get(visit, "hospitalization", "dischargeDisposition"))
	case "establecimiento-que-envia":
		if org := d.find(d.get(visit, "serviceProvider")); org != nil {
			return joined(", ", d.line(org), address(d, d.Get(org.node, "address")))
		}
		return custodian.Display
	}
	return ""
}

// reasons says why the patient came.
func (m *making) reasons() string {
	var all []string
	for r := range m.doc.each(m.doc.comp, "reasonCode") {
		all = append(all, m.doc.diagnosed(r))
	}
	return strings.Join(all, "; ")
}

// entries are the resources of the visit that belong into a section.
func (m *making) entries(s *Section) []*entry {
	switch s.Content {
	case Vitals:
		return m.signs(s)
	case Results:
		return m.of(func(e *entry) bool {
			return m.doc.typeOf(e.node) == "DiagnosticReport" || m.doc.typeOf(e.node) == "Observation" && !m.isSign(e.node)
		})
	case Diagnoses:
		return m.diagnoses()
	case Treatment:
		return m.of(m.ordered)
	case Administrations:
		return m.of(func(e *entry) bool { return m.doc.typeOf(e.node) == "MedicationAdministration" })
	}
	return nil
}

// undone are the statuses of a request that nobody is to act on.
var undone = []string{"cancelled", "stopped", "revoked", "draft"}

// ordered reports whether something is prescribed, or ordered to be done. A referral has a
// note of its own, which tells what was done so far.
func (m *making) ordered(e *entry) bool {
	if slices.Contains(undone, m.doc.text(e.node, "status")) {
		return false
	}
	switch m.doc.typeOf(e.node) {
	case "MedicationRequest":
		return true
	case "ServiceRequest":
		for c := range m.doc.each(e.node, "category") {
			if m.doc.coded(c, "https://github.com/amate-health/amate/fhir/CodeSystem/referral", "referral", "counter-referral") {
				return false
			}
		}
		return m.ask.kind.Clause != "6.4" && strings.HasSuffix(m.doc.text(e.node, "intent"), "order")
	}
	return false
}

// of are the resources of the visit that pick chooses, none of them entered in error.
func (m *making) of(pick func(e *entry) bool) (all []*entry) {
	for i := range m.doc.entries {
		if e := &m.doc.entries[i]; pick(e) && !m.mistaken(e) {
			all = append(all, e)
		}
	}
	return all
}

func (m *making) mistaken(e *entry) bool {
	return m.doc.text(e.node, "status") == "entered-in-error" ||
		m.doc.coded(m.doc.Get(e.node, "verificationStatus"), "http://terminology.hl7.org/CodeSystem/condition-ver-status", "entered-in-error", "refuted")
}

// isSign reports whether an Observation is of a vital sign.
func (m *making) isSign(n element.Node) bool {
	for c := range m.doc.each(n, "category") {
		if m.doc.coded(c, "http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs") {
			return true
		}
	}
	return m.measured(n) != ""
}

// measured is the LOINC code of a vital sign that has a name here, or "".
func (m *making) measured(n element.Node) string {
	for c := range m.doc.each(n, "code", "coding") {
		if code := m.doc.text(c, "code"); m.doc.text(c, "system") == LOINC && signNames[code] != "" {
			return code
		}
	}
	return ""
}

// signs are the vital signs of the visit, in the order in which they happened; but for a
// nursing sheet, which charts them all, only the last of each.
func (m *making) signs(s *Section) []*entry {
	all := m.of(func(e *entry) bool { return m.doc.typeOf(e.node) == "Observation" && m.isSign(e.node) })
	slices.SortStableFunc(all, func(a, b *entry) int { return m.compare(a, b) })
	if m.ask.kind.Nurse {
		return all
	}
	last := map[string]*entry{}
	for _, e := range all {
		last[m.measured(e.node)] = e
	}
	return slices.DeleteFunc(all, func(e *entry) bool {
		code := m.measured(e.node)
		return code != "" && last[code] != e
	})
}

// compare orders what happened by its time; what does not say it comes first.
func (m *making) compare(a, b *entry) int {
	x, y := m.doc.text(a.node, "effectiveDateTime"), m.doc.text(b.node, "effectiveDateTime")
	s, okS := instant(x)
	t, okT := instant(y)
	if okS && okT {
		return s.Compare(t)
	}
	return strings.Compare(x, y)
}

// diagnoses are those that the visit names, in its order, and then others made in it.
func (m *making) diagnoses() (all []*entry) {
	for r := range m.doc.each(m.doc.comp, "diagnosis", "condition") {
		if e := m.doc.find(r); e != nil && m.doc.typeOf(e.node) == "Condition" && !m.mistaken(e) && !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	for _, e := range m.of(func(e *entry) bool {
		return m.doc.typeOf(e.node) == "Condition" && endsIn(m.doc.text(e.node, "encounter", "reference"), m.call.Ref())
	}) {
		if !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}
