package rest

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// Auditor keeps the audit trail. What a request changed is recorded in the
// transaction of the change; everything else is kept before the answer leaves.
type Auditor interface {
	// Event makes the record of an access. ctx is that of the request.
	Event(ctx context.Context, a *Access) fhir.Event

	// Keep returns once events are safe from the death of the process. When it
	// fails, the request is answered with its error instead.
	Keep(ctx context.Context, events []fhir.Event) error
}

// Access is one use of the API, allowed or refused: a request, or an entry of a
// batch. Unlike a Record it says what was seen of whom, so no log or metric may
// have it.
type Access struct {
	Request     string // id, as in X-Request-Id; "" outside of HTTP
	From        string // network address of the client
	Interaction Interaction
	Type, ID    string   // as asked for
	Within      fhir.Ref // whose compartment is searched; zero for none
	Version     int64
	Operation   string
	Params      []search.Param // as asked for
	Criterion   string         // If-None-Exist
	Action      byte           // C, R, U, D, E: http://hl7.org/fhir/R4/valueset-audit-event-action.html
	Started     time.Time
	Status      int       // of HTTP
	Code        fhir.Code // why it was refused, 0 when it was not or the fault was ours

	Refs     []fhir.Ref // what was shown or written, each once; what was written, with its version
	Listed   []fhir.Ref // what a search, a history or an operation showed of patients, each once; none is in Refs
	Patients []string   // ids of the patients whom that, or the question, concerns; each once

	mu   sync.Mutex // over Refs, Listed and Patients, while it is performed
	seen bool       // the Guard has let it through
	kept bool       // the store has recorded it

	changes func([]bundle.Result) []fhir.Event // what the store is to record of changes; nil without a trail
}

type accessKey struct{}

func accessOf(ctx context.Context) *Access {
	a, _ := ctx.Value(accessKey{}).(*Access)
	return a
}

