package rights

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/fhir/spec"
)

// maxTexts is how long what people write into a request may be, in bytes.
const maxTexts = 20_000

// file takes a request in: Patient/[id]/$arco-request.
func (d *desk) file(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := known(call, "right", "reason", "target", "patch", "correction", "evidence", "purpose", "requester"); err != nil {
		return nil, err
	}
	if _, err := d.seen(ctx, call, call.Ref()); err != nil {
		return nil, err
	}
	r, err := d.request(ctx, call)
	if err != nil {
		return nil, err
	}
	b := d.batch(call.Base)
	if _, err := b.create(r, "Task"); err != nil {
		return nil, err
	}
	done, err := d.Store.Apply(ctx, &b.Batch)
	if err != nil {
		return nil, err
	}
	return &operation.Answer{Status: 201, JSON: done[0].Resource.JSON}, nil
}

// request makes the request that a call files.
func (d *desk) request(ctx context.Context, call *operation.Call) (*Request, error) {
	right, err := required(call, "right")
	if err != nil {
		return nil, err
	}
	name, ok := rightNames[Right(right)]
	if !ok {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter right is one of acceso, rectificacion, cancelacion, oposicion, portabilidad").With("right=%.100s", right)
	}
	reason, err := call.In.Text("reason")
	if err == nil && len(reason) > maxTexts {
		err = fhir.Errorf(fhir.TooLarge, "the parameter reason has %d bytes at most", maxTexts)
	}
	if err != nil {
		return nil, err
	}
	now := d.now()
	self := reference{Reference: call.Ref().String()}
	r := &Request{
		ResourceType: "Task", Intent: "order", Description: reason, For: self, Focus: &self,
		Identifier: []identifier{{SystemFolio, folio(now)}}, AuthoredOn: now.Format(time.RFC3339),
		Code:  concept{Coding: []coding{{SystemRight, right, name}}},
		Input: []part{{Type: partType(partRegime), Code: d.Regime.Name}},
	}
	if r.Requester, err = d.requester(ctx, call); err != nil {
		return nil, err
	}
	if err := d.inputs(ctx, call, r); err != nil {
		return nil, err
	}
	r.move(d.Calendar, &d.Regime, Received, now)
	return r, nil
}

// requester says who asks: the caller where that is the patient or who is responsible
// for them; else whom the officer names, or the patient.
func (d *desk) requester(ctx context.Context, call *operation.Call) (reference, error) {
	v, given, err := call.In.One("requester")
	if err != nil {
		return reference{}, err
	}
	if u := call.Caller.User; u.Type == "Patient" || u.Type == "RelatedPerson" {
		if given {
			return reference{}, fhir.Errorf(fhir.Forbidden, "who files a request for themselves names no other requester")
		}
		return reference{Reference: u.Current().String()}, nil
	}
	if !given {
		return reference{Reference: call.Ref().String()}, nil
	}
	ref, err := referenced(call, v, "requester")
	if err == nil && ref.Type != "RelatedPerson" && ref != call.Ref() {
		err = fhir.Errorf(fhir.Invalid, "a request is made by the patient, or a RelatedPerson who acts for them")
	}
	if err != nil {
		return reference{}, err
	}
	if ref.Type == "RelatedPerson" {
		if err := d.about(ctx, call, ref); err != nil {
			return reference{}, err
		}
	}
	return reference{Reference: ref.String()}, nil
}

// about expects that the caller may see a resource, and that it is in the record that
// the call is about.
func (d *desk) about(ctx context.Context, call *operation.Call, ref fhir.Ref) error {
	in := search.Patients([]string{call.ID}, ref.Type)
	if ref == call.Ref() {
		return nil
	}
	if in == nil || !spec.IsResource(ref.Type) {
		return fhir.Errorf(fhir.Invalid, "it is not of this patient's record").With("%s", ref)
	}
	found, err := d.Store.Search(ctx, &search.Query{
		Type: ref.Type, Where: []search.Expr{search.IDs{Any: []string{ref.ID}}, in}, Count: 1, Restriction: call.Restriction,
	})
	if err == nil && len(found.Matches) == 0 {
		err = fhir.Errorf(fhir.Invalid, "it is not of this patient's record").With("%s", ref)
	}
	return err
}

