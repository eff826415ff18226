package identity

// The systems of Identifier.system, as GIIS-A001 gives the OIDs.
const (
	SystemCURP   = "urn:oid:2.16.840.1.113883.4.629"                    // a person: Clave Única de Registro de Población
	SystemCLUES  = "urn:oid:2.16.840.1.113883.4.631"                    // a health facility: Clave Única de Establecimientos de Salud
	SystemCedula = "urn:oid:2.16.840.1.113883.3.215.12.18"              // a licensed professional: cédula profesional of the SEP
	SystemRFC    = "http://www.sat.gob.mx/rfc"                          // a taxpayer: Registro Federal de Contribuyentes; this project's choice, for want of a published OID
	SystemNSS    = "http://www.imss.gob.mx/nss"                         // an insured person: Número de Seguridad Social of the IMSS; this project's choice likewise
	SystemINEGI  = "https://www.inegi.org.mx/app/ageeml/"               // geographic keys: entity (2 digits) or entity and municipality (5 digits)
	SystemTest   = "http://terminology.hl7.org/CodeSystem/v3-ActReason" // of the tag HTEST, which marks test data
)

// Verification is the extension of an Identifier that says how far it was checked, with
// one of the levels as valueCode.
const Verification = "https://github.com/amate-health/amate/fhir/StructureDefinition/identifier-verification"

// The levels of Verification, each of which includes those before.
const (
	Unverified     = "unverified"
	ChecksumOnly   = "checksum"                // its check digit is right
	Consistent     = "demographics-consistent" // and it fits name, birth date, sex and entity
	RenapoVerified = "renapo-verified"         // and RENAPO, which assigns it, has confirmed it
)
