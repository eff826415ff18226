package parameter

import (
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store"
)

// Indexing says how resources are indexed, but for the parameters.
type Indexing struct {
	Base     string                // the server's FHIR base URL, without a slash at the end
	FullText func(typ string) bool // whether resources of a type are indexed for _text and _content; nil is none

	// Person says by what a Patient is found among those who may be the same person;
	// nil for nothing.
	Person func(d *element.Doc, root element.Node) search.Person
}

// Indexer indexes resources by the parameters of the moment.
func (r *Registry) Indexer(in Indexing) store.Indexer {
	catalogue := r.Catalogue()
	return func(resource *fhir.Resource) (search.Index, error) {
		d, err := element.Parse(resource.JSON)
		if err != nil {
			return search.Index{}, err
		}
		return search.Indexing{
			Base: in.Base, Catalogue: catalogue, FullText: in.FullText != nil && in.FullText(resource.Ref.Type), Person: in.Person,
		}.Extract(d, 0)
	}
}

// Begin makes sure that the parameters of the moment are all that are known to any
// server, and returns the stamp of that.
func (r *Registry) Begin(ctx context.Context) (int64, error) {
	if err := r.Refresh(ctx); err != nil {
		return 0, err
	}
	return r.Stamp(), nil
}

// Applied notices what a write of this process changed. It returns those resources
// that have to be indexed once more, since a parameter may have come in between.
func (r *Registry) Applied(ctx context.Context, results []bundle.Result) (again []fhir.Ref, err error) {
	var ids []string
	for i := range results {
		result := &results[i]
		for _, ref := range result.Deleted {
			if ref.Type == resourceType {
				ids = append(ids, ref.ID)
			}
		}
		ref := result.Resource.Ref.Current()
		switch {
		case result.Outcome == bundle.Unchanged || result.Outcome == bundle.Absent:
		case ref.Type == resourceType:
			ids = append(ids, ref.ID)
		case result.Outcome != bundle.Removed && r.Unsettled(ref.Type):
			again = append(again, ref)
		}
	}
	if len(ids) == 0 {
		return again, nil
	}
	return again, r.Changed(context.WithoutCancel(ctx), ids...)
}
