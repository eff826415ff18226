package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
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

// calls are the parameters by whose values people are called, found or reached, and words
// are those that look for such words anywhere.
var (
	calls = []string{
		"name", "family", "given", "phonetic", "mothersMaidenName", "address", "address-city", "address-postalcode", "address-state", "address-country", "address-use",
		"telecom", "phone", "email",
	}
	words = []string{"_text", "_content"}
)

// naming is a word of a _filter after which the name, the address or the number of
// somebody can stand.
var naming = regexp.MustCompile(`(?i)\b(` + strings.Join(calls, "|") + `|identifier|_text|_content)\b|"`)

// people are the types of resources whose names are those of patients and their families;
// what is called so elsewhere is an establishment, a professional or a definition.
var people = []string{"", "Patient", "Person", "RelatedPerson"}

// asksByWords reports whether the values of a parameter of a search of a type may be words
// by which a person is called: the last step of a chain, or of _has, tells.
func asksByWords(typ, name string) bool {
	at := strings.LastIndexByte(name, '.') + 1
	steps := strings.Split(name[at:], ":")
	led := at > 0
	for len(steps) > 3 && steps[0] == "_has" {
		led, steps = true, steps[3:]
	}
	if len(steps) > 1 && steps[1] == "text" { // how a reference or a code is called
		return true
	}
	return slices.Contains(words, steps[0]) || (led || slices.Contains(people, typ)) && slices.Contains(calls, steps[0])
}

// pseudonyms returns the value of a parameter of a search of a type without what
// identifies a person.
func (t *Trail) pseudonyms(typ, name, value string) string {
	switch {
	case value == "" || strings.HasSuffix(name, ":missing"):
		return value
	case name == "_filter" && naming.MatchString(value):
		return t.pseudonym(value) // whichever of its words they are
	case asksByWords(typ, name):
		parts := strings.Split(value, ",")
		for i, part := range parts {
			parts[i] = t.pseudonym(part)
		}
		return strings.Join(parts, ",")
	case !identifies(name):
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

// criterion returns the query of a conditional write of a type likewise.
func (t *Trail) criterion(typ, text string) string {
	parts := strings.Split(text, "&")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		plainName, err1 := url.QueryUnescape(name)
		plain, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			plainName, plain = name, value
		}
		if now := t.pseudonyms(typ, plainName, plain); now != plain {
			parts[i] = name + "=" + now
		}
	}
	return strings.Join(parts, "&")
}
