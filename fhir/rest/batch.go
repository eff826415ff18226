package rest

import (
	"context"

	"github.com/amate-health/amate/fhir/bundle"
)

// batch performs the entries of a Bundle one after another, each by itself: one
// that fails says so in its own reply, and changes nothing for the others.
//
// See https://hl7.org/fhir/R4/http.html#brules.
func (a *API) batch(ctx context.Context, req *Request, b *bundle.Bundle) (*Response, error) {
	replies := make([]reply, len(b.Entries))
	for i := range b.Entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		replies[i] = a.single(ctx, req, b, &b.Entries[i])
	}
	return a.replies("batch-response", replies)
}

// single performs one entry of a batch.
func (a *API) single(ctx context.Context, whole *Request, b *bundle.Bundle, e *bundle.Entry) reply {
	r, err := a.entryRequest(b, e)
	if err == nil {
		r.Prefer = whole.Prefer
		var resp *Response
		if resp, err = a.Do(ctx, r); err == nil {
			return a.entryReply(r, resp)
		}
	}
	return a.failed(ctx, err, e)
}

// failed makes the reply of an entry that went wrong.
func (a *API) failed(ctx context.Context, err error, e *bundle.Entry) reply {
	id := ""
	x := exchangeOf(ctx)
	if x != nil {
		id = x.record.ID
	}
	f := explain(bundle.Within(err, e.At("")), id)
	if x != nil && f.code == 0 {
		x.record.Err = err
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
