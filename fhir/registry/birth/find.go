package birth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// mostFound is how many certificates $birth-find answers with.
const mostFound = 200

// find answers $birth-find: how far certificates have come. By folio or newborn, for
// whoever may read the document; by days of birth, those of the caller's establishment.
func (s *service) find(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("folio", "newborn", "from", "until", "status", "after"); err != nil {
		return nil, err
	}
	given := map[string]string{}
	for _, name := range []string{"folio", "newborn", "from", "until", "status", "after"} {
		v, err := call.In.Text(name)
		if err != nil {
			return nil, err
		}
		given[name] = v
	}
	switch {
	case given["folio"] != "":
		c, err := s.certificate(ctx, call)
		if err != nil {
			return nil, err
		}
		return s.status(ctx, c)
	case len(call.In.All("newborn")) > 0:
		return s.ofNewborn(ctx, call)
	}
	org, err := acting(call)
	if err != nil {
		return nil, err
	}
	q := fhir.BirthQuery{Facility: org, From: given["from"], Until: given["until"], After: given["after"], Limit: mostFound}
	for _, day := range []string{q.From, q.Until} {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			return nil, fhir.Errorf(fhir.Invalid, "give a folio, a newborn, or the days of birth from and until, as yyyy-mm-dd")
		}
	}
	for _, state := range States[1:] {
		if given["status"] == "" || given["status"] == string(state) {
			q.States = append(q.States, string(state))
		}
	}
	if q.States == nil {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter status is a state of a certificate").With("they are %v", States[1:])
	}
	found, err := s.Store.Births(ctx, &q)
	if err != nil {
		return nil, err
	}
	return s.listed(ctx, call, found)
}

// listed answers with those certificates that the caller may see.
func (s *service) listed(ctx context.Context, call *operation.Call, found []fhir.Birth) (*operation.Answer, error) {
	parts := []compose.Object{}
	for i := range found {
		c, err := read(&found[i])
		if err != nil {
			return nil, err
		}
		ok, err := s.visible(ctx, call, c)
		if err != nil {
			return nil, err
		}
		if ok {
			parts = append(parts, compose.Object{"name": "certificate", "part": summary(c)})
		}
	}
	if len(found) == mostFound {
		parts = append(parts, compose.Part("after", "String", found[len(found)-1].Folio))
	}
	return answer(append(parts, compose.Part("count", "UnsignedInt", len(parts)))), nil
}

// ofNewborn finds the certificates of a newborn whose Patient the caller sees.
func (s *service) ofNewborn(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	ref, err := call.Reference("newborn", "Patient")
	if err != nil {
		return nil, err
	}
	found, err := s.shown(ctx, call.Restriction, ref)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, unknown()
	}
	var rows []fhir.Birth
	for _, folio := range foliosIn(found.JSON) {
		some, err := s.Store.Births(ctx, &fhir.BirthQuery{Folio: folio, Limit: 1})
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	return s.listed(ctx, call, rows)
}

// summary is what is said of a certificate.
func summary(c *Certificate) []compose.Object {
	parts := []compose.Object{
		compose.Part("folio", "String", c.Folio), compose.Part("state", "Code", string(c.State)), compose.Part("facility", "String", c.Certifier.Facility),
		compose.Part("born", "Date", c.Newborn.Born), compose.Part("mother", "Reference", compose.Reference(c.Mother.Ref)), compose.Part("newborn", "Reference", compose.Reference(c.Newborn.Ref)),
	}
	for _, t := range []struct {
		name string
		at   time.Time
	}{{"certified", c.Certified}, {"delivered", c.Delivered}, {"voided", c.Voided}, {"assigned", c.Assigned}} {
		if !t.at.IsZero() {
			parts = append(parts, compose.Part(t.name, "Instant", t.at.Format(fhir.InstantLayout)))
		}
	}
	if r := c.Registration; r != nil {
		parts = append(parts, compose.Part("acta", "String", r.Acta), compose.Part("oficialia", "String", r.Office), compose.Part("registered", "Date", r.Date))
	}
	for _, t := range []struct{ name, v string }{
		{"curp", c.CURP}, {"reason", c.Reason}, {"replaces", c.Replaces}, {"replacedBy", c.ReplacedBy}, {"token", c.Token}, {"hash", c.Hash},
	} {
		if t.v != "" {
			parts = append(parts, compose.Part(t.name, "String", t.v))
		}
	}
	if c.Document != "" && c.State != Draft {
		parts = append(parts, compose.Part("document", "Reference", compose.Object{"reference": "Bundle/" + c.Document}), compose.Part("composition", "Reference", compose.Reference(c.Held[0])))
	}
	return parts
}

