package rest

import (
	"context"
	"errors"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
)

// conflict is an error about a version that is not the current one any more, for a
// caller who may see the current one.
//
// Its ETag says which version that is. Who prefers a representation gets a Bundle of
// type collection: the OperationOutcome, the current version, and last what they sent,
// so that a queue of writes, or a person, can decide between the two.
//
// See https://hl7.org/fhir/R4/http.html#concurrency.
type conflict struct {
	error
	url     string // of the current version
	current fhir.Resource
	form    *Form  // nil when they prefer no representation
	sent    []byte // nil for a deletion and a patch
}

// Unwrap returns the error without the versions.
func (c *conflict) Unwrap() error { return c.error }

// contested adds the current version to an error that says that another one was
// expected. What the caller may not see stays out, and the error as it is.
func (a *API) contested(ctx context.Context, req *Request, d *Decision, err error) error {
	if fhir.CodeOf(err) != fhir.Stale || req.IfMatch == 0 || req.ID == "" {
		return err
	}
	current, readErr := a.visible(ctx, req.ref().Current(), d.Restriction)
	if readErr != nil || current.Deleted() {
		return err
	}
	c := &conflict{error: err, url: a.url(current.Ref.Current()), current: current}
	if req.Prefer.Return == "representation" {
		c.form = &Form{mask: d.Mask}
		if req.Interaction == Update {
			if src, err := req.source(); err == nil {
				c.sent = src.Doc.Raw(src.Root)
			}
		}
	}
	return c
}

// contested adds the current version to an error about an entry of a transaction.
func (t *transaction) contested(plan *bundle.Plan, err error) error {
	var at *bundle.ChangeError
	if !errors.As(err, &at) || at.Index < 0 {
		return plan.Explain(err)
	}
	i := plan.Entry(at.Index)
	return t.api.contested(t.ctx, t.requests[i], &t.decisions[i], plan.Explain(err))
}

// bundle puts outcome and both versions into one; outcome alone when the caller did not
// ask for more, or may see them in part only and that part cannot be made.
func (c *conflict) bundle(outcome []byte) []byte {
	if c.form == nil {
		return outcome
	}
	p := newPage("collection", -1, len(c.current.JSON)+len(c.sent)+len(outcome), c.form)
	p.entry()
	p.member("resource")
	p.buf = append(p.buf, outcome...)
	p.close()
	p.entry()
	p.text("fullUrl", c.url)
	if err := p.resource(c.current.JSON); err != nil {
		return outcome
	}
	p.close()
	if c.sent != nil {
		p.entry()
		p.member("resource")
		p.buf = append(p.buf, c.sent...)
		p.close()
	}
	return p.end()
}
