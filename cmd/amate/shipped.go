package main

import (
	"context"
	"encoding/base64"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/registry/analysis"
	"github.com/amate-health/amate/fhir/rest"
)

// installViews stores the views that come with the program, and the questions that they
// answer as Libraries of SQL, where they are not yet, so that they are found as others are.
//
// See https://build.fhir.org/ig/FHIR/sql-on-fhir-v2/StructureDefinition-SQLQuery.html.
func installViews(ctx context.Context, store rest.Store) error {
	maker := makerFor(store)
	var b bundle.Batch
	put := func(typ string, json []byte) error {
		s, err := bundle.Parse(json)
		if err != nil {
			return err
		}
		c, err := maker.Update(s, fhir.Ref{Type: typ, ID: s.ID()}, false)
		b.Changes = append(b.Changes, c)
		return err
	}
	for _, v := range analysis.Views() {
		if err := put("ViewDefinition", v.Definition); err != nil {
			return err
		}
		for i := range v.Queries {
			if err := put("Library", libraryOf(&v, &v.Queries[i])); err != nil {
				return err
			}
		}
	}
	_, err := store.Apply(ctx, &b)
	return err
}

// libraryOf returns a question as a resource.
func libraryOf(v *analysis.View, q *analysis.Query) []byte {
	var needs []compose.Object
	for _, on := range q.Views() {
		needs = append(needs, compose.Object{"type": "depends-on", "resource": on.URL, "label": on.Name})
	}
	return compose.JSON(compose.Object{
		"resourceType": "Library", "id": queryID(v, q), "url": queryCanonical + queryID(v, q), "name": q.Name, "title": q.English, "status": "active",
		"description": q.Spanish, "type": compose.Object{"coding": []compose.Object{{"system": "https://sql-on-fhir.org/ig/CodeSystem/LibraryTypesCodes", "code": "sql-query"}}},
		"relatedArtifact": needs,
		"content":         []compose.Object{{"contentType": "application/sql", "data": base64.StdEncoding.EncodeToString([]byte(q.SQL))}},
	})
}

// queryID returns the id of the Library of a question.
func queryID(v *analysis.View, q *analysis.Query) string { return v.ID + "-" + q.Name }
