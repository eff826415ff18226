package search

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sort"
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// A token is stored as the hash of its parameter and a form of its value, one for
// each way in which it can be asked for:
//
//	code         any system
//	system|code  this system
//	system|      any code of this system
//	|code        no system
//
// A uri, a canonical and a reference that is no relative literal are hashed as a
// code alone. Forms that begin with a control character are for what a code alone
// does not say: see the marks.
//
// See https://hl7.org/fhir/R4/search.html#token.

// TokenHash returns the hash of a form of value for the parameter with this ID:
// the first eight bytes of a SHA-256.
func TokenHash(param uint16, form string) int64 {
	var buf [256]byte
	b := binary.BigEndian.AppendUint16(buf[:0], param)
	return sum(append(b, form...))
}

// PresenceHash returns the token of a resource that has any value at all for a
// parameter of type token or uri, or a reference that is no Link.
func PresenceHash(param uint16) int64 { return TokenHash(param, "\x00") }

// The marks of forms. No code or text of a resource begins with one, since JSON
// writes control characters as escapes, which base validation refuses.
const (
	foldedForm     = "\x01" // then a token that is compared without regard to case
	pairMark       = "\x02" // between the two halves of a composite, and the parts of :of-type
	displayMark    = "\x03" // then a display or text, folded, for :text
	identifierMark = "\x04" // then a form of Reference.identifier, for :identifier
	ofTypeMark     = "\x05" // then type system, type code and value, for :of-type
)

func sum(b []byte) int64 {
	h := sha256.Sum256(b)
	return int64(binary.BigEndian.Uint64(h[:8]))
}

// forms says which forms of a token to index.
type forms uint8

const (
	formCode   forms = 1 << iota // code
	formBoth                     // system|code
	formSystem                   // system|
	formBare                     // |code
)

// token adds the forms of a value to the index, unless the value is empty.
func (x *extractor) token(l *leaf, system, code []byte, f forms) {
	if len(system)+len(code) == 0 {
		return
	}
	if x.gather != nil {
		x.gather.token(system, code, f)
		return
	}
	x.present(l)
	var buf [256]byte
	b := binary.BigEndian.AppendUint16(buf[:0], l.param)
	if f&formCode != 0 {
		bare := sum(append(b, code...))
		x.ix.Tokens = append(x.ix.Tokens, bare)
		x.word(l, CodeWord, bare, bytes.TrimPrefix(code, []byte(foldedForm)))
	}
	x.systemForms(b, system, code, f)
}

// systemForms adds those forms of a token that tell its system; b begins with the
// parameter.
func (x *extractor) systemForms(b, system, code []byte, f forms) {
	if f&(formBoth|formSystem|formBare) == 0 {
		return
	}
	b = append(append(b, system...), '|')
	if f&formSystem != 0 {
		x.ix.Tokens = append(x.ix.Tokens, sum(b))
	}
	if f&(formBoth|formBare) != 0 {
		x.ix.Tokens = append(x.ix.Tokens, sum(append(b, code...)))
	}
}

// markedText is marked for one part.
func (x *extractor) markedText(l *leaf, mark, text string) int64 {
	var buf [256]byte
	b := append(append(binary.BigEndian.AppendUint16(buf[:0], l.param), mark...), text...)
	h := sum(b)
	x.ix.Tokens = append(x.ix.Tokens, h)
	return h
}

// marked adds a form that is no value of its own.
func (x *extractor) marked(l *leaf, mark string, parts ...[]byte) int64 {
	var buf [256]byte
	b := binary.BigEndian.AppendUint16(buf[:0], l.param)
	b = append(b, mark...)
	for i, part := range parts {
		if i > 0 {
			b = append(b, pairMark...)
		}
		b = append(b, part...)
	}
	h := sum(b)
	x.ix.Tokens = append(x.ix.Tokens, h)
	return h
}

// tokenEmit returns how a token of type t is indexed; nil when t is no token.
func tokenEmit(t *spec.Type) func(*extractor, *leaf, element.Node) {
	switch {
	case t.Is("CodeableConcept"):
		return emitConcept
	case t.Is("Coding"):
		return emitCoding
	case t.Is("Identifier"):
		return emitIdentifier
	case t.Is("ContactPoint"):
		return emitContact
	case t.Is("code"):
		return emitCode
	case t.Is("boolean"), t.Is("id"), t.Is("uri"):
		return emitPlain
	case t.Is("string"):
		return emitFolded
	}
	return nil
}

func emitConcept(x *extractor, l *leaf, n element.Node) {
	x.each(n, "coding", func(c element.Node) { emitCoding(x, l, c) })
	x.says(l, x.child(n, "text"))
}

func emitCoding(x *extractor, l *leaf, n element.Node) {
	x.pair(l, x.child(n, "system"), x.child(n, "code"))
	x.says(l, x.child(n, "display"))
}

