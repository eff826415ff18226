package main

import "github.com/amate-health/amate/fhir/operation"

// operations lists every $operation that the server offers.
func operations() []operation.Operation {
	var all []operation.Operation
	return all
}
