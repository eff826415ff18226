package fhirpath

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// kind sorts tokens.
type kind uint8

const (
	tokEnd       kind = iota
	tokName           // identifier or keyword
	tokDelimited      // `identifier`
	tokString         // 'text'
	tokNumber         // 12 or 1.50
	tokDate           // @2015-02, @2015-02-04T14:34, @T14:34
	tokVariable       // $this
	tokExternal       // %name; text without the sign
	tokOperator       // punctuation
)

// token is a lexical element of an expression.
type token struct {
	kind kind
	text string // decoded: without quotes, escapes resolved
	at   int    // byte offset in the source
}

// is reports whether t is the operator or keyword called text.
func (t token) is(text string) bool {
	return (t.kind == tokOperator || t.kind == tokName) && t.text == text
}

// SyntaxError says where an expression does not follow the grammar.
type SyntaxError struct {
	Offset  int // in bytes
	Message string
}

// Error returns the message with its place.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("FHIRPath, at offset %d: %s", e.Offset, e.Message)
}

func fault(at int, format string, args ...any) error {
	return &SyntaxError{Offset: at, Message: fmt.Sprintf(format, args...)}
}

// lexer reads tokens from src, one ahead of the parser.
type lexer struct {
	src string
	i   int
}

// two-byte operators come first, so that the longest one wins.
var operators = []string{"!=", "!~", "<=", ">=", ".", "[", "]", "(", ")", "{", "}", ",", "+", "-", "*", "/", "|", "&", "<", ">", "=", "~"}

// next returns the next token; past the end it returns tokEnd again and again.
func (l *lexer) next() (token, error) {
	if err := l.space(); err != nil {
		return token{}, err
	}
	at := l.i
	if at == len(l.src) {
		return token{kind: tokEnd, at: at}, nil
	}
	switch c := l.src[at]; {
	case letter(c):
		return token{tokName, l.name(), at}, nil
	case digit(c):
		return token{tokNumber, l.number(), at}, nil
	case c == '\'':
		text, err := l.quoted('\'')
		return token{tokString, text, at}, err
	case c == '`':
		text, err := l.quoted('`')
		return token{tokDelimited, text, at}, err
	case c == '@':
		return token{tokDate, l.date(), at}, nil
	case c == '$':
		l.i++
		return token{tokVariable, "$" + l.name(), at}, nil
	case c == '%':
		return l.external()
	}
	for _, op := range operators {
		if strings.HasPrefix(l.src[at:], op) {
			l.i += len(op)
			return token{tokOperator, op, at}, nil
		}
	}
	r, _ := utf8.DecodeRuneInString(l.src[at:])
	return token{}, fault(at, "unexpected character %q", r)
}

// space passes over white space and comments.
func (l *lexer) space() error {
	for l.i < len(l.src) {
		rest := l.src[l.i:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			l.i++
		case strings.HasPrefix(rest, "//"):
			n := strings.IndexAny(rest, "\r\n")
			if n < 0 {
				n = len(rest)
			}
			l.i += n
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				return fault(l.i, "comment without an end")
			}
			l.i += n + 4
		default:
			return nil
		}
	}
	return nil
}

func letter(c byte) bool { return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// run passes over bytes that ok accepts.
func (l *lexer) run(ok func(byte) bool) {
	for l.i < len(l.src) && ok(l.src[l.i]) {
		l.i++
	}
}

func (l *lexer) name() string {
	start := l.i
	if l.i < len(l.src) && letter(l.src[l.i]) {
		l.run(func(c byte) bool { return letter(c) || digit(c) })
	}
	return l.src[start:l.i]
}

func (l *lexer) number() string {
	start := l.i
	l.run(digit)
	l.fraction()
	text := l.src[start:l.i]
	if l.i < len(l.src) && l.src[l.i] == 'L' {
		l.i++ // a Long; every Integer is one here
	}
	return text
}

// fraction passes over a point, when a digit follows it.
func (l *lexer) fraction() {
	if l.i+1 < len(l.src) && l.src[l.i] == '.' && digit(l.src[l.i+1]) {
		l.i++
		l.run(digit)
	}
}

// date passes over the longest text that can be a date, dateTime or time; whether
// it is one is for the parser to say.
func (l *lexer) date() string {
	l.i++
	start := l.i
	l.run(func(c byte) bool { return digit(c) || c == '-' })
	if l.i == len(l.src) || l.src[l.i] != 'T' {
		return l.src[start:l.i]
	}
	time := l.i == start
	l.i++
	l.run(func(c byte) bool { return digit(c) || c == ':' })
	l.fraction()
	if time || l.i == len(l.src) {
		return l.src[start:l.i]
	}
	switch l.src[l.i] {
	case 'Z':
		l.i++
	case '+', '-':
		if l.i+1 < len(l.src) && digit(l.src[l.i+1]) && l.src[l.i-1] != 'T' {
			l.i++
			l.run(func(c byte) bool { return digit(c) || c == ':' })
		}
	}
	return l.src[start:l.i]
}

func (l *lexer) external() (token, error) {
	at := l.i
	l.i++
	if l.i < len(l.src) && (l.src[l.i] == '`' || l.src[l.i] == '\'') {
		text, err := l.quoted(l.src[l.i])
		return token{tokExternal, text, at}, err
	}
	name := l.name()
	if name == "" {
		return token{}, fault(at, "%% without a name")
	}
	return token{tokExternal, name, at}, nil
}

// quoted reads a text in quotes and resolves its escapes.
//
// See https://hl7.org/fhirpath/N1/#string.
func (l *lexer) quoted(quote byte) (string, error) {
	at := l.i
	l.i++
	var b strings.Builder
	for l.i < len(l.src) {
		c := l.src[l.i]
		switch {
		case c == quote:
			l.i++
			return b.String(), nil
		case c == '\\':
			if err := l.escape(&b); err != nil {
				return "", err
			}
		default:
			b.WriteByte(c)
			l.i++
		}
	}
	return "", fault(at, "text without a closing quote")
}

func (l *lexer) escape(b *strings.Builder) error {
	at := l.i
	l.i += 2
	if l.i > len(l.src) {
		return fault(at, "backslash at the end")
	}
	switch c := l.src[l.i-1]; c {
	case '\\', '/', '\'', '"', '`':
		b.WriteByte(c)
	case 'f':
		b.WriteByte('\f')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'u':
		var r rune
		for range 4 {
			if l.i == len(l.src) || hexDigit(l.src[l.i]) < 0 {
				return fault(at, "\\u without four hexadecimal digits")
			}
			r = r<<4 | hexDigit(l.src[l.i])
			l.i++
		}
		b.WriteRune(r)
	default:
		return fault(at, "unknown escape \\%c", c)
	}
	return nil
}

func hexDigit(c byte) rune {
	switch {
	case digit(c):
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
