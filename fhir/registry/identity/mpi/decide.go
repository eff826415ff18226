package mpi

import (
	"context"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity/match"
	"github.com/amate-health/amate/fhir/search"
)

// notDuplicate is Patient/[id]/$not-duplicate: somebody has looked at two Patients, and
// says that they are two people. The Task of the pair is closed, or made so; it is
// opened again only when what is compared of one of them changes. The answer is the Task.
//
// Parameters: other (reference to the other Patient, needed), reason (text).
func (c *Clerk) notDuplicate(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	other, err := otherOf(call)
	if err != nil {
		return nil, err
	}
	reason, err := call.In.Text("reason")
	if err != nil {
		return nil, err
	}
	if len(reason) > 1000 {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter reason has 1,000 characters at most")
	}
	records, err := load(ctx, c.Store, "Patient", []string{call.ID, other.ID}, call.Restriction)
	if err != nil {
		return nil, err
	}
	if len(records) < 2 {
		return nil, fhir.Errorf(fhir.NotFound, "there is no such Patient, or it may not be seen").With("%s and Patient/%s", other, call.ID)
	}
	p, err := c.pairOf(&records[0], &records[1])
	if err != nil {
		return nil, err
	}
	for n := 1; ; n++ {
		answer, err := c.refuse(ctx, call, p, reason)
		if code := fhir.CodeOf(err); err == nil || n == attempts || code != fhir.Stale && code != fhir.Conflict {
			return answer, err
		}
	}
}

// refuse writes that p is two people.
func (c *Clerk) refuse(ctx context.Context, call *operation.Call, p *pair, reason string) (*operation.Answer, error) {
	stored, err := load(ctx, c.Store, "Task", []string{p.id()}, search.Unrestricted)
	if err != nil {
		return nil, err
	}
	now := c.Now().UTC()
	t := newTask(p, now)
	if len(stored) > 0 {
		if t, err = readTask(&stored[0]); err != nil {
			return nil, err
		}
		t.say(p)
	}
	t.set("rejected", stateTwo, reason, now)
	change, err := t.change(c.Maker(call.Base))
	if err != nil {
		return nil, err
	}
	results, err := c.Write(ctx, &bundle.Batch{Changes: []bundle.Change{change}})
	if err != nil {
		return nil, err
	}
	return &operation.Answer{JSON: results[0].Resource.JSON}, nil
}

// otherOf reads which Patient the one is not.
func otherOf(call *operation.Call) (fhir.Ref, error) {
	v, given, err := call.In.One("other")
	if err != nil {
		return fhir.Ref{}, err
	}
	text := v.Text
	if n, property := v.Typed(); property == "valueReference" {
		if r := v.Doc.Get(n, "reference"); r != element.None {
			text = v.Doc.Text(r)
		}
	}
	text = strings.TrimPrefix(text, call.Base+"/")
	if !strings.Contains(text, "/") {
		text = "Patient/" + text
	}
	ref, ok := fhir.ParseRef(text)
	if !given || !ok || ref.Type != "Patient" {
		return fhir.Ref{}, fhir.Errorf(fhir.Invalid, "the parameter other is a reference to the other Patient").With("%.100q", text)
	}
	if ref.ID == call.ID {
		return fhir.Ref{}, fhir.Errorf(fhir.Invalid, "the parameter other names the same Patient")
	}
	return ref.Current(), nil
}

// pairOf compares two Patients.
func (c *Clerk) pairOf(x, y *fhir.Resource) (*pair, error) {
	var people [2]match.Person
	for i, r := range []*fhir.Resource{x, y} {
		var err error
		if people[i], err = c.person(r); err != nil {
			return nil, err
		}
	}
	m := c.Model.Compare(&people[0], &people[1])
	p := pairOf(x.Ref.ID, y.Ref.ID)
	p.labelled(x, y)
	p.grade, p.score, p.rule, p.print = m.Grade, m.Score, m.Rule, printOf(&people[0], &people[1])
	return &p, nil
}