// status answers with one certificate and the steps of its life.
func (s *service) status(ctx context.Context, c *Certificate) (*operation.Answer, error) {
	parts := summary(c)
	events, err := s.book.History(ctx, c.Folio)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		parts = append(parts, compose.Object{"name": "event", "part": []compose.Object{compose.Part("state", "Code", e.Kind), compose.Part("at", "Instant", e.At.Format(fhir.InstantLayout))}})
	}
	return answer(parts), nil
}

// Verification is what is found of a certificate that is shown.
type Verification struct {
	Same      bool          // the document is the one that the ledger has
	Signature *sign.Verdict // of the certifier
	Seal      *sign.Verdict // of the establishment; nil where it has none
}

// Verify checks the document of a certificate, a Bundle, against the ledger and its signatures.
// Errors: those of a document that has no canonical form.
func Verify(ctx context.Context, trust *sign.Trust, document []byte, c *Certificate, now time.Time) (*Verification, error) {
	payload, err := sign.Document(document)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(payload)
	v := &Verification{Same: hex.EncodeToString(sum[:]) == c.Hash}
	v.Signature = trust.Verify(ctx, c.Signature, payload, sign.Want{Person: []string{c.Certifier.CURP}, Purpose: sign.Author, Witnessed: c.Certified, Now: now})
	if c.Seal != "" {
		v.Seal = trust.Verify(ctx, c.Seal, payload, sign.Want{Purpose: sign.Administrative, Witnessed: c.Certified, Now: now})
		v.Seal.Checks = slices.DeleteFunc(v.Seal.Checks, func(c sign.Check) bool { return c.Name == sign.Person }) // it is of no person
	}
	return v, nil
}

// verify answers $birth-verify: whether a certificate is valid. By folio, for whoever may
// read the document; by the token on the paper, for anybody, without any names.
func (s *service) verify(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("folio", "token"); err != nil {
		return nil, err
	}
	token, err := call.In.Text("token")
	if err != nil {
		return nil, err
	}
	var c *Certificate
	if token != "" {
		c, err = s.book.Verified(ctx, token)
	} else {
		c, err = s.certificate(ctx, call)
	}
	if err != nil {
		return nil, err
	}
	if c.State == Draft {
		return nil, wrongState(c, "nobody has signed it")
	}
	document, err := s.shown(ctx, search.Unrestricted, fhir.Ref{Type: "Bundle", ID: c.Document})
	if err != nil {
		return nil, err
	}
	if document == nil {
		return nil, fhir.Errorf(fhir.Conflict, "the document of the certificate is gone")
	}
	trust := s.Trust()
	if trust == nil {
		trust = &sign.Trust{}
	}
	v, err := Verify(ctx, trust, document.JSON, c, s.Now())
	if err != nil {
		return nil, err
	}
	valid := c.State.Live() && v.Same && v.Signature.Status() != sign.Failed && (v.Seal == nil || v.Seal.Status() != sign.Failed)
	parts := []compose.Object{
		compose.Part("valid", "Boolean", valid), compose.Part("folio", "String", c.Folio), compose.Part("state", "Code", string(c.State)), compose.Part("unchanged", "Boolean", v.Same),
		compose.Part("facility", "String", c.Certifier.Facility), compose.Part("certified", "Instant", c.Certified.Format(fhir.InstantLayout)),
	}
	if c.ReplacedBy != "" {
		parts = append(parts, compose.Part("replacedBy", "String", c.ReplacedBy))
	}
	parts = append(parts, compose.Object{"name": "signature", "part": verdict(v.Signature)})
	if v.Seal != nil {
		parts = append(parts, compose.Object{"name": "seal", "part": verdict(v.Seal)})
	}
	return answer(parts), nil
}

func verdict(v *sign.Verdict) []compose.Object {
	parts := []compose.Object{compose.Part("status", "Code", string(v.Status())), compose.Part("when", "Instant", v.SignedAt.Format(fhir.InstantLayout)), compose.Part("name", "String", orDash(v.Signer.Name))}
	for _, c := range v.Checks {
		parts = append(parts, compose.Object{"name": "check", "part": []compose.Object{
			compose.Part("name", "Code", c.Name), compose.Part("result", "Code", string(c.Result)), compose.Part("text", "String", c.Text("es")),
		}})
	}
	return parts
}

// orDash keeps an element from being empty.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// signedPart reports whether a resource is part of a signed document, which keeps what it says.
func signedPart(d *element.Doc) bool {
	for tag := range d.Items(d.Get(0, "meta"), "tag") {
		if d.TextAt(tag, "system") == documentTag {
			return true
		}
	}
	return false
}
