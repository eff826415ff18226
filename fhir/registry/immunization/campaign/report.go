package campaign

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir/compose"
)

const (
	// MeasureURL is the Measure that reports are of.
	MeasureURL = base + "Measure/immunization-coverage"
	// FigureSystem is of the codes of what a group of a report counts: "DTaP-3-coverage".
	FigureSystem = base + "CodeSystem/immunization-coverage"

	systemPopulation = "http://terminology.hl7.org/CodeSystem/measure-population"
	systemINEGI      = "https://www.inegi.org.mx/app/ageeml/"
	systemCLUES      = "urn:oid:2.16.840.1.113883.4.631"
	systemSex        = "http://hl7.org/fhir/administrative-gender"
	systemDate       = "urn:iso:std:iso:8601" // years and months
	absentURL        = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
)

var sexes = []string{unknown, "female", "male"}

// measureReport writes a MeasureReport: a group for each figure of all, with a stratum
// for each part.
//
// See https://hl7.org/fhir/R4/measurereport.html.
func (r *Report) measureReport() []byte {
	total := r.figures(r.Total)
	groups := make([]compose.Object, len(total))
	strata := make([][]compose.Object, len(total))
	for _, c := range r.Cells {
		for i, f := range r.figures(c) {
			one := r.figure(&f)
			one["component"] = r.components(c)
			strata[i] = append(strata[i], one)
		}
	}
	for i := range total {
		groups[i] = r.figure(&total[i])
		groups[i]["code"] = compose.Object{
			"coding": []compose.Object{compose.Coding(FigureSystem, fmt.Sprintf("%s-%d-%s", total[i].Vaccine, total[i].Dose, total[i].Measure), "")},
			"text":   r.title(&total[i]),
		}
		if len(strata[i]) > 0 {
			groups[i]["stratifier"] = []compose.Object{{"code": []compose.Object{compose.Concept(FigureSystem, strings.Join(r.By, "-"), "")}, "stratum": strata[i]}}
		}
	}
	m := compose.Object{
		"resourceType": "MeasureReport", "status": "complete", "type": "summary", "measure": MeasureURL, "date": r.On.String(),
		"period":   compose.Object{"start": min(r.From, r.On).String(), "end": r.On.String()},
		"reporter": compose.Object{"display": "Amate, esquema de vacunación " + r.Schedule}, "improvementNotation": compose.Concept("http://terminology.hl7.org/CodeSystem/measure-improvement-notation", "increase", ""),
		"group": groups,
	}
	raw := compose.JSON(m)
	// resourceType comes first.
	var members map[string]json.RawMessage
	_ = json.Unmarshal(raw, &members) // it was just written
	delete(members, "resourceType")
	rest := compose.JSON(members)
	return append([]byte(`{"resourceType":"MeasureReport",`), rest[1:]...)
}

// title says what a figure is, for people.
func (r *Report) title(f *Figure) string {
	i := slices.IndexFunc(r.Vaccines, func(v *Vaccine) bool { return v.Name == f.Vaccine })
	name := r.Vaccines[i].Title
	switch f.Measure {
	case timely:
		return fmt.Sprintf("%s, dosis %d: aplicada a tiempo", name, f.Dose)
	case dropout:
		return fmt.Sprintf("%s: deserción de la dosis 1 a la %d", name, f.Dose)
	case zeroDose:
		return name + ": niñas y niños con cero dosis"
	}
	return fmt.Sprintf("%s, dosis %d: cobertura", name, f.Dose)
}

// figure is what a group and a stratum have in common.
func (r *Report) figure(f *Figure) compose.Object {
	if f.Hidden {
		masked := compose.Object{"extension": []compose.Object{{"url": absentURL, "valueCode": "masked"}}}
		return compose.Object{"population": []compose.Object{{"code": compose.Concept(systemPopulation, "denominator", ""), "_count": masked}}}
	}
	all := []compose.Object{{"code": compose.Concept(systemPopulation, "initial-population", ""), "count": f.Registered}}
	if !f.Unknown {
		all = append(all, compose.Object{"code": compose.Concept(systemPopulation, "denominator", ""), "count": f.Denominator})
	}
	one := compose.Object{"population": append(all, compose.Object{"code": compose.Concept(systemPopulation, "numerator", ""), "count": f.Numerator})}
	if p, ok := f.Percent(); ok {
		one["measureScore"] = compose.Object{"value": json.RawMessage(percent(p)), "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
	}
	return one
}

func percent(p float64) string { return strconv.FormatFloat(p, 'f', 1, 64) }

// components say which part a stratum is.
func (r *Report) components(c *Cell) (all []compose.Object) {
	for _, by := range r.By {
		part, system := r.part(c, by), FigureSystem // codes, since text is not shown to all
		if part != unknown || by == bySex {
			system = map[string]string{byState: systemINEGI, byMunicipality: systemINEGI, byFacility: systemCLUES, bySex: systemSex, byYear: systemDate, byMonth: systemDate}[by]
		}
		all = append(all, compose.Object{"code": compose.Concept(FigureSystem, by, ""), "value": compose.Concept(system, part, "")})
	}
	return all
}

// part names where a cell is in a dimension.
func (r *Report) part(c *Cell, by string) string {
	k := &c.Key
	switch by {
	case byYear:
		if slices.Contains(r.By, byMonth) {
			return fmt.Sprintf("%04d", k.Period/100)
		}
		return fmt.Sprintf("%04d", k.Period)
	case byMonth:
		return fmt.Sprintf("%04d-%02d", k.Period/100, k.Period%100)
	case byState:
		state := k.Place
		if slices.Contains(r.By, byMunicipality) {
			state /= 1000
		}
		if state > 0 {
			return fmt.Sprintf("%02d", state)
		}
	case byMunicipality:
		if k.Place > 0 {
			return fmt.Sprintf("%05d", k.Place)
		}
	case byFacility:
		if k.Facility != "" {
			return k.Facility
		}
	case bySex:
		return sexes[min(int(k.Sex), len(sexes)-1)]
	}
	return unknown
}

// unknown is where nobody knows where people belong.
const unknown = "unknown"

// CSV writes a line for each figure of each part, and of all.
func (r *Report) CSV(out io.Writer) error {
	w := csv.NewWriter(out)
	head := append(slices.Clone(r.By), "vaccine", "dose", "measure", "registered", "denominator", "numerator", "percent", "hidden")
	if err := w.Write(head); err != nil {
		return err
	}
	write := func(c *Cell, name func(by string) string) error {
		for _, f := range r.figures(c) {
			var record []string
			for _, by := range r.By {
				record = append(record, plain(name(by)))
			}
			number := func(n int, known bool) string {
				if f.Hidden || !known {
					return ""
				}
				return strconv.Itoa(n)
			}
			share := ""
			if p, ok := f.Percent(); ok {
				share = percent(p)
			}
			record = append(record, f.Vaccine, strconv.Itoa(f.Dose), f.Measure, number(f.Registered, true), number(f.Denominator, !f.Unknown), number(f.Numerator, true), share, map[bool]string{true: "true"}[f.Hidden])
			if err := w.Write(record); err != nil {
				return err
			}
		}
		return nil
	}
	for _, c := range r.Cells {
		if err := write(c, func(by string) string { return r.part(c, by) }); err != nil {
			return err
		}
	}
	if err := write(r.Total, func(string) string { return "all" }); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

func (r *Report) csv() []byte {
	var out bytes.Buffer
	_ = r.CSV(&out) // a Buffer takes all
	return out.Bytes()
}
