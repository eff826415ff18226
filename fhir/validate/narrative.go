package validate

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// xhtmlSpace is the namespace of the narrative.
const xhtmlSpace = "http://www.w3.org/1999/xhtml"

// Elements and attributes that a narrative may have: those of chapters 7 to 11
// (but 9.4) and 15 of HTML 4.0 that are not deprecated, links and images.
//
// See https://hl7.org/fhir/R4/narrative.html#xhtml.
var (
	narrativeElements = words(`a abbr acronym address area b bdo big blockquote br caption cite code col colgroup
		dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li map ol p pre q samp small span strong sub sup
		table tbody td tfoot th thead tr tt ul var`)
	narrativeAttributes = words(`class dir id lang style title accesskey tabindex`)
	ownAttributes       = map[string]map[string]bool{
		"a":          words(`charset coords href hreflang name rel rev shape target type`),
		"area":       words(`alt coords href nohref shape`),
		"blockquote": words(`cite`),
		"col":        words(`align char charoff span valign width`),
		"colgroup":   words(`align char charoff span valign width`),
		"caption":    words(`align`),
		"div":        words(`align`),
		"img":        words(`align alt border height hspace ismap longdesc name src usemap vspace width`),
		"map":        words(`name`),
		"ol":         words(`compact start type`),
		"li":         words(`type value`),
		"p":          words(`align`),
		"pre":        words(`width`),
		"q":          words(`cite`),
		"table":      words(`align bgcolor border cellpadding cellspacing frame rules summary width`),
		"tbody":      words(`align char charoff valign`),
		"td":         words(`abbr align axis bgcolor char charoff colspan headers height nowrap rowspan scope valign width`),
		"tfoot":      words(`align char charoff valign`),
		"th":         words(`abbr align axis bgcolor char charoff colspan headers height nowrap rowspan scope valign width`),
		"thead":      words(`align char charoff valign`),
		"tr":         words(`align bgcolor char charoff valign`),
		"ul":         words(`compact type`),
	}
)

