package document

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// targetFormat is what is signed, and in which form.
const targetFormat = "application/fhir+json;canonicalization=" + sign.Canonicalization

// sign answers $sign: it takes the signature of what was prepared, and stores the signed
// document. Sent again with the same pending, it answers the same.
//
// Parameters: pending, from $prepare-signature; signature, base64, of the SHA-256 of
// header, a point and the base64url of the canonical document.
func (s *service) sign(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if _, err := understood(call, "pending", "signature"); err != nil {
		return nil, err
	}
	encoded, err := needed(call, "signature", "what the private key made of the digest")
	if err != nil {
		return nil, err
	}
	signature, err := binary("signature", encoded)
	if err != nil {
		return nil, err
	}
	p, err := s.waiting(ctx, call)
	if err != nil {
		return nil, err
	}
	c, err := s.composition(ctx, call)
	if err != nil {
		return nil, err
	}
	if p.Signed != nil {
		return again(p, signature)
	}
	jws, at, err := s.complete(ctx, p, signature)
	if err != nil {
		return nil, err
	}
	if len(p.Final) == 0 {
		return s.countersign(ctx, call, p, signature, jws, at)
	}
	return s.store(ctx, call, p, c, signature, jws, at)
}

// waiting returns what the caller prepared for this document.
// Errors: fhir.NotFound, whoever else may have prepared something.
func (s *service) waiting(ctx context.Context, call *operation.Call) (*pending, error) {
	key, err := needed(call, "pending", "it comes from $prepare-signature")
	if err != nil {
		return nil, err
	}
	e, err := s.Store.Entry(ctx, pendingKind, key)
	p := &pending{entry: e}
	if err == nil {
		err = json.Unmarshal(e.Value, p)
	}
	if fhir.CodeOf(err) == fhir.NotFound || err == nil && (p.Composition != call.ID || p.Caller != caller(call)) {
		return nil, fhir.Errorf(fhir.NotFound, "nothing of that name waits for a signature of yours: it waits %s, then prepare it anew", pendingFor)
	}
	return p, err
}

// complete makes the signature, and holds it to all that a verifier would.
func (s *service) complete(ctx context.Context, p *pending, signature []byte) (jws string, at time.Time, err error) {
	payload, err := sign.Document(p.Bundle)
	if err != nil {
		return "", at, err
	}
	prepared, err := sign.Resume(p.Header, payload)
	if err != nil {
		return "", at, err
	}
	if jws, err = prepared.Complete(signature); err != nil {
		return "", at, err
	}
	v := s.Trust().Verify(ctx, jws, payload, sign.Want{Person: p.Codes, Purpose: p.Purpose, When: prepared.At, Now: s.Now()})
	return jws, prepared.At, s.judged(v)
}

// Element returns the FHIR Signature, in JSON, of a JWS that who made at a time, in a
// capacity such as sign.Author: for Bundle.signature or Provenance.signature.
//
// See https://hl7.org/fhir/R4/datatypes.html#Signature.
func Element(jws, purpose, who string, at time.Time) []byte {
	return []byte(compose.Text(signatureElement(jws, purpose, who, at)))
}

func signatureElement(jws, purpose, who string, at time.Time) compose.Object {
	name, _ := sign.PurposeName(purpose)
	return compose.Object{
		"type": []compose.Object{{"system": sign.PurposeSystem, "code": purpose, "display": name}},
		"when": at.UTC().Format(fhir.InstantLayout), "who": compose.Object{"reference": who},
		"targetFormat": targetFormat, "sigFormat": "application/jose", "data": base64.StdEncoding.EncodeToString([]byte(jws)),
	}
}

func signatureOf(p *pending, jws string, at time.Time) compose.Object {
	return signatureElement(jws, p.Purpose, p.Who, at)
}

// again answers a call that came before: the answer to it may have been lost.
func again(p *pending, signature []byte) (*operation.Answer, error) {
	if sum := sha256.Sum256(signature); !bytes.Equal(sum[:], p.Signed) {
		return nil, fhir.Errorf(fhir.Conflict, "what was prepared is signed already, with another signature")
	}
	return signedAnswer(p, fhir.Ref{Type: "Provenance", ID: p.Provenance}), nil
}

func signedAnswer(p *pending, provenance fhir.Ref) *operation.Answer {
	parts := []compose.Object{
		compose.Part("composition", "Reference", compose.Object{"reference": "Composition/" + p.Composition}),
		compose.Part("document", "Reference", compose.Object{"reference": "Bundle/" + p.BundleID}),
	}
	return answer(append(parts, compose.Part("provenance", "Reference", compose.Object{"reference": provenance.String()})))
}

