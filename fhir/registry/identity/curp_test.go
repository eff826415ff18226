package identity

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var today = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func TestCheckCURP(t *testing.T) {
	tests := map[string][]Fault{
		"SABC560626MDFLRN01":   nil,
		"BOXW310820HNERXN09":   nil,
		"HEGG560427MVZRRL04":   nil,
		"BEML920313HCMLNS09":   nil,
		"BEML920313HMCLNS09":   nil,
		"PEGJ900512HJCRRS04":   nil,
		"VAMJ060601MVZZNLA3":   nil,
		"MOJK700214MVZLRR02":   nil,
		"VAXL800514MDFGXX07":   nil,
		"PEHL900101MDFRRS05":   nil,
		"ROPL900101HDFMLS06":   nil,
		"IXRA900101HDFCDN06":   nil,
		"SANJ221024HSLNXND2":   nil,
		"GUXJ060219XOCZXLE9":   nil,
		"PXNE940204MDFRBS02":   nil,
		"UIPE050705HDFRTMD4":   nil,
		"PIAM141021HDFXVRD4":   nil,
		"EALJ090422MOCSGSB7":   nil,
		"MUBA041211MNERRSB4":   nil,
		"CALJ700507MNTNNS06":   nil,
		"XEXX010101HNEXXXA4":   nil,
		" sabc560626mdflrn01 ": nil,

		"MARR890512HCSRYR09":  {WrongDigit},
		"OEAF771012HMCRGR09":  {WrongDigit},
		"XEXX010101MNEXXXA8":  {WrongDigit},
		GenericCURP:           {Generic},
		"":                    {Malformed},
		"SABC560626MDFLRN0":   {Malformed},
		"SABC560626MDFLRN011": {Malformed},
		"SABC560626WDFLRN01":  {Malformed}, // no such sex
		"SABC560626MZZLRN01":  {Malformed}, // no such entity
		"SABC560626MDFARN01":  {Malformed}, // a vowel among the consonants
		"ÑABC560626MDFLRN01":  {Malformed},
		"SABC560626MDFLRN0A":  {Malformed},
		"SABC560231MDFLRN00":  {NoSuchDate},  // 31 February
		"SABC000230MDFLRNA7":  {NoSuchDate},  // 2000 was a leap year, but had no 30 February
		"SABC000229MDFLRNA6":  nil,           //
		"VAMJ270601MVZZNLA2":  {FutureBirth}, //
		"PEDO900101MDFDMF00":  {RudeWord},    //
		"PEDO900230MDFDMF08":  {NoSuchDate, RudeWord},
	}
	for curp, want := range tests {
		got := CheckCURP(curp, today)
		if !slices.Equal(got, want) {
			digit := ""
			if len(curp) == curpLength {
				d, _ := CURPDigit(curp[:17])
				digit = string(d)
			}
			t.Errorf("CheckCURP(%q) = %v, want %v (check digit %s)", curp, got, want, digit)
		}
	}
}

func TestCURPDigit(t *testing.T) {
	for curp, want := range map[string]byte{
		"SABC560626MDFLRN0": '1',
		"PEGJ900512HJCRRS0": '4',
		"MARR890512HCSRYR0": '6',
		"OEAF771012HMCRGR0": '8',
		"XEXX010101MNEXXXA": '4',
	} {
		got, ok := CURPDigit(curp)
		if !ok || got != want {
			t.Errorf("CURPDigit(%q) = %c, %v, want %c", curp, got, ok, want)
		}
	}
	for _, bad := range []string{"", "SABC560626MDFLRN01", "sabc560626mdflrn0", "SABC560626MDFLR 0", "SABC560626MDFLRÑ"} {
		if d, ok := CURPDigit(bad); ok {
			t.Errorf("CURPDigit(%q) = %c, want a refusal", bad, d)
		}
	}
}

