package rights

import (
	"context"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// resolve decides about a request: Task/[id]/$arco-resolve.
func (d *desk) resolve(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "decision", "reason", "basis", "patch"); err != nil {
		return nil, err
	}
	stored, err := d.seen(ctx, call, call.Ref())
	if err != nil {
		return nil, err
	}
	r, err := readRequest(stored)
	if err != nil {
		return nil, err
	}
	to, err := d.decide(call, r)
	if err != nil {
		return nil, err
	}
	now := d.now()
	b := d.batch(call.Base)
	if err := d.act(ctx, call, b, r, to, now); err != nil {
		return nil, err
	}
	r.move(d.Calendar, d.regime(r), to, now)
	if u := call.Caller.User; u.Type == "Practitioner" {
		r.Owner = &reference{Reference: u.Current().String()}
	}
	at := len(b.Changes)
	if err := b.update(r, stored.Ref); err != nil {
		return nil, err
	}
	done, err := d.Store.Apply(ctx, &b.Batch)
	if err != nil {
		return nil, err
	}
	return &operation.Answer{JSON: done[at].Resource.JSON}, nil
}

// regime is that under which a request came in.
func (d *desk) regime(r *Request) *Regime {
	if name := r.input(partRegime).Code; name != d.Regime.Name {
		if g, err := RegimeOf(name); err == nil {
			return &g
		}
	}
	return &d.Regime
}

// decide reads a decision, notes its reasons in r, and returns where it leads.
func (d *desk) decide(call *operation.Call, r *Request) (State, error) {
	text, err := required(call, "decision")
	if err == nil && !slices.Contains(decisions, Decision(text)) {
		err = fhir.Errorf(fhir.Invalid, "the parameter decision is one of extend, grant, deny, execute, withdraw").With("decision=%.100s", text)
	}
	if err != nil {
		return "", err
	}
	to, err := d.regime(r).Next(r.Right(), r.State(), Decision(text))
	if err != nil {
		return "", err
	}
	reason, err := call.In.Text("reason")
	if err != nil {
		return "", err
	}
	basis, err := call.In.Text("basis")
	if err != nil {
		return "", err
	}
	if to == Denied && (basis == "" || reason == "") {
		return "", fhir.Errorf(fhir.Invalid, "a denial says on what law it rests (basis, such as an article) and why (reason)")
	}
	if (to == Extended || to == Delayed) && reason == "" {
		return "", fhir.Errorf(fhir.Invalid, "to extend a period needs a reason, which the requester is told")
	}
	if len(reason)+len(basis) > maxTexts {
		return "", fhir.Errorf(fhir.TooLarge, "reason and basis have %d bytes at most", maxTexts)
	}
	if to == Denied {
		r.StatusReason = &concept{Text: basis + ": " + reason}
	} else if reason != "" {
		r.Output = append(r.Output, part{Type: partType(partNote), Text: reason})
	}
	return to, nil
}

// act adds to b what a decision does beside changing the request.
func (d *desk) act(ctx context.Context, call *operation.Call, b *batch, r *Request, to State, now time.Time) error {
	switch right := r.Right(); {
	case right == Cancellation && to == Granted: // at once: the law has it blocked before it is removed
		return d.block(ctx, call, b, r, now)
	case to != Executed:
		return nil
	case right == Rectification:
		return d.rectify(ctx, call, b, r, now)
	case right == Opposition:
		return d.object(call, b, r, now)
	case right == Access || right == Portability:
		r.Output = append(r.Output, part{Type: partType(partResult), Text: r.For.Reference + "/$arco-package"})
	}
	return nil
}

// due lists what has to be answered or done: Task/$arco-due, the most urgent first.
func (d *desk) due(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "within"); err != nil {
		return nil, err
	}
	text, err := call.In.Text("within")
	if err != nil {
		return nil, err
	}
	within := 1 << 20
	if text != "" {
		if within, err = number(text); err != nil {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter within is a number of business days").With("within=%.50s", text)
		}
	}
	open, err := d.open(ctx, call)
	if err != nil {
		return nil, err
	}
	today := d.now()
	set := &operation.Set{Result: search.Result{Total: -1}}
	if text != "" {
		set.Self = []search.Param{{Name: "within", Value: text}}
	}
	type item struct {
		due time.Time
		r   fhir.Resource
	}
	var items []item
	for _, t := range open {
		r, err := readRequest(&t)
		if err != nil {
			continue // something else under the same code
		}
		if due := r.Due(); !due.IsZero() && d.Calendar.Left(today, due) <= within {
			items = append(items, item{due, t})
		}
	}
	slices.SortStableFunc(items, func(a, b item) int { return a.due.Compare(b.due) })
	for _, i := range items {
		set.Matches = append(set.Matches, i.r)
	}
	set.Total = int64(len(items))
	return &operation.Answer{Set: set}, nil
}

// maxOpen is how many open requests are looked through.
const maxOpen = 10_000

// open returns the open requests that the caller may see.
func (d *desk) open(ctx context.Context, call *operation.Call) (all []fhir.Resource, err error) {
	q, err := search.Parse("Task", []search.Param{
		{Name: "code", Value: SystemRight + "|"}, {Name: "status", Value: "requested,accepted"}, {Name: "_count", Value: "500"},
	}, search.Options{MaxCount: 500})
	if err != nil {
		return nil, err
	}
	q.Restriction = call.Restriction
	for {
		page, err := d.Store.Search(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Matches...)
		if q.After = page.Next; q.After == "" {
			return all, nil
		}
		if len(all) >= maxOpen {
			return nil, fhir.Errorf(fhir.TooCostly, "there are more than %d open requests", maxOpen)
		}
	}
}

func number(text string) (n int, err error) {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' || n > 100_000 {
			return 0, fhir.Errorf(fhir.Invalid, "this is no number")
		}
		n = 10*n + int(c-'0')
	}
	return n, nil
}
