package record

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/amate-health/amate/fhir/document/page"
)

// narrative turns the XHTML of a Narrative into blocks. It keeps what the subset of
// FHIR can say: paragraphs, headings, lists, tables, bold and italics, line breaks.
// Whatever else there is leaves its text at most; what could be active leaves nothing.
//
// See https://hl7.org/fhir/R4/narrative.html.
func narrative(div string) []page.Block {
	w := &flow{}
	w.all(parse(div).kids, style{})
	w.flush()
	return w.blocks
}

// plain returns the text of a narrative, without white space around it.
func plain(div string) string {
	w := &flow{}
	w.inline(parse(div).kids, style{})
	return strings.TrimSpace(textOf(w.spans))
}

// node is an element of the narrative, or a piece of its text.
type node struct {
	name string // "" for text
	text string
	alt  string // of an img
	kids []*node
}

// deepest is how deep elements may lie within one another; those below are left out.
const deepest = 60

// parse reads XHTML. Where it is wrong, it goes on behind the fault, so that no text is lost.
func parse(div string) *node {
	div = strings.Map(printable, strings.NewReplacer("\t", " ", "\r", " ").Replace(div))
	d := decoder(div)
	root := &node{}
	open := []*node{root}
	for {
		token, err := d.Token()
		if err != nil {
			at := d.InputOffset()
			if errors.Is(err, io.EOF) || at <= 0 || at >= int64(len(div)) {
				return root
			}
			div = div[at:]
			d = decoder(div)
			continue
		}
		top := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			n := &node{name: strings.ToLower(t.Name.Local)}
			for _, a := range t.Attr {
				if a.Name.Local == "alt" {
					n.alt = a.Value
				}
			}
			if len(open) < deepest {
				top.kids = append(top.kids, n)
			}
			open = append(open, n)
		case xml.EndElement:
			if len(open) > 1 {
				open = open[:len(open)-1]
			}
		case xml.CharData:
			top.kids = append(top.kids, &node{text: string(t)})
		}
	}
}

func decoder(text string) *xml.Decoder {
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	return d
}

// dropped are elements of which nothing is kept: no narrative may have them.
var dropped = map[string]bool{
	"script": true, "style": true, "iframe": true, "object": true, "embed": true, "applet": true, "form": true, "input": true, "button": true,
	"select": true, "textarea": true, "svg": true, "math": true, "head": true, "title": true, "link": true, "meta": true, "base": true,
	"audio": true, "video": true, "canvas": true, "template": true, "noscript": true, "frame": true, "frameset": true,
}

// parts are elements that begin on a line of their own.
var parts = map[string]bool{
	"div": true, "p": true, "blockquote": true, "pre": true, "address": true, "dl": true, "dt": true, "dd": true, "caption": true, "center": true,
	"html": true, "body": true, "section": true, "article": true, "header": true, "footer": true, "figure": true,
	"ul": true, "ol": true, "li": true, "table": true, "tr": true, "thead": true, "tbody": true, "tfoot": true,
	"h1": true, "h2": true, "h3": true, "h4": true, "h5": true, "h6": true, "hr": true,
}

// style is how text at some place looks.
type style struct{ bold, italic, kept bool }

func (s style) within(name string) style {
	switch name {
	case "b", "strong", "th", "dt":
		s.bold = true
	case "i", "em", "cite", "var":
		s.italic = true
	case "pre":
		s.kept = true
	}
	return s
}

// flow gathers blocks.
type flow struct {
	blocks []page.Block
	spans  []page.Span // of the paragraph on its way
}

// flush ends the paragraph.
func (w *flow) flush() {
	if spans := trimmed(w.spans); len(spans) > 0 {
		w.blocks = append(w.blocks, page.Paragraph{Spans: spans})
	}
	w.spans = nil
}

func (w *flow) all(nodes []*node, s style) {
	for _, n := range nodes {
		w.one(n, s)
	}
}

