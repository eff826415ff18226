package identity

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestCheck: identifiers, and the rules that they break, with the character at which.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		system, value string
		rule          string
		at            int
	}{
		{SystemCURP, "PEGJ900512HJCRRS04", "", 0},
		{SystemCURP, "SABC560626MDFLRN01", "", 0},
		{SystemCURP, "MARR890512HCSRYR09", "curp-check-digit", 18},
		{SystemCURP, "PEGJ901312HJCRRS04", "curp-birthdate", 5},
		{SystemCURP, "PEGJ900512ZJCRRS04", "curp-format", 11},
		{SystemCURP, "PEGJ900512HJJRRS04", "curp-format", 13},
		{SystemCURP, "PEGJ900512HJC", "curp-format", 14},
		{SystemCURP, "", "curp-format", 1},
		{SystemCURP, GenericCURP, "curp-generic", 0},
		{SystemCLUES, "DFSSA003966", "", 0},
		{SystemCLUES, "MCIMB005225", "", 0},
		{SystemCLUES, "SLSME000016", "", 0},
		{SystemCLUES, "XXSSA003966", "clues-entity", 1},
		{SystemCLUES, "NESSA003966", "clues-entity", 1},
		{SystemCLUES, "DFSSA00396X", "clues-format", 11},
		{SystemCLUES, "9998", "clues-format", 5},
		{SystemCedula, "1234567", "", 0},
		{SystemCedula, "00000012345678", "", 0},
		{SystemCedula, "12A4567", "cedula-format", 3},
		{SystemCedula, "0000000", "cedula-format", 1},
		{SystemCedula, "123", "cedula-length", 1},
		{SystemRFC, "GODE561231GR8", "", 0},
		{SystemRFC, "MAB9307148T4", "", 0},
		{SystemRFC, "GODE561231GR7", "rfc-check-digit", 13},
		{SystemRFC, "GODE561331GR8", "rfc-date", 5},
		{SystemRFC, "GO-E561231GR8", "rfc-format", 3},
		{SystemRFC, "GODE", "rfc-format", 5},
		{SystemNSS, "12345678903", "", 0},
		{SystemNSS, "72795608040", "", 0},
		{SystemNSS, "92919084431", "", 0},
		{SystemNSS, "48088505201", "nss-check-digit", 11},
		{SystemNSS, "4808850520", "nss-format", 11},
		{SystemNSS, "4808X505201", "nss-format", 5},
		{"http://elsewhere.example", "anything", "", 0},
	} {
		got := Check(c.system, c.value, today)
		switch {
		case c.rule == "" && len(got) > 0:
			t.Errorf("%s: %+v, want nothing", c.value, got)
		case c.rule != "" && (len(got) != 1 || got[0].Rule != c.rule || got[0].At != c.at):
			t.Errorf("%s: %+v, want %s at %d", c.value, got, c.rule, c.at)
		}
	}
}

// TestNoProblemQuotes: what is said of an identifier goes into logs, so that it must not
// hold any of it.
func TestNoProblemQuotes(t *testing.T) {
	for _, system := range []string{SystemCURP, SystemCLUES, SystemCedula, SystemRFC, SystemNSS} {
		for _, value := range []string{"QWJKZ9876543210QWX", "99999999999", "QWJK"} {
			for _, p := range Check(system, value, today) {
				if strings.Contains(p.Text, value) || p.Text == "" || p.Rule == "" {
					t.Errorf("%s: %+v", value, p)
				}
			}
		}
	}
}

func TestCURPProblems(t *testing.T) {
	known := Person{Given: "Juan", Father: "Pérez", Mother: "García", Born: time.Date(1990, 5, 12, 0, 0, 0, 0, time.UTC), Sex: 'H', BirthIn: "JC"}
	curp := ExpectedCURP(known) + "0"
	digit, _ := CURPDigit(curp)
	curp += string(digit)
	with := func(change func(*Person)) Person {
		p := known
		change(&p)
		return p
	}
	for _, c := range []struct {
		p    Person
		rule string
		at   int
	}{
		{known, "", 0},
		{Person{}, "", 0},
		{with(func(p *Person) { p.BirthIn = "" }), "", 0},
		{with(func(p *Person) { p.BirthIn, p.Sex, p.Born, p.Given = "", 0, time.Time{}, "" }), "", 0},
		{with(func(p *Person) { p.Father = "Ruiz" }), "curp-name", 1},
		{with(func(p *Person) { p.Born = p.Born.AddDate(0, 0, 1) }), "curp-name-birthdate", 5},
		{with(func(p *Person) { p.Sex = 'M' }), "curp-sex", 11},
		{with(func(p *Person) { p.BirthIn = "OC" }), "curp-entity", 12},
		{with(func(p *Person) { p.Father = "Pelón" }), "curp-name-consonants", 14},
	} {
		got := CURPProblems(curp, c.p)
		if c.rule == "" && len(got) > 0 || c.rule != "" && (len(got) == 0 || got[0].Rule != c.rule || got[0].At != c.at || !got[0].Warning) {
			t.Errorf("%+v: %+v, want %s at %d", c.p, got, c.rule, c.at)
		}
	}
	if got := CURPProblems(GenericCURP, known); got != nil {
		t.Errorf("the generic CURP: %+v", got)
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"PEGJ900512HJCRRS04", "DFSSA003966", "GODE561231GR8", "12345678903", "Ñ&Ñ561231GR8", "\xff\xfe", strings.Repeat("9", 40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, system := range []string{SystemCURP, SystemCLUES, SystemCedula, SystemRFC, SystemNSS} {
			for _, p := range Check(system, s, today) {
				if p.At < 0 || p.At > max(utf8.RuneCountInString(s), len(s))+1 {
					t.Errorf("%s %q: at %d", system, s, p.At)
				}
			}
		}
		CURPProblems(s, Person{Given: "A", Father: "B", Sex: 'H', BirthIn: "DF"})
		CURPProblems(s, Person{Father: s})
	})
}
