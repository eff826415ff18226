package xml

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// kind sorts tokens.
type kind uint8

const (
	startTag kind = 1 + iota
	endTag        // also after a tag such as <a/>, which is a start and an end
	charData
	endOfText
)

// token is one piece of the text. Comments are passed over.
type token struct {
	kind   kind
	at     int    // where it begins
	end    int    // where it ends
	prefix []byte // of the name, without the colon
	local  []byte // the name without its prefix
	space  string // the namespace of a start tag
	attrs  []attr // of a start tag; valid until the next one
	blank  bool   // charData of nothing but white space
}

// attr is one attribute that is no namespace declaration.
type attr struct {
	prefix, local []byte
	space         string // "" without a prefix
	raw           []byte // the value as written, its references known to be good
	at            int
}

// binding is one namespace declaration.
type binding struct {
	prefix []byte
	uri    string
}

// frame is an element that is open.
type frame struct {
	name     []byte // as written, with its prefix
	bindings int    // how many bindings there were outside of it
}

// What one text may have beyond its size.
const (
	maxOpen     = 250 // elements inside one another, those of a narrative included
	maxAttrs    = 64  // of one element
	maxBindings = 64  // in force at a time
)

// reader splits XML into tokens, and makes sure that it is well-formed and that its
// namespaces are. It keeps to the parts of XML that FHIR uses: see the package.
type reader struct {
	src      []byte
	i        int // the next byte
	open     []frame
	bindings []binding
	attrs    []attr
	closing  bool // the last start tag was <a/>: an end is due
	rooted   bool // the root element has begun
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// start checks the characters of the whole text, and reads the XML declaration.
func (r *reader) start() *fault {
	if f := checkCharacters(r.src); f != nil {
		return f
	}
	if bytes.HasPrefix(r.src, byteOrderMark) {
		r.i = len(byteOrderMark)
	}
	return r.declaration()
}

// checkCharacters makes sure that src is UTF-8 and has only characters of XML.
//
// See https://www.w3.org/TR/xml/#charsets.
func checkCharacters(src []byte) *fault {
	for i := 0; i < len(src); {
		c := src[i]
		if c >= ' ' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < ' ' {
			if !isSpace(c) {
				return wrong(badCharacter, i, "")
			}
			i++
			continue
		}
		p, n := utf8.DecodeRune(src[i:])
		switch {
		case p == utf8.RuneError && n == 1:
			return wrong(notUTF8, i, "")
		case p == 0xfffe || p == 0xffff:
			return wrong(badCharacter, i, "")
		}
		i += n
	}
	return nil
}

// declaration reads <?xml version="1.0" encoding="UTF-8"?> where the text begins with it.
func (r *reader) declaration() *fault {
	at := r.i
	rest := r.src[at:]
	if !bytes.HasPrefix(rest, []byte("<?xml")) || len(rest) < 6 || !isSpace(rest[5]) {
		return nil
	}
	end := bytes.Index(rest, []byte("?>"))
	if end < 0 {
		return wrong(endsEarly, len(r.src), "")
	}
	r.i = at + 5
	version := ""
	for r.space(); r.i < at+end; r.space() {
		name := r.name()
		value, f := r.value()
		if f != nil || r.i > at+end {
			return wrong(badVersion, at, "")
		}
		switch text := string(value); string(name) {
		case "version":
			version = text
		case "encoding":
			if !strings.EqualFold(text, "utf-8") && !strings.EqualFold(text, "us-ascii") {
				return wrong(badVersion, at, "encoding is "+quote(value))
			}
		case "standalone":
		default:
			return wrong(badVersion, at, "")
		}
	}
	if version != "1.0" {
		return wrong(badVersion, at, "")
	}
	r.i = at + end + 2
	return nil
}

// next returns the next token.
func (r *reader) next() (token, *fault) {
	if r.closing {
		r.closing = false
		return r.pop(token{kind: endTag, at: r.i, end: r.i}), nil
	}
	for r.i < len(r.src) {
		if r.src[r.i] != '<' {
			return r.text()
		}
		rest := r.src[r.i:]
		switch {
		case len(rest) < 2:
			return token{}, wrong(endsEarly, len(r.src), "")
		case rest[1] == '/':
			return r.end()
		case rest[1] == '?':
			return token{}, wrong(hasPI, r.i, "")
		case rest[1] != '!':
			return r.tag()
		case bytes.HasPrefix(rest, []byte("<!--")):
			if f := r.comment(); f != nil {
				return token{}, f
			}
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			return r.cdata()
		default:
			return token{}, wrong(hasDoctype, r.i, "")
		}
	}
	if len(r.open) > 0 || !r.rooted {
		return token{}, wrong(endsEarly, r.i, "")
	}
	return token{kind: endOfText, at: r.i, end: r.i}, nil
}

// text reads up to the next tag.
func (r *reader) text() (token, *fault) {
	at := r.i
	n := bytes.IndexByte(r.src[at:], '<')
	if n < 0 {
		n = len(r.src) - at
	}
	raw := r.src[at : at+n]
	blank := true
	for _, c := range raw {
		if !isSpace(c) {
			blank = false
			break
		}
	}
	if !blank {
		if len(r.open) == 0 {
			return token{}, wrong(r.outside(), at, "")
		}
		if f := checkReferences(raw, at); f != nil {
			return token{}, f
		}
		if k := bytes.Index(raw, []byte("]]>")); k >= 0 {
			return token{}, wrong(badText, at+k, "]]> must be written as ]]&gt;")
		}
	}
	r.i = at + n
	return token{kind: charData, at: at, end: r.i, blank: blank}, nil
}

// outside says what is wrong with something outside the root element.
func (r *reader) outside() *rule {
	if r.rooted {
		return moreAfter
	}
	return noElement
}

func (r *reader) cdata() (token, *fault) {
	at := r.i
	if len(r.open) == 0 {
		return token{}, wrong(r.outside(), at, "")
	}
	n := bytes.Index(r.src[at:], []byte("]]>"))
	if n < 0 {
		return token{}, wrong(endsEarly, len(r.src), "")
	}
	r.i = at + n + 3
	return token{kind: charData, at: at, end: r.i}, nil
}

func (r *reader) comment() *fault {
	at := r.i
	body := r.src[at+4:]
	n := bytes.Index(body, []byte("--"))
	if n < 0 {
		return wrong(endsEarly, len(r.src), "")
	}
	if n+2 >= len(body) || body[n+2] != '>' {
		return wrong(badComment, at+4+n, "two hyphens may not stand within a comment")
	}
	r.i = at + 4 + n + 3
	return nil
}

// tag reads a start tag.
func (r *reader) tag() (token, *fault) {
	tok := token{kind: startTag, at: r.i}
	if len(r.open) == 0 && r.rooted {
		return tok, wrong(moreAfter, r.i, "")
	}
	if len(r.open) >= maxOpen {
		return tok, wrong(tooDeep, r.i, "")
	}
	r.i++
	name := r.name()
	if name == nil {
		return tok, wrong(badName, r.i, "")
	}
	r.rooted = true
	r.open = append(r.open, frame{name: name, bindings: len(r.bindings)})
	r.attrs = r.attrs[:0]
	for {
		spaced := r.space()
		if r.i >= len(r.src) {
			return tok, wrong(endsEarly, r.i, "")
		}
		switch c := r.src[r.i]; {
		case c == '>':
			r.i++
		case c == '/' && r.i+1 < len(r.src) && r.src[r.i+1] == '>':
			r.i += 2
			r.closing = true
		case c == '/' || !spaced:
			return tok, wrong(badTag, r.i, "")
		default:
			if f := r.attribute(); f != nil {
				return tok, f
			}
			continue
		}
		break
	}
	tok.end = r.i
	var f *fault
	if tok.prefix, tok.local, f = split(name, tok.at+1); f != nil {
		return tok, f
	}
	if tok.space, f = r.lookup(tok.prefix, tok.at+1); f != nil {
		return tok, f
	}
	tok.attrs = r.attrs
	return tok, r.resolve()
}

// attribute reads one attribute or namespace declaration.
func (r *reader) attribute() *fault {
	at := r.i
	name := r.name()
	if name == nil {
		return wrong(badName, at, "")
	}
	raw, f := r.value()
	if f != nil {
		return f
	}
	if bytes.Equal(name, []byte("xmlns")) || bytes.HasPrefix(name, []byte("xmlns:")) {
		return r.bind(bytes.TrimPrefix(name[5:], []byte{':'}), raw, len(name) > 5, at)
	}
	if len(r.attrs) >= maxAttrs {
		return wrong(tooManyNames, at, "")
	}
	a := attr{raw: raw, at: at}
	if a.prefix, a.local, f = split(name, at); f != nil {
		return f
	}
	r.attrs = append(r.attrs, a)
	return nil
}

// value reads ="..." and returns what is between the quotes.
func (r *reader) value() ([]byte, *fault) {
	r.space()
	if r.i >= len(r.src) || r.src[r.i] != '=' {
		return nil, wrong(badAttribute, r.i, "an equals sign is expected here")
	}
	r.i++
	r.space()
	if r.i >= len(r.src) || r.src[r.i] != '"' && r.src[r.i] != '\'' {
		return nil, wrong(badAttribute, r.i, "a quote is expected here")
	}
	at := r.i + 1
	n := bytes.IndexByte(r.src[at:], r.src[r.i])
	if n < 0 {
		return nil, wrong(endsEarly, len(r.src), "")
	}
	raw := r.src[at : at+n : at+n]
	if k := bytes.IndexByte(raw, '<'); k >= 0 {
		return nil, wrong(badAttribute, at+k, "< must be written as &lt;")
	}
	r.i = at + n + 1
	return raw, checkReferences(raw, at)
}

// end reads an end tag.
func (r *reader) end() (token, *fault) {
	tok := token{kind: endTag, at: r.i}
	if len(r.open) == 0 {
		return tok, wrong(r.outside(), r.i, "")
	}
	r.i += 2
	want := r.open[len(r.open)-1].name
	if name := r.name(); !bytes.Equal(name, want) {
		return tok, wrong(badEnd, tok.at, "</"+string(want[:min(len(want), 64)])+"> is expected here")
	}
	r.space()
	if r.i >= len(r.src) {
		return tok, wrong(endsEarly, r.i, "")
	}
	if r.src[r.i] != '>' {
		return tok, wrong(badTag, r.i, "")
	}
	r.i++
	tok.end = r.i
	return r.pop(tok), nil
}

// pop closes the innermost element, and ends what was declared in it.
func (r *reader) pop(tok token) token {
	top := r.open[len(r.open)-1]
	r.open = r.open[:len(r.open)-1]
	r.bindings = r.bindings[:top.bindings]
	tok.prefix, tok.local, _ = split(top.name, tok.at)
	return tok
}

// name reads a name, nil when there is none. Names of FHIR and XHTML are ASCII.
func (r *reader) name() []byte {
	at := r.i
	for r.i < len(r.src) {
		c := r.src[r.i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (r.i == at || !(c >= '0' && c <= '9' || c == '-' || c == '.' || c == ':')) {
			break
		}
		r.i++
	}
	if r.i == at || r.i < len(r.src) && r.src[r.i] >= utf8.RuneSelf {
		return nil
	}
	return r.src[at:r.i:r.i]
}

// space skips white space, and reports whether there was any.
func (r *reader) space() bool {
	at := r.i
	for r.i < len(r.src) && isSpace(r.src[r.i]) {
		r.i++
	}
	return r.i > at
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }
