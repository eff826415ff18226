package main

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/terminology"
	"github.com/amate-health/amate/fhir/ucum"
	"github.com/amate-health/amate/fhir/validate"
)

// validator returns the validator of a server, which knows what is stored.
func (o *opened) validator(terms *terminology.Registry) *validate.Validator {
	if o.definitions == nil {
		o.definitions = newDefinitions(o)
	}
	return &validate.Validator{
		Codes: codes{terms}, Units: units{}, Profiles: o.definitions, Questionnaires: o.definitions,
	}
}

// units knows units of measure.
type units struct{}

// Valid reports whether code is a UCUM unit.
func (units) Valid(code string) bool {
	_, err := ucum.Parse(code)
	return err == nil
}

// storedIn reads resources for operations on an instance, as far as they may be seen.
func storedIn(store rest.Store) validate.Stored {
	return func(ctx context.Context, ref fhir.Ref, only *search.Restriction) (fhir.Resource, error) {
		if only.Open() {
			return store.Read(ctx, ref)
		}
		found, err := store.Search(ctx, &search.Query{
			Type: ref.Type, Where: []search.Expr{search.IDs{Any: []string{ref.ID}}}, Count: 1, Restriction: only,
		})
		switch {
		case err != nil:
			return fhir.Resource{}, err
		case len(found.Matches) == 0:
			return fhir.Resource{}, fhir.Errorf(fhir.NotFound, "no such resource")
		}
		return found.Matches[0], nil
	}
}
