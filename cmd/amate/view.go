package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"maps"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/analysis"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/view"
)

// views returns what runs views over what is stored.
func (o *opened) views() *view.Service {
	cfg := view.Config{
		Scanner: o, Search: o.Search, Prepare: o.prepared, Queries: ordered{o},
		Shipped: func(name string) ([]byte, bool) {
			v, ok := analysis.LookupView(name)
			return v.Definition, ok
		},
	}
	if o.orders != nil {
		cfg.Orders = o.orders.Service
	}
	return view.New(cfg)
}

// viewOperations make tables of resources.
func (o *opened) viewOperations() []operation.Operation { return o.views().Operations() }

// bornAtOnce is how many dates of birth are read at a time.
const bornAtOnce = 500

// prepared returns what rows are made of. Who sees resources in part sees them without who
// they are of, by pseudonyms of the month: so long do the rows of two runs join. Views that
// ask for what is derived find it whoever runs them.
func (o *opened) prepared(ctx context.Context, v *view.View, sight view.Sight, found []fhir.Resource) ([][]byte, error) {
	shown := make([][]byte, len(found))
	if sight.Seen == nil && !v.Mentions(analysis.Extension) {
		for i := range found {
			shown[i] = found[i].JSON
		}
		return shown, nil
	}
	docs, born, err := o.bornOf(ctx, sight.Restriction, found)
	if err != nil {
		return nil, err
	}
	month := time.Now().UTC()
	month = time.Date(month.Year(), month.Month(), 1, 0, 0, 0, 0, time.UTC)
	hidden := analysis.New(o.key("pseudonyms of analysts"), "runs "+month.Format("2006-01")).At(o.indexing.Base).AsOf(month)
	for i := range found {
		subject, _ := analysis.Subject(docs[i])
		derived := analysis.Derive(docs[i], born[subject.ID], month)
		if sight.Seen == nil {
			shown[i], err = derived.Add(nil, found[i].JSON)
		} else if shown[i], err = sight.Seen(found[i].JSON); err == nil {
			shown[i], err = hidden.Prepare(nil, shown[i], derived)
		}
		if err != nil {
			return nil, err
		}
	}
	if sight.Seen != nil {
		shuffle(shown)
	}
	return shown, nil
}

// shuffle puts resources into an order that follows from their pseudonyms: that in which they
// are stored is the same for runs in different months, whose rows are not to join.
func shuffle(shown [][]byte) {
	slices.SortFunc(shown, func(a, b []byte) int {
		x, y := sha256.Sum256(a), sha256.Sum256(b)
		return bytes.Compare(x[:], y[:])
	})
}

// bornOf reads resources, and the dates of birth of the patients that they are about, as far
// as those may be seen.
func (o *opened) bornOf(ctx context.Context, only *search.Restriction, found []fhir.Resource) (docs []*element.Doc, born map[string]string, err error) {
	born = map[string]string{}
	for i := range found {
		d, err := element.Parse(found[i].JSON)
		if err != nil {
			return nil, nil, err
		}
		docs = append(docs, d)
		if ref, ok := analysis.Subject(d); ok {
			born[ref.ID] = ""
		}
	}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(born)), bornAtOnce) {
		people, err := o.engine.Search(ctx, &search.Query{Type: "Patient", Where: []search.Expr{search.IDs{Any: some}}, Count: len(some), Restriction: only})
		if err != nil {
			return nil, nil, err
		}
		for i := range people.Matches {
			d, err := element.Parse(people.Matches[i].JSON)
			if err != nil {
				return nil, nil, err
			}
			born[people.Matches[i].Ref.ID] = d.TextAt(0, "birthDate")
		}
	}
	return docs, born, nil
}
