package record

import (
	"github.com/amate-health/amate/fhir/document/page"
	"github.com/amate-health/amate/fhir/element"
)

// emptyReasons are the words for http://terminology.hl7.org/CodeSystem/list-empty-reason.
var emptyReasons = map[string]string{
	"nilknown": "Nada que referir", "notasked": "No se preguntó", "withheld": "Información reservada",
	"unavailable": "Información no disponible", "notstarted": "Aún sin elaborar", "closed": "Apartado cerrado",
}

// sections shows the sections below n under headings of a level.
func (d *document) sections(n element.Node, level int) (blocks []page.Block) {
	for s := range d.each(n, "section") {
		title := clean(d.text(s, "title"))
		if title == "" {
			title = clean(d.said(d.Get(s, "code")))
		}
		if title != "" {
			blocks = append(blocks, page.Heading{Level: min(level, 4), Text: title})
		}
		content := d.sectionContent(s)
		content = append(content, d.sections(s, level+1)...)
		if len(content) == 0 {
			content = append(content, page.Paragraph{Spans: []page.Span{{Text: d.whyEmpty(s), Italic: true}}})
		}
		blocks = append(blocks, content...)
	}
	return blocks
}

// sectionContent is the narrative of a section, or, where it has none, what its entries say.
func (d *document) sectionContent(s element.Node) []page.Block {
	if d.text(s, "text", "status") != "empty" {
		if blocks := narrative(d.text(s, "text", "div")); len(blocks) > 0 {
			return blocks
		}
	}
	var entries []*entry
	var loose []string
	for ref := range d.each(s, "entry") {
		if e := d.find(ref); e != nil {
			entries = append(entries, e)
		} else if text := clean(d.text(ref, "display")); text != "" {
			loose = append(loose, text)
		}
	}
	blocks := d.show(entries)
	for _, text := range loose {
		blocks = append(blocks, page.Text(text))
	}
	return blocks
}

func (d *document) whyEmpty(s element.Node) string {
	for c := range d.each(s, "emptyReason", "coding") {
		if text := emptyReasons[d.text(c, "code")]; text != "" {
			return text + "."
		}
	}
	if text := clean(d.said(d.Get(s, "emptyReason"))); text != "" {
		return text
	}
	if d.text(d.comp, "status") == "preliminary" {
		return "Por escribir."
	}
	return "Sin contenido."
}
