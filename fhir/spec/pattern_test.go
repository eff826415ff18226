package spec

import (
	"regexp"
	"strings"
	"testing"
)

var uuidText = "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"

var checks = []struct {
	pattern Pattern
	good    []string
	bad     []string
}{
	{PatternBoolean, []string{"true", "false"}, []string{"True", "1", "truex", "null"}},
	{PatternInteger,
		[]string{"0", "-0", "-1", "42", "2147483647", "-2147483648"},
		[]string{"", "-", "+1", "01", "1.0", "1e3", "2147483648", "-2147483649", "99999999999999999999", " 1", "1 "}},
	{PatternUnsignedInt, []string{"0", "7", "2147483647"}, []string{"-0", "-1", "00", "2147483648"}},
	{PatternPositiveInt, []string{"1", "10", "2147483647"}, []string{"0", "01", "-1", "2147483648"}},
	{PatternDecimal,
		[]string{"0", "-0", "0.00", "-1.50", "1e3", "1E+3", "1.5e-10", "123456789012345678901234567890.1"},
		[]string{"", "-", "+1", ".5", "1.", "01", "1e", "1e+", "1.e1", "0x1", "NaN", "Infinity", "1 "}},
	{PatternDate,
		[]string{"0001", "1000", "2020", "2020-02", "2020-02-29", "2000-02-29", "9999-12-31"},
		[]string{"0000", "202", "20200", "2020-", "2020-2", "2020-00", "2020-13", "2020-02-", "2020-02-00",
			"2020-02-30", "2019-02-29", "1900-02-29", "2020-04-31", "2020-12-32", "2020-01-01T00:00:00Z", "2020/01/01", "-2020"}},
	{PatternDateTime,
		[]string{"2020", "2020-02", "2020-02-29", "2020-02-29T00:00:00Z", "2020-02-29T23:59:60Z", "2020-06-30T12:00:60+05:30",
			"2020-02-29T10:00:00.000000001-14:00", "2020-02-29T10:00:00+00:00", "2020-02-29T10:00:00-13:59"},
		[]string{"2020-02-29T", "2020-02-29T24:00:00Z", "2020-02-29T10:00Z", "2020-02-29T10:00:00", "2020-02-29 10:00:00Z",
			"2020-02-29T10:60:00Z", "2020-02-29T10:00:61Z", "2020-02-29T10:00:00.Z", "2020-02-29T10:00:00+14:01",
			"2020-02-29T10:00:00+15:00", "2020-02-29T10:00:00z", "2020-02-29T10:00:00Z ", "2020-02T10:00:00Z", "2020T10:00:00Z",
			"2020-02-30T10:00:00Z", "2020-02-29T10:00:00+0530", "2020-02-29T10:00:00+05:60", "2020-02-29T-1:00:00Z"}},
	{PatternInstant,
		[]string{"2020-02-29T10:00:00Z", "2020-02-29T10:00:00.123+14:00", "2015-06-30T23:59:60Z"},
		[]string{"2020", "2020-02", "2020-02-29", "2020-02-29T10:00:00", "2020-02-29T24:00:00Z"}},
	{PatternTime,
		[]string{"00:00:00", "23:59:59", "23:59:60", "12:30:00.5", "12:30:00.123456789"},
		[]string{"24:00:00", "12:30", "12:60:00", "12:30:61", "12:30:00.", "12:30:00Z", "1:30:00", "12-30-00"}},
	{PatternString,
		[]string{"a", " ", "línea\r\n\tdos", "\u00a0", strings.Repeat("x", maxString), strings.Repeat("é", maxString)},
		[]string{"", "a\vb", "a\fb", strings.Repeat("x", maxString+1), strings.Repeat("é", maxString+1)}},
	{PatternMarkdown, []string{"# a\n\n* b"}, []string{"", strings.Repeat("x", maxString+1)}},
	{PatternCode,
		[]string{"a", "a b", "a b c", "a\tb", "<", "año"},
		[]string{"", " ", " a", "a ", "a  b", "a\t\nb", "\n"}},
	{PatternID,
		[]string{"a", "A-1.b", strings.Repeat("x", 64)},
		[]string{"", "a b", "a_b", "a/b", "é", "@", "[", strings.Repeat("x", 65)}},
	{PatternOID,
		[]string{"urn:oid:1.2.3", "urn:oid:0.0", "urn:oid:2.16.840.1.113883"},
		[]string{"1.2.3", "urn:oid:", "urn:oid:1", "urn:oid:1.", "urn:oid:3.1", "urn:oid:1.02", "urn:oid:1..2", "urn:oid:1.2.", "urn:oid:12.3"}},
	{PatternUUID,
		[]string{uuidText},
		[]string{strings.ToUpper(uuidText), "c757873d-ec9a-4326-a141-556f43239520", uuidText + "0", uuidText[:44],
			"urn:uuid:c757873d-ec9a-4326-a141-556f4323952g", "urn:uuid:c757873dec9a-4326-a141-556f-43239520"}},
	{PatternURI,
		[]string{"http://a.example/ñ?x#y", "urn:oid:1.2", "x", "#a"},
		[]string{"", " ", "a b", "a\n", "http://a.example/\tx"}},
	{PatternURL, []string{"ftp://x"}, []string{"x y"}},
	{PatternCanonical, []string{"http://x|1.0"}, []string{"http://x |1.0"}},
	{PatternBase64,
		[]string{"AAAA", "QQ==", "QUI=", "+/09", " AAAA\r\nAAAA ", "AAAA AA=="},
		[]string{"", " ", "A", "AAA", "AAAAA", "AA AA", "=AAA", "A===", "AA=A", "AA==AAAA", "AAA-", "AAA_"}},
}