func (w *flow) one(n *node, s style) {
	if !parts[n.name] {
		w.inline([]*node{n}, s)
		return
	}
	w.flush()
	switch n.name {
	case "h1", "h2", "h3", "h4", "h5", "h6":
		// The page has two levels above it: its own title, and that of the section.
		if text := strings.TrimSpace(textOf(flat(n.kids, style{}))); text != "" {
			w.blocks = append(w.blocks, page.Heading{Level: min(4, 2+int(n.name[1]-'0')), Text: text})
		}
	case "ul", "ol":
		if list := listOf(n, s); len(list.Items) > 0 {
			w.blocks = append(w.blocks, list)
		}
	case "table":
		w.table(n)
	case "hr":
		w.blocks = append(w.blocks, page.Rule{})
	default:
		w.all(n.kids, s.within(n.name))
		w.flush()
	}
}

// inline adds text to the paragraph. Parts within it begin on a new line.
func (w *flow) inline(nodes []*node, s style) {
	for _, n := range nodes {
		switch {
		case n.name == "":
			w.text(n.text, s)
		case dropped[n.name]:
		case n.name == "br":
			w.line()
		case n.name == "img":
			if n.alt != "" {
				w.text("["+n.alt+"]", s)
			}
		default:
			if parts[n.name] {
				w.line()
			}
			if n.name == "li" {
				w.text("– ", style{})
			}
			w.inline(n.kids, s.within(n.name))
			if n.name == "td" || n.name == "th" {
				w.text(" ", style{})
			}
			if parts[n.name] {
				w.line()
			}
		}
	}
}

// line begins a new line, unless the last one is empty still.
func (w *flow) line() {
	if last := w.last(); last != 0 && last != '\n' {
		w.spans[len(w.spans)-1].Text += "\n"
	}
}

// last returns the last byte of the paragraph so far, 0 when there is none.
func (w *flow) last() byte {
	if len(w.spans) == 0 {
		return 0
	}
	text := w.spans[len(w.spans)-1].Text
	return text[len(text)-1]
}

// text adds text, with white space as HTML has it.
func (w *flow) text(text string, s style) {
	if !s.kept {
		blank := func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }
		words := strings.Join(strings.FieldsFunc(text, blank), " ")
		if strings.TrimLeft(text, " \t\r\n") != text {
			words = " " + words
		}
		if words != " " && words != "" && strings.TrimRight(text, " \t\r\n") != text {
			words += " "
		}
		text = words
		if last := w.last(); last == 0 || last == '\n' || last == ' ' {
			text = strings.TrimPrefix(text, " ")
		}
	}
	text = strings.Map(printable, text)
	if text == "" {
		return
	}
	if n := len(w.spans); n > 0 && w.spans[n-1].Bold == s.bold && w.spans[n-1].Italic == s.italic {
		w.spans[n-1].Text += text
		return
	}
	w.spans = append(w.spans, page.Span{Text: text, Bold: s.bold, Italic: s.italic})
}

// printable drops control characters, and those that turn the direction of the text
// around, so that what is read is what is written.
func printable(r rune) rune {
	switch {
	case r == '\n':
		return r
	case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff, r == 0xfffd:
		return -1
	}
	return r
}

// flat returns the spans of nodes.
func flat(nodes []*node, s style) []page.Span {
	w := &flow{}
	w.inline(nodes, s)
	return trimmed(w.spans)
}

func listOf(n *node, s style) page.List {
	list := page.List{Ordered: n.name == "ol"}
	for _, item := range n.kids {
		if dropped[item.name] {
			continue
		}
		if spans := flat([]*node{{name: "span", kids: item.kids, text: item.text}}, s); len(spans) > 0 {
			list.Items = append(list.Items, spans)
		}
	}
	return list
}

// trimmed returns spans without white space at both ends.
func trimmed(spans []page.Span) []page.Span {
	for len(spans) > 0 {
		if spans[0].Text = strings.TrimLeft(spans[0].Text, " \n"); spans[0].Text != "" {
			break
		}
		spans = spans[1:]
	}
	for n := len(spans); n > 0; n = len(spans) {
		if spans[n-1].Text = strings.TrimRight(spans[n-1].Text, " \n"); spans[n-1].Text != "" {
			break
		}
		spans = spans[:n-1]
	}
	return spans
}

func textOf(spans []page.Span) string {
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(s.Text)
	}
	return b.String()
}
