package record

import (
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/registry/profile"
)

// Code systems. Mexico has none for these; where LOINC has a code for a type of
// document or a section, it stands beside ours.
const (
	LOINC          = "http://loinc.org"
	DocumentSystem = "https://github.com/amate-health/amate/fhir/CodeSystem/nom-004-documento"
	SectionSystem  = "https://github.com/amate-health/amate/fhir/CodeSystem/nom-004-seccion"
)

// BaseProfile is what every document of the norm has in common.
const BaseProfile = profile.Canonical + "mx-nota"

// Kind is a type of document.
type Kind struct {
	Code     string // of DocumentSystem: "evolucion"
	LOINC    string // "" where no code is known
	Name     string // in Spanish: "Nota de evolución"
	Clause   string // of NOM-004-SSA3-2012: "6.2"
	Sections []Section

	Witnessed bool // whoever asks or consents signs it, before two witnesses
	Stay      bool // it is about a stay, with its first and last day
	Nurse     bool // nurses write it
}

// Profile returns the URL of the profile of documents of kind k.
func (k *Kind) Profile() string { return profile.Canonical + "mx-nota-" + k.Code }

// Section returns the section of k with a code of SectionSystem, or nil.
func (k *Kind) Section(code string) *Section {
	for i := range k.Sections {
		if k.Sections[i].Code == code {
			return &k.Sections[i]
		}
	}
	return nil
}

// Section is a part of a document.
type Section struct {
	Code     string // of SectionSystem
	LOINC    string // "" where no code is known
	Title    string // in Spanish
	Clause   string // "6.2.1"
	Optional bool   // the norm asks for it "en su caso", where there is something to say
	Content  Content
	Vitals   []string // LOINC codes of the signs that a section of Vitals must have; nil for any one
}

// Content is what the entries of a section are.
type Content uint8

// The contents.
const (
	Text            Content = iota // nothing but its text is asked for
	Vitals                         // Observation: what is measured, with units
	Results                        // DiagnosticReport, Observation
	Diagnoses                      // Condition
	Treatment                      // MedicationRequest with dose, route and frequency; what else is ordered
	Administrations                // MedicationAdministration with time, amount and route
	Receiver                       // Organization: who takes the patient over
	Team                           // Practitioner
)

// Find returns the kind that a token names: its code, its clause, "http://loinc.org|11506-3"
// or "11506-3"; nil when there is none.
func Find(token string) *Kind {
	system, code, both := strings.Cut(token, "|")
	if !both {
		system, code = "", token
	}
	i := slices.IndexFunc(kinds, func(k Kind) bool {
		return (!both || system == DocumentSystem) && k.Code == code || !both && k.Clause == code ||
			code != "" && k.LOINC == code && (!both || system == LOINC)
	})
	if i < 0 {
		return nil
	}
	return &kinds[i]
}

// Kinds returns all types of documents, in the order of the norm.
func Kinds() []Kind { return slices.Clone(kinds) }

// names lists what Find takes, for messages.
func names() string {
	var all []string
	for _, k := range kinds {
		all = append(all, k.Code)
	}
	return strings.Join(all, ", ")
}
