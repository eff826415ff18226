package summary

import (
	"strings"
	"unicode/utf8"

	"github.com/amate-health/amate/fhir/element"
)

const xhtml = `<div xmlns="http://www.w3.org/1999/xhtml" lang="`

// narrative appends what a section says for people, as safe XHTML.
//
// See https://hl7.org/fhir/R4/narrative.html.
func (m *making) narrative(b []byte, at room) []byte {
	s, l := &sections[at], m.words.language
	b = append(append(append(append(b, xhtml...), m.words.tag()...), `" xml:lang="`...), m.words.tag()...)
	b = append(b, `">`...)
	if list := m.lists[at]; len(list) == 0 || list[0].blank {
		b = append(b, "<p>"...)
		b = escape(b, m.nothing(at).in(l))
		return append(b, "</p></div>"...)
	}
	b = append(b, "<table><thead><tr>"...)
	for _, h := range s.heads {
		b = append(b, "<th>"...)
		b = escape(b, h.in(l))
		b = append(b, "</th>"...)
	}
	b = append(b, "</tr></thead><tbody>"...)
	for i := range m.lists[at] {
		b = append(b, "<tr>"...)
		for _, cell := range m.cells(&m.lists[at][i]) {
			b = append(b, "<td>"...)
			b = escape(b, cell)
			b = append(b, "</td>"...)
		}
		b = append(b, "</tr>"...)
	}
	b = append(b, "</tbody></table>"...)
	if at == allergies || at == medications {
		b = m.partial(b, at)
	}
	return append(b, "</div>"...)
}

// partial says that a list may not be all, where a missing line can do harm.
func (m *making) partial(b []byte, at room) []byte {
	if !m.partly(at) {
		return b
	}
	b = append(b, "<p>"...)
	b = escape(b, phrase{
		"Es lo que puede ver quien pidió el resumen; puede haber más.",
		"This is what the requester of the summary may see; there may be more.",
	}.in(m.words.language))
	return append(b, "</p>"...)
}

// nothing says why a section is empty: that nothing is known, or is shown, is not that
// there is nothing.
func (m *making) nothing(at room) phrase {
	what := sections[at].what
	switch {
	case m.masked(at):
		return phrase{
			"Información reservada: quien pidió el resumen no puede consultar " + what.es + ". Puede haber datos.",
			"Withheld: the requester of this summary may not see " + what.en + ". There may be some.",
		}
	case m.partly(at):
		return phrase{
			"No hay información sobre " + what.es + " que pueda ver quien pidió el resumen. No significa que no exista.",
			"No information about " + what.en + " that the requester of this summary may see. This does not mean that there is none.",
		}
	}
	return phrase{
		"No se tiene información sobre " + what.es + ". No significa que no exista.",
		"No information about " + what.en + " is known. This does not mean that there is none.",
	}
}

// overview appends what the document says of itself.
func (m *making) overview(b []byte) []byte {
	d, l := m.patient.doc, m.words.language
	b = append(append(append(append(b, xhtml...), m.words.tag()...), `" xml:lang="`...), m.words.tag()...)
	b = append(b, `"><h1>`...)
	b = escape(b, title.in(l))
	b = append(b, "</h1><p>"...)
	b = escape(b, called(d))
	if born := d.TextAt(0, "birthDate"); born != "" {
		b = escape(b, phrase{". Fecha de nacimiento: ", ". Date of birth: "}.in(l)+born)
	}
	b = append(b, "</p>"...)
	if !m.call.Restriction.Open() {
		b = append(b, "<p>"...)
		b = escape(b, phrase{
			"Contiene lo que puede ver quien lo pidió, y puede no ser todo el expediente.",
			"It holds what its requester may see, which may not be the whole record.",
		}.in(l))
		b = append(b, "</p>"...)
	}
	return append(b, "</div>"...)
}

var title = phrase{"Resumen clínico internacional del paciente", "International Patient Summary"}

// called is the name of a person: the official one, else the first.
func called(d *element.Doc) string {
	name := ""
	each(d, 0, "name", func(n element.Node) {
		if name != "" && d.TextAt(n, "use") != "official" {
			return
		}
		if s := d.TextAt(n, "text"); s != "" {
			name = s
			return
		}
		var parts []string
		each(d, n, "given", func(g element.Node) {
			if d.Kind(g) == element.String {
				parts = append(parts, d.Text(g))
			}
		})
		if s := strings.Join(append(parts, d.TextAt(n, "family")), " "); strings.TrimSpace(s) != "" {
			name = strings.TrimSpace(s)
		}
	})
	return name
}

// escape appends text to XHTML. Characters that XML does not have are left out.
func escape(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '"':
			b = append(b, "&quot;"...)
		case r < 0x20 && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF:
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}
