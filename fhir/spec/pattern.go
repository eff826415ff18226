package spec

import (
	"bytes"
	"unicode/utf8"
)

// Pattern names the lexical rule that the text of a primitive must follow.
//
// See https://hl7.org/fhir/R4/datatypes.html#primitive.
type Pattern uint8

// The lexical rules of the R4 primitive types.
const (
	NoPattern Pattern = iota
	PatternBoolean
	PatternInteger
	PatternUnsignedInt
	PatternPositiveInt
	PatternDecimal
	PatternDate
	PatternDateTime
	PatternInstant
	PatternTime
	PatternString
	PatternMarkdown
	PatternCode
	PatternID
	PatternOID
	PatternUUID
	PatternURI
	PatternURL
	PatternCanonical
	PatternBase64
	PatternXHTML
)

// patterns gives the rule of each primitive type.
var patterns = map[string]Pattern{
	"boolean":      PatternBoolean,
	"integer":      PatternInteger,
	"unsignedInt":  PatternUnsignedInt,
	"positiveInt":  PatternPositiveInt,
	"decimal":      PatternDecimal,
	"date":         PatternDate,
	"dateTime":     PatternDateTime,
	"instant":      PatternInstant,
	"time":         PatternTime,
	"string":       PatternString,
	"markdown":     PatternMarkdown,
	"code":         PatternCode,
	"id":           PatternID,
	"oid":          PatternOID,
	"uuid":         PatternUUID,
	"uri":          PatternURI,
	"url":          PatternURL,
	"canonical":    PatternCanonical,
	"base64Binary": PatternBase64,
	"xhtml":        PatternXHTML,
}

// maxString is the most characters that a string or markdown may have.
//
// See https://hl7.org/fhir/R4/datatypes.html#string.
const maxString = 1024 * 1024

// Check reports whether text is a value that the primitive type allows: the content
// of a JSON string with its escapes resolved, or the literal of a JSON number or
// boolean. It follows the regular expressions of the R4 page, where \s is ASCII white
// space, and the words beside them: 32-bit integers, dates that exist, base64 as in
// RFC 4648, and no empty value. It does not look inside XHTML. It does not allocate.
//
// See https://hl7.org/fhir/R4/datatypes.html#primitive.
func (p Pattern) Check(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	switch p {
	case PatternBoolean:
		return string(text) == "true" || string(text) == "false"
	case PatternInteger:
		return isInteger(bytes.TrimPrefix(text, minus), text[0] == '-')
	case PatternUnsignedInt:
		return isInteger(text, false)
	case PatternPositiveInt:
		return text[0] != '0' && isInteger(text, false)
	case PatternDecimal:
		return isDecimal(text)
	case PatternDate:
		rest, _ := cutDate(text)
		return rest != nil && len(rest) == 0
	case PatternDateTime:
		return isDateTime(text, false)
	case PatternInstant:
		return isDateTime(text, true)
	case PatternTime:
		rest := cutTime(text)
		return rest != nil && len(rest) == 0
	case PatternString, PatternMarkdown:
		return isText(text)
	case PatternCode:
		return isCode(text)
	case PatternID:
		return isID(text)
	case PatternOID:
		return isOID(text)
	case PatternUUID:
		return isUUID(text)
	case PatternURI, PatternURL, PatternCanonical:
		return !bytes.ContainsFunc(text, isSpace)
	case PatternBase64:
		return isBase64(text)
	}
	return true // xhtml and NoPattern
}

var minus = []byte("-")

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isSpace is \s of the published expressions.
func isSpace(r rune) bool { return r == ' ' || '\t' <= r && r <= '\r' }

// digits counts the digits that text begins with.
func digits(text []byte) int {
	n := 0
	for n < len(text) && isDigit(text[n]) {
		n++
	}
	return n
}

// isInteger matches 0|[1-9][0-9]* up to 2,147,483,647, or one more below zero.
func isInteger(text []byte, negative bool) bool {
	if len(text) == 0 || len(text) > 10 || digits(text) != len(text) || len(text) > 1 && text[0] == '0' {
		return false
	}
	var n int64
	for _, c := range text {
		n = n*10 + int64(c-'0')
	}
	return n <= 1<<31-1 || negative && n == 1<<31
}

// isDecimal matches -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?.
func isDecimal(text []byte) bool {
	text = bytes.TrimPrefix(text, minus)
	n := digits(text)
	if n == 0 || n > 1 && text[0] == '0' {
		return false
	}
	text = text[n:]
	if len(text) > 0 && text[0] == '.' {
		if n = digits(text[1:]); n == 0 {
			return false
		}
		text = text[1+n:]
	}
	if len(text) > 0 && text[0]|0x20 == 'e' {
		text = text[1:]
		if len(text) > 0 && (text[0] == '+' || text[0] == '-') {
			text = text[1:]
		}
		if n = digits(text); n == 0 {
			return false
		}
		text = text[n:]
	}
	return len(text) == 0
}

