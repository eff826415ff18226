package giis

import (
	"strconv"
	"strings"
)

// Variables is how many a row has.
const Variables = 106

// kind is what a variable holds.
type kind uint8

const (
	key     kind = iota // a number of a catalogue or one of the codes of the guide
	keys                // several of them, with &
	number              // a measure
	date                // dd/mm/aaaa
	name                // of a person, in capitals
	curp                //
	clues               //
	entity              // two digits of the federal entity
	disease             // CIE-10 in four characters
)

// Variable is one variable of the guide.
type Variable struct {
	Number int    // from 1, its place in the row
	Name   string // as the guide writes it
	Header string // as the first row of a file writes it

	kind      kind
	codes     string  // the values it may have, "0-3 8 99"; "" for any number
	low, high float64 // of a measure
	decimals  int     // of a measure, at most
	most      int     // of several values
	alone     string  // of several values: those that stand alone
	unknown   string  // what is written when it is not known or does not apply; "" when it must be known

	// Confidential says that the guide marks it so: it tells who the patient is. What it
	// holds is in no report.
	Confidential bool
}

// Places of the variables that rules speak of.
const (
	vCLUES           = 1
	vStaffCountry    = 2
	vStaffCURP       = 3
	vStaffName       = 4
	vStaffFather     = 5
	vStaffMother     = 6
	vStaff           = 7
	vProgramme       = 8
	vCURP            = 9
	vName            = 10
	vFather          = 11
	vMother          = 12
	vBorn            = 13
	vCountry         = 14
	vEntity          = 15
	vSexCURP         = 16
	vSex             = 17
	vMigrant         = 20
	vFrom            = 21
	vGender          = 22
	vAffiliation     = 23
	vDate            = 24
	vService         = 25
	vWeight          = 26
	vHeight          = 27
	vWaist           = 28
	vSystolic        = 29
	vDiastolic       = 30
	vPulse           = 31
	vBreaths         = 32
	vTemperature     = 33
	vSaturation      = 34
	vGlucose         = 35
	vFasting         = 36
	vGlucoseBy       = 37
	vStrips          = 38
	vFirstOfYear     = 40
	vFirstAtUNEME    = 41
	vRelation        = 42
	vDisease1        = 43
	vConfirmed1      = 44
	vFirst2          = 45
	vDisease2        = 46
	vConfirmed2      = 47
	vFirst3          = 48
	vDisease3        = 49
	vConfirmed3      = 50
	vPregestational  = 52
	vRisk            = 53
	vPregnancy       = 54
	vTrimester       = 56
	vPuerpera        = 68
	vHealthyChild    = 77
	vEDI             = 78
	vDiarrhoea       = 81
	vDiarrhoeaPlan   = 82
	vRespiratory     = 85
	vReferred        = 101
	vCounterReferred = 102
	vTelemedicine    = 103
	vTeleconsulta    = 104
	vStudies         = 105
	vModality        = 106
)

// Table returns the variables in their order. The caller must not change it.
func Table() []Variable { return table }

// Find returns a variable by its name, in any case; false when the guide has none.
func Find(name string) (*Variable, bool) {
	for i := range table {
		if v := &table[i]; strings.EqualFold(v.Name, name) || strings.EqualFold(v.Header, name) {
			return v, true
		}
	}
	return nil, false
}

// one reports whether a value is among codes such as "0-3 8 99".
func one(codes, value string) bool {
	n, err := strconv.Atoi(value)
	if err != nil || strconv.Itoa(n) != value {
		return false
	}
	for c := range strings.FieldsSeq(codes) {
		lo, hi, ranged := strings.Cut(c, "-")
		if lo == "" { // negative
			if c == value {
				return true
			}
			continue
		}
		if !ranged {
			hi = lo
		}
		from, _ := strconv.Atoi(lo)
		to, _ := strconv.Atoi(hi)
		if n >= from && n <= to {
			return true
		}
	}
	return false
}
