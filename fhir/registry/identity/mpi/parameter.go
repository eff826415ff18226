package mpi

// Parameters are the search parameters of PDQm beyond those of R4, as SearchParameter
// resources.
//
// See https://profiles.ihe.net/ITI/PDQm/ITI-78.html.
var Parameters = []string{
	`{"resourceType":"SearchParameter","id":"pdqm-mothers-maiden-name","url":"` + canonical + `SearchParameter/pdqm-mothers-maiden-name","name":"mothersMaidenName",` +
		`"status":"active","description":"The mother's surname, as she was born","code":"mothersMaidenName","base":["Patient"],"type":"string",` +
		`"expression":"Patient.extension.where(url = 'http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName').value.ofType(string)"}`,
}
