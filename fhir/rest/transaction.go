package rest

import (
	"cmp"
	"context"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// transaction performs the entries of a Bundle together: all of them, or none.
// Its reads see what its writes made.
//
// See https://hl7.org/fhir/R4/http.html#trules.
func (a *API) transaction(ctx context.Context, req *Request, b *bundle.Bundle) (*Response, error) {
	t := &transaction{api: a, ctx: ctx, whole: req, bundle: b, requests: make([]*Request, len(b.Entries)), decisions: make([]Decision, len(b.Entries))}
	var plan *bundle.Plan
	var results []bundle.Result
	_, err := a.audited(ctx, req, func(ctx context.Context) (_ *Response, err error) {
		plan, results, err = t.write(ctx)
		return nil, err
	})
	if err != nil {
		return nil, err
	}
	return t.answer(plan, results)
}

// write asks for every entry whether it is allowed, and performs the writes.
func (t *transaction) write(ctx context.Context) (*bundle.Plan, []bundle.Result, error) {
	t.ctx = ctx
	d, err := t.api.check(ctx, t.whole)
	if err != nil {
		return nil, nil, err
	}
	plan, err := bundle.NewPlan(t.bundle, bundle.Options{Maker: t.api.maker, NewID: t.api.NewID, Allow: t.allow, References: d.Restriction})
	if err != nil {
		return nil, nil, err
	}
	if len(plan.Batch.Changes) == 0 {
		if acc := accessOf(ctx); acc != nil {
			acc.kept = true // there is nothing but its reads, each of which is recorded
		}
		return plan, nil, nil
	}
	results, err := t.apply(plan)
	if err != nil {
		return nil, nil, t.contested(plan, err)
	}
	return plan, results, nil
}

// transaction is the state of one.
type transaction struct {
	api       *API
	ctx       context.Context
	whole     *Request
	bundle    *bundle.Bundle
	requests  []*Request // of each entry
	decisions []Decision // on each entry
}

// allow asks the Guard about an entry. What it is asked is made from what will be
// done, so that the two cannot differ.
func (t *transaction) allow(act *bundle.Action) (*search.Restriction, error) {
	req, err := t.request(act)
	if err != nil {
		return nil, err
	}
	if req.Interaction == Operation && req.operation.Changes {
		return nil, fhir.Errorf(fhir.NotSupported, "an operation that changes something cannot be part of a transaction: call it by itself or in a batch").
			At(act.Entry.At(".request.url"))
	}
	req.Prefer = t.whole.Prefer
	if acc := accessOf(t.ctx); acc != nil && req.ID != "" {
		acc.touch(req.ref(), &fhir.Resource{})
	}
	bad := t.api.resume(req)
	d, err := t.api.check(t.ctx, req)
	if err = cmp.Or(err, bad); err != nil {
		return nil, err
	}
	i := act.Entry.Index
	t.requests[i], t.decisions[i] = req, d
	return d.Restriction, nil
}

var interactionOf = map[bundle.Op]Interaction{
	bundle.Create: Create, bundle.Update: Update, bundle.Patch: Patch, bundle.Delete: Delete,
}

// request makes the Request that an action stands for.
func (t *transaction) request(act *bundle.Action) (*Request, error) {
	if act.Op == 0 {
		return t.api.entryRequest(t.bundle, act.Entry)
	}
	req := &Request{
		Interaction: interactionOf[act.Op],
		Type:        act.Ref.Type,
		IfMatch:     act.IfMatch,
		IfNoneMatch: act.Entry.IfNoneMatch,
		Source:      act.Source(),
	}
	switch {
	case act.Op == bundle.Create:
		req.IfNoneExist = act.Entry.IfNoneExist
	case act.Conditional:
		req.Params = act.Criterion
	default:
		req.ID = act.Ref.ID
	}
	return req, nil
}

// apply performs the writes, each held to what its entry may see.
func (t *transaction) apply(plan *bundle.Plan) ([]bundle.Result, error) {
	return t.api.confined(t.ctx, &plan.Batch, func(change int) *Decision {
		return &t.decisions[plan.Entry(change)]
	})
}

// answer performs the reads, and replies to every entry in its order.
func (t *transaction) answer(plan *bundle.Plan, results []bundle.Result) (*Response, error) {
	replies := make([]reply, len(t.requests))
	allowed := t.api.newAllowance()
	for i, req := range t.requests {
		var resp *Response
		if c, ok := plan.Change(i); ok {
			r := results[c]
			if plan.Twin(i) {
				r.Outcome = bundle.Unchanged
			}
			if req.Interaction == Delete {
				resp = deleted(req, &r)
			} else {
				resp = t.api.written(req, &r)
			}
		} else {
			err := allowed.refuse(req)
			if err == nil {
				resp, err = t.read(i, req)
			}
			if err != nil {
				// The writes are done, so a read that fails is only its own failure.
				replies[i] = t.api.failed(t.ctx, err, &t.bundle.Entries[i])
				continue
			}
		}
		replies[i] = t.api.entryReply(req, resp)
		allowed.take(req, &replies[i])
	}
	return t.api.replies("transaction-response", replies)
}

// read performs entry i, which was allowed.
func (t *transaction) read(i int, req *Request) (*Response, error) {
	return t.api.audited(t.ctx, req, func(ctx context.Context) (*Response, error) {
		if acc := accessOf(ctx); acc != nil {
			acc.seen = true
		}
		return interact[req.Interaction](t.api, ctx, req, t.decisions[i])
	})
}