// store writes the signed document: Bundle, Composition and Provenance, or nothing.
func (s *service) store(ctx context.Context, call *operation.Call, p *pending, c fhir.Resource, raw []byte, jws string, at time.Time) (*operation.Answer, error) {
	if c.Ref.Version != p.Version {
		return nil, moved()
	}
	signature := signatureOf(p, jws, at)
	d, err := element.Parse(p.Bundle)
	if err != nil {
		return nil, err
	}
	e := d.Edit(0)
	e.Set(0, "signature", compose.Text(signature))
	e.Prepend(0, `"meta":{"tag":[`+tagged(p.BundleID)+`]}`)
	e.Prepend(0, `"id":"`+p.BundleID+`"`)
	signedBundle := e.AppendTo(nil)
	final, err := Mark(p.Final, p.BundleID)
	if err != nil {
		return nil, err
	}
	after := fhir.Ref{Type: "Composition", ID: p.Composition, Version: p.Version + 1}
	provenance := fhir.Ref{Type: "Provenance", ID: s.NewID()}
	about := []fhir.Ref{after, {Type: "Bundle", ID: p.BundleID}}
	receipt := []fhir.Entry{p.receipt(raw, provenance)}
	changes := []change{
		{bundle.Create, fhir.Ref{Type: "Bundle", ID: p.BundleID}, signedBundle, 0},
		{bundle.Update, after.Current(), final, p.Version},
		{bundle.Create, provenance, s.provenance(call, p.BundleID, about, p.Who, signature, nil), 0},
	}
	for _, c := range p.Completed {
		changes = append(changes, change{bundle.Update, fhir.Ref{Type: c.Type, ID: c.ID}, c.JSON, c.Version})
	}
	var rights []string
	if len(p.Completed) > 0 {
		rights = s.Rights
	}
	err = s.writeBy(ctx, call, rights, receipt, changes...)
	if code := fhir.CodeOf(err); code == fhir.Stale {
		return nil, moved()
	}
	return signedAnswer(p, provenance), err
}

func moved() error {
	return fhir.Errorf(fhir.Conflict, "the document was changed since its signature was prepared: prepare it anew")
}

// Mark puts the tag of a signed document, whose Bundle is called id, on a resource. What
// is written with it needs the Right, and is held from then on.
func Mark(json []byte, id string) ([]byte, error) {
	d, err := element.Parse(json)
	if err != nil {
		return nil, err
	}
	e := d.Edit(0)
	if meta := d.Get(0, "meta"); meta != element.None {
		e.Push(meta, "tag", tagged(id))
	} else {
		e.Append(0, `"meta":{"tag":[`+tagged(id)+`]}`)
	}
	return e.AppendTo(nil), nil
}

// countersign stores a further signature of a signed document, in a Provenance.
func (s *service) countersign(ctx context.Context, call *operation.Call, p *pending, raw []byte, jws string, at time.Time) (*operation.Answer, error) {
	signature := signatureOf(p, jws, at)
	provenance := fhir.Ref{Type: "Provenance", ID: s.NewID()}
	about := []fhir.Ref{{Type: "Bundle", ID: p.BundleID}, {Type: "Composition", ID: p.Composition}}
	err := s.write(ctx, call, []fhir.Entry{p.receipt(raw, provenance)}, change{bundle.Create, provenance, s.provenance(call, p.BundleID, about, p.Who, signature, nil), 0})
	return signedAnswer(p, provenance), err
}

// provenance is the record of who signed, or voided, what.
//
// See https://hl7.org/fhir/R4/provenance.html.
func (s *service) provenance(call *operation.Call, id string, about []fhir.Ref, who string, signature, void compose.Object) []byte {
	targets := make([]compose.Object, len(about))
	for i, ref := range about {
		targets[i] = compose.Object{"reference": ref.String()}
	}
	agent := compose.Object{"who": compose.Object{"reference": who}, "type": coded("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "author", "Author")}
	if void != nil {
		agent = compose.Object{"who": compose.Object{"reference": who}, "type": coded("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "performer", "Performer")}
	}
	if who == "" {
		agent["who"] = compose.Object{"display": "system", "identifier": compose.Object{"system": "urn:amate:principal", "value": call.Caller.Principal}}
	}
	p := compose.Object{
		"resourceType": "Provenance", "meta": compose.Object{"tag": []json.RawMessage{json.RawMessage(tagged(id))}},
		"target": targets, "recorded": s.Now().UTC().Format(fhir.InstantLayout), "agent": []compose.Object{agent},
	}
	if signature != nil {
		p["signature"] = []compose.Object{signature}
		p["activity"] = coded("http://terminology.hl7.org/CodeSystem/v3-DocumentCompletion", "LA", "legally authenticated")
	}
	for name, value := range void {
		p[name] = value
	}
	return []byte(compose.Text(p))
}

func coded(system, code, display string) compose.Object {
	return compose.Object{"coding": []compose.Object{{"system": system, "code": code, "display": display}}}
}

// change is a write of this package.
type change struct {
	op      bundle.Op
	ref     fhir.Ref
	json    []byte
	ifMatch int64
}

// write applies changes by the right of this package, and puts entries in one with them.
func (s *service) write(ctx context.Context, call *operation.Call, entries []fhir.Entry, changes ...change) error {
	return s.writeBy(ctx, call, nil, entries, changes...)
}

// writeBy is write by further rights.
func (s *service) writeBy(ctx context.Context, call *operation.Call, rights []string, entries []fhir.Entry, changes ...change) error {
	b := &bundle.Batch{Rights: append([]string{Right}, rights...)}
	if entries != nil {
		b.Entries = func([]bundle.Result) []fhir.Entry { return entries }
	}
	m := s.Maker(call.Base)
	for _, c := range changes {
		source, err := bundle.Parse(c.json)
		if err != nil {
			return err
		}
		var made bundle.Change
		if c.op == bundle.Create {
			made, err = m.Create(source, c.ref)
		} else {
			made, err = m.Update(source, c.ref, false)
			made.IfMatch = c.ifMatch
		}
		if err != nil {
			return err
		}
		b.Changes = append(b.Changes, made)
	}
	_, err := s.Store.Apply(ctx, b)
	var at *bundle.ChangeError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
