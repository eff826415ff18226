package health

import (
	"strconv"
	"strings"
)

const scheme = "shc:/"

// What fits into a QR code of version 22, which can be read when it is printed 40 mm wide.
const (
	LongestSingle = 1195 // characters of a JWS in one code
	longestChunk  = 1191 // of a part of one, in one code of several
)

// Codes returns what the QR codes of a card hold: one, or several of like size where the
// card is too long for one. The digits begin after the last slash of each; they are a
// numeric segment of the code.
//
// See https://hl7.org/fhir/uv/smart-health-cards-and-links/cards-specification.html#encoding-qrs.
func Codes(jws string) []string {
	n := 1
	if len(jws) > LongestSingle {
		n = (len(jws) + longestChunk - 1) / longestChunk
	}
	codes := make([]string, n)
	for i := range n {
		part := jws[i*len(jws)/n : (i+1)*len(jws)/n]
		b := make([]byte, 0, 2*len(part)+20)
		b = append(b, scheme...)
		if n > 1 {
			b = append(strconv.AppendInt(b, int64(i+1), 10), '/')
			b = append(strconv.AppendInt(b, int64(n), 10), '/')
		}
		for _, c := range []byte(part) {
			c -= '-' // the first character of a JWS in ASCII
			b = append(b, '0'+c/10, '0'+c%10)
		}
		codes[i] = string(b)
	}
	return codes
}

// IsCode reports whether a text is what a QR code of a card holds.
func IsCode(text string) bool { return strings.HasPrefix(text, scheme) }

// Join returns the JWS in the codes of one card, in any order. Errors: those that wrap
// ErrForm.
func Join(codes ...string) (string, error) {
	var parts []string
	for _, code := range codes {
		digits, ok := strings.CutPrefix(strings.TrimSpace(code), scheme)
		if !ok {
			return "", malformed("a code of a card begins with %s", scheme)
		}
		c, n := 1, 1
		if i := strings.LastIndexByte(digits, '/'); i >= 0 {
			first, second, _ := strings.Cut(digits[:i], "/")
			var errC, errN error
			c, errC = strconv.Atoi(first)
			n, errN = strconv.Atoi(second)
			if errC != nil || errN != nil || c < 1 || n < c || n > 100 {
				return "", malformed("part %.10q of %.10q cannot be", first, second)
			}
			digits = digits[i+1:]
		}
		if parts == nil {
			parts = make([]string, n)
		}
		if len(parts) != n {
			return "", malformed("the codes are of different cards")
		}
		part, err := characters(digits)
		if err != nil {
			return "", err
		}
		if parts[c-1] != "" && parts[c-1] != part {
			return "", malformed("there are two codes for part %d", c)
		}
		parts[c-1] = part
	}
	for i, part := range parts {
		if part == "" {
			return "", malformed("part %d of %d is missing: scan all codes of the card", i+1, len(parts))
		}
	}
	return strings.Join(parts, ""), nil
}

// characters reads pairs of digits.
func characters(digits string) (string, error) {
	if len(digits)%2 != 0 || digits == "" || len(digits) > 2*longestJWS {
		return "", malformed("a code has pairs of digits")
	}
	b := make([]byte, len(digits)/2)
	for i := range b {
		tens, ones := digits[2*i]-'0', digits[2*i+1]-'0'
		if tens > 9 || ones > 9 || tens*10+ones > 'z'-'-' {
			return "", malformed("a code has pairs of digits from 00 to 77")
		}
		b[i] = '-' + tens*10 + ones
	}
	return string(b), nil
}

// Find returns the cards in what somebody hands over: a JWS, a file, or what QR codes
// hold, one a line. Errors: those that wrap ErrForm.
func Find(text []byte) ([]string, error) {
	trimmed := strings.TrimSpace(strings.TrimPrefix(string(text), "\uFEFF"))
	if strings.HasPrefix(trimmed, "{") {
		return ReadFile([]byte(trimmed))
	}
	var cards, chunks []string
	for _, line := range strings.Fields(trimmed) {
		switch {
		case !IsCode(line):
			cards = append(cards, line)
		case strings.Count(line, "/") > 1:
			chunks = append(chunks, line)
		default:
			jws, err := Join(line)
			if err != nil {
				return nil, err
			}
			cards = append(cards, jws)
		}
	}
	if chunks != nil {
		jws, err := Join(chunks...)
		if err != nil {
			return nil, err
		}
		cards = append(cards, jws)
	}
	if len(cards) == 0 {
		return nil, malformed("there is nothing in it")
	}
	return cards, nil
}
