// Package prescription takes a prescription through its life: drafted and checked, signed
// as a document by who prescribes, printed on paper that anybody can verify, dispensed at
// once or in parts, or cancelled by its author.
//
// A prescription is a Composition (LOINC 57833-6) with the MedicationRequests of one group.
// Both are made by $draft-prescription alone, and Hold lets nobody else change them; the
// signature makes the requests active, in one transaction. How far a prescription has come
// is an entry beside the resources, by which two pharmacies cannot hand out the same.
//
// What a prescription has to say is asked by the Reglamento de Insumos para la Salud
// (arts. 28 to 31): name, address and cédula of who prescribes, date and signature; generic
// name, presentation, dose, route, frequency and duration. Which medicines need a special
// prescription (Ley General de Salud, art. 226) is a table that an authority can replace.
package prescription

// Systems and codes.
const (
	base         = "https://github.com/amate-health/amate/fhir/"
	FolioSystem  = base + "NamingSystem/folio-receta" // groupIdentifier of the requests, identifier of the Composition
	RuleSystem   = base + "CodeSystem/receta-aviso"   // warnings, in DetectedIssue.code
	Profile      = base + "StructureDefinition/mx-receta"
	loinc        = "http://loinc.org"
	documentCode = "57833-6" // Prescription for medication
	sectionCode  = "57828-6" // Prescription list
	atc          = "http://www.whocc.no/atc"
	weightCode   = "29463-7"
)
