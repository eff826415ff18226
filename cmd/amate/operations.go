package main

import (
	"github.com/amate-health/amate/fhir/fhirpath/lab"
	"github.com/amate-health/amate/fhir/operation"
)

// operations lists every $operation that the server offers.
func operations(store *opened) []operation.Operation {
	var all []operation.Operation
	all = append(all, newValidator().Operation(storedIn(store)))
	all = append(all, lab.Operations(release)...)
	return all
}