func emitIdentifier(x *extractor, l *leaf, n element.Node) {
	value := x.child(n, "value")
	x.pair(l, x.child(n, "system"), value)
	typ := x.d.Get(n, "type")
	if typ == element.None || x.gather != nil {
		return
	}
	x.says(l, x.child(typ, "text"))
	x.each(typ, "coding", func(c element.Node) {
		if code := x.child(c, "code"); len(code) > 0 && len(value) > 0 {
			x.marked(l, ofTypeMark, x.child(c, "system"), code, value)
		}
	})
}

// pair adds a token that has a system of its own, or none.
func (x *extractor) pair(l *leaf, system, code []byte) {
	switch {
	case len(system) > 0 && len(code) > 0:
		x.token(l, system, code, formCode|formBoth|formSystem)
	case len(code) > 0:
		x.token(l, nil, code, formCode|formBare)
	case len(system) > 0:
		x.token(l, system, nil, formSystem)
	}
}

func emitContact(x *extractor, l *leaf, n element.Node) {
	if v := x.child(n, "value"); len(v) > 0 {
		x.token(l, nil, v, formCode)
	}
}

// emitCode indexes a bare code, whose system is that of the value set it must come from.
func emitCode(x *extractor, l *leaf, n element.Node) {
	if x.d.Kind(n) != element.String {
		return
	}
	code := x.d.Bytes(n)
	x.token(l, nil, code, formCode)
	for i := range l.systems {
		if _, ok := l.systems[i].codes[string(code)]; ok {
			x.token(l, l.systems[i].uri, code, formBoth)
		}
	}
}

func emitPlain(x *extractor, l *leaf, n element.Node) {
	switch x.d.Kind(n) {
	case element.String, element.True, element.False:
		x.token(l, nil, x.d.Bytes(n), formCode)
	}
}

// emitFolded indexes a string, where tokens are not case sensitive.
func emitFolded(x *extractor, l *leaf, n element.Node) {
	if x.d.Kind(n) == element.String {
		x.token(l, nil, []byte(foldedForm+strings.ToLower(x.d.Text(n))), formCode)
	}
}

// codeSystem is a system that a bare code can belong to.
type codeSystem struct {
	uri   []byte
	codes map[string]struct{}
}

// systemsOf returns the systems of the required binding of e, sorted.
func systemsOf(e *spec.Element) []codeSystem {
	if e == nil || e.Binding == nil || !e.Type.Is("code") {
		return nil
	}
	var all []codeSystem
	for uri, codes := range e.Binding.Systems {
		all = append(all, codeSystem{[]byte(uri), codes})
	}
	sort.Slice(all, func(i, j int) bool { return string(all[i].uri) < string(all[j].uri) })
	return all
}

// parseToken reads one value of a token parameter, still escaped.
func parseToken(p *spec.SearchParam, raw string) (Value, error) {
	forms, err := tokenForms(p, raw)
	v := Value{Raw: raw}
	for _, form := range forms {
		v.Tokens = append(v.Tokens, TokenHash(p.ID, form))
	}
	slices.Sort(v.Tokens)
	v.Tokens = slices.Compact(v.Tokens)
	return v, err
}

// tokenForms returns the forms that a value asks for, any of them.
func tokenForms(p *spec.SearchParam, raw string) ([]string, error) {
	parts := split(raw, '|')
	for i := range parts {
		parts[i] = unescape(parts[i])
	}
	switch {
	case strings.ContainsFunc(raw, func(r rune) bool { return r <= rune(ofTypeMark[0]) }):
		return nil, badValue(p, raw, "it holds a control character")
	case len(parts) == 1:
		return []string{parts[0], foldedForm + strings.ToLower(parts[0])}, nil
	case len(parts) == 2 && parts[0] != "" && parts[1] == "":
		return []string{parts[0] + "|"}, nil
	case len(parts) == 2 && parts[1] != "":
		return []string{parts[0] + "|" + parts[1]}, nil
	}
	return nil, badValue(p, raw, "a token is code, system|code, system| or |code")
}

// parseOfType reads one value of :of-type: system|code|value, where system and code
// are those of the identifier's type.
//
// See https://hl7.org/fhir/R4/search.html#token.
func parseOfType(p *spec.SearchParam, raw string) (Value, error) {
	parts := split(raw, '|')
	for i := range parts {
		parts[i] = unescape(parts[i])
	}
	if len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return Value{}, badValue(p, raw, "with :of-type it has three parts, the system and the code of the identifier's type and its value: system|code|value")
	}
	return Value{Raw: raw, Tokens: []int64{TokenHash(p.ID, ofTypeMark+strings.Join(parts, pairMark))}}, nil
}
