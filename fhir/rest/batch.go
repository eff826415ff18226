package rest

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"

	"golang.org/x/sync/errgroup"

	"github.com/amate-health/amate/fhir/bundle"
)

// sideBySide is how many creates of a batch are made at a time, so that they can
// share the way to the disk.
const sideBySide = 8

// batch performs the entries of a Bundle, each by itself: one that fails says so in
// its own reply, and changes nothing for the others. They are performed in their
// order, but for creates that follow one another, which have nothing to do with
// each other and are made side by side.
//
// See https://hl7.org/fhir/R4/http.html#brules.
func (a *API) batch(ctx context.Context, req *Request, b *bundle.Bundle) (*Response, error) {
	replies := make([]reply, len(b.Entries))
	allowed := a.newAllowance()
	for i := 0; i < len(b.Entries); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		end := i + 1
		for end < len(b.Entries) && b.Entries[i].Method == http.MethodPost && b.Entries[end].Method == http.MethodPost {
			end++
		}
		var group errgroup.Group
		group.SetLimit(sideBySide)
		for entry := i; entry < end; entry++ {
			group.Go(func() error {
				replies[entry] = a.single(ctx, req, b, &b.Entries[entry], allowed)
				return nil
			})
		}
		_ = group.Wait() // no entry returns an error: it is in its reply
		i = end
	}
	return a.replies("batch-response", replies)
}

// single performs one entry of a batch. It may run in a goroutine of its own, so
// it lets no panic out.
func (a *API) single(ctx context.Context, whole *Request, b *bundle.Bundle, e *bundle.Entry, allowed *allowance) (out reply) {
	defer func() {
		if v := recover(); v != nil {
			out = a.failed(ctx, fmt.Errorf("panic: %v\n%s", v, debug.Stack()), e)
		}
	}()
	r, err := a.entryRequest(b, e)
	if err == nil {
		err = allowed.refuse(r)
	}
	if err != nil {
		return a.failed(ctx, err, e)
	}
	r.Prefer = whole.Prefer
	resp, err := a.Do(ctx, r)
	if err != nil {
		return a.failed(ctx, err, e)
	}
	out = a.entryReply(r, resp)
	allowed.take(r, &out)
	return out
}

// failed makes the reply of an entry that went wrong.
func (a *API) failed(ctx context.Context, err error, e *bundle.Entry) reply {
	id := ""
	x := exchangeOf(ctx)
	if x != nil {
		id = x.record.ID
	}
	f := explain(x.located(bundle.Within(interrupted(ctx, err), e.At(""))), id)
	if x != nil && f.code == 0 {
		x.failed(err)
	}
	return reply{resp: &Response{Status: f.status, Version: f.version}, outcome: f.body}
}

// entryReply makes the reply of an entry that went well. Without a wish, what was
// written is not sent back.
func (a *API) entryReply(r *Request, resp *Response) reply {
	out := reply{resp: resp, form: &r.Form}
	switch r.Interaction {
	case Create, Update, Patch, Delete:
		if r.Prefer.Return == "OperationOutcome" {
			out.outcome, resp.Body = resp.Body, nil
		} else if r.Prefer.Return != "representation" {
			resp.Body = nil
		}
		if resp.Location == "" && resp.Version > 0 && r.Interaction != Delete && resp.Ref.ID != "" {
			resp.Location = a.url(resp.Ref)
		}
	}
	return out
}