func words(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

const (
	txt1 = "The narrative SHALL contain only the basic html formatting elements and attributes, <a> elements (either name or href), images and internally contained style attributes"
	txt2 = "The narrative SHALL have some non-whitespace content"
)

// narrative checks the XHTML of a Narrative.
//
// See https://hl7.org/fhir/R4/narrative.html.
func (x *inspection) narrative(s *subject, p *place) {
	div := p.get("div")
	if div == nil || div.value() == "" {
		return
	}
	page, err := div.readPage()
	if err != nil {
		x.report("error", "structure", "xhtml", "the narrative is not well-formed XHTML", err.Error(), div)
		return
	}
	if page.root != "div" || page.space != xhtmlSpace {
		x.fail("xhtml", "the narrative must be a div in the namespace of XHTML", quote([]byte(page.space+" "+page.root)), div)
	}
	for _, wrong := range page.wrong {
		x.report("error", "invariant", "txt-1", txt1, wrong, div)
	}
	if !page.content {
		x.report("error", "invariant", "txt-2", txt2, "", div)
	}
	for _, twice := range page.twice {
		x.fail("id-unique", "two elements of the narrative have the same id", quote([]byte(twice)), div)
	}
	x.links(s, page, div)
}

// links holds links within the resource to lead somewhere.
func (x *inspection) links(s *subject, page *page, div *place) {
	if len(page.local) == 0 {
		return
	}
	known := map[string]bool{}
	c := s.container()
	for _, r := range c.all("contained") {
		known[r.id()] = true
	}
	elementIDs(c.place, known)
	for _, target := range page.local {
		if target != "" && !page.ids[target] && !known[target] && !s.bundle.anchor(target) {
			x.fail("narrative-link", "a link of the narrative leads nowhere", quote([]byte("#"+target)), div)
		}
	}
}

// elementIDs adds the ids of elements below p, and those in narratives, to known.
func elementIDs(p *place, known map[string]bool) {
	for _, k := range p.kids() {
		if k.elem.Resource {
			continue
		}
		if k.elem.Name == "id" && k.primitive() {
			known[k.value()] = true
			continue
		}
		if k.elem.Name == "div" && p.item.Type.Name == "Narrative" {
			if page, err := k.readPage(); err == nil {
				for id := range page.ids {
					known[id] = true
				}
			}
		}
		elementIDs(k, known)
	}
}

// narrativeLinks returns the local targets of all links of the narratives of s.
func narrativeLinks(s *subject) map[string]bool {
	found := map[string]bool{}
	var visit func(p *place)
	visit = func(p *place) {
		if p.item.Type != nil && p.item.Type.Name == "Narrative" {
			if div := p.get("div"); div == nil {
				return
			} else if page, err := div.readPage(); err == nil {
				for _, l := range page.local {
					found[l] = true
				}
			}
			return
		}
		for _, k := range p.kids() {
			visit(k)
		}
	}
	visit(s.place)
	return found
}

// page is what matters of a narrative.
type page struct {
	root, space string
	wrong       []string // elements and attributes that may not stand there
	content     bool     // it has text or an image
	ids         map[string]bool
	twice       []string
	local       []string // what links within the resource lead to, without #
}

// reading is what came of reading a page.
type reading struct {
	page *page
	err  error
}

// readPage reads the XHTML at p, once.
func (p *place) readPage() (*page, error) {
	if p.page == nil {
		p.page = &reading{}
		p.page.page, p.page.err = readPage(p.value())
	}
	return p.page.page, p.page.err
}

// maxWrong is how many faults of one narrative are told.
const maxWrong = 10

// readPage reads the XHTML of a narrative. It knows the named characters of HTML,
// and refuses document types and processing instructions.
func readPage(text string) (*page, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	d.Entity = xml.HTMLEntity
	p := &page{ids: map[string]bool{}}
	for depth := 0; ; {
		t, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return p, nil
		case err != nil:
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if depth == 0 {
				p.root, p.space = t.Name.Local, t.Name.Space
			}
			depth++
			p.element(t)
		case xml.EndElement:
			depth--
		case xml.CharData:
			p.content = p.content || strings.TrimSpace(string(t)) != ""
		case xml.Directive:
			p.found("a document type")
		case xml.ProcInst:
			p.found("a processing instruction")
		}
	}
}

func (p *page) found(wrong string) {
	if len(p.wrong) < maxWrong {
		p.wrong = append(p.wrong, wrong)
	}
}

func (p *page) element(t xml.StartElement) {
	name := t.Name.Local
	if !narrativeElements[name] || t.Name.Space != xhtmlSpace {
		p.found("the element " + quote([]byte(name)))
		return
	}
	p.content = p.content || name == "img"
	for _, a := range t.Attr {
		p.attribute(name, a)
	}
}

func (p *page) attribute(element string, a xml.Attr) {
	name := a.Name.Local
	switch {
	case name == "xmlns" || a.Name.Space == "xmlns":
		return
	case a.Name.Space == "xml" || a.Name.Space == "http://www.w3.org/XML/1998/namespace":
		return
	case !narrativeAttributes[name] && !ownAttributes[element][name]:
		p.found("the attribute " + quote([]byte(name)) + " of " + element)
		return
	}
	value := strings.TrimSpace(a.Value)
	switch name {
	case "id", "name":
		if p.ids[value] && name == "id" {
			p.twice = append(p.twice, value)
		}
		p.ids[value] = true
	case "href", "src":
		if strings.HasPrefix(value, "#") {
			p.local = append(p.local, value[1:])
		}
		if scheme, _, ok := strings.Cut(strings.ToLower(value), ":"); ok && (scheme == "javascript" || scheme == "vbscript") {
			p.found("a script as the target of a link")
		}
	}
}
