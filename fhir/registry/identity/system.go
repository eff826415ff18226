package identity

// The systems of Identifier.system, as GIIS-A001 gives the OIDs.
const (
	SystemCURP   = "urn:oid:2.16.840.1.113883.4.629"                    // a person: Clave Única de Registro de Población
	SystemCLUES  = "urn:oid:2.16.840.1.113883.4.631"                    // a health facility: Clave Única de Establecimientos de Salud
	SystemCedula = "urn:oid:2.16.840.1.113883.3.215.12.18"              // a licensed professional: cédula profesional of the SEP
	SystemINEGI  = "https://www.inegi.org.mx/app/ageeml/"               // geographic keys: entity (2 digits) or entity and municipality (5 digits)
	SystemTest   = "http://terminology.hl7.org/CodeSystem/v3-ActReason" // of the tag HTEST, which marks test data
)
