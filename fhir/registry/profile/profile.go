// Package profile holds Amate's own profiles for Mexico, as a FHIR package: the
// least that NOM-024-SSA3-2012 asks for of a person (6.5.5, Tabla 1), and how
// professionals and facilities are identified.
//
// Mexico has published no FHIR profiles, so their canonical base is this project's
// own, https://github.com/amate-health/amate/fhir. Nobody should take them for
// official ones.
package profile

import (
	"embed"
	"io/fs"

	"github.com/amate-health/amate/fhir/guide"
)

//go:embed package/*.json
var files embed.FS

// Canonical begins the URLs of the profiles.
const Canonical = "https://github.com/amate-health/amate/fhir/StructureDefinition/"

// The profiles.
const (
	Patient      = Canonical + "mx-patient"
	Practitioner = Canonical + "mx-practitioner"
	Organization = Canonical + "mx-organization"
	Location     = Canonical + "mx-location"
	Immunization = Canonical + "mx-immunization" // a dose of the electronic immunization card
	ESAVI        = Canonical + "mx-esavi"        // an AdverseEvent of a vaccine
	VaccineLot   = Canonical + "mx-vaccine-lot"  // a Medication of the registry of lots
)

// Package returns the package.
func Package() (*guide.Package, error) {
	root, err := fs.Sub(files, "package")
	if err != nil {
		return nil, err
	}
	return guide.ReadFolder(root, guide.DefaultLimits)
}