// Touched tells the audit trail that what ctx is for has been shown, or has used,
// resources. Whoever reads them out of a store says so; without an access to
// record it does nothing.
func Touched(ctx context.Context, resources ...fhir.Resource) {
	a := accessOf(ctx)
	if a == nil || !a.seen {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	listing := a.Action == 'E' || a.Interaction != Read && a.Interaction != VRead && a.Action == 'R'
	for i := range resources {
		r := &resources[i]
		before := len(a.Patients)
		if a.touch(r.Ref.Current(), r); listing && len(a.Patients) > before && r.Ref.Type != "Patient" {
			last := len(a.Refs) - 1
			a.Refs, a.Listed = a.Refs[:last], append(a.Listed, a.Refs[last])
		}
	}
}

func (a *Access) touch(ref fhir.Ref, r *fhir.Resource) {
	a.Refs = append(a.Refs, ref)
	if ref.Type == "Patient" {
		a.Patients = append(a.Patients, ref.ID)
	}
	a.Patients = patientsIn(a.Patients, r.JSON)
}

// actions are those of the interactions.
//
// See https://hl7.org/fhir/R4/valueset-audit-event-action.html.
var actions = map[Interaction]byte{
	Read: 'R', VRead: 'R', HistoryInstance: 'R', HistoryType: 'R', HistorySystem: 'R',
	Create: 'C', Update: 'U', Patch: 'U', Delete: 'D',
	SearchType: 'E', SearchSystem: 'E', Operation: 'E', Transaction: 'E', Batch: 'E',
}

func (a *API) newAccess(ctx context.Context, req *Request) *Access {
	acc := &Access{
		Interaction: req.Interaction, Type: req.Type, ID: req.ID, Within: req.Compartment, Version: req.Version, Operation: req.Operation,
		Params: req.Params, Criterion: req.IfNoneExist, Action: actions[req.Interaction], Started: a.Now(),
	}
	if x := exchangeOf(ctx); x != nil {
		acc.Request, acc.From = x.record.ID, x.r.RemoteAddr
	}
	if a.Audit != nil {
		acc.changes = func(results []bundle.Result) []fhir.Event { return a.changeEvents(ctx, acc, results) }
	}
	acc.Patients = askedAbout(req)
	return acc
}

// askedAbout returns the patients whom a request names, whatever it finds.
func askedAbout(req *Request) (patients []string) {
	if req.Type == "Patient" && req.ID != "" {
		patients = append(patients, req.ID)
	}
	if req.Compartment.Type == "Patient" {
		patients = append(patients, req.Compartment.ID)
	}
	for _, p := range req.Params {
		name, _, _ := strings.Cut(p.Name, ":")
		name = name[strings.LastIndexByte(name, '.')+1:]
		plain := name == "patient" || name == "_id" && req.Type == "Patient" // an id by itself is a patient's
		if !plain && name != "subject" {
			continue
		}
		for value := range strings.SplitSeq(p.Value, ",") {
			at := strings.LastIndex("/"+value, "/Patient/")
			if at >= 0 {
				value = value[at+len("Patient/"):]
			}
			if (at >= 0 || plain) && fhir.ValidID(value) {
				patients = append(patients, value)
			}
		}
	}
	return patients
}

// audited performs what req asks for, by f, and sees to it that it is recorded.
func (a *API) audited(ctx context.Context, req *Request, f func(context.Context) (*Response, error)) (*Response, error) {
	if a.Audit == nil || actions[req.Interaction] == 0 {
		return f(ctx)
	}
	acc := a.newAccess(ctx, req)
	acc.Status = http.StatusInternalServerError // if f does not return
	finished := false
	defer func() {
		if !finished {
			_ = a.note(ctx, acc) // of a panic, which is on its way up
		}
	}()
	resp, err := f(context.WithValue(ctx, accessKey{}, acc))
	finished = true
	if err == nil && acc.kept {
		return resp, nil
	}
	acc.finish(resp, err)
	if failed := a.note(ctx, acc); failed != nil {
		return nil, failed
	}
	return resp, err
}

// finish says how an access ended.
func (a *Access) finish(resp *Response, err error) {
	switch {
	case err != nil:
		f := explain(err, "")
		a.Status, a.Code = f.status, f.code
	case resp != nil:
		a.Status = resp.Status
		if a.Interaction == Operation {
			a.Patients = patientsIn(a.Patients, resp.Body)
		}
	default:
		a.Status = http.StatusOK
	}
	a.tidy()
}

// tidy leaves each of Refs, Listed and Patients once.
func (a *Access) tidy() {
	a.Refs, a.Listed = once(a.Refs), once(a.Listed)
	if len(a.Patients) > 1 {
		slices.Sort(a.Patients)
		a.Patients = slices.Compact(a.Patients)
	}
}

// once sorts refs and leaves each once.
func once(refs []fhir.Ref) []fhir.Ref {
	if len(refs) < 2 {
		return refs
	}
	slices.SortFunc(refs, func(x, y fhir.Ref) int {
		return cmp.Or(strings.Compare(x.Type, y.Type), strings.Compare(x.ID, y.ID), cmp.Compare(x.Version, y.Version))
	})
	return slices.Compact(refs)
}

// note records an access: with the others of its HTTP request, or at once.
func (a *API) note(ctx context.Context, acc *Access) error {
	event := a.Audit.Event(ctx, acc)
	x := exchangeOf(ctx)
	if x == nil {
		return a.Audit.Keep(context.WithoutCancel(ctx), []fhir.Event{event})
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.events = append(x.events, event)
	return nil
}

// keep makes what was noted durable. A request that failed before it was performed
// is noted as well, if it is known what it was about.
func (a *API) keep(ctx context.Context, x *exchange, err error) error {
	if a.Audit == nil {
		return nil
	}
	if err != nil && len(x.events) == 0 && actions[x.req.Interaction] != 0 {
		acc := a.newAccess(ctx, &x.req)
		acc.finish(nil, err)
		if err := a.note(ctx, acc); err != nil {
			return err
		}
	}
	if len(x.events) == 0 {
		return nil
	}
	events := x.events
	x.events = nil
	return a.Audit.Keep(context.WithoutCancel(ctx), events)
}

// recorded has the store record what b changes, in its transaction.
func (a *API) recorded(ctx context.Context, b *bundle.Batch) {
	if acc := accessOf(ctx); acc != nil {
		b.Events = func(results []bundle.Result) []fhir.Event { return a.changeEvents(ctx, acc, results) }
	}
}

// Recorded has the store record what b changes, in its transaction, as part of what ctx is
// for: for operations whose changes must not be there without it.
func Recorded(ctx context.Context, b *bundle.Batch) {
	if acc := accessOf(ctx); acc != nil && acc.changes != nil && acc.seen {
		b.Events = acc.changes
	}
}

// changeEvents makes an event for each kind of thing that was done.
func (a *API) changeEvents(ctx context.Context, acc *Access, results []bundle.Result) (events []fhir.Event) {
	for _, kind := range []struct {
		action byte
		status int
		of     []bundle.Outcome
	}{
		{'C', http.StatusCreated, []bundle.Outcome{bundle.Created}},
		{'U', http.StatusOK, []bundle.Outcome{bundle.Updated}},
		{'D', http.StatusNoContent, []bundle.Outcome{bundle.Removed}},
		{acc.Action, http.StatusOK, []bundle.Outcome{bundle.Unchanged, bundle.Absent}},
	} {
		part := &Access{
			Request: acc.Request, From: acc.From, Interaction: acc.Interaction, Type: acc.Type, ID: acc.ID, Operation: acc.Operation,
			Params: acc.Params, Criterion: acc.Criterion, Action: kind.action, Started: acc.Started, Status: kind.status,
		}
		found := false
		for i := range results {
			r := &results[i]
			if !slices.Contains(kind.of, r.Outcome) {
				continue
			}
			found = true
			part.changed(r)
		}
		if found {
			part.tidy()
			events = append(events, a.Audit.Event(ctx, part))
		}
	}
	return events
}

// changed notes what a change did.
func (a *Access) changed(r *bundle.Result) {
	for i := range r.Before {
		a.Patients = patientsIn(a.Patients, r.Before[i].JSON)
	}
	if len(r.Deleted) > 0 {
		for _, ref := range r.Deleted {
			a.touch(ref, &fhir.Resource{})
		}
		return
	}
	if r.Resource.Ref.ID != "" {
		a.touch(r.Resource.Ref, &r.Resource)
	}
}

// applied notes that changes were made, and whether the store has recorded them: where
// nothing was written, there was no transaction to record it in.
func (a *Access) applied(results []bundle.Result) {
	if a.kept = wrote(results); a.kept {
		return
	}
	for i := range results {
		a.changed(&results[i])
	}
}

// wrote reports whether any of results wrote something.
func wrote(results []bundle.Result) bool {
	return slices.ContainsFunc(results, func(r bundle.Result) bool {
		return r.Outcome == bundle.Created || r.Outcome == bundle.Updated || r.Outcome == bundle.Removed
	})
}

// From returns the network address that the HTTP request of ctx comes from, "" when
// there is none.
func From(ctx context.Context) string {
	if x := exchangeOf(ctx); x != nil {
		return x.r.RemoteAddr
	}
	return ""
}
