package rest

import (
	"sync/atomic"

	"github.com/amate-health/amate/fhir"
)

// allowance is what the answer to a batch or transaction may still hold. A few
// kilobytes of entries that each ask for a full page would otherwise make an answer
// of many gigabytes. Entries may run side by side, so that the last ones go over it
// by as much as each may hold by itself.
type allowance struct{ left atomic.Int64 }

func (a *API) newAllowance() *allowance {
	b := &allowance{}
	b.left.Store(a.limits.Answer)
	return b
}

// refuse returns an error for an entry that only reads, once the allowance is used
// up. What changes something is never refused for the size of its answer.
func (b *allowance) refuse(req *Request) error {
	if b.left.Load() > 0 || changes(req) {
		return nil
	}
	return fhir.Errorf(fhir.TooCostly, "the entries before this one fill the answer; ask for it in a Bundle of its own")
}

// take counts a reply, and leaves out the resource of a write that no longer fits.
func (b *allowance) take(req *Request, r *reply) {
	if b.left.Load() <= 0 && changes(req) && req.Interaction != Operation {
		r.resp.Body = nil
	}
	b.left.Add(-int64(len(r.resp.Body) + len(r.outcome)))
}

// Changes reports whether the request may change something.
func (r *Request) Changes() bool { return changes(r) }

// changes reports whether an interaction may change something.
func changes(req *Request) bool {
	switch req.Interaction {
	case Create, Update, Patch, Delete:
		return true
	case Operation:
		return req.operation != nil && req.operation.Changes
	}
	return false
}
