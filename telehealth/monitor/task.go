package monitor

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// mine returns the Task of an alert that a call is on, as the caller sees it.
func (s *Service) mine(ctx context.Context, call *operation.Call) (*fhir.Resource, *element.Doc, error) {
	r, err := s.one(ctx, call.Restriction, call.Ref())
	if err != nil {
		return nil, nil, err
	}
	if r == nil {
		return nil, nil, fhir.Errorf(fhir.NotFound, "no such Task is shown to you")
	}
	d, err := element.Parse(r.JSON)
	if err != nil {
		return nil, nil, err
	}
	if !strings.HasPrefix(r.Ref.ID, alertPrefix) {
		return nil, nil, fhir.Errorf(fhir.Unprocessable, "the Task is no alert of measurements: update it instead")
	}
	return r, d, nil
}

// professional returns who calls; where a system does, the parameter by says for whom.
func (s *Service) professional(ctx context.Context, call *operation.Call) (fhir.Ref, error) {
	staff := []string{"Practitioner", "PractitionerRole"}
	named, err := referenced(call, "by")
	if err != nil {
		return fhir.Ref{}, err
	}
	if slices.Contains(staff, call.Caller.User.Type) {
		if named != "" && named != call.Caller.User.Current().String() {
			return fhir.Ref{}, fhir.Errorf(fhir.Invalid, "the parameter by is for systems: you act for yourself")
		}
		return call.Caller.User.Current(), nil
	}
	ref, ok := fhir.ParseRef(strings.TrimPrefix(named, call.Base+"/"))
	if !ok || !slices.Contains(staff, ref.Type) {
		return ref, fhir.Errorf(fhir.Invalid, "the parameter by is needed: the Practitioner or PractitionerRole who takes care of it")
	}
	found, err := s.one(ctx, call.Restriction, ref.Current())
	if err == nil && found == nil {
		err = fhir.Errorf(fhir.Unprocessable, "there is no such Practitioner, or they are not shown to you").With("%s", ref)
	}
	return ref.Current(), err
}

// understood refuses parameters that an operation does not have.
func understood(call *operation.Call, names ...string) error {
	for _, name := range call.In.Names() {
		if !slices.Contains(names, name) && !strings.HasPrefix(name, "_") {
			return fhir.Errorf(fhir.Invalid, "the operation has no such parameter").With("it has %s, not %.100q", strings.Join(names, ", "), name)
		}
	}
	return nil
}

// acknowledge answers Task/[id]/$acknowledge: somebody takes care of an alert, so that the
// next in line is not called.
func (s *Service) acknowledge(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, "by", "note"); err != nil {
		return nil, err
	}
	r, d, err := s.mine(ctx, call)
	if err != nil {
		return nil, err
	}
	who, err := s.professional(ctx, call)
	if err != nil {
		return nil, err
	}
	text, err := call.In.Text("note")
	if err != nil {
		return nil, err
	}
	switch status := d.TextAt(0, "status"); {
	case status == "accepted" && d.TextAt(d.Get(0, "owner"), "reference") == who.String():
		return &operation.Answer{JSON: r.JSON}, nil // the answer of before was lost
	case status != "requested" && status != "received" && status != "draft" && status != "ready":
		return nil, fhir.Errorf(fhir.Conflict, "the alert is %s: somebody has taken it, or it is over", status)
	}
	if text == "" {
		text = "Alerta atendida"
	}
	now := s.Now().UTC().Format(time.RFC3339)
	w := &written{maker: s.Maker(call.Base)}
	w.edit(r, func(e *element.Edit) {
		e.Set(0, "status", `"accepted"`)
		e.Set(0, "owner", compose.Text(compose.Reference(who)))
		e.Set(0, "lastModified", compose.Text(now))
		e.Set(0, "executionPeriod", compose.Text(compose.Object{"start": now}))
		e.Push(0, "note", compose.Text(compose.Object{"authorReference": compose.Reference(who), "time": now, "text": text}))
	})
	return s.apply(ctx, w)
}

// closeAlert answers Task/[id]/$close-alert: what called for it is dealt with. What comes
// later opens another one.
func (s *Service) closeAlert(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := understood(call, "by", "note"); err != nil {
		return nil, err
	}
	r, d, err := s.mine(ctx, call)
	if err != nil {
		return nil, err
	}
	who, err := s.professional(ctx, call)
	if err != nil {
		return nil, err
	}
	text, err := call.In.Text("note")
	if err == nil && text == "" {
		err = fhir.Errorf(fhir.Invalid, "the parameter note is needed: what was done")
	}
	if err != nil {
		return nil, err
	}
	switch status := d.TextAt(0, "status"); status {
	case "completed":
		return &operation.Answer{JSON: r.JSON}, nil // the answer of before was lost
	case "cancelled", "failed", "rejected", "entered-in-error":
		return nil, fhir.Errorf(fhir.Conflict, "the alert is %s already", status)
	}
	now := s.Now()
	instant := now.UTC().Format(time.RFC3339)
	start := d.TextAt(d.Get(0, "executionPeriod"), "start")
	if start == "" {
		start = instant
	}
	w := &written{maker: s.Maker(call.Base)}
	w.edit(r, func(e *element.Edit) {
		e.Set(0, "status", `"completed"`)
		e.Set(0, "lastModified", compose.Text(instant))
		e.Set(0, "executionPeriod", compose.Text(compose.Object{"start": start, "end": instant}))
		e.Push(0, "note", compose.Text(compose.Object{"authorReference": compose.Reference(who), "time": instant, "text": text}))
	})
	if err := w.lower(ctx, s, fhir.Ref{Type: "Flag", ID: r.Ref.ID}, now); err != nil {
		return nil, err
	}
	return s.apply(ctx, w)
}

// apply writes what an operation has made, and answers with the first of it.
func (s *Service) apply(ctx context.Context, w *written) (*operation.Answer, error) {
	if w.err != nil {
		return nil, w.err
	}
	results, err := s.Store.Apply(ctx, &bundle.Batch{Changes: w.changes})
	if at, ok := err.(*bundle.ChangeError); ok {
		err = at.Err
	}
	if fhir.CodeOf(err) == fhir.Stale {
		err = fhir.Errorf(fhir.Conflict, "somebody else has changed the alert meanwhile: try again")
	}
	if err != nil {
		return nil, err
	}
	return &operation.Answer{JSON: results[0].Resource.JSON}, nil
}
