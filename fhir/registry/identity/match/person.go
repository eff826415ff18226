package match

import (
	"strings"
	"time"
)

// Person is what of a record is compared. Its texts are normalized by the functions
// that fill it in: [Names], [Surnames], [Fold], [Telephone].
type Person struct {
	Given    []string // words of the given names
	Family   []string // surnames in order, each one word
	Former   []string // surnames of before: a maiden name
	Suffix   string   // JR, III
	Birth    Date
	Sex      byte // 'M' man, 'F' woman, 'X' neither; 0 when not known
	IDs      []ID
	Phones   []string
	Homes    []Home
	Mother   []string // words of the mother's name, without those of her later surname
	MotherID string   // her CURP
	Order    int      // place in a multiple birth, from 1; 0 when not known
	Multiple bool     // one of a multiple birth
}

// ID is an identifier.
type ID struct {
	System, Value string
	Verified      bool // somebody answers for it: a CURP that RENAPO has confirmed
	Local         bool // of one establishment: a record number, which may stand for two people
}

// Date is a day of birth, or what is known of it. Zero parts are not known.
type Date struct{ Year, Month, Day int }

// ParseDate takes YYYY-MM-DD, YYYY-MM, YYYY and YYYYMMDD. A day that no calendar has
// is kept as it is: it can still be compared. Anything else is no date.
func ParseDate(s string) Date {
	d := digits(s)
	number := func(from, to int) int {
		n := 0
		if to <= len(d) {
			for _, c := range d[from:to] {
				n = 10*n + int(c-'0')
			}
		}
		return n
	}
	if len(d) != 4 && len(d) != 6 && len(d) != 8 {
		return Date{}
	}
	date := Date{Year: number(0, 4), Month: number(4, 6), Day: number(6, 8)}
	if date.Year < 1850 || date.Year > 2200 {
		return Date{}
	}
	return date
}

// full reports whether d names a day.
func (d Date) full() bool { return d.Year > 0 && d.Month > 0 && d.Day > 0 }

// real reports whether d is a day of the calendar, or may be one.
func (d Date) real() bool {
	return !d.full() || d.Month <= 12 && d.Day <= time.Date(d.Year, time.Month(d.Month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// text returns d as YYYYMMDD, for a full one.
func (d Date) text() string {
	return time.Date(d.Year, 1, 1, 0, 0, 0, 0, time.UTC).Format("2006") + two(d.Month) + two(d.Day)
}

func two(n int) string { return string([]byte{byte('0' + n/10%10), byte('0' + n%10)}) }

// Home is an address.
type Home struct {
	Street   []string // words of the street
	Number   string   // of the house
	Locality string   // town or colonia
	State    string
	Postcode string
}

// ParseHome takes the lines of an address apart.
func ParseHome(lines, locality, state, postcode string) Home {
	h := Home{Locality: Fold(locality), State: Fold(state), Postcode: strings.ReplaceAll(Fold(postcode), " ", "")}
	for _, w := range strings.Fields(Fold(lines)) {
		switch {
		case h.Number == "" && w[0] >= '0' && w[0] <= '9':
			h.Number = w
		case streetWords[w] || particles[w] || nobody[w]:
		default:
			h.Street = append(h.Street, w)
		}
	}
	return h
}

// streetWords say only what kind of a street it is.
var streetWords = words("CALLE C AVENIDA AV AVE CALZADA CALZ BOULEVARD BLVD BULEVAR PRIVADA PRIV CERRADA ANDADOR CALLEJON COLONIA COL FRACCIONAMIENTO FRACC " +
	"NUM NUMERO NO INT INTERIOR EXT EXTERIOR MZ MANZANA LT LOTE STREET ST ROAD RD DRIVE DR LANE LN PLACE PL COURT CT CIRCUIT CIRCLE CIR CRESCENT TERRACE WAY APT UNIT BOX PO")

// Known reports whether anything is known of h.
func (h *Home) Known() bool {
	return len(h.Street) > 0 || h.Number != "" || h.Locality != "" || h.Postcode != "" || h.State != ""
}
