package search

import (
	"html"
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// maxDistinct bounds the words of one resource in each of Index.Text and Content.
const maxDistinct = 20_000

// fullText fills Index.Text with the words of the narrative, and Index.Content with
// those of all that people wrote in the resource: strings, markdown and narratives,
// those of contained resources included; no ids, references, codes, URLs and data.
func (x *extractor) fullText(t *spec.Type, root element.Node) {
	x.content(t, root, 0)
	if text := x.d.Get(root, "text"); text != element.None && t.Is("DomainResource") && x.d.Kind(text) == element.Object {
		if div := x.child(text, "div"); div != nil {
			x.ix.Text = appendWords(x.ix.Text, plainText(string(div)))
		}
	}
}

// content walks the members of an object of type t.
func (x *extractor) content(t *spec.Type, n element.Node, depth int) {
	d := x.d
	if t == nil || d.Kind(n) != element.Object || depth > 64 {
		return
	}
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		e := t.Element(d.Name(c))
		if e == nil {
			continue
		}
		typ := e.Type
		if d.Kind(c) != element.Array {
			x.piece(t, e, typ, c, depth)
			continue
		}
		for i := d.First(c); i != element.None; i = d.Next(c, i) {
			x.piece(t, e, typ, i, depth)
		}
	}
}

// piece takes in the value of one element e of type t.
func (x *extractor) piece(t *spec.Type, e *spec.Element, typ *spec.Type, n element.Node, depth int) {
	switch {
	case e.Resource:
		if r := x.child(n, "resourceType"); r != nil {
			x.content(spec.TypeOf(string(r)), n, depth+1)
		}
	case typ == nil || len(x.ix.Content) > maxDistinct:
	case typ.Kind != spec.Primitive:
		x.content(typ, n, depth+1)
	case x.d.Kind(n) != element.String:
	case typ.Name == "xhtml":
		x.ix.Content = appendWords(x.ix.Content, plainText(x.d.Text(n)))
	case typ.Name == "markdown", typ.Name == "string" && !silent[e.Name] && !(e.Name == "value" && t.Is("Identifier")):
		x.ix.Content = appendWords(x.ix.Content, x.d.Text(n))
	}
}

// silent are elements of type string that no one reads.
var silent = map[string]bool{"id": true, "reference": true, "version": true, "versionId": true, "data": true, "expression": true, "path": true, "xpath": true}

// plainText returns XHTML without its markup. Elements part words.
func plainText(xhtml string) string {
	var b strings.Builder
	b.Grow(len(xhtml))
	for {
		open := strings.IndexByte(xhtml, '<')
		if open < 0 {
			break
		}
		b.WriteString(xhtml[:open])
		b.WriteByte(' ')
		rest := xhtml[open:]
		end := ">"
		if strings.HasPrefix(rest, "<!--") {
			end = "-->"
		}
		at := strings.Index(rest, end)
		if at < 0 {
			xhtml = ""
			break
		}
		xhtml = rest[at+len(end):]
	}
	b.WriteString(xhtml)
	return html.UnescapeString(b.String())
}
