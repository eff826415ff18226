// Package trial measures how well records are matched, on files that say which records
// are of one person.
package trial

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/amate-health/amate/fhir/registry/identity/match"
)

// Record is a record of a file, and whom it is of.
type Record struct {
	ID     string
	Entity string // equal for records of one person
	Person match.Person
}

// Pair is two records of which it is said how they belong together.
type Pair struct {
	ID   string
	Said string // "Match", "Possible Match" or "Not a Match"
	A, B match.Person
}

// ReadFEBRL reads records as FEBRL's example files have them: the rec_id is
// rec-N-org for a person's first record, and rec-N-dup-M for further ones.
func ReadFEBRL(r io.Reader) ([]Record, error) {
	return readRecords(r, func(id string) (string, error) {
		parts := strings.Split(id, "-")
		if len(parts) < 3 || parts[0] != "rec" {
			return "", fmt.Errorf("rec_id %q: want rec-N-org or rec-N-dup-M", id)
		}
		return parts[1], nil
	})
}

// ReadDSGen reads records as FEBRL's generator (dsgen) writes them: the rec_id is the
// number of the person followed by one digit, which numbers that person's records.
func ReadDSGen(r io.Reader) ([]Record, error) {
	return readRecords(r, func(id string) (string, error) {
		if len(id) < 2 || strings.Trim(id, "0123456789") != "" {
			return "", fmt.Errorf("rec_id %q: want a number of two digits or more", id)
		}
		return id[:len(id)-1], nil
	})
}

func readRecords(r io.Reader, entity func(id string) (string, error)) ([]Record, error) {
	in := csv.NewReader(r)
	in.TrimLeadingSpace, in.FieldsPerRecord = true, -1
	head, err := in.Read()
	if err != nil {
		return nil, fmt.Errorf("the header: %w", err)
	}
	column := map[string]int{}
	for i, name := range head {
		column[strings.TrimSpace(name)] = i
	}
	for _, name := range []string{"rec_id", "given_name", "surname", "date_of_birth"} {
		if _, ok := column[name]; !ok {
			return nil, fmt.Errorf("the header has no column %s", name)
		}
	}
	var all []Record
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		get := func(name string) string {
			i, ok := column[name]
			if !ok || i >= len(row) {
				return ""
			}
			return strings.TrimSpace(row[i])
		}
		rec := Record{ID: get("rec_id"), Person: person(get)}
		if rec.Entity, err = entity(rec.ID); err != nil {
			line, _ := in.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		all = append(all, rec)
	}
}

// person makes what is compared of the columns of FEBRL.
func person(get func(string) string) match.Person {
	p := match.Person{
		Given: match.Names(get("given_name")), Family: match.Surnames(get("surname")), Birth: match.ParseDate(get("date_of_birth")),
	}
	if v := get("soc_sec_id"); v != "" {
		p.IDs = append(p.IDs, match.ID{System: "soc_sec_id", Value: v})
	}
	if v := match.Telephone(get("phone_number")); v != "" {
		p.Phones = append(p.Phones, v)
	}
	home := match.ParseHome(get("address_1"), get("suburb"), get("state"), get("postcode"))
	home.Number = match.Fold(get("street_number"))
	if home.Known() {
		p.Homes = append(p.Homes, home)
	}
	return p
}

// side is one record of a pair, as immunization registries exchange them.
type side struct {
	First     string `json:"nameFirst"`
	Middle    string `json:"nameMiddle"`
	Last      string `json:"nameLast"`
	Hyphen    string `json:"nameLastHyph"`
	Suffix    string `json:"nameSuffix"`
	Alias     string `json:"nameAlias"`
	Maiden    string `json:"motherMaidenName"`
	Guardian  string `json:"guardianNameFirst"`
	Guardian2 string `json:"guardianNameLast"`
	Birth     string `json:"birthDate"`
	Gender    string `json:"gender"`
	Phone     string `json:"phone"`
	Street    string `json:"addressStreet1"`
	City      string `json:"addressCity"`
	State     string `json:"addressState"`
	Zip       string `json:"addressZip"`
	Zip2      string `json:"address2Zip"`
	MRN       string `json:"mrns"`
	SSN       string `json:"ssn"`
	Medicaid  string `json:"medicaid"`
	Order     string `json:"birthOrder"`
	Type      string `json:"birthType"`
	Status    string `json:"birthStatus"`
}

// ReadPairs reads pairs, a JSON object a line: {"id": ..., "expect": ..., "a": {...}, "b": {...}}.
func ReadPairs(r io.Reader) ([]Pair, error) {
	var all []Pair
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var p struct {
			ID, Expect string
			A, B       side
		}
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		switch p.Expect {
		case "Match", "Possible Match", "Not a Match":
		default:
			return nil, fmt.Errorf("line %d: expect is %q: want Match, Possible Match or Not a Match", n, p.Expect)
		}
		all = append(all, Pair{ID: p.ID, Said: p.Expect, A: p.A.person(), B: p.B.person()})
	}
	return all, lines.Err()
}

func (s *side) person() match.Person {
	p := match.Person{
		Given:  match.Names(s.First + " " + s.Middle),
		Family: match.Surnames(s.Last),
		Former: match.Surnames(s.Hyphen),
		Suffix: match.Fold(s.Suffix),
		Birth:  match.ParseDate(s.Birth),
		Mother: match.Names(s.Maiden),
	}
	switch match.Fold(s.Gender) {
	case "F":
		p.Sex = 'F'
	case "M":
		p.Sex = 'M'
	}
	for system, v := range map[string]string{"ssn": s.SSN, "medicaid": s.Medicaid} {
		if v = match.Fold(v); v != "" {
			p.IDs = append(p.IDs, match.ID{System: system, Value: v})
		}
	}
	if s.MRN != "" {
		p.IDs = append(p.IDs, match.ID{System: "mrn", Value: s.MRN, Local: true})
	}
	if v := match.Telephone(s.Phone); v != "" {
		p.Phones = append(p.Phones, v)
	}
	zip := s.Zip
	if zip == "" {
		zip = s.Zip2
	}
	if home := match.ParseHome(s.Street, s.City, s.State, zip); home.Known() {
		p.Homes = append(p.Homes, home)
	}
	p.Multiple = s.Status == "Y" || s.Type == "2"
	fmt.Sscan(s.Order, &p.Order)
	return p
}
