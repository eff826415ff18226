package record

import (
	"html"
	"strings"

	"github.com/amate-health/amate/fhir/document/page"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/identity"
)

// show turns coded entries into blocks that people read: tables of what was measured and
// of what was prescribed, and a line for anything else.
func (d *document) show(entries []*entry) []page.Block {
	measured := page.Table{Head: []string{"Estudio o signo", "Resultado", "Fecha y hora"}, RowHeads: true}
	prescribed := page.Table{Head: []string{"Medicamento", "Dosis", "Vía", "Frecuencia"}, RowHeads: true}
	given := page.Table{Head: []string{"Medicamento", "Cantidad", "Vía", "Fecha y hora"}, RowHeads: true}
	list := page.List{}
	for _, e := range entries {
		switch d.typeOf(e.node) {
		case "Observation":
			measured.Rows = append(measured.Rows, []string{d.observed(e.node), d.valueOf(e.node), d.moment(e.node)})
		case "MedicationRequest":
			prescribed.Rows = append(prescribed.Rows, d.prescription(e)...)
		case "MedicationAdministration":
			given.Rows = append(given.Rows, []string{
				d.medication(e), d.amountOf(d.get(e.node, "dosage", "dose")), d.said(d.get(e.node, "dosage", "route")), d.moment(e.node),
			})
		default:
			if text := d.line(e); text != "" {
				list.Items = append(list.Items, []page.Span{{Text: text}})
			}
		}
	}
	var blocks []page.Block
	for _, t := range []page.Table{measured, prescribed, given} {
		if len(t.Rows) > 0 {
			blocks = append(blocks, t)
		}
	}
	if len(list.Items) > 0 {
		blocks = append(blocks, list)
	}
	return blocks
}

// prescription returns a row for each dosage of a MedicationRequest.
func (d *document) prescription(e *entry) [][]string {
	name := d.medication(e)
	var rows [][]string
	for dose := range d.each(e.node, "dosageInstruction") {
		amount := d.amountOf(d.get(dose, "doseAndRate", "doseQuantity"))
		if r := d.get(dose, "doseAndRate", "doseRange"); r != element.None {
			amount = d.amountOf(d.Get(r, "low")) + " a " + d.amountOf(d.Get(r, "high"))
		}
		how := d.rhythm(dose)
		if text := d.text(dose, "text"); amount == "" && how == "" {
			how = text
		} else if extra := d.text(dose, "patientInstruction"); extra != "" {
			how += "; " + extra
		}
		rows = append(rows, []string{name, amount, d.said(d.Get(dose, "route")), how})
	}
	if rows == nil {
		rows = [][]string{{name, "", "", ""}}
	}
	return rows
}

// medication names what a request, an administration or a statement is of.
func (d *document) medication(e *entry) string {
	if text := d.said(d.Get(e.node, "medicationCodeableConcept")); text != "" {
		return text
	}
	ref := d.Get(e.node, "medicationReference")
	if m := d.find(ref); m != nil {
		return d.said(d.Get(m.node, "code"))
	}
	return d.text(ref, "display")
}

// periods are UCUM units of time in Spanish, one and several.
var periods = map[string][2]string{
	"s": {"segundo", "segundos"}, "min": {"minuto", "minutos"}, "h": {"hora", "horas"}, "d": {"día", "días"},
	"wk": {"semana", "semanas"}, "mo": {"mes", "meses"}, "a": {"año", "años"},
}

// rhythm says how often: "1 vez cada 8 horas, durante 7 días".
func (d *document) rhythm(dose element.Node) string {
	repeat := d.get(dose, "timing", "repeat")
	var parts []string
	times, period, unit := d.text(repeat, "frequency"), d.text(repeat, "period"), d.text(repeat, "periodUnit")
	if times == "" && period != "" {
		times = "1"
	}
	switch {
	case times == "1" && period != "":
		parts = append(parts, "cada "+span(period, unit))
	case times != "" && period != "":
		parts = append(parts, times+" veces cada "+span(period, unit))
	case times != "":
		parts = append(parts, times+" veces")
	}
	if parts == nil {
		if text := d.said(d.get(dose, "timing", "code")); text != "" {
			parts = append(parts, text)
		}
	}
	if n := d.text(repeat, "boundsDuration", "value"); n != "" {
		parts = append(parts, "durante "+span(n, d.text(repeat, "boundsDuration", "code")))
	}
	if text := d.said(d.Get(dose, "asNeededCodeableConcept")); text != "" {
		parts = append(parts, "en caso necesario: "+text)
	} else if d.text(dose, "asNeededBoolean") == "true" {
		parts = append(parts, "en caso necesario")
	}
	return strings.Join(parts, ", ")
}