func TestCheck(t *testing.T) {
	for _, c := range checks {
		for _, s := range c.good {
			if !c.pattern.Check([]byte(s)) {
				t.Errorf("pattern %d refuses %.60q", c.pattern, s)
			}
		}
		for _, s := range c.bad {
			if c.pattern.Check([]byte(s)) {
				t.Errorf("pattern %d takes %.60q", c.pattern, s)
			}
		}
	}
}

// published gives the regular expressions of R4 for its primitive types. Go's \s
// lacks the vertical tab that \s has in the dialects that FHIR means, so it is named.
var published = func() map[Pattern]*regexp.Regexp {
	const year = `([0-9]([0-9]([0-9][1-9]|[1-9]0)|[1-9]00)|[1-9]000)`
	const month, day = `(0[1-9]|1[0-2])`, `(0[1-9]|[1-2][0-9]|3[0-1])`
	const clock = `([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?`
	const zone = `(Z|(\+|-)((0[0-9]|1[0-3]):[0-5][0-9]|14:00))`
	const text, uri = `[^\v\f]+`, `[^\s\v]+`
	expressions := map[Pattern]*regexp.Regexp{}
	for p, s := range map[Pattern]string{
		PatternBoolean:     `true|false`,
		PatternInteger:     `-?([0]|([1-9][0-9]*))`,
		PatternUnsignedInt: `[0]|([1-9][0-9]*)`,
		PatternPositiveInt: `[1-9][0-9]*`,
		PatternDecimal:     `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`,
		PatternDate:        year + `(-` + month + `(-` + day + `)?)?`,
		PatternDateTime:    year + `(-` + month + `(-` + day + `(T` + clock + zone + `)?)?)?`,
		PatternInstant:     year + `-` + month + `-` + day + `T` + clock + zone,
		PatternTime:        clock,
		PatternString:      text,
		PatternMarkdown:    text,
		PatternCode:        `[^\s\v]+([\s\v][^\s\v]+)*`,
		PatternID:          `[A-Za-z0-9\-\.]{1,64}`,
		PatternOID:         `urn:oid:[0-2](\.(0|[1-9][0-9]*))+`,
		PatternUUID:        `urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`,
		PatternURI:         uri,
		PatternURL:         uri,
		PatternCanonical:   uri,
		PatternBase64:      `([\s\v]*([0-9a-zA-Z\+/=]){4}[\s\v]*)+`,
	} {
		expressions[p] = regexp.MustCompile(`^(` + s + `)$`)
	}
	return expressions
}()

// stricter tells why a check may refuse what the published expression takes.
var stricter = map[Pattern]string{
	PatternInteger:     "32 bits",
	PatternUnsignedInt: "31 bits",
	PatternPositiveInt: "31 bits",
	PatternDate:        "the day must exist",
	PatternDateTime:    "the day must exist",
	PatternInstant:     "the day must exist",
	PatternString:      "length",
	PatternMarkdown:    "length",
	PatternBase64:      "padding only at the end",
}

// FuzzCheck compares the checks with the published expressions.
func FuzzCheck(f *testing.F) {
	for _, c := range checks {
		for _, s := range append(append([]string(nil), c.good...), c.bad...) {
			if len(s) < 1000 {
				f.Add(uint8(c.pattern), s)
			}
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, text string) {
		p := Pattern(kind)
		expression := published[p]
		if expression == nil {
			return
		}
		got, want := p.Check([]byte(text)), expression.MatchString(text)
		if got && !want || want && !got && stricter[p] == "" {
			t.Errorf("pattern %d on %q: got %v, the published expression says %v", p, text, got, want)
		}
	})
}

func TestCheckDoesNotAllocate(t *testing.T) {
	for _, c := range checks {
		text := []byte(c.good[0])
		if n := testing.AllocsPerRun(10, func() { c.pattern.Check(text) }); n != 0 {
			t.Errorf("pattern %d: %v allocations", c.pattern, n)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	id, when, code := []byte("c757873d-ec9a-4326-a141-556f43239520"), []byte("2020-02-29T10:00:00.123+01:00"), []byte("vital-signs")
	for b.Loop() {
		PatternID.Check(id)
		PatternDateTime.Check(when)
		PatternCode.Check(code)
	}
}
