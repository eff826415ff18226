package main

import (
	"cmp"
	"encoding/json"

	"github.com/amate-health/amate/fhir/chart"
	"github.com/amate-health/amate/fhir/fhirpath/lab"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/profile"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/terminology/service"
)

// operations lists every $operation that the server offers.
func operations(store *opened) []operation.Operation {
	var all []operation.Operation
	terms := store.terminology()
	asked := store.validator(terms)
	asked.StrictExtensions = store.strictExtensions
	all = append(all, asked.Operation(storedIn(store), store.held))
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
	all = append(all, store.recommendOperations()...)
	all = append(all, store.campaignOperations()...)
	all = append(all, store.birthOperations()...)
	all = append(all, store.doseOperations()...)
	all = append(all, store.paperOperations()...)
	all = append(all, store.cardOperations()...)
	all = append(all, store.agendaOperations()...)
	all = append(all, store.prescriptionOperations()...)
	all = append(all, store.monitorOperations()...)
	all = append(all, store.visitOperations()...)
	all = append(all, store.subscriptionOperations()...)
	all = append(all, store.openDataOperations()...)
	all = append(all, store.referralOperations(all)...)
	all = append(all, store.viewOperations()...)
	all = append(all, store.bulkOperations()...)
	store.queryable(all)
	documented(all)
	return all
}

// documented gives operations of this project the text of their definitions.
func documented(all []operation.Operation) {
	g, err := profile.Package()
	if err != nil {
		panic(err) // it is part of the program
	}
	texts := map[string]string{}
	for i := range g.Definitions {
		var d struct{ URL, Description string }
		if g.Definitions[i].Type == "OperationDefinition" && json.Unmarshal(g.Definitions[i].JSON, &d) == nil {
			texts[d.URL] = d.Description
		}
	}
	for i := range all {
		all[i].Documentation = cmp.Or(all[i].Documentation, texts[all[i].URL])
	}
}
