package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"regexp"
	"strings"
)

// The trail outlives the records of which it tells, and nothing in it can be changed. So
// what identifies a person is not written into it as it stands in a query, but as a
// pseudonym: a keyed hash, the same for the same value, so that it can still be seen who
// asked for whom, by who knows the value and has the key.

// curp is the form of a CURP, wherever it stands.
//
// See https://www.gob.mx/curp.
var curp = regexp.MustCompile(`(?i)[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[A-Z0-9][0-9]`)

// identifies reports whether the values of a parameter are identifiers: the last step of
// a chain, or the modifier, is called so.
func identifies(name string) bool {
	name = name[strings.LastIndexByte(name, '.')+1:]
	name, modifier, _ := strings.Cut(name, ":")
	return name == "identifier" || modifier == "identifier" || strings.HasSuffix(name, "-identifier") || strings.HasPrefix(name, "_has") && strings.HasSuffix(modifier, ":identifier")
}

// pseudonyms returns the value of a parameter without what identifies a person.
func (t *Trail) pseudonyms(name, value string) string {
	if !identifies(name) {
		return curp.ReplaceAllStringFunc(value, t.pseudonym)
	}
	parts := strings.Split(value, ",")
	for i, part := range parts {
		at := strings.LastIndexByte(part, '|') + 1
		if at < len(part) {
			parts[i] = part[:at] + t.pseudonym(part[at:])
		}
	}
	return strings.Join(parts, ",")
}

// pseudonym stands for a value.
func (t *Trail) pseudonym(value string) string {
	mac := hmac.New(sha256.New, t.Pseudonyms)
	mac.Write([]byte(strings.ToUpper(value)))
	return "~" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
}

// criterion returns the query of a conditional write likewise.
func (t *Trail) criterion(text string) string {
	parts := strings.Split(text, "&")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		plainName, err1 := url.QueryUnescape(name)
		plain, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			plainName, plain = name, value
		}
		if now := t.pseudonyms(plainName, plain); now != plain {
			parts[i] = name + "=" + now
		}
	}
	return strings.Join(parts, "&")
}
