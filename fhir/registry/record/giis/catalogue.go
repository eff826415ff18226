package giis

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Catalogue knows of diagnoses what the catalogue DIAGNOSTICO_SIS of the DGIS says. It
// is not part of this program: the DGIS publishes it, and changes it every year.
type Catalogue map[string]Diagnosis

// Diagnosis is a row of DIAGNOSTICO_SIS.
type Diagnosis struct {
	Sex       string // "1" or "2" when only men or women have it; ""
	Low, High int    // age in days, from and to; High 0 is no limit
	First     string // codes of personnel who may give it for the first time; "" for all
	Later     string // and later
	Chronic   bool   // to be confirmed from 20 years on
	Childhood bool   // cancer, to be confirmed under 18 years
}

// ReadCatalogue reads DIAGNOSTICO_SIS as CSV, with the names of its columns in the first
// row. Only CATALOG_KEY must be there.
func ReadCatalogue(r io.Reader) (Catalogue, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1
	head, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("giis: catalogue of diagnoses: %w", err)
	}
	at := map[string]int{}
	for i, name := range head {
		at[strings.ToUpper(strings.Trim(name, "\uFEFF \""))] = i
	}
	if _, ok := at["CATALOG_KEY"]; !ok {
		return nil, errors.New("giis: the catalogue of diagnoses has no column CATALOG_KEY")
	}
	out := Catalogue{}
	for {
		row, err := in.Read()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("giis: catalogue of diagnoses: %w", err)
		}
		get := func(name string) string {
			if i, ok := at[name]; ok && i < len(row) {
				return strings.ToUpper(strings.TrimSpace(row[i]))
			}
			return ""
		}
		out[get("CATALOG_KEY")] = Diagnosis{
			Sex: sexOf(get("LSEX")), Low: days(get("LINF")), High: days(get("LSUP")),
			First: staffOf(get("TIPO_PERSONAL_1VEZ_CE")), Later: staffOf(get("TIPO_PERSONAL_SUBSEC_CE")),
			Chronic: yes(get("DIA_CRONICOS")), Childhood: yes(get("DIA_CAINFANTIL")),
		}
	}
}

func yes(s string) bool { return s == "SI" || s == "SÍ" || s == "1" }

func sexOf(s string) string {
	switch s {
	case "1", "HOMBRE", "H":
		return "1"
	case "2", "MUJER", "M":
		return "2"
	}
	return ""
}

// days reads an age such as 028D, 010A, 002M or 012H; 0 for NO.
func days(s string) int {
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimRight(s, "HDMA"))
	if err != nil {
		return 0
	}
	switch s[len(s)-1] {
	case 'A':
		return n * 365
	case 'M':
		return n * 30
	case 'H':
		return 0
	}
	return n
}

// staffOf returns the codes of personnel of a cell, whatever parts them.
func staffOf(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' }), " ")
}

// diagnoses are the variables of the three diagnoses.
var diagnoses = []struct{ code, confirmed int }{{vDisease1, vConfirmed1}, {vDisease2, vConfirmed2}, {vDisease3, vConfirmed3}}

// first reports whether the diagnosis at a variable is made for the first time.
func (r *Row) first(code int) bool {
	switch code {
	case vDisease1:
		return r.at(vRelation) == "0"
	case vDisease2:
		return r.at(vFirst2) == "1"
	}
	return r.at(vFirst3) == "1"
}

// diagnosis checks one of the diagnoses against the catalogue, as far as it knows it.
func (c Catalogue) diagnosis(r *Row, code int) string {
	value := r.at(code)
	if value == "" || c == nil {
		return ""
	}
	d, ok := c[value]
	if !ok {
		return "a code of the catalogue of diagnoses"
	}
	staff := d.Later
	if r.first(code) {
		staff = d.First
	}
	age, known := r.days()
	return wrong(d.Sex != "" && r.is(vSex, "1 2") && r.at(vSex) != d.Sex, "a diagnosis of the other sex") +
		wrong(known && (age < d.Low || d.High > 0 && age > d.High+364), "a diagnosis of another age") +
		wrong(code == vDisease1 && staff != "" && !r.is(vStaff, staff), "a diagnosis that other personnel gives")
}

func (r *Row) days() (int, bool) {
	born, ok := r.day(vBorn)
	at, too := r.day(vDate)
	return int(at.Sub(born).Hours() / 24), ok && too
}

// confirmation checks whether a diagnosis is said to be confirmed where it may be:
// cancer under 18 years and, for the first time from 20 years on, chronic diseases.
// Without a catalogue it cannot be told which diseases these are.
func (c Catalogue) confirmation(r *Row, code, confirmed int) string {
	value := r.at(confirmed)
	may := r.is(vStaff, doctors) && r.at(code) != "" && (r.aged(0, 18) || r.aged(20, 200) && r.first(code))
	if c != nil && may {
		d := c[r.at(code)]
		if r.aged(0, 18) && d.Childhood || r.aged(20, 200) && d.Chronic && r.first(code) {
			return wrong(value == "-1", "0 or 1 for a disease that is to be confirmed")
		}
		may = false
	}
	return wrong(!may && value != "-1", "-1 for a diagnosis that is not to be confirmed")
}
