package terminology

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/text/currency"
	"golang.org/x/text/language"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/ucum"
)

// Systems that FHIR uses, and that are known here without any resource.
const (
	UCUM       = "http://unitsofmeasure.org"
	languages  = "urn:ietf:bcp:47"
	mediaTypes = "urn:ietf:bcp:13"
	uris       = "urn:ietf:rfc:3986"
	currencies = "urn:iso:std:iso:4217"
	countries  = "urn:iso:std:iso:3166"
)

// builtIn makes a system that is known here without any resource. It is made when it
// is first asked for.
//
// See https://hl7.org/fhir/R4/terminologies-systems.html.
var builtIn = map[string]func() *System{
	UCUM: sync.OnceValue(func() *System {
		return ruledSystem(UCUM, "UnifiedCodeForUnitsOfMeasure", &Rule{Check: unit, Is: unitIs})
	}),
	languages: sync.OnceValue(func() *System {
		return ruledSystem(languages, "TagsForIdentifyingLanguages", &Rule{Check: func(code string) (string, bool) { return "", languageTag(code) }})
	}),
	mediaTypes: sync.OnceValue(func() *System {
		return ruledSystem(mediaTypes, "MediaTypes", &Rule{Check: func(code string) (string, bool) { return "", mediaType.MatchString(code) }})
	}),
	uris: sync.OnceValue(func() *System {
		return ruledSystem(uris, "UniformResourceIdentifiers", &Rule{Check: func(code string) (string, bool) { return "", uri.MatchString(code) }})
	}),
	currencies: sync.OnceValue(func() *System { return listedSystem(currencies, "ISO4217", currencyCodes()) }),
	countries:  sync.OnceValue(func() *System { return listedSystem(countries, "ISO3166Part1", countryCodes()) }),
}

func ruledSystem(url, name string, rule *Rule) *System {
	s := listedSystem(url, name, nil)
	s.rule = rule
	return s
}

// listedSystem makes a system of codes that have no displays.
func listedSystem(url, name string, codes []string) *System {
	b := newBuilder()
	for _, code := range codes {
		b.t.rows = append(b.t.rows, row{code: b.add([]byte(code))})
	}
	return &System{
		Header:  Header{Kind: CodeSystemKind, URL: url, Name: name, Status: "active"},
		Content: "complete", CaseSensitive: true, table: b.finish(false),
	}
}

func unit(code string) (display string, ok bool) {
	u, err := ucum.Parse(code)
	if err != nil {
		return "", false
	}
	return u.Display(), true
}

// unitIs knows the one property that value sets filter units by: canonical, which
// selects what measures the same as a given unit.
//
// See https://hl7.org/fhir/R4/ucum.html.
func unitIs(code, property, value string) bool {
	if property != "canonical" {
		return false
	}
	u, err := ucum.Parse(code)
	if err != nil {
		return false
	}
	w, err := ucum.Parse(value)
	return err == nil && u.Comparable(w)
}

// languageTag reports whether a tag is well-formed. Whether its parts are registered
// is not looked at: new ones are, every year.
//
// See RFC 5646, section 2.1.
func languageTag(tag string) bool { return len(tag) <= 100 && wellFormed.MatchString(tag) }

var wellFormed = regexp.MustCompile(`^(?i:` +
	`(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4}|[a-z]{5,8})` + // language
	`(?:-[a-z]{4})?` + // script
	`(?:-(?:[a-z]{2}|[0-9]{3}))?` + // region
	`(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*` + // variants
	`(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*` + // extensions
	`(?:-x(?:-[a-z0-9]{1,8})+)?` + // private use
	`|x(?:-[a-z0-9]{1,8})+` +
	`|i-[a-z]{3,8}|en-gb-oed|sgn-be-fr|sgn-be-nl|sgn-ch-de)$`)

// mediaType is RFC 6838, section 4.2, with parameters as in RFC 2045.
var mediaType = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}` +
	`(?:[ \t]*;[ \t]*[A-Za-z0-9!#$&^_.+-]+=(?:[A-Za-z0-9!#$%&'*+^_.|~:/-]+|"[^"\\\r\n]*"))*$`)

// uri is the form of RFC 3986: a scheme, and no character that has to be escaped.
var uri = regexp.MustCompile("^[A-Za-z][A-Za-z0-9+.-]*:[^\\s<>\"{}|\\\\^`]*$")

// currencyCodes lists the codes of ISO 4217, former ones too, as CLDR has them.
func currencyCodes() []string {
	var all []string
	seen := map[string]bool{}
	for q := currency.Query(currency.Historical, currency.NonTender); q.Next(); {
		if code := q.Unit().String(); !seen[code] {
			seen[code] = true
			all = append(all, code)
		}
	}
	for _, code := range []string{"XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XTS", "XXX", "XSU", "XUA"} {
		if _, err := currency.ParseISO(code); err == nil && !seen[code] {
			all = append(all, code)
		}
	}
	return all
}

// countryCodes lists the codes of ISO 3166-1: two letters, three letters, three digits.
func countryCodes() []string {
	var two, three, digits []string
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			r, err := language.ParseRegion(code)
			if err != nil || !r.IsCountry() || r.String() != code || r.Canonicalize() != r {
				continue
			}
			two = append(two, code)
			if iso3 := r.ISO3(); iso3 != "ZZZ" {
				three = append(three, iso3)
			}
			if n := r.M49(); n > 0 {
				padded := "00" + strconv.Itoa(n)
				digits = append(digits, padded[len(padded)-3:])
			}
		}
	}
	return append(append(two, three...), digits...)
}

// implicit makes value sets that exist by virtue of their URL alone: all of a code
// system (its URL and ?fhir_vs), or what is below a code (?fhir_vs=isa/CODE).
//
// See https://hl7.org/fhir/R4/valueset.html#implicit.
func implicit(url string) *ValueSet {
	c := clause{}
	switch {
	case url == "http://unitsofmeasure.org/vs":
		c.system = UCUM
	case url == "http://loinc.org/vs":
		c.system = "http://loinc.org"
	case strings.HasPrefix(url, "http://loinc.org/vs/LL"):
		return nil // an answer list
	case strings.HasPrefix(url, "http://loinc.org/vs/"):
		c.system = "http://loinc.org"
		c.filters = []filter{{"ancestor", "is-a", strings.TrimPrefix(url, "http://loinc.org/vs/")}}
	default:
		system, query, ok := strings.Cut(url, "?")
		if !ok {
			return nil
		}
		c.system = system
		if query == "fhir_vs" {
			break
		}
		code, ok := strings.CutPrefix(query, "fhir_vs=isa/")
		if !ok {
			return nil
		}
		c.filters = []filter{{"concept", "is-a", code}}
	}
	made := allOf(url, c.system)
	made.include = []clause{c}
	return made
}

// allOf returns the value set of all codes of a system.
func allOf(url, system string) *ValueSet {
	return &ValueSet{
		Header: Header{Kind: ValueSetKind, URL: url, Status: "active"}, implied: true,
		include: []clause{{system: system}},
		head:    []byte(`{"resourceType":"ValueSet","url":` + string(element.Quote(nil, url)) + `,"status":"active"`),
	}
}
