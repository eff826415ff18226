package identity

import (
	"strings"
	"time"
)

// Problem is one thing that is wrong with an identifier.
type Problem struct {
	Rule    string // stable key of the rule: "curp-check-digit"
	At      int    // character that it begins at, from 1; 0 for the whole
	Text    string // what the rule wants, without the identifier itself
	Warning bool   // such identifiers are in use, so that it is no reason to refuse one
}

// Check returns what is wrong with an identifier on the day of today: of the systems
// that this package knows, its form and its check digit. nil is nothing, or a system
// that it does not know.
func Check(system, value string, today time.Time) []Problem {
	switch system {
	case SystemCURP:
		return curpProblems(value, today)
	case SystemCLUES:
		return cluesProblems(value)
	case SystemCedula:
		return cedulaProblems(value)
	case SystemRFC:
		return rfcProblems(value)
	case SystemNSS:
		return nssProblems(value)
	}
	return nil
}

// curpProblem says of each fault of a CURP where it begins and what is wanted there.
var curpProblem = map[Fault]Problem{
	Generic:     {Rule: "curp-generic", Text: "this value stands for having no CURP: leave the identifier out", Warning: true},
	Malformed:   {Rule: "curp-format", At: 1, Text: "a CURP has 18 characters: 4 letters, 6 digits of the birth date, H, M or X, the entity, 3 consonants, and 2 more of which the last is a digit"},
	NoSuchDate:  {Rule: "curp-birthdate", At: 5, Text: "characters 5 to 10 are the birth date, as YYMMDD"},
	FutureBirth: {Rule: "curp-birthdate", At: 5, Text: "the birth date lies in the future"},
	RudeWord:    {Rule: "curp-inconvenient-word", At: 2, Text: "RENAPO writes X here in place of a letter that would make an inconvenient word", Warning: true},
	WrongDigit:  {Rule: "curp-check-digit", At: 18, Text: "the check digit does not follow from the 17 characters before it"},
}

func curpProblems(value string, today time.Time) []Problem {
	var all []Problem
	for _, fault := range CheckCURP(value, today) {
		p := curpProblem[fault]
		if fault == Malformed {
			p.At = curpFormAt(value)
		}
		all = append(all, p)
	}
	return all
}

// curpFormAt returns the first character, from 1, that cannot stand where it stands.
func curpFormAt(value string) int {
	c := strings.ToUpper(strings.TrimSpace(value))
	const sample = "AAAA000000HDFBBB00"
	for i := range min(len(c), curpLength) {
		tried := c[:i+1] + sample[i+1:]
		if i == 11 {
			continue // the entity is two letters: the second one decides
		}
		if !curpForm(tried) {
			return i + 1
		}
	}
	return min(len(c), curpLength) + 1
}

// CURPProblems returns how a CURP disagrees with what is known of its bearer: a warning
// each, since names and birth dates are corrected and the CURP is not, or the other way
// round. What p leaves empty is not compared. A generic or malformed CURP has none.
func CURPProblems(curp string, p Person) []Problem {
	c := strings.ToUpper(strings.TrimSpace(curp))
	if c == GenericCURP || !curpForm(c) {
		return nil
	}
	known := p
	if p.BirthIn == "" {
		p.BirthIn = Abroad // any two letters: they are not compared
	}
	want := ExpectedCURP(p)
	var all []Problem
	differs := func(told bool, from, to int, rule, what string) {
		if told && c[from:to] != want[from:to] {
			all = append(all, Problem{Rule: rule, At: from + 1, Text: what + " does not agree with the CURP", Warning: true})
		}
	}
	named := p.Father != "" && p.Given != ""
	differs(named, 0, 4, "curp-name", "the name")
	differs(!p.Born.IsZero(), 4, 10, "curp-name-birthdate", "the birth date")
	differs(p.Sex != 0, 10, 11, "curp-sex", "the sex")
	differs(known.BirthIn != "", 11, 13, "curp-entity", "the entity of birth")
	differs(named, 13, 16, "curp-name-consonants", "a later letter of the name")
	return all
}

// cluesProblems: two letters of the entity, three of the institution, six digits.
func cluesProblems(value string) []Problem {
	if len(value) != 11 {
		return []Problem{{Rule: "clues-format", At: min(len(value), 11) + 1, Text: "a CLUES has 11 characters: 2 letters of the entity, 3 of the institution, 6 digits"}}
	}
	if !isEntity(value[:2]) || value[:2] == Abroad {
		return []Problem{{Rule: "clues-entity", At: 1, Text: "a CLUES begins with the two letters of a federal entity, as in a CURP"}}
	}
	for i := 2; i < 11; i++ {
		if ok := i < 5 && isLetter(value[i]) || i >= 5 && isDigit(value[i]); !ok {
			return []Problem{{Rule: "clues-format", At: i + 1, Text: "a CLUES has 11 characters: 2 letters of the entity, 3 of the institution, 6 digits"}}
		}
	}
	return nil
}

