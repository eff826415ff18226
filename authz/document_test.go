package authz_test

import (
	"fmt"
	"math/rand/v2"

	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/document"
	"github.com/amate-health/amate/fhir/operation"
)

// documentWays are the ways to documents: a Composition with all that it refers to, and
// what is done with it.
var documentWays = []way{
	{route: "$document", method: "GET", path: "/Composition/n0/$document", act: "either"},
	{route: "$document", method: "GET", path: "/Composition/n1/$document", act: "either"},
	{route: "$document", method: "GET", path: "/Composition/n2/$document", act: "either"},
	{route: "$verify-signature", method: "GET", path: "/Composition/n0/$verify-signature", act: "either"},
	{route: "$verify-signature", method: "GET", path: "/Bundle/u0/$verify-signature", act: "either"},
	{route: "$prepare-signature", method: "POST", path: "/Composition/n0/$prepare-signature", body: `{"resourceType":"Parameters"}`, act: "either"},
	{route: "$sign", method: "POST", path: "/Composition/n0/$sign", body: `{"resourceType":"Parameters","parameter":[{"name":"pending","valueId":"x"},{"name":"signature","valueBase64Binary":"AAAA"}]}`, act: "either"},
	{route: "$void", method: "POST", path: "/Composition/n0/$void", body: `{"resourceType":"Parameters","parameter":[{"name":"reason","valueString":"x"}]}`, act: "either"},
}

// documentOperations are the operations that documentWays call.
func (w *world) documentOperations() []operation.Operation {
	store, _ := w.store.(document.Store)
	return document.Operations(document.Config{Store: store, Maker: func(base string) bundle.Maker { return bundle.Maker{Base: base} }})
}

// compositions makes documents that refer to records, perhaps to those of others. They are
// drawn apart, so that the worlds of old stay what they were.
func (w *world) compositions() {
	drawn := w.rand
	w.rand = rand.New(rand.NewPCG(uint64(len(w.order)), 1))
	defer func() { w.rand = drawn }()
	for i := range nPatients {
		entry := []any{}
		for range w.rand.IntN(3) {
			entry = append(entry, reference("%s%d", one(w, "Observation/b", "Condition/c"), w.rand.IntN(nPatients)))
		}
		o := object{
			"resourceType": "Composition", "id": fmt.Sprint("n", i), "meta": w.labels(), "status": "preliminary", "type": concept(codeA), "date": "2026-01-01",
			"title": "SECRETO", "author": []any{reference("Practitioner/d0")}, "subject": reference("Patient/p%d", w.rand.IntN(nPatients)),
			"encounter": reference("Encounter/e%d", w.rand.IntN(nPatients)), "section": []any{object{"title": "x", "entry": entry}},
		}
		if len(entry) == 0 {
			o["section"] = []any{object{"title": "x", "text": object{"status": "generated", "div": `<div xmlns="http://www.w3.org/1999/xhtml">SECRETO</div>`}}}
		}
		w.add(o)
	}
}
