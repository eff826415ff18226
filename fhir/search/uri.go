package search

import (
	"bytes"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// A uri is compared to the letter, and stored as a token. A canonical can be asked
// for with its version and without.
//
// See https://hl7.org/fhir/R4/search.html#uri.

// uriEmit returns how a uri of type t is indexed; nil when t is no uri.
func uriEmit(t *spec.Type) func(*extractor, *leaf, element.Node) {
	switch {
	case t.Is("canonical"):
		return emitCanonical
	case t.Is("uri"):
		return emitPlain
	}
	return nil
}

func emitCanonical(x *extractor, l *leaf, n element.Node) {
	if x.d.Kind(n) != element.String {
		return
	}
	text := x.d.Bytes(n)
	if at := bytes.IndexByte(text, '#'); at > 0 {
		text = text[:at]
	}
	x.token(l, nil, text, formCode)
	if at := bytes.IndexByte(text, '|'); at > 0 {
		x.token(l, nil, text[:at], formCode)
	}
}

// parseURI reads one value of a uri parameter, still escaped.
func parseURI(p *spec.SearchParam, raw string) Value {
	return Value{Raw: raw, Tokens: []int64{TokenHash(p.ID, unescape(raw))}}
}