// cedulaProblems: a number of the SEP. Files of the DGIS pad it to as many as 14 digits.
func cedulaProblems(value string) []Problem {
	for i := range len(value) {
		if !isDigit(value[i]) {
			return []Problem{{Rule: "cedula-format", At: i + 1, Text: "a cédula profesional is a number"}}
		}
	}
	switch n := len(strings.TrimLeft(value, "0")); {
	case n == 0 || len(value) > 14:
		return []Problem{{Rule: "cedula-format", At: 1, Text: "a cédula profesional is a number of 14 digits at most"}}
	case n < 5 || n > 8:
		return []Problem{{Rule: "cedula-length", At: 1, Text: "a cédula profesional has mostly 7 or 8 digits", Warning: true}}
	}
	return nil
}

// rfcSymbols are the characters of an RFC by their values; the one at 37 is a blank.
const rfcSymbols = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ Ñ"

// RFCDigit returns the check digit of an RFC without its last character, and false when
// that holds what no RFC has.
//
// See Anexo 20 of the SAT; python-stdnum checks in the same way.
func RFCDigit(first string) (byte, bool) {
	letters := []rune(first)
	if len(letters) != 11 && len(letters) != 12 {
		return 0, false
	}
	if len(letters) == 11 {
		letters = append([]rune{' '}, letters...)
	}
	symbols := []rune(rfcSymbols)
	sum := 0
	for i, r := range letters {
		value := -1
		for at, s := range symbols {
			if s == r {
				value = at
			}
		}
		if value < 0 {
			return 0, false
		}
		sum += value * (13 - i)
	}
	switch k := 11 - sum%11; k {
	case 11:
		return '0', true
	case 10:
		return 'A', true
	default:
		return '0' + byte(k), true
	}
}

// rfcProblems: four letters of a person or three of a company, the date, and three more.
// About one in seventy that the SAT has given out fails the check digit.
func rfcProblems(value string) []Problem {
	letters := []rune(strings.ToUpper(value))
	const form = "an RFC has 3 letters (company) or 4 (person), 6 digits of a date, 2 characters and a check digit"
	if len(letters) != 12 && len(letters) != 13 {
		return []Problem{{Rule: "rfc-format", At: min(len(letters), 13) + 1, Text: form}}
	}
	head := len(letters) - 9
	for i, r := range letters {
		letter := r >= 'A' && r <= 'Z' || r == 'Ñ' || r == '&'
		digit := r >= '0' && r <= '9'
		ok := letter && i < head || digit && i >= head && i < head+6 || i >= head+6 && (digit || r >= 'A' && r <= 'Z')
		if !ok {
			return []Problem{{Rule: "rfc-format", At: i + 1, Text: form}}
		}
	}
	if _, err := time.Parse("060102", string(letters[head:head+6])); err != nil {
		return []Problem{{Rule: "rfc-date", At: head + 1, Text: "the six digits of an RFC are a date, as YYMMDD"}}
	}
	last := len(letters) - 1
	if digit, ok := RFCDigit(string(letters[:last])); !ok || rune(digit) != letters[last] {
		return []Problem{{Rule: "rfc-check-digit", At: last + 1, Text: "the check digit does not follow from the characters before it", Warning: true}}
	}
	return nil
}

// nssProblems: eleven digits, of which the last follows from the others (Luhn).
func nssProblems(value string) []Problem {
	const form = "an NSS has 11 digits"
	for i := range len(value) {
		if !isDigit(value[i]) {
			return []Problem{{Rule: "nss-format", At: i + 1, Text: form}}
		}
	}
	if len(value) != 11 {
		return []Problem{{Rule: "nss-format", At: min(len(value), 11) + 1, Text: form}}
	}
	sum := 0
	for i := range 10 {
		n := int(value[i]-'0') * (1 + i%2)
		sum += n/10 + n%10
	}
	if int(value[10]-'0') != (10-sum%10)%10 {
		return []Problem{{Rule: "nss-check-digit", At: 11, Text: "the check digit does not follow from the ten digits before it"}}
	}
	return nil
}
