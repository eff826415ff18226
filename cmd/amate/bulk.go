package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/audit"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bulk"
	"github.com/amate-health/amate/fhir/bulk/ingest"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/subscription"
	"github.com/amate-health/amate/store/blob"
	"github.com/amate-health/amate/store/job"
)

// exporting says what is done of work that takes longer than a request.
type exporting struct {
	Keep    time.Duration `help:"How long the files of an export can be fetched." default:"24h"`
	Most    int           `help:"Exports of one client at a time." default:"4"`
	AtATime int           `help:"Exports that one server works on at a time." default:"2"`
	Disk    byteSize      `help:"Bytes that the files of all exports may take, on the disk of --data; they never take more than half of what would be free there without them." default:"20GiB"`
}

// bulkJobs is the kind of the jobs that do the work of orders.
const bulkJobs = "bulk"

// sweepOrders is how often files of orders that are no more are removed.
const sweepOrders = 10 * time.Minute

// orders are the work that takes longer than a request.
type orders struct {
	*bulk.Service
	store   *opened
	api     *rest.API
	serving chan struct{} // closed once rights can be told
}

// openOrders makes the service of orders. It works once it is told by serve that rights
// can be asked for.
func (o *opened) openOrders(e exporting, data string) error {
	files, err := blob.OpenOutputs(filepath.Join(data, "exports"))
	if err != nil {
		return err
	}
	x := &orders{store: o, serving: make(chan struct{})}
	x.Service = bulk.New(bulk.Config{
		Store: o.engine, Jobs: orderJobs{o.jobs}, Files: outputs{files}, Access: x, Moment: o.engine.Moment, Record: x.record,
		Keep: e.Keep, Most: e.Most, Disk: int64(e.Disk), Log: o.log,
	}, o.bulkKinds()...)
	o.orders = x
	o.jobs.Handle(bulkJobs, e.AtATime, func(ctx context.Context, t *job.Task) error {
		select {
		case <-x.serving:
		case <-ctx.Done():
			return ctx.Err()
		}
		final, err := x.Work(ctx, t.ID(), t)
		if final && err != nil {
			err = job.Permanent(err)
		}
		return err
	})
	return nil
}

// bulkKinds are the kinds of work that can be ordered.
func (o *opened) bulkKinds() []bulk.Kind {
	export := bulk.Exporter{
		Scanner: o, Search: o.Search, History: o.engine.History, Read: o.engine.Read, Index: o.indexer(), Subset: rest.Subset,
	}
	return []bulk.Kind{export.Kind(), o.importer().Kind()}
}

