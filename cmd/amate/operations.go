package main

import (
	"github.com/amate-health/amate/fhir/chart"
	"github.com/amate-health/amate/fhir/fhirpath/lab"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/terminology/service"
)

// operations lists every $operation that the server offers.
func operations(store *opened) []operation.Operation {
	var all []operation.Operation
	terms := store.terminology()
	asked := store.validator(terms)
	asked.StrictExtensions = store.strictExtensions
	all = append(all, asked.Operation(storedIn(store)))
	all = append(all, service.Operations(terms, visible(store))...)
	all = append(all, lab.Operations(release, expressions{terms})...)
	all = append(all, rest.Convert())
	all = append(all, chart.Operations(store)...)
	all = append(all, store.reindexOperations()...)
	all = append(all, store.changesOperations()...)
	all = append(all, store.summaryOperations()...)
	all = append(all, store.rightsOperations()...)
	documents := store.documentOperations()
	all = append(all, documents...)
	all = append(all, store.recordOperations(documents)...)
	all = append(all, store.messageOperations()...)
	all = append(all, store.exchangeOperations()...)
	all = append(all, store.giisOperations()...)
	all = append(all, store.matchOperations()...)
	all = append(all, store.identityOperations()...)
	all = append(all, store.birthOperations()...)
	all = append(all, store.paperOperations()...)
	return all
}