// number reads two or four digits; -1 when text has none there.
func number(text []byte, width int) int {
	if len(text) < width || digits(text[:width]) != width {
		return -1
	}
	n := 0
	for _, c := range text[:width] {
		n = n*10 + int(c-'0')
	}
	return n
}

// cutDate takes YYYY, YYYY-MM or YYYY-MM-DD off text and returns the rest, and
// whether the date has a day. The rest is nil when text does not begin with a date.
func cutDate(text []byte) (rest []byte, day bool) {
	year := number(text, 4)
	if year <= 0 {
		return nil, false
	}
	text = text[4:]
	if len(text) == 0 || text[0] != '-' {
		return text, false
	}
	month := number(text[1:], 2)
	if month < 1 || month > 12 {
		return nil, false
	}
	text = text[3:]
	if len(text) == 0 || text[0] != '-' {
		return text, false
	}
	if d := number(text[1:], 2); d < 1 || d > daysIn(year, month) {
		return nil, false
	}
	return text[3:], true
}

// daysIn returns the number of days of a month in the Gregorian calendar.
func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// cutTime takes hh:mm:ss[.f...] off text and returns the rest; nil when text does
// not begin with a time. Second 60 is allowed in any minute, hour 24 is not.
func cutTime(text []byte) []byte {
	if len(text) < 8 || text[2] != ':' || text[5] != ':' {
		return nil
	}
	h, m, s := number(text, 2), number(text[3:], 2), number(text[6:], 2)
	if h < 0 || h > 23 || m < 0 || m > 59 || s < 0 || s > 60 {
		return nil
	}
	text = text[8:]
	if len(text) > 0 && text[0] == '.' {
		n := digits(text[1:])
		if n == 0 {
			return nil
		}
		text = text[1+n:]
	}
	return text
}

// isDateTime matches a date with or without a time; with full, only one with a time.
func isDateTime(text []byte, full bool) bool {
	text, day := cutDate(text)
	if text == nil {
		return false
	}
	if len(text) == 0 {
		return !full
	}
	if !day || text[0] != 'T' {
		return false
	}
	return isZone(cutTime(text[1:]))
}

// isZone matches Z|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00).
func isZone(text []byte) bool {
	if len(text) == 1 {
		return text[0] == 'Z'
	}
	if len(text) != 6 || text[0] != '+' && text[0] != '-' || text[3] != ':' {
		return false
	}
	h, m := number(text[1:], 2), number(text[4:], 2)
	return h >= 0 && m >= 0 && m <= 59 && (h <= 13 || h == 14 && m == 0)
}

// isText matches [ \r\n\t\S]+ of at most a mebi of characters.
func isText(text []byte) bool {
	if len(text) > maxString && utf8.RuneCount(text) > maxString {
		return false
	}
	return bytes.IndexByte(text, '\v') < 0 && bytes.IndexByte(text, '\f') < 0
}

// isCode matches [^\s]+(\s[^\s]+)*.
func isCode(text []byte) bool {
	space := true // as if before the text
	for _, c := range text {
		s := isSpace(rune(c))
		if s && space {
			return false
		}
		space = s
	}
	return !space
}

// isID matches [A-Za-z0-9\-\.]{1,64}.
func isID(text []byte) bool {
	for _, c := range text {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '.' {
			return false
		}
	}
	return len(text) <= 64
}

// isOID matches urn:oid:[0-2](\.(0|[1-9][0-9]*))+.
func isOID(text []byte) bool {
	text, ok := bytes.CutPrefix(text, []byte("urn:oid:"))
	if !ok || len(text) < 3 || text[0] < '0' || text[0] > '2' {
		return false
	}
	for text = text[1:]; len(text) > 0; {
		if text[0] != '.' {
			return false
		}
		n := digits(text[1:])
		if n == 0 || n > 1 && text[1] == '0' {
			return false
		}
		text = text[1+n:]
	}
	return true
}

// isUUID matches urn:uuid: and 8-4-4-4-12 lower-case hexadecimal digits.
func isUUID(text []byte) bool {
	text, ok := bytes.CutPrefix(text, []byte("urn:uuid:"))
	if !ok || len(text) != 36 {
		return false
	}
	for i, c := range text {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !isDigit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// isBase64 matches (\s*[0-9a-zA-Z\+/=]{4}\s*)+, with = only as the padding of the
// last group.
func isBase64(text []byte) bool {
	inGroup, padding, groups := 0, 0, 0
	for _, c := range text {
		if isSpace(rune(c)) {
			if inGroup > 0 {
				return false
			}
			continue
		}
		if c == '=' {
			padding++
			if inGroup < 2 {
				return false
			}
		} else if padding > 0 || !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && c != '+' && c != '/' {
			return false
		}
		if inGroup++; inGroup == 4 {
			inGroup = 0
			groups++
		}
	}
	return inGroup == 0 && groups > 0
}
