package main

import (
	"github.com/amate-health/amate/fhir/document/summary"
	"github.com/amate-health/amate/fhir/operation"
)

// summaryOperations are the International Patient Summary, made and taken in.
func (o *opened) summaryOperations() []operation.Operation {
	return summary.Operations(summary.Config{Store: o, Terminology: o.terminology(), Software: "Amate " + release})
}
