package patch

import (
	"strings"
)

// pointer is a JSON Pointer, decoded; empty for the whole document.
type pointer []string

var unescapeToken = strings.NewReplacer("~1", "/", "~0", "~")

// parsePointer reads a JSON Pointer.
//
// See https://www.rfc-editor.org/rfc/rfc6901#section-3.
func parsePointer(s string) (pointer, bool) {
	if s == "" {
		return nil, true
	}
	if s[0] != '/' {
		return nil, false
	}
	tokens := strings.Split(s[1:], "/")
	for i, t := range tokens {
		for j := 0; j < len(t); j++ {
			if t[j] == '~' && (j+1 == len(t) || t[j+1] != '0' && t[j+1] != '1') {
				return nil, false
			}
		}
		tokens[i] = unescapeToken.Replace(t)
	}
	return tokens, true
}

// index reads the token of an array item: digits without a superfluous 0. It
// returns -1 for anything else.
//
// See https://www.rfc-editor.org/rfc/rfc6901#section-4.
func index(token string) int {
	if token == "" || len(token) > 9 || len(token) > 1 && token[0] == '0' {
		return -1
	}
	n := 0
	for i := 0; i < len(token); i++ {
		c := token[i]
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// within reports whether p names something inside what other names.
func (p pointer) within(other pointer) bool {
	if len(p) <= len(other) {
		return false
	}
	for i := range other {
		if p[i] != other[i] {
			return false
		}
	}
	return true
}
