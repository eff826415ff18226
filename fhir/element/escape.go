package element

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// Mentions reports whether a JSON text may have text in one of its strings, without reading
// it: text has no quotes, backslashes or control characters. A string can be written with
// escapes, and then it has to be read to be known.
func Mentions(json []byte, text string) bool {
	return bytes.Contains(json, []byte(text)) || bytes.Contains(json, []byte(`\u`)) || bytes.Contains(json, []byte(`\/`))
}

// escapeLen returns the length of the escape that src begins with: 2, 6, or 12
// for a pair of surrogates. It returns 0 when there is none, and for a lone
// surrogate, which stands for no character.
func escapeLen(src []byte) int {
	if len(src) < 2 {
		return 0
	}
	switch src[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		return 0
	}
	r := hex4(src)
	switch {
	case r < 0:
		return 0
	case !utf16.IsSurrogate(r):
		return 6
	case utf16.DecodeRune(r, hex4(src[6:])) == utf8.RuneError:
		return 0
	}
	return 12
}

// hex4 returns the value of the \uXXXX that src begins with, or -1.
func hex4(src []byte) rune {
	if len(src) < 6 || src[0] != '\\' || src[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range src[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// unescape appends to dst the text that raw, the inside of a valid JSON string, stands for.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			i++
			continue
		}
		switch n := escapeLen(raw[i:]); n {
		case 2:
			dst = append(dst, unescaped(raw[i+1]))
			i += 2
		case 6:
			dst = utf8.AppendRune(dst, hex4(raw[i:]))
			i += 6
		default:
			dst = utf8.AppendRune(dst, utf16.DecodeRune(hex4(raw[i:]), hex4(raw[i+6:])))
			i += 12
		}
	}
	return dst
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

const hexDigits = "0123456789abcdef"

// Quote appends text to dst as a JSON string with its quotes. It escapes only
// what JSON demands, so "<" and "ñ" stay as they are; a byte that is no UTF-8
// becomes U+FFFD.
func Quote[T []byte | string](dst []byte, text T) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ':
			dst = append(dst, c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
	}
	return append(dst, '"')
}