func span(n, unit string) string {
	words, ok := periods[unit]
	switch {
	case !ok:
		return strings.TrimSpace(n + " " + unit)
	case n == "1":
		return words[0]
	}
	return n + " " + words[1]
}

// line says what a resource is in one line.
func (d *document) line(e *entry) string {
	n := e.node
	switch d.typeOf(n) {
	case "Condition":
		text := d.diagnosed(d.Get(n, "code"))
		if d.coded(d.Get(n, "clinicalStatus"), "http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved", "inactive", "remission") {
			text += " (resuelto)"
		}
		return text
	case "Practitioner":
		text := d.name(d.get(n, "name"))
		if c := d.cedula(n); c != "" {
			text += ", cédula profesional " + c
		}
		return text
	case "PractitionerRole":
		if p := d.find(d.Get(n, "practitioner")); p != nil {
			return d.line(p)
		}
		return d.said(d.Get(n, "code"))
	case "Patient", "RelatedPerson", "Person":
		return d.name(d.get(n, "name"))
	case "Organization", "Location":
		text := d.text(n, "name")
		if clues := d.identifier(n, identity.SystemCLUES); clues != "" {
			text += " (CLUES " + clues + ")"
		}
		return text
	case "Immunization":
		return joined(": ", d.said(d.Get(n, "vaccineCode")), d.moment(n))
	case "DiagnosticReport":
		return joined(": ", d.said(d.Get(n, "code")), joined(" — ", d.text(n, "conclusion"), d.moment(n)))
	case "MedicationStatement":
		return joined(": ", d.medication(e), d.text(n, "dosage", "text"))
	case "DocumentReference", "Composition":
		return joined(" — ", joined(": ", d.said(d.Get(n, "type")), d.text(n, "title")), d.moment(n))
	}
	text := d.said(d.Get(n, "code"))
	if text == "" {
		text = d.said(d.Get(n, "type"))
	}
	if text == "" {
		text = d.text(n, "description")
	}
	if text == "" {
		return plain(d.text(n, "text", "div"))
	}
	return joined(" — ", text, d.moment(n))
}

// joined puts sep between those texts that say something.
func joined(sep string, texts ...string) string {
	var all []string
	for _, t := range texts {
		if t != "" {
			all = append(all, t)
		}
	}
	return strings.Join(all, sep)
}

// xhtml writes blocks as the div of a Narrative; narrative reads them back.
func xhtml(blocks []page.Block) string {
	var b strings.Builder
	b.WriteString(`<div xmlns="http://www.w3.org/1999/xhtml" lang="es-MX" xml:lang="es-MX">`)
	for _, block := range blocks {
		switch t := block.(type) {
		case page.Paragraph:
			b.WriteString("<p>")
			writeSpans(&b, t.Spans)
			b.WriteString("</p>")
		case page.List:
			name := map[bool]string{true: "ol", false: "ul"}[t.Ordered]
			b.WriteString("<" + name + ">")
			for _, item := range t.Items {
				b.WriteString("<li>")
				writeSpans(&b, item)
				b.WriteString("</li>")
			}
			b.WriteString("</" + name + ">")
		case page.Table:
			writeTable(&b, &t)
		}
	}
	b.WriteString("</div>")
	return b.String()
}

func writeSpans(b *strings.Builder, spans []page.Span) {
	for _, s := range spans {
		text := strings.ReplaceAll(html.EscapeString(s.Text), "\n", "<br/>")
		if s.Italic {
			text = "<i>" + text + "</i>"
		}
		if s.Bold {
			text = "<b>" + text + "</b>"
		}
		b.WriteString(text)
	}
}

func writeTable(b *strings.Builder, t *page.Table) {
	b.WriteString("<table>")
	if t.Caption != "" {
		b.WriteString("<caption>" + html.EscapeString(t.Caption) + "</caption>")
	}
	row := func(cells []string, heads int) {
		b.WriteString("<tr>")
		for i, c := range cells {
			tag := "td"
			if i < heads {
				tag = "th"
			}
			b.WriteString("<" + tag + ">" + strings.ReplaceAll(html.EscapeString(c), "\n", "<br/>") + "</" + tag + ">")
		}
		b.WriteString("</tr>")
	}
	b.WriteString("<thead>")
	row(t.Head, len(t.Head))
	b.WriteString("</thead><tbody>")
	for _, r := range t.Rows {
		row(r, map[bool]int{true: 1}[t.RowHeads])
	}
	b.WriteString("</tbody></table>")
}
