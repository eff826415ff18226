package summary

import (
	"strings"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/terminology"
)

// language is one that summaries are written in.
type language int

const (
	spanish language = iota
	english
)

// reader knows how somebody likes to read.
type reader struct {
	language
	terms   *terminology.View // nil for none
	systems map[string]*terminology.System
}

// reader returns who reads: what the call asks for goes before what the client always
// asks for, and that before the language of the patient. Otherwise it is Spanish.
func (s *service) reader(asked, accept string, patient *record) *reader {
	r := &reader{systems: map[string]*terminology.System{}}
	if s.Terminology != nil {
		r.terms = s.Terminology.View()
	}
	for _, list := range []string{asked, accept, spoken(patient)} {
		for _, tag := range terminology.ParseLanguages(list) {
			switch strings.ToLower(strings.SplitN(tag, "-", 2)[0]) {
			case "es":
				return r
			case "en":
				r.language = english
				return r
			}
		}
	}
	return r
}

// spoken lists the languages of a patient, the preferred one first.
func spoken(p *record) string {
	var list []string
	each(p.doc, 0, "communication", func(c element.Node) {
		is := code(p.doc, p.doc.Get(c, "language"))
		if p.doc.TextAt(c, "preferred") == "true" {
			list = append([]string{is}, list...)
		} else {
			list = append(list, is)
		}
	})
	return strings.Join(list, ",")
}

// tag is the language as a resource states it.
func (r *reader) tag() string { return phrase{"es-MX", "en"}.in(r.language) }

// name is a CodeableConcept for people: as the terminology has it in their language,
// else as it was written.
func (r *reader) name(d *element.Doc, concept element.Node) string {
	if concept == element.None {
		return ""
	}
	known, display, is := "", "", ""
	each(d, concept, "coding", func(c element.Node) {
		if known != "" {
			return
		}
		system, code := d.TextAt(c, "system"), d.TextAt(c, "code")
		known = r.translated(system, code)
		if display == "" {
			display = d.TextAt(c, "display")
		}
		if is == "" {
			is = code
		}
	})
	for _, s := range []string{known, d.TextAt(concept, "text"), display, is} {
		if s != "" {
			return s
		}
	}
	return r.unspoken(d, concept)
}

// unspoken says why a concept has neither code nor text.
func (r *reader) unspoken(d *element.Doc, concept element.Node) string {
	if absent(d, concept) == "masked" {
		return phrase{"Información reservada", "Withheld"}.in(r.language)
	}
	return "—"
}

// absent returns the data-absent-reason of an element.
func absent(d *element.Doc, n element.Node) (why string) {
	each(d, n, "extension", func(x element.Node) {
		if d.TextAt(x, "url") == absentReason {
			why = d.TextAt(x, "valueCode")
		}
	})
	return why
}

// translated returns the name of a code in the language of the reader; "" for none.
func (r *reader) translated(system, code string) string {
	if system == loinc || system == absentUnknown || system == snomed {
		if own, ok := ownNames[code]; ok {
			return own.in(r.language)
		}
	}
	if r.terms == nil || code == "" {
		return ""
	}
	s, asked := r.systems[system]
	if !asked {
		s, _ = r.terms.System(system, "")
		r.systems[system] = s
	}
	if s == nil {
		return ""
	}
	c, ok := s.Find(code)
	if !ok {
		return ""
	}
	want := phrase{"es", "en"}.in(r.language)
	if strings.HasPrefix(s.Language, want) {
		return c.Display()
	}
	for other := range c.Designations() {
		if strings.HasPrefix(other.Language, want) {
			return other.Value
		}
	}
	return ""
}

// Spanish returns the name that summaries have for a code of LOINC, or of SNOMED CT, where no
// terminology is loaded; "" where they have none.
func Spanish(system, code string) string {
	if system != loinc && system != snomed {
		return ""
	}
	return ownNames[code].es
}

// ownNames are names of what most summaries hold, for servers without LOINC and SNOMED CT.
var ownNames = map[string]phrase{
	"8302-2": {"Talla", "Body height"}, "29463-7": {"Peso", "Body weight"}, "39156-5": {"Índice de masa corporal", "Body mass index"},
	"85354-9": {"Presión arterial", "Blood pressure"}, "55284-4": {"Presión arterial", "Blood pressure"},
	"8480-6": {"Sistólica", "Systolic"}, "8462-4": {"Diastólica", "Diastolic"}, "8867-4": {"Frecuencia cardiaca", "Heart rate"},
	"9279-1": {"Frecuencia respiratoria", "Respiratory rate"}, "8310-5": {"Temperatura corporal", "Body temperature"},
	"2708-6": {"Saturación de oxígeno", "Oxygen saturation"}, "59408-5": {"Saturación de oxígeno", "Oxygen saturation"},
	"9843-4": {"Perímetro cefálico", "Head circumference"}, "72514-3": {"Intensidad del dolor (0 a 10)", "Pain severity (0 to 10)"},
	"72166-2": {"Tabaquismo", "Tobacco smoking"}, "74013-4": {"Bebidas alcohólicas al día", "Alcoholic drinks per day"},
	"60591-5": {"Resumen del paciente", "Patient summary"},
	"82810-3": {"Embarazo", "Pregnancy"}, "11778-8": {"Fecha probable de parto", "Expected date of delivery"},
	"716186003": {"Sin alergias conocidas", "No known allergies"}, "160244002": {"Sin alergias conocidas", "No known allergies"},
	"160245001":            {"Sin problemas de salud conocidos", "No known problems"},
	"no-allergy-info":      {"No hay información sobre alergias", "No information about allergies"},
	"no-known-allergies":   {"Sin alergias conocidas", "No known allergies"},
	"no-medication-info":   {"No hay información sobre medicamentos", "No information about medications"},
	"no-known-medications": {"Sin medicamentos conocidos", "No known medications"},
	"no-problem-info":      {"No hay información sobre problemas de salud", "No information about problems"},
	"no-known-problems":    {"Sin problemas de salud conocidos", "No known problems"},
}