// serve has the work begin, now that rights can be told, and removes what has expired until
// ctx ends.
func (x *orders) serve(ctx context.Context, api *rest.API, log *slog.Logger) {
	x.api = api
	close(x.serving)
	go func() {
		tick := time.NewTicker(sweepOrders)
		defer tick.Stop()
		for {
			if err := x.Sweep(ctx); err != nil && ctx.Err() == nil {
				log.Error("remove what came of old orders", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
}

// Scan reads all of a type, as Search reads pages. Whoever shows what it brings records
// that by itself, as one thing: there may be millions.
func (o *opened) Scan(ctx context.Context, s *search.Scan, page func([]fhir.Resource, string) error) error {
	q, err := o.unfound(ctx, unworded(&s.Query))
	if err != nil {
		return err
	}
	scan := *s
	scan.Query = *q
	engine := func(ctx context.Context, some *search.Scan, page func([]fhir.Resource, string) error) error {
		return o.engine.Scan(ctx, some, o.indexer(), page)
	}
	return o.paced(ctx, &scan, engine, func(found []fhir.Resource, after string) error {
		err := o.withhold(ctx, q.Restriction, found)
		if err == nil && q.Type == "Binary" {
			err = o.fill(ctx, found)
		}
		if err != nil {
			return err
		}
		return page(found, after)
	})
}

// Owner implements bulk.Access.
func (x *orders) Owner(ctx context.Context) ([]byte, bool, error) {
	p := authz.From(ctx)
	switch {
	case x.store.access == nil:
		return []byte("{}"), false, nil
	case p == nil:
		return nil, true, fhir.Errorf(fhir.LoginRequired, "what is ordered is fetched by whoever ordered it: sign in")
	case p.Purpose == "BTG":
		return nil, true, fhir.Errorf(fhir.Forbidden, "emergency access is for a short time, and for whoever asks: nothing is ordered with it")
	}
	owner, _, err := subscriber{x.store}.Owner(ctx)
	return owner, true, err
}

// As implements bulk.Access.
func (x *orders) As(ctx context.Context, owner []byte) (context.Context, error) {
	as, _, err := subscriber{x.store}.As(ctx, owner)
	if errors.Is(err, subscription.ErrRevoked) {
		err = fhir.Errorf(fhir.Forbidden, "the account, the app or the token by which this was ordered is no longer good")
	}
	return as, err
}

// Rights implements bulk.Access.
func (x *orders) Rights(ctx context.Context, name, typ, id string) (*bulk.Rights, error) {
	o := x.store
	d, err := o.guard().Check(ctx, &rest.Request{Interaction: rest.Operation, Operation: name, Type: typ, ID: id})
	if err != nil {
		return nil, err
	}
	r := &bulk.Rights{Restriction: d.Restriction, Roster: d.Roster, Seen: d.Mask.Of(), Caller: d.Caller, Send: x.send, Search: search.Options{
		Base: o.indexing.Base, Catalogue: o.parameters.Catalogue(), Terminology: o.terminology(), FullText: o.indexing.FullText,
	}}
	if !d.Mask.Empty() {
		r.Search.Hidden = d.Mask.Hides
	}
	return r, nil
}

// send performs a batch as the one whom ctx is of.
func (x *orders) send(ctx context.Context, bundle []byte) ([]byte, error) {
	resp, err := x.api.Do(ctx, &rest.Request{Interaction: rest.Batch, Body: bundle, Media: "application/fhir+json"})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// record puts into the audit trail what came of an order: who, by what, and how many of
// each type.
func (x *orders) record(ctx context.Context, order *bulk.Order) error {
	if x.store.trail == nil {
		return nil
	}
	counts := map[string]int64{}
	for i := range order.Outputs {
		counts[order.Outputs[i].Type] += order.Outputs[i].Count
	}
	var parts []string
	for _, typ := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[typ], typ))
	}
	_, query, _ := strings.Cut(order.URL, x.store.indexing.Base+"/")
	r := audit.Record{
		Kind: audit.Access, Action: "E", Interaction: "$" + order.Kind, Type: order.Type, Query: query,
		Detail: "order " + order.ID + " is done: " + strings.Join(parts, ", "),
	}
	as, err := x.As(ctx, order.Owner)
	if err != nil {
		return err
	}
	r.Agent = audit.Agent{Account: order.Principal, Client: "amate"}
	if p := authz.From(as); p != nil {
		r.Agent = audit.Agent{Account: p.ID, Client: p.Client, User: refText(p.User)}
	}
	return x.store.trail.Record(ctx, r)
}

// orderJobs do the work of orders.
type orderJobs struct{ *job.Queue }

func (q orderJobs) Add(ctx context.Context, order string) error {
	_, err := q.Queue.Add(ctx, job.New{ID: order, Kind: bulkJobs, Payload: json.RawMessage("null")})
	return err
}

func (q orderJobs) Stop(ctx context.Context, order string) error { return q.Cancel(ctx, order) }

func (q orderJobs) Look(ctx context.Context, order string) (bulk.State, error) {
	j, err := q.Get(ctx, order)
	if err != nil {
		return bulk.State{}, err
	}
	return bulk.State{
		Begun: !j.Started.IsZero(), Ended: j.Status.Ended(), Cancelled: j.Status == job.Cancelled || j.Cancel,
		Done: j.Done, Total: j.Total, Note: j.Note, Left: j.Remaining(time.Now()),
	}, nil
}

// outputs are the files of orders.
type outputs struct{ *blob.Outputs }

func (f outputs) Append(order, name string, at int64) (bulk.Appender, error) {
	return f.Outputs.Append(order, name, at)
}

func (f outputs) Open(order, name string) (bulk.Reader, int64, error) {
	return f.Outputs.Open(order, name)
}

// The definitions of $export, and what servers are that have it.
const (
	bulkDefinition = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/"
	bulkCapability = "http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"
)

// bulkOperations order exports, and fetch what comes of them.
func (o *opened) bulkOperations() []operation.Operation {
	if o.orders == nil { // nobody is served
		o.orders = &orders{Service: bulk.New(bulk.Config{}, o.bulkKinds()...), store: o}
	}
	run := o.orders.Order(bulk.ExportName)
	media := []string{"application/fhir+ndjson", "application/ndjson"}
	all := []operation.Operation{
		{Name: "export", URL: bulkDefinition + "export", Scope: operation.OnSystem, Media: media, Sees: true, Run: run, Documentation: "Exports all that the caller may see, as files that are fetched later."},
		{Name: "export", URL: bulkDefinition + "patient-export", Scope: operation.OnType, Types: []string{"Patient"}, Media: media, Sees: true, Run: run, Documentation: "Exports the records of all patients whom the caller may see."},
		{Name: "export", URL: bulkDefinition + "group-export", Scope: operation.OnInstance, Types: []string{"Group"}, Media: media, Sees: true, Run: run, Documentation: "Exports the records of the patients of a Group."},
	}
	return append(append(all, ingest.Operation(o.orders.Service)), o.orders.Operations()...)
}
