package record

import (
	"encoding/json"

	"github.com/amate-health/amate/fhir/registry/profile"
)

// Definitions returns the profiles, code systems and value sets of the documents, by
// the names of their files: fhir/registry/profile ships them. They follow from the
// table of kinds, so that what is checked and what is published cannot differ.
func Definitions() map[string][]byte {
	all := map[string][]byte{}
	put := func(typ, id string, v any) {
		text, err := json.MarshalIndent(v, "", " ")
		if err != nil {
			panic(err) // structs of strings
		}
		all[typ+"-"+id+".json"] = append(text, '\n')
	}
	base := baseDefinition()
	put("StructureDefinition", base.ID, base)
	for i := range kinds {
		d := kindDefinition(&kinds[i])
		put("StructureDefinition", d.ID, d)
	}
	for _, s := range codeSystems() {
		put("CodeSystem", s.ID, s)
		put("ValueSet", s.ID, valueSetOf(s))
	}
	return all
}

// The parts of FHIR's definitions that these use, in their order.
type (
	coding struct {
		System  string `json:"system,omitempty"`
		Code    string `json:"code"`
		Display string `json:"display,omitempty"`
	}
	concept struct {
		Coding []coding `json:"coding,omitempty"`
		Text   string   `json:"text,omitempty"`
	}
	header struct {
		ResourceType string    `json:"resourceType"`
		ID           string    `json:"id"`
		URL          string    `json:"url"`
		Version      string    `json:"version"`
		Name         string    `json:"name"`
		Title        string    `json:"title"`
		Status       string    `json:"status"`
		Experimental bool      `json:"experimental"`
		Date         string    `json:"date"`
		Publisher    string    `json:"publisher"`
		Description  string    `json:"description"`
		Jurisdiction []concept `json:"jurisdiction"`
	}
	structure struct {
		header
		FHIRVersion  string `json:"fhirVersion"`
		Kind         string `json:"kind"`
		Abstract     bool   `json:"abstract"`
		Type         string `json:"type"`
		Base         string `json:"baseDefinition"`
		Derivation   string `json:"derivation"`
		Differential struct {
			Element []elementRule `json:"element"`
		} `json:"differential"`
	}
	elementRule struct {
		ID          string       `json:"id"`
		Path        string       `json:"path"`
		Slice       string       `json:"sliceName,omitempty"`
		Slicing     *slicing     `json:"slicing,omitempty"`
		Short       string       `json:"short,omitempty"`
		Min         *int         `json:"min,omitempty"`
		Max         string       `json:"max,omitempty"`
		Type        []elementTyp `json:"type,omitempty"`
		Pattern     *concept     `json:"patternCodeableConcept,omitempty"`
		Constraint  []constraint `json:"constraint,omitempty"`
		MustSupport bool         `json:"mustSupport,omitempty"`
	}
	slicing struct {
		Discriminator []discriminator `json:"discriminator"`
		Rules         string          `json:"rules"`
	}
	discriminator struct {
		Type string `json:"type"`
		Path string `json:"path"`
	}
	elementTyp struct {
		Code    string   `json:"code"`
		Targets []string `json:"targetProfile,omitempty"`
	}
	constraint struct {
		Key        string `json:"key"`
		Severity   string `json:"severity"`
		Human      string `json:"human"`
		Expression string `json:"expression"`
	}
	codeSystem struct {
		header
		CaseSensitive bool          `json:"caseSensitive"`
		ValueSet      string        `json:"valueSet"`
		Content       string        `json:"content"`
		Count         int           `json:"count"`
		Concept       []definedCode `json:"concept"`
	}
	definedCode struct {
		Code       string `json:"code"`
		Display    string `json:"display"`
		Definition string `json:"definition"`
	}
	valueSet struct {
		header
		Compose struct {
			Include []include `json:"include"`
		} `json:"compose"`
	}
	include struct {
		System  string   `json:"system"`
		Concept []coding `json:"concept,omitempty"`
	}
)

func heading(typ, id, url, name, title, description string) header {
	return header{
		ResourceType: typ, ID: id, URL: url, Version: "0.1.0", Name: name, Title: title, Status: "draft", Date: "2026-11-22",
		Publisher: "Amate", Description: description,
		Jurisdiction: []concept{{Coding: []coding{{System: "urn:iso:std:iso:3166", Code: "MX"}}}},
	}
}

func newStructure(id, name, title, description, base string) structure {
	d := structure{
		header:      heading("StructureDefinition", id, profile.Canonical+id, name, title, description),
		FHIRVersion: "4.0.1", Kind: "resource", Type: "Composition", Base: base, Derivation: "constraint",
	}
	d.rule(elementRule{ID: "Composition"})
	return d
}

// rule adds an element; its path follows from its id.
func (d *structure) rule(e elementRule) {
	e.Path = ""
	within := false
	for _, c := range e.ID { // Composition.section:pronostico.code is at Composition.section.code
		switch {
		case c == ':':
			within = true
		case c == '.':
			within = false
		}
		if !within {
			e.Path += string(c)
		}
	}
	d.Differential.Element = append(d.Differential.Element, e)
}

func least(n int) *int { return &n }

func refersTo(types ...string) []elementTyp {
	var targets []string
	for _, t := range types {
		targets = append(targets, "http://hl7.org/fhir/StructureDefinition/"+t)
	}
	return []elementTyp{{Code: "Reference", Targets: targets}}
}

