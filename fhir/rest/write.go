package rest

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// apply makes a single change and turns its result into a response.
func (a *API) apply(ctx context.Context, req *Request, d Decision, c bundle.Change) (*Response, error) {
	result, err := a.applyOne(ctx, d, c)
	if err != nil {
		return nil, a.contested(ctx, req, &d, err)
	}
	return a.written(req, result), nil
}

// applyOne makes a single change.
func (a *API) applyOne(ctx context.Context, d Decision, c bundle.Change) (*bundle.Result, error) {
	results, err := a.confined(ctx, &bundle.Batch{Changes: []bundle.Change{c}}, func(int) *Decision { return &d })
	if err != nil {
		return nil, plain(err)
	}
	return &results[0], nil
}

// plain takes the position out of an error about the only change of a batch.
func plain(err error) error {
	var at *bundle.ChangeError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// confinedTries is how often a restricted write is tried again when others keep
// changing the resource between the look and the write.
const confinedTries = 5

// maxLooks is how often a restricted write looks up what its conditions depend on,
// beside once for each change: conditions that lead from resource to resource need
// one look for each step.
const maxLooks = 8

// applyConfined applies b for a caller who may see only part of the resources; of
// says which, for each change. An update, patch or delete of a resource that the
// caller cannot see is refused: a look finds the version that they can see, and
// the change is pinned to it, so that nothing can slip in between.
func (a *API) applyConfined(ctx context.Context, b *bundle.Batch, of func(change int) *Decision) ([]bundle.Result, error) {
	looks := &evidence{}
	for try := 1; ; {
		looks.held, looks.ahead = looks.held[:0], false
		pinned := &bundle.Batch{Lookups: b.Lookups, Changes: slices.Clone(b.Changes), Entries: b.Entries}
		ours := false // a precondition of ours, not the client's, may fail
		for i := range pinned.Changes {
			d := of(i)
			a.hold(pinned, b, i, d.Content, looks)
			pin, err := a.pin(ctx, d, &pinned.Changes[i])
			if err != nil {
				return nil, &bundle.ChangeError{Index: i, Err: err}
			}
			ours = ours || pin
		}
		a.recorded(ctx, pinned)
		results, err := a.Store.Apply(ctx, pinned)
		if acc := accessOf(ctx); acc != nil && err == nil {
			acc.applied(results)
		}
		if err == nil {
			return results, nil
		}
		again, lookErr := a.look(ctx, looks)
		if lookErr != nil {
			return nil, lookErr
		}
		if again { // each look answers something that was not known: this ends
			if looks.rounds++; looks.rounds > maxLooks+len(b.Changes) {
				return nil, fhir.Errorf(fhir.TooCostly, "whether you may write this depends on too many other resources; write fewer at a time")
			}
			continue
		}
		if fhir.CodeOf(err) != fhir.Stale || !ours || try == confinedTries {
			return nil, err
		}
		try++
	}
}

// pin holds a change to what the caller can see. It reports whether it set a
// precondition that the client did not.
func (a *API) pin(ctx context.Context, d *Decision, c *bundle.Change) (bool, error) {
	only := d.Restriction
	switch {
	case c.Op == bundle.Update && c.Where != nil:
		c.NoneNew = d.Existing && c.FixedID
		return false, nil
	case !d.Existing && all(only, c.Ref.Type):
		return false, nil
	case c.Op == bundle.Create || c.Where != nil:
		return false, nil // a criterion carries the restriction itself
	case c.Op == bundle.Patch || c.Op == bundle.Delete:
		var err error
		if c.Op == bundle.Patch {
			err = a.whole(ctx, c.Ref, only)
		}
		c.Where = byID(c.Ref, only)
		return false, err
	}
	seen, err := a.visible(ctx, c.Ref, only)
	if where, _ := only.Of(c.Ref.Type); err == nil && inPart(&seen, where) {
		return false, errInPart
	}
	switch {
	case err == nil && c.IfMatch == 0:
		c.IfMatch = seen.Ref.Version
		return true, nil
	case fhir.CodeOf(err) == fhir.NotFound || fhir.CodeOf(err) == fhir.Gone:
		return a.pinNew(ctx, d, c)
	}
	return false, err
}

// all reports whether a caller can see every resource of a type, whatever is in it.
func all(only *search.Restriction, typ string) bool {
	where, listed := only.Of(typ)
	return only.Open() || listed && len(where) == 0
}

// pinNew lets an update create a resource, but not replace one that the caller
// cannot see.
func (a *API) pinNew(ctx context.Context, d *Decision, c *bundle.Change) (bool, error) {
	if d.Existing { // whether there is one, and hidden, is not told
		return false, fhir.Errorf(fhir.NotFound, "there is no such resource to update, and you may not create one here: POST it to its type")
	}
	_, err := a.Store.Read(ctx, c.Ref)
	switch fhir.CodeOf(err) {
	case fhir.NotFound, fhir.Gone:
		ours := !c.IfNoneMatch
		c.IfNoneMatch = true
		return ours, nil
	}
	if err == nil {
		err = fhir.Errorf(fhir.Forbidden, "this resource cannot be written")
	}
	return false, err
}

// written answers a create, update or patch, as Prefer: return asks.
//
// See https://hl7.org/fhir/R4/http.html#return.
func (a *API) written(req *Request, r *bundle.Result) *Response {
	resp := found(&r.Resource)
	resp.Location = a.url(r.Resource.Ref) // a client that gave a criterion does not know it yet
	if r.Outcome == bundle.Created {
		resp.Status = http.StatusCreated
	}
	switch req.Prefer.Return {
	case "minimal":
		resp.Body, resp.Stored = nil, false
	case "OperationOutcome":
		resp.Body, resp.Stored = a.told(r), false
	}
	return resp
}

// told says what became of a write, and what is doubtful about it.
func (a *API) told(r *bundle.Result) []byte {
	if a.Doubts == nil {
		return information(outcomeText(r.Outcome))
	}
	issues := []fhir.Issue{{Severity: "information", Type: "informational", Details: outcomeText(r.Outcome)}}
	return operation.AppendOutcome(nil, append(issues, a.Doubts(&r.Resource)...))
}

func outcomeText(o bundle.Outcome) string {
	switch o {
	case bundle.Created:
		return "created"
	case bundle.Updated:
		return "updated"
	case bundle.Unchanged:
		return "nothing was changed: it is as it should be already"
	case bundle.Removed:
		return "deleted"
	}
	return "there was nothing to delete"
}

// criterion parses the search that a conditional interaction selects by.
// Errors: fhir.Invalid; an empty criterion, which would select everything, is one.
//
// See https://hl7.org/fhir/R4/http.html#ccreate.
func (a *API) criterion(typ string, params []search.Param, d Decision) (*search.Query, error) {
	return a.maker.Criterion(typ, params, d.Restriction)
}
