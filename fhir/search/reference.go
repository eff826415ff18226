package search

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/spec"
)

// A reference to a resource of this server is stored as a Link, whether it was
// written relative or absolute, and without its version. Any other, and a
// canonical, is stored as a token of its text.
//
// See https://hl7.org/fhir/R4/search.html#reference.

// referenceEmit returns how a reference of type t is indexed; a nil type stands
// for a whole resource, which counts as a reference to itself.
func referenceEmit(t *spec.Type) func(*extractor, *leaf, element.Node) {
	switch {
	case t == nil, t.Kind == spec.ResourceKind:
		return emitResource
	case t.Is("Reference"):
		return emitReference
	case t.Is("canonical"):
		return emitCanonicalReference
	case t.Is("uri"):
		return emitURL
	}
	return nil
}

func emitReference(x *extractor, l *leaf, n element.Node) {
	identifier := x.d.Get(n, "identifier")
	if ref := x.child(n, "reference"); len(ref) > 0 {
		x.reference(l, ref)
	} else if identifier != element.None && x.gather == nil {
		x.present(l)
	}
	if x.gather != nil {
		return
	}
	if identifier != element.None {
		x.identifier(l, x.child(identifier, "system"), x.child(identifier, "value"))
	}
	x.display(l, x.child(n, "display"))
}

// identifier adds the forms of Reference.identifier.
//
// See https://hl7.org/fhir/R4/references.html#logical.
func (x *extractor) identifier(l *leaf, system, value []byte) {
	var buf [256]byte
	b := append(binary.BigEndian.AppendUint16(buf[:0], l.param), identifierMark...)
	switch {
	case len(value) > 0 && len(system) > 0:
		x.ix.Tokens = append(x.ix.Tokens, sum(append(b, value...)))
		x.systemForms(b, system, value, formBoth|formSystem)
	case len(value) > 0:
		x.ix.Tokens = append(x.ix.Tokens, sum(append(b, value...)))
		x.systemForms(b, nil, value, formBare)
	case len(system) > 0:
		x.systemForms(b, system, nil, formSystem)
	}
}

func emitURL(x *extractor, l *leaf, n element.Node) {
	if x.d.Kind(n) == element.String {
		x.reference(l, x.d.Bytes(n))
	}
}

func emitCanonicalReference(x *extractor, l *leaf, n element.Node) {
	if x.d.Kind(n) != element.String {
		return
	}
	if ref, ok := localRef(x.d.Bytes(n), x.base); ok {
		x.link(l, ref)
		return
	}
	emitCanonical(x, l, n)
}

func emitResource(x *extractor, l *leaf, n element.Node) {
	t, id := fhirpath.Root(x.d, n).Type, string(x.child(n, "id"))
	if t != nil && spec.IsResource(t.Name) && fhir.ValidID(id) {
		x.link(l, fhir.Ref{Type: t.Name, ID: id})
	}
}

func (x *extractor) link(l *leaf, to fhir.Ref) {
	if x.gather != nil {
		x.gather.token(nil, []byte(to.String()), formCode)
		return
	}
	x.ix.Links = append(x.ix.Links, Link{l.param, to})
}

// reference adds a literal reference. One into the resource itself (#id) only
// counts as present.
func (x *extractor) reference(l *leaf, text []byte) {
	if len(text) == 0 {
		return
	}
	if text[0] == '#' {
		if x.gather == nil {
			x.present(l)
		}
		return
	}
	if ref, ok := localRef(text, x.base); ok {
		x.link(l, ref)
		return
	}
	x.token(l, nil, text, formCode)
	if at := bytes.Index(text, history); at > 0 {
		x.token(l, nil, text[:at], formCode)
	}
}

var history = []byte("/_history/")

// localRef reads a reference to a resource of this server: Type/id, perhaps below
// base, perhaps with a version, which is left out of the result.
func localRef(text []byte, base string) (fhir.Ref, bool) {
	if base != "" && len(text) > len(base) && text[len(base)] == '/' && string(text[:len(base)]) == base {
		text = text[len(base)+1:]
	}
	slash := bytes.IndexByte(text, '/')
	if slash < 1 || text[0] < 'A' || text[0] > 'Z' {
		return fhir.Ref{}, false
	}
	t := spec.TypeOf(string(text[:slash]))
	if t == nil || t.Kind != spec.ResourceKind || t.Abstract {
		return fhir.Ref{}, false
	}
	id := text[slash+1:]
	if at := bytes.Index(id, history); at > 0 {
		id = id[:at]
	}
	if ref := (fhir.Ref{Type: t.Name, ID: string(id)}); fhir.ValidID(ref.ID) {
		return ref, true
	}
	return fhir.Ref{}, false
}

// parseReference reads one value of a reference parameter, still escaped. typ is
// the modifier that names a type, or "". A bare id stands for a resource of any
// type that the parameter may point to.
func parseReference(p *spec.SearchParam, typ, raw, base string) (Value, error) {
	text := unescape(raw)
	v := Value{Raw: raw}
	switch ref, ok := localRef([]byte(text), base); {
	case ok && typ != "" && ref.Type != typ:
		return v, badValue(p, raw, "the reference is to another type than the modifier :"+typ)
	case ok:
		v.Refs = []fhir.Ref{ref}
	case fhir.ValidID(text):
		for _, t := range targets(p, typ) {
			v.Refs = append(v.Refs, fhir.Ref{Type: t, ID: text})
		}
	case strings.Contains(text, ":"):
		v.Tokens = []int64{TokenHash(p.ID, text)}
	default:
		return v, badValue(p, raw, "a reference is an id, Type/id or a URL")
	}
	return v, nil
}

// targets returns the types that p can point to, or just typ.
func targets(p *spec.SearchParam, typ string) []string {
	switch {
	case typ != "":
		return []string{typ}
	case len(p.Targets) == 0 || slices.Contains(p.Targets, "Resource"):
		return spec.Resources()
	}
	return p.Targets
}