// baseDefinition is the profile of what clauses 5.2, 5.9 and 5.10 ask of every document.
func baseDefinition() structure {
	d := newStructure("mx-nota", "MxNota", "Documento del expediente clínico",
		"What every document of the clinical record holds (NOM-004-SSA3-2012, 5.2, 5.9 and 5.10): establishment, patient, author, date and time. That the establishment has its address and the author a cédula stands in the resources that it refers to, and is checked when it is signed.",
		"http://hl7.org/fhir/StructureDefinition/Composition")
	d.rule(elementRule{ID: "Composition.subject", Short: "El paciente (5.9)", Min: least(1), Type: refersTo("Patient"), MustSupport: true})
	d.rule(elementRule{ID: "Composition.date", Short: "Fecha y hora (5.10)", MustSupport: true, Constraint: []constraint{{
		Key: "mx-not-1", Severity: "error", Human: "A note says the time of day as well as the date (NOM-004-SSA3-2012, 5.10)",
		Expression: "$this.toString().matches('T[0-9]{2}:[0-9]{2}')",
	}}})
	d.rule(elementRule{ID: "Composition.author", Short: "Quien la elabora (5.10)", Type: refersTo("Practitioner", "PractitionerRole"), MustSupport: true})
	d.rule(elementRule{ID: "Composition.custodian", Short: "El establecimiento (5.2.1)", Min: least(1), Type: refersTo("Organization"), MustSupport: true})
	d.rule(elementRule{ID: "Composition.section", Min: least(1)})
	d.rule(elementRule{ID: "Composition.section.title", Min: least(1)})
	return d
}

// kindDefinition is the profile of one type of document.
func kindDefinition(k *Kind) structure {
	d := newStructure("mx-nota-"+k.Code, "MxNota"+camel(k.Code), k.Name,
		"The least that "+k.Name+" holds by NOM-004-SSA3-2012, "+k.Clause+". A section about which there is nothing to say stands there with its emptyReason.", BaseProfile)
	system, code := DocumentSystem, k.Code
	if k.LOINC != "" {
		system, code = LOINC, k.LOINC
	}
	d.rule(elementRule{ID: "Composition.type", Pattern: &concept{Coding: []coding{{System: system, Code: code}}}})
	if k.Stay {
		d.rule(elementRule{ID: "Composition.encounter", Short: "La estancia, con ingreso y egreso (8.9.1)", Min: least(1), MustSupport: true})
	}
	if k.Witnessed {
		d.rule(elementRule{ID: "Composition.attester", Short: "Quien otorga o solicita, y dos testigos", Min: least(3), MustSupport: true, Constraint: []constraint{{
			Key: "mx-not-2", Severity: "error", Human: "Who attests says when and who they are", Expression: "party.exists() and time.exists()",
		}}})
	}
	d.rule(elementRule{ID: "Composition.section", Slicing: &slicing{Discriminator: []discriminator{{Type: "pattern", Path: "code"}}, Rules: "open"}})
	for i := range k.Sections {
		d.section(&k.Sections[i])
	}
	return d
}

func (d *structure) section(s *Section) {
	id := "Composition.section:" + s.Code
	min := 1
	if s.Optional {
		min = 0
	}
	d.rule(elementRule{ID: id, Slice: s.Code, Short: s.Title + " (" + s.Clause + ")", Min: &min, Max: "1", MustSupport: true})
	d.rule(elementRule{ID: id + ".code", Min: least(1), Pattern: &concept{Coding: []coding{{System: SectionSystem, Code: s.Code}}}})
	d.rule(elementRule{ID: id + ".text", Min: least(1)})
}

// camel turns "historia-clinica" into "HistoriaClinica".
func camel(code string) string {
	var out []byte
	upper := true
	for _, c := range []byte(code) {
		switch {
		case c == '-':
			upper = true
			continue
		case upper:
			c -= 'a' - 'A'
		}
		upper = false
		out = append(out, c)
	}
	return string(out)
}

func codeSystems() []codeSystem {
	types := newCodeSystem("nom-004-documento", "NOM004Documento", DocumentSystem, "Documentos del expediente clínico",
		"The documents of the clinical record that NOM-004-SSA3-2012 lists.")
	sections := newCodeSystem("nom-004-seccion", "NOM004Seccion", SectionSystem, "Secciones de los documentos del expediente clínico",
		"The sections of the documents that NOM-004-SSA3-2012 lists.")
	seen := map[string]int{}
	for i := range kinds {
		k := &kinds[i]
		types.add(k.Code, k.Name, "NOM-004-SSA3-2012, "+k.Clause)
		for _, s := range k.Sections {
			if at, ok := seen[s.Code]; ok {
				sections.Concept[at].Definition += ", " + s.Clause
				continue
			}
			seen[s.Code] = len(sections.Concept)
			sections.add(s.Code, s.Title, "NOM-004-SSA3-2012, "+s.Clause)
		}
	}
	return []codeSystem{types, sections}
}

func newCodeSystem(id, name, url, title, description string) codeSystem {
	return codeSystem{
		header:        heading("CodeSystem", id, url, name, title, description),
		CaseSensitive: true, ValueSet: valueSetURL(id), Content: "complete",
	}
}

func (s *codeSystem) add(code, display, definition string) {
	s.Concept = append(s.Concept, definedCode{code, display, definition})
	s.Count = len(s.Concept)
}

func valueSetURL(id string) string {
	return "https://github.com/amate-health/amate/fhir/ValueSet/" + id
}

// valueSetOf is the set of all codes of s, which is what CodeSystem.valueSet means.
func valueSetOf(s codeSystem) valueSet {
	v := valueSet{header: heading("ValueSet", s.ID, valueSetURL(s.ID), s.Name, s.Title, s.Description)}
	v.Compose.Include = []include{{System: s.URL}}
	return v
}