// inputs adds what the right that is asked for needs.
func (d *desk) inputs(ctx context.Context, call *operation.Call, r *Request) error {
	for _, v := range call.In.All("evidence") {
		ref, err := referenced(call, v, "evidence")
		if err == nil {
			err = d.about(ctx, call, ref)
		}
		if err != nil {
			return err
		}
		r.Input = append(r.Input, part{Type: partType(partEvidence), Refer: &reference{Reference: ref.String()}})
	}
	switch r.Right() {
	case Rectification:
		return d.correction(ctx, call, r)
	case Opposition:
		purpose, err := required(call, "purpose")
		if err == nil && !slices.Contains(opposable, purpose) {
			err = fhir.Errorf(fhir.Invalid, "a patient can object to the purposes %s; not to their own treatment", join(opposable)).With("purpose=%.100s", purpose)
		}
		if err != nil {
			return err
		}
		r.Input = append(r.Input, part{Type: partType(partPurpose), Code: purpose})
	}
	return nil
}

// opposable are the purposes of use that can be objected to: those that are not
// treatment, nor what the law asks for.
//
// See https://terminology.hl7.org/ValueSet-v3-PurposeOfUse.html.
var opposable = []string{"HRESCH", "HMARKT", "HPAYMT", "PUBHLTH", "COC"}

// correction reads what is to be corrected, and how.
func (d *desk) correction(ctx context.Context, call *operation.Call, r *Request) error {
	v, given, err := call.In.One("target")
	if err != nil {
		return err
	}
	if !given {
		return fhir.Errorf(fhir.Invalid, "a rectification names its target, the resource that is wrong")
	}
	target, err := referenced(call, v, "target")
	if err != nil {
		return err
	}
	if err := d.about(ctx, call, target); err != nil {
		return err
	}
	stored, err := d.seen(ctx, call, target)
	if err != nil {
		return err
	}
	if err := correctable(stored); err != nil {
		return err
	}
	r.Focus = &reference{Reference: target.String()}
	r.Input = append(r.Input, part{Type: partType(partTarget), Refer: r.Focus})
	words, err := call.In.Text("correction")
	if err != nil {
		return err
	}
	if words != "" {
		r.Input = append(r.Input, part{Type: partType(partCorrection), Text: words})
	}
	v, given, err = call.In.One("patch")
	if err != nil {
		return err
	}
	switch n, ok := v.Resource(); {
	case given && !ok:
		return fhir.Errorf(fhir.Invalid, "the parameter patch has a resource: a FHIRPath Patch, as Parameters")
	case given:
		raw := string(v.Doc.Raw(n))
		if _, err := patcher(raw); err != nil {
			return err
		}
		r.Input = append(r.Input, part{Type: partType(partPatch), Text: raw})
	case words == "":
		return fhir.Errorf(fhir.Invalid, "a rectification says what is right: by patch, a FHIRPath Patch, or in words, by correction")
	}
	if raw, _ := json.Marshal(r.Input); len(raw) > 2*maxTexts {
		return fhir.Errorf(fhir.TooLarge, "a request has %d bytes of corrections at most", 2*maxTexts)
	}
	return nil
}

// correctable refuses what is a record of what was done with a record: the requests
// themselves, whose states and deadlines nothing but their decisions move, and who did
// what to something.
func correctable(target *fhir.Resource) error {
	if target.Ref.Type == "Provenance" || target.Ref.Type == "AuditEvent" || target.Ref.Type == "Task" && IsRequest(target.JSON) {
		return fhir.Errorf(fhir.Unprocessable, "a rectification corrects what the record says, and not what was done about it").With("target=%s", target.Ref.Current())
	}
	return nil
}

// patcher reads the patch of a request.
func patcher(text string) (bundle.Patcher, error) {
	src, err := bundle.Parse([]byte(text))
	if err != nil {
		return nil, err
	}
	return bundle.PathPatch(src)
}