func TestExpectedCURP(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	tests := []struct {
		rule   string
		person Person
		want   string
	}{
		{"initial Ñ", Person{"Alberto", "Ñando", "Rodriguez", day("1990-01-01"), 'H', "DF"}, "XARA900101HDFNDL07"},
		{"consonant Ñ", Person{"Alberto", "Oñate", "Rodriguez", day("1990-01-01"), 'H', "DF"}, "OARA900101HDFXDL04"},
		{"decomposed ñ", Person{"Alberto", "On\u0303ate", "Rodri\u0301guez", day("1990-01-01"), 'H', "DF"}, "OARA900101HDFXDL04"},
		{"no second surname", Person{"Luis", "Pérez", "", day("1990-01-01"), 'H', "DF"}, "PEXL900101HDFRXS09"},
		{"special character", Person{"Juan", "D/Amico", "Álvarez", day("1990-01-01"), 'H', "DF"}, "DXAJ900101HDFXLN07"},
		{"particle", Person{"Carlos", "Mc Gregor", "López", day("1990-01-01"), 'H', "DF"}, "GELC900101HDFRPR07"},
		{"compound surname", Person{"Rocío", "Riva Palacio", "Cruz", day("1990-01-01"), 'M', "DF"}, "RICR900101MDFVRC07"},
		{"skipped name and particles", Person{"Ma. de los Ángeles", "Moreno", "Sánchez", day("1990-01-01"), 'M', "DF"}, "MOSA900101MDFRNN01"},
		{"inconvenient word", Person{"Ofelia", "Pedrero", "Domínguez", day("1990-01-01"), 'M', "DF"}, "PXDO900101MDFDMF00"},
		{"letter from 2000 on", Person{"Julia", "Vázquez", "Mondragón", day("2006-06-01"), 'M', "VZ"}, "VAMJ060601MVZZNLA3"},
	}
	for _, tt := range tests {
		got := ExpectedCURP(tt.person)
		if got != tt.want[:16] {
			t.Errorf("%s: ExpectedCURP(%+v) = %s, want %s", tt.rule, tt.person, got, tt.want[:16])
		}
		if faults := CheckCURP(tt.want, today); faults != nil {
			t.Errorf("%s: %s has faults %v", tt.rule, tt.want, faults)
		}
	}
	letters := map[string]string{ // given name -> its letter and its consonant
		"María": "MR", "José": "JS", "María José": "JS", "Josefa Antonia": "JS", "Ma. Teresa": "TR",
		"J. Jesús": "JS", "José de la Luz": "LZ", "M. Úrsula": "UR", "Íñigo": "IX", "Ía": "IX",
	}
	for given, want := range letters {
		got := ExpectedCURP(Person{given, "López", "Ruiz", day("1990-01-01"), 'X', "ZS"})
		if got[3:4]+got[15:16] != want {
			t.Errorf("given name %q gave %s, want letters %s", given, got, want)
		}
	}
	surnames := map[string]string{"De la O": "OX", "Riva Palacio": "RI", "Y": "YX", "de": "DE", "Ub": "UX", "Ünal": "UA"}
	for father, want := range surnames {
		got := ExpectedCURP(Person{"Ana", father, "Ruiz", day("1990-01-01"), 'M', "ZS"})
		if got[:2] != want {
			t.Errorf("surname %q gave %s, want letters %s", father, got, want)
		}
	}
}

func TestRudeWords(t *testing.T) {
	if len(rudeWords) != 81 || !slices.IsSorted(rudeWords) {
		t.Errorf("%d words, sorted %v; want 81, sorted", len(rudeWords), slices.IsSorted(rudeWords))
	}
}

func TestEntities(t *testing.T) {
	curps := strings.Fields("AS BC BS CC CL CM CS CH DF DG GT GR HG JC MC MN MS NT NL OC PL QT QR SP SL SR TC TS TL VZ YN ZS")
	if len(Entities()) != len(curps) {
		t.Fatalf("%d entities, want %d", len(Entities()), len(curps))
	}
	for i, e := range Entities() {
		if e.CURP != curps[i] || len(e.ISO) != 3 || e.INEGI != string([]byte{'0' + byte(i+1)/10, '0' + byte(i+1)%10}) {
			t.Errorf("entity %d is %+v, want CURP code %s", i+1, e, curps[i])
		}
	}
}

// FuzzCURP holds that no name makes a malformed beginning of a CURP, and that no
// text makes the checks fail otherwise than by saying so.
func FuzzCURP(f *testing.F) {
	f.Add("María José", "Ñandú", "D'Amico", "XXXX999999XXXXXX99")
	f.Add("", "", "", "\x00")
	f.Add("\u0303", "/", "Ä\u0308", "SABC560626MDFLRN01\n")
	f.Add("de la", "ÑÑÑ", "日本", strings.Repeat("A", 18))
	f.Fuzz(func(t *testing.T, given, father, mother, curp string) {
		got := ExpectedCURP(Person{given, father, mother, today, 'M', "DF"})
		digit, ok := CURPDigit(got + "A")
		if !ok {
			t.Fatalf("ExpectedCURP(%q, %q, %q) = %q", given, father, mother, got)
		}
		if whole := got + "A" + string(digit); !curpForm(whole) {
			t.Fatalf("ExpectedCURP(%q, %q, %q) begins %q, which no CURP does", given, father, mother, whole)
		}
		if CheckCURP(curp, today) == nil && len(strings.TrimSpace(curp)) != curpLength {
			t.Fatalf("CheckCURP(%q) found nothing wrong", curp)
		}
	})
}
