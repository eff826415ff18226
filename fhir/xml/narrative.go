package xml

import (
	"bytes"
	"strings"
)

// narrative appends the text of the XHTML element that tok starts, to its end tag,
// as it is written. Only prefixes are left out, and the namespace is declared on
// the element itself when it was declared around it, so that what is returned can
// stand alone.
//
// See https://hl7.org/fhir/R4/narrative.html#xhtml.
func (r *reader) narrative(dst []byte, tok token) ([]byte, *fault) {
	outside := r.open[len(r.open)-1].bindings // those further in are declared within the text
	depth, from := 0, tok.at
	for {
		switch tok.kind {
		case startTag:
			if f := r.checkXHTML(tok, outside); f != nil {
				return dst, f
			}
			dst = append(dst, r.src[from:tok.at+1]...)
			from = tok.at + 1
			if len(tok.prefix) > 0 {
				from += len(tok.prefix) + 1
			}
			if depth == 0 && !r.declares(spaceXHTML) {
				end := from + len(tok.local)
				dst = append(dst, r.src[from:end]...)
				dst = append(dst, ` xmlns="`+spaceXHTML+`"`...)
				from = end
			}
			depth++
		case endTag:
			depth--
			if len(tok.prefix) > 0 && tok.end > tok.at { // <p:a/> has no end tag to write
				dst = append(dst, r.src[from:tok.at+2]...)
				from = tok.at + 2 + len(tok.prefix) + 1
			}
			if depth == 0 {
				return append(dst, r.src[from:tok.end]...), nil
			}
		}
		var f *fault
		if tok, f = r.next(); f != nil {
			return dst, f
		}
	}
}

// declares reports whether the element just opened makes uri the namespace of
// names without a prefix.
func (r *reader) declares(uri string) bool {
	for _, b := range r.bindings[r.open[len(r.open)-1].bindings:] {
		if len(b.prefix) == 0 && b.uri == uri {
			return true
		}
	}
	return false
}

// checkXHTML makes sure that a start tag is of XHTML alone, and needs no prefix
// that is declared before the first outside bindings.
func (r *reader) checkXHTML(tok token, outside int) *fault {
	if tok.space != spaceXHTML {
		return wrong(wrongSpace, tok.at, quote(tok.local)+" is in "+quote([]byte(tok.space)))
	}
	for _, b := range r.bindings[r.open[len(r.open)-1].bindings:] {
		if len(b.prefix) == 0 && b.uri != spaceXHTML {
			return wrong(wrongSpace, tok.at, quote([]byte(b.uri)))
		}
	}
	for i := range tok.attrs {
		a := &tok.attrs[i]
		if len(a.prefix) == 0 || a.space == spaceXML {
			continue
		}
		inside := false
		for _, b := range r.bindings[outside:] {
			inside = inside || bytes.Equal(b.prefix, a.prefix)
		}
		if !inside {
			return wrong(unknownAttribute, a.at, quote(a.prefix)+" is not declared in the narrative")
		}
	}
	return nil
}

// appendNarrative appends the XHTML of a JSON narrative to XML. Entities of HTML,
// which XML does not know, become character references.
func appendNarrative(dst []byte, text string) ([]byte, *fault) {
	r := &reader{src: []byte(withoutEntities(text)), bindings: []binding{{uri: spaceXHTML}}}
	if f := r.start(); f != nil {
		return dst, f
	}
	tok, f := r.next()
	for f == nil && tok.kind == charData {
		tok, f = r.next()
	}
	if f != nil {
		return dst, f
	}
	if string(tok.local) != "div" {
		return dst, wrong(unknownElement, tok.at, "a narrative is a div")
	}
	if dst, f = r.narrative(dst, tok); f != nil {
		return dst, f
	}
	for {
		tok, f := r.next()
		if f != nil || tok.kind == endOfText {
			return dst, f
		}
	}
}

// withoutEntities replaces the entities of HTML in text that XML does not have.
func withoutEntities(text string) string {
	if !strings.Contains(text, "&") {
		return text
	}
	var b strings.Builder
	for {
		k := strings.IndexByte(text, '&')
		if k < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:k])
		text = text[k:]
		end := strings.IndexByte(text[:min(len(text), maxReference)], ';') + 1
		if end == 0 {
			end = 1
		}
		name := text[:end]
		if _, n := reference([]byte(name)); n == 0 {
			if plain, ok := entity(name); ok {
				name = plain
			}
		}
		b.WriteString(name)
		text = text[end:]
	}
}
