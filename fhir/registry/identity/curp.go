package identity

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// GenericCURP stands for "has no CURP" in the exchange files of the DGIS (GIIS-B015,
// variable 9). It has neither the form of a CURP nor its check digit.
const GenericCURP = "XXXX999999XXXXXX99"

// Fault is one thing that is wrong with a CURP.
type Fault string

// The faults.
const (
	Generic      Fault = "generic"           // it is GenericCURP, which names nobody
	Malformed    Fault = "format"            // not the 18 characters that a CURP has; no other fault is looked for
	NoSuchDate   Fault = "birthdate"         // its six digits are no day of the calendar
	FutureBirth  Fault = "future-birthdate"  // born after the day of the check
	RudeWord     Fault = "inconvenient-word" // a warning: RENAPO writes X as second letter there, but some early CURPs keep the word
	WrongDigit   Fault = "check-digit"       // the last digit does not follow from the others
	curpLength         = 18
	checkSymbols       = "0123456789ABCDEFGHIJKLMN\x00OPQRSTUVWXYZ" // place is value; the gap is Ñ, which no CURP holds
)

// CheckCURP returns what is wrong with curp on the day of today, or nil. Case and
// blanks around it do not matter.
//
// See the Instructivo Normativo para la asignación de la CURP, DOF 18-10-2021.
func CheckCURP(curp string, today time.Time) []Fault {
	c := norm.NFC.String(strings.ToUpper(strings.TrimSpace(curp)))
	if c == GenericCURP {
		return []Fault{Generic}
	}
	if !curpForm(c) {
		return []Fault{Malformed}
	}
	var faults []Fault
	century := "20"
	if isDigit(c[16]) {
		century = "19"
	}
	born, err := time.Parse("20060102", century+c[4:10])
	switch {
	case err != nil:
		faults = append(faults, NoSuchDate)
	case born.After(today):
		faults = append(faults, FutureBirth)
	}
	if rude(c[:4]) {
		faults = append(faults, RudeWord)
	}
	if digit, _ := CURPDigit(c[:17]); digit != c[17] {
		faults = append(faults, WrongDigit)
	}
	return faults
}

// curpForm reports whether every character of c is one that may stand in its place.
func curpForm(c string) bool {
	if len(c) != curpLength {
		return false
	}
	for i := range curpLength {
		ok := false
		switch {
		case i < 4:
			ok = isLetter(c[i])
		case i < 10, i == 17:
			ok = isDigit(c[i])
		case i == 10:
			ok = c[i] == 'H' || c[i] == 'M' || c[i] == 'X'
		case i < 13:
			ok = isEntity(c[11:13])
		case i < 16:
			ok = isLetter(c[i]) && !isVowel(c[i])
		default:
			ok = isLetter(c[i]) || isDigit(c[i])
		}
		if !ok {
			return false
		}
	}
	return true
}

// CURPDigit returns the check digit that follows the first 17 characters of a CURP,
// as an ASCII digit. It reports false when first17 has another length or holds a
// character that no CURP has.
func CURPDigit(first17 string) (byte, bool) {
	if len(first17) != curpLength-1 {
		return 0, false
	}
	sum := 0
	for i := range len(first17) {
		if !isLetter(first17[i]) && !isDigit(first17[i]) {
			return 0, false
		}
		sum += strings.IndexByte(checkSymbols, first17[i]) * (curpLength - i)
	}
	return '0' + byte((10-sum%10)%10), true
}

// Person is what a CURP is made of.
type Person struct {
	Given   string    // given names: "María José"
	Father  string    // first surname
	Mother  string    // second surname; "" when there is none
	Born    time.Time // only its date counts
	Sex     byte      // 'H' man, 'M' woman, 'X' non-binary
	BirthIn string    // entity code of a CURP: "DF", or Abroad
}

// ExpectedCURP returns the first 16 characters that the CURP of p should have. The
// 17th is RENAPO's choice, so nobody else can make a whole CURP out of it.
func ExpectedCURP(p Person) string {
	father, mother, given := surname(p.Father), surname(p.Mother), givenName(p.Given)
	four := string([]byte{initial(father), innerVowel(father), initial(mother), initial(given)})
	if rude(four) {
		four = four[:1] + "X" + four[2:]
	}
	return four + p.Born.Format("060102") + string(p.Sex) + p.BirthIn +
		string([]byte{innerConsonant(father), innerConsonant(mother), innerConsonant(given)})
}

