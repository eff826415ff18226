package source

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/terminology"
)

// names of the columns that a table may have.
var (
	codeNames    = []string{"code", "codigo", "código", "clave"}
	displayNames = []string{"display", "description", "descripcion", "descripción", "name", "nombre"}
	parentNames  = []string{"parent", "parent_code", "padre"}
)

// rows reads a table with a line of headings, and calls each with every further line.
func rows(text []byte, comma rune, each func(get func(column string) string) error) error {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma, r.ReuseRecord, r.FieldsPerRecord = comma, true, -1
	r.LazyQuotes = comma == '\t'
	first, err := r.Read()
	if err != nil {
		return fmt.Errorf("no line of headings: %w", err)
	}
	at := map[string]int{}
	for i, heading := range first {
		at[strings.ToLower(strings.TrimSpace(heading))] = i
	}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = each(func(column string) string {
			if i, ok := at[column]; ok && i < len(record) {
				return strings.TrimSpace(record[i])
			}
			return ""
		})
		if err != nil {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// readTable reads a table of code, display and parent, or one in the layout of CIE-10.
func readTable(text []byte, comma rune) (*System, error) {
	s := &System{}
	end := bytes.IndexByte(text, '\n')
	headings := strings.Split(strings.ToLower(strings.TrimSpace(string(text[:max(end, 0)]))), string(comma))
	leveled := slices.Contains(headings, "code_0")
	seen := map[string]bool{}
	first := func(get func(string) string, names []string) string {
		for _, n := range names {
			if v := get(n); v != "" {
				return v
			}
		}
		return ""
	}
	err := rows(text, comma, func(get func(string) string) error {
		c := Concept{Code: first(get, codeNames), Display: first(get, displayNames), Definition: get("definition")}
		if c.Code == "" {
			return errors.New("no code (the columns are code, display and parent)")
		}
		if parent := first(get, parentNames); parent != "" {
			c.Parents = []string{parent}
		}
		if leveled {
			c.Parents, c.Code = ancestor(get, c.Code), dotted(c.Code)
		}
		if seen[c.Code] {
			return fmt.Errorf("the code %q stands twice", c.Code)
		}
		seen[c.Code] = true
		if len(c.Parents) > 0 {
			s.Hierarchy = "is-a"
		}
		s.Concepts = append(s.Concepts, c)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if leveled {
		s.URL, s.Name, s.Title, s.Language = "http://hl7.org/fhir/sid/icd-10", "CIE10", "Clasificación estadística internacional de enfermedades, décima revisión (CIE-10)", "es"
		s.Copyright = "Organización Mundial de la Salud"
	}
	return s, nil
}

// ancestor returns the last of the columns code_0, code_1, ... that names another code.
func ancestor(get func(string) string, code string) []string {
	for i := 9; i >= 0; i-- {
		if above := get("code_" + strconv.Itoa(i)); above != "" && above != code {
			return []string{dotted(above)}
		}
	}
	return nil
}

// dotted writes a CIE-10 code of four or more characters with its point: A000 is A00.0.
func dotted(code string) string {
	if len(code) > 3 && !strings.ContainsAny(code, ".-") && code[0] >= 'A' && code[0] <= 'Z' {
		return code[:3] + "." + code[3:]
	}
	return code
}

// loincColumns are the columns of LOINC that become properties.
//
// See https://terminology.hl7.org/LOINC.html.
var loincColumns = []string{"COMPONENT", "PROPERTY", "TIME_ASPCT", "SYSTEM", "SCALE_TYP", "METHOD_TYP", "CLASS", "STATUS", "CLASSTYPE", "ORDER_OBS"}

// readLOINC reads Loinc.csv.
func readLOINC(text []byte) (*System, error) {
	s := &System{
		URL: "http://loinc.org", Name: "LOINC", Title: "Logical Observation Identifiers Names and Codes (LOINC)", Language: "en",
		Copyright: "This material contains content from LOINC (http://loinc.org). LOINC is copyright Regenstrief Institute, Inc.",
	}
	for _, column := range loincColumns {
		s.Properties = append(s.Properties, terminology.PropertyDef{Code: column, URI: "http://loinc.org/property/" + column, Type: "string"})
	}
	err := rows(text, ',', func(get func(string) string) error {
		c := Concept{Code: get("loinc_num"), Display: get("long_common_name"), Definition: get("definitiondescription")}
		if c.Code == "" {
			return errors.New("no LOINC_NUM")
		}
		if c.Display == "" {
			c.Display = get("component")
		}
		if short := get("shortname"); short != "" {
			c.Designations = append(c.Designations, terminology.Designation{Language: "en", Use: `{"system":"http://loinc.org","code":"SHORTNAME"}`, Value: short})
		}
		for _, column := range loincColumns {
			if v := get(strings.ToLower(column)); v != "" {
				c.Properties = append(c.Properties, terminology.Property{Code: column, Type: "valueString", Value: v})
			}
		}
		status := get("status")
		c.Inactive = status == "DEPRECATED"
		if v := get("versionlastchanged"); older(s.Version, v) {
			s.Version = v
		}
		s.Concepts = append(s.Concepts, c)
		return nil
	})
	return s, err
}

// older compares versions of the form 2.76.
func older(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errY == nil && (errX != nil || x < y)
}
