package referral

import (
	"context"
	"encoding/json"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// object is a resource that is changed.
type object map[string]json.RawMessage

// open reads a resource that this package writes.
func open(r *fhir.Resource) (object, error) {
	var o object
	err := json.Unmarshal(r.JSON, &o)
	return o, err
}

func (o object) set(name string, v any) { o[name] = compose.JSON(v) }

// push adds to a list.
func (o object) push(name string, v any) {
	var list []json.RawMessage
	_ = json.Unmarshal(o[name], &list) // there is none yet, or it is one of ours
	o[name] = compose.JSON(append(list, compose.JSON(v)))
}

// task is the Task of a referral as it is stored.
type task struct {
	r       *fhir.Resource
	d       *element.Doc
	o       object
	state   State
	overdue bool
	due     time.Time // zero for none
	start   string    // of its restriction

	sender, receiver, patient, request fhir.Ref
}

func readTask(r *fhir.Resource) (*task, error) {
	d, err := element.Parse(r.JSON)
	if err != nil {
		return nil, err
	}
	if codeIn(d, d.Get(0, "code"), System) != codeReferral {
		return nil, fhir.Errorf(fhir.Unprocessable, "the Task is no referral")
	}
	t := &task{r: r, d: d}
	if t.o, err = open(r); err != nil {
		return nil, err
	}
	for c := range d.Items(d.Get(0, "businessStatus"), "coding") {
		if d.TextAt(c, "system") != StateSystem {
			continue
		}
		if code := d.TextAt(c, "code"); code == overdue {
			t.overdue = true
		} else {
			t.state = State(code)
		}
	}
	at := func(name string) fhir.Ref {
		ref, _ := fhir.ParseRef(d.TextAt(0, name, "reference"))
		return ref.Current()
	}
	t.sender, t.receiver, t.patient, t.request = at("requester"), at("owner"), at("for"), at("focus")
	t.start = d.TextAt(0, "restriction", "period", "start")
	t.due, _ = time.Parse(time.RFC3339, d.TextAt(0, "restriction", "period", "end"))
	return t, nil
}

// on returns the referral that a call is on, when the caller sees it, acts for the
// establishment whose turn a step is, and the step is allowed.
func (s *service) on(ctx context.Context, call *operation.Call, by *step) (*task, error) {
	r, _, err := s.one(ctx, call.Restriction, call.Ref())
	if err != nil {
		return nil, err
	}
	t, err := readTask(r)
	if err != nil {
		return nil, err
	}
	ref, what := t.receiver, "receives"
	if by.by == sender {
		ref, what = t.sender, "sent"
	}
	_, d, err := s.one(ctx, search.Unrestricted, ref) // whose turn it is shows nothing of anybody
	if err != nil {
		return nil, unknown(err, ref)
	}
	if err := mine(call, placeOf(ref, d), what); err != nil {
		return nil, err
	}
	_, err = by.take(t.state)
	return t, err
}

// status is the businessStatus of a state.
func status(s State, late bool) compose.Object {
	c := compose.Concept(StateSystem, string(s), kept[s].display)
	if late {
		c["coding"] = append(c["coding"].([]compose.Object), compose.Coding(StateSystem, overdue, "Vencida"))
	}
	return c
}

// move takes t to a state, which has to be left until due; zero where nobody has to act.
func (t *task) move(w *writing, to State, now, due time.Time) {
	t.o.set("status", kept[to].task)
	t.o.set("businessStatus", status(to, false))
	t.o.set("lastModified", stamp(now))
	if due.IsZero() {
		due = now
	} else {
		w.entries = append(w.entries, dueEntry(t.r.Ref.ID, t.r.Ref.Version, due))
	}
	t.o.set("restriction", compose.Object{"period": compose.Object{"start": t.start, "end": stamp(due)}})
	if to == Accepted {
		t.o.set("executionPeriod", compose.Object{"start": stamp(now)})
	}
	if !to.Open() && t.d.TextAt(0, "executionPeriod", "start") != "" {
		t.o.set("executionPeriod", compose.Object{"start": t.d.TextAt(0, "executionPeriod", "start"), "end": stamp(now)})
	}
}

// noted adds what somebody says.
func (t *task) noted(call *operation.Call, text string, now time.Time) {
	if text == "" {
		return
	}
	n := compose.Object{"time": stamp(now), "text": text}
	if u := call.Caller.User.Current(); u.Type == "Practitioner" {
		n["authorReference"] = compose.Reference(u)
	}
	t.o.push("note", n)
}

// part is something that a Task takes or gives.
func part(code, display, typ string, value any) compose.Object {
	return compose.Object{"type": compose.Concept(PartSystem, code, display), "value" + typ: value}
}

// finish writes t, its request with the status of the state, and lowers the Flag that
// was raised over it.
func (s *service) finish(ctx context.Context, w *writing, t *task, to State) error {
	w.update(t.r, compose.JSON(t.o))
	if want := kept[to].request; want != kept[t.state].request {
		r, _, err := s.one(ctx, search.Unrestricted, t.request)
		if err != nil {
			return unknown(err, t.request)
		}
		o, err := open(r)
		if err != nil {
			return err
		}
		o.set("status", want)
		w.update(r, compose.JSON(o))
	}
	if !t.overdue {
		return nil
	}
	r, d, err := s.one(ctx, search.Unrestricted, fhir.Ref{Type: "Flag", ID: t.r.Ref.ID})
	if code := fhir.CodeOf(err); code == fhir.NotFound || code == fhir.Gone {
		return nil
	}
	if err != nil {
		return err
	}
	o, err := open(r)
	if err != nil {
		return err
	}
	o.set("status", "inactive")
	o.set("period", compose.Object{"start": d.TextAt(0, "period", "start"), "end": stamp(s.Now())})
	w.update(r, compose.JSON(o))
	return nil
}

// answered does what was written, and answers with the Task.
func (s *service) answered(ctx context.Context, w *writing, t *task) (*operation.Answer, error) {
	results, err := s.apply(ctx, w)
	if err != nil {
		return nil, err
	}
	for i := range results {
		if results[i].Resource.Ref.Current() == t.r.Ref.Current() {
			return &operation.Answer{JSON: results[i].Resource.JSON}, nil
		}
	}
	return nil, fhir.Errorf(fhir.Conflict, "the referral was not written")
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