// particles are words that a compound name drops from its front.
var particles = strings.Fields("DA DAS DE DEL DER DI DIE DD EL LA LOS LAS LE LES MAC MC VAN VON Y")

// skippedGiven are first given names that are passed over when another name follows.
var skippedGiven = strings.Fields("MARIA MA. MA M. M JOSE J. J")

// surname returns the one word of a surname that the CURP looks at, "" for none.
func surname(s string) string {
	return firstWord(dropParticles(words(s)))
}

// givenName returns the one word of the given names that the CURP looks at.
func givenName(s string) string {
	w := dropParticles(words(s))
	if len(w) > 1 && slices.Contains(skippedGiven, strings.TrimRight(w[0], "/-")) {
		w = dropParticles(w[1:])
	}
	return firstWord(w)
}

// words splits s into words in upper case, without accents but with Ñ.
func words(s string) []string {
	var b strings.Builder
	for _, r := range norm.NFC.String(strings.ToUpper(s)) {
		if r == 'Ñ' {
			b.WriteRune(r)
			continue
		}
		for _, part := range norm.NFD.String(string(r)) {
			if !unicode.Is(unicode.Mn, part) {
				b.WriteRune(part)
			}
		}
	}
	return strings.Fields(b.String())
}

func dropParticles(w []string) []string {
	for len(w) > 1 && slices.Contains(particles, w[0]) {
		w = w[1:]
	}
	return w
}

func firstWord(w []string) string {
	if len(w) == 0 {
		return ""
	}
	return w[0]
}

// initial returns the first letter of word, X for Ñ, for a special character and for no word.
func initial(word string) byte {
	if word == "" || !isLetter(word[0]) {
		return 'X'
	}
	return word[0]
}

// innerVowel returns the first vowel after the initial, X when there is none.
func innerVowel(word string) byte {
	return inner(word, isVowel)
}

// innerConsonant returns the first consonant after the initial, X when there is none or it is Ñ.
func innerConsonant(word string) byte {
	return inner(word, func(c byte) bool { return isLetter(c) && !isVowel(c) || c == nTilde })
}

// nTilde is the first byte of Ñ in UTF-8, which no other letter that is left shares.
const nTilde = 0xC3

// inner returns the first byte after the initial that is wanted. A special
// character met before it stands in its place, which the CURP writes as X.
func inner(word string, wanted func(byte) bool) byte {
	for i := initialLen(word); i < len(word); i++ {
		switch c := word[i]; {
		case wanted(c) && c != nTilde:
			return c
		case wanted(c), strings.IndexByte("/-.'", c) >= 0:
			return 'X'
		}
	}
	return 'X'
}

func initialLen(word string) int {
	if strings.HasPrefix(word, "Ñ") {
		return len("Ñ")
	}
	return 1
}

func isLetter(c byte) bool { return c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isVowel(c byte) bool  { return c == 'A' || c == 'E' || c == 'I' || c == 'O' || c == 'U' }

// rude reports whether RENAPO avoids four as the first letters of a CURP.
func rude(four string) bool {
	_, found := slices.BinarySearch(rudeWords, four)
	return found
}

// rudeWords is the list of the Instructivo Normativo, sorted.
var rudeWords = strings.Fields(`BACA BAKA BUEI BUEY CACA CACO CAGA CAGO CAKA CAKO COGE COGI COJA COJE COJI COJO
	COLA CULO FALO FETO GETA GUEI GUEY JETA JOTO KACA KACO KAGA KAGO KAKA KAKO KOGE KOGI KOJA KOJE KOJI KOJO
	KOLA KULO LILO LOCA LOCO LOKA LOKO MAME MAMO MEAR MEAS MEON MIAR MION MOCO MOKO MULA MULO NACA NACO PEDA
	PEDO PENE PIPI PITO POPO PUTA PUTO QULO RATA ROBA ROBE ROBO RUIN SENO TETA VACA VAGA VAGO VAKA VUEI VUEY
	WUEI WUEY`)
