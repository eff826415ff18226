package birth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/document"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// rightsOf are the holds that a batch of this package passes.
var rightsOf = []string{Right, document.Right}

// finish is $birth-certify with a signature.
func (s *service) finish(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if err := call.Only("folio", "pending", "signature"); err != nil {
		return nil, err
	}
	encoded, err := call.Needed("signature", "what the private key made of the digest")
	if err != nil {
		return nil, err
	}
	signature, err := binary("signature", encoded)
	if err != nil {
		return nil, err
	}
	c, err := s.pending(ctx, call, signature)
	if err != nil {
		return nil, err
	}
	if c.State != Draft {
		return certified(c), nil // the answer of before was lost
	}
	w := c.Waiting
	payload, at, err := s.complete(ctx, c, signature)
	if err != nil {
		return nil, err
	}
	c.guard = w.Guard
	var replaced *Certificate
	if c.Replaces != "" {
		if replaced, err = s.book.Certificate(ctx, c.Replaces); err != nil {
			return nil, err
		}
		if err := replaceable(replaced); err != nil {
			return nil, err
		}
	}
	turn, err := s.turn(ctx, c.namesake)
	if err != nil {
		return nil, err
	}
	if err := s.alone(ctx, c, replaced); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(payload)
	c.Hash, c.State, c.Certified = hex.EncodeToString(sum[:]), Certified, s.Now().UTC().Truncate(time.Microsecond)
	var token [16]byte
	if _, err := rand.Read(token[:]); err != nil {
		return nil, err
	}
	c.Token = base64.RawURLEncoding.EncodeToString(token[:])
	if seal := s.Seal(c.Certifier.Facility); seal != nil {
		if c.Seal, err = seal.Sign(payload, c.Certified, sign.Administrative); err != nil {
			return nil, err
		}
	}
	if err := s.store(ctx, call, c, replaced, at, turn); err != nil {
		return nil, err
	}
	return certified(c), nil
}

// pending returns the draft that the caller prepared; or the certificate, when it is
// certified by this very signature already.
func (s *service) pending(ctx context.Context, call *operation.Call, signature []byte) (*Certificate, error) {
	folio, err := call.In.Text("folio")
	if err == nil && folio == "" {
		folio, err = call.Needed("pending", "the folio of the draft")
	}
	if err != nil {
		return nil, err
	}
	org, err := acting(call)
	if err != nil {
		return nil, err
	}
	c, err := s.book.Certificate(ctx, folio)
	if err != nil {
		return nil, err
	}
	if org != "" && org != c.Certifier.Facility {
		return nil, unknown()
	}
	if c.State != Draft {
		if c.State == Certified && strings.HasSuffix(c.Signature, "."+base64.RawURLEncoding.EncodeToString(signature)) {
			return c, nil
		}
		return nil, fhir.Errorf(fhir.Conflict, "this certificate is signed already").With("folio %s is %s", c.Folio, c.State)
	}
	if c.Waiting == nil || c.Waiting.Caller != callerOf(call) {
		return nil, unknown()
	}
	if s.Now().After(c.Waiting.Expires) {
		return nil, fhir.Errorf(fhir.Conflict, "what was prepared waits %s for its signature: prepare it anew, with the same folio", pendingFor)
	}
	return c, nil
}

// complete makes the signature, and holds it to all that a verifier would.
func (s *service) complete(ctx context.Context, c *Certificate, signature []byte) (payload []byte, at time.Time, err error) {
	if payload, err = sign.Document(c.Waiting.Bundle); err != nil {
		return nil, at, err
	}
	prepared, err := sign.Resume(c.Waiting.Header, payload)
	if err != nil {
		return nil, at, err
	}
	if c.Signature, err = prepared.Complete(signature); err != nil {
		return nil, at, err
	}
	want := sign.Want{Person: c.Waiting.Codes, Purpose: sign.Author, When: prepared.At, Now: s.Now()}
	return payload, prepared.At, s.judged(s.Trust().Verify(ctx, c.Signature, payload, want))
}

// turnKind is the kind of the entries by which those take turns who certify births of one
// namesake; turnFor is how long one is kept, which is longer than any certification takes.
const (
	turnKind = "birth-turn"
	turnFor  = time.Hour
)

// turn returns the entry that a certificate is stored with. Who has looked for others of one
// namesake before somebody else certified cannot store any more: the guard tells only
// those apart who name the mother alike, both by her CURP or both without.
func (s *service) turn(ctx context.Context, namesake string) (fhir.Entry, error) {
	e, err := s.Store.Entry(ctx, turnKind, namesake)
	if fhir.CodeOf(err) == fhir.NotFound {
		e, err = fhir.Entry{Kind: turnKind, Key: namesake}, nil
	}
	e.Value, e.Expires = []byte(`{}`), s.Now().Add(turnFor)
	return e, err
}

// store writes the certificate and all that is made from it, in one transaction.
func (s *service) store(ctx context.Context, call *operation.Call, c, replaced *Certificate, at time.Time, turn fhir.Entry) error {
	b := &bundle.Batch{Rights: rightsOf, Entries: func([]bundle.Result) []fhir.Entry { return []fhir.Entry{turn} }}
	maker := s.Maker(call.Base)
	event := fhir.BirthEvent{Kind: string(Certified), At: c.Certified, Who: call.Caller.Principal}
	if replaced != nil {
		replaced.State, replaced.ReplacedBy, replaced.Reason, replaced.Voided = Replaced, c.Folio, c.Reason, c.Certified
		changes, err := s.withdrawn(ctx, maker, replaced)
		if err != nil {
			return err
		}
		b.Changes = changes
		row, err := replaced.write(fhir.BirthEvent{Kind: string(Replaced), At: c.Certified, Who: call.Caller.Principal, Note: c.Reason})
		if err != nil {
			return err
		}
		b.Births = append(b.Births, row)
		event.Note = "replaces " + replaced.Folio
		c.Reason = ""
	}
	if err := s.changes(ctx, b, maker, call, c, at); err != nil {
		return err
	}
	c.Waiting = nil
	row, err := c.write(event)
	if err != nil {
		return err
	}
	b.Births = append(b.Births, row)
	_, err = s.apply(ctx, b)
	if fhir.CodeOf(err) == fhir.Conflict {
		if double := s.alone(ctx, c, replaced); double != nil {
			return double
		}
	}
	return err
}

// changes adds the creation of all that is made from c to a batch.
func (s *service) changes(ctx context.Context, b *bundle.Batch, maker bundle.Maker, call *operation.Call, c *Certificate, at time.Time) error {
	w := c.Waiting
	add := func(change bundle.Change, err error) error {
		b.Changes = append(b.Changes, change)
		return err
	}
	newborn, err := s.newborn(ctx, maker, c)
	if err := add(newborn, err); err != nil {
		return err
	}
	for i, raw := range w.Resources {
		marked, err := mark(raw, c.Document)
		if i == 0 {
			marked, err = document.Mark(raw, c.Document)
		}
		if err != nil {
			return err
		}
		if err := add(created(maker, marked, c.Held[i])); err != nil {
			return err
		}
	}
	signed, err := signedBundle(w.Bundle, c, at)
	if err != nil {
		return err
	}
	if err := add(created(maker, signed, fhir.Ref{Type: "Bundle", ID: c.Document})); err != nil {
		return err
	}
	about := []fhir.Ref{c.Held[0], {Type: "Bundle", ID: c.Document}}
	who := compose.Reference(c.Certifier.Ref)
	if err := s.provenance(maker, b, c, about, who, document.Element(c.Signature, sign.Author, c.Certifier.Ref.String(), at)); err != nil || c.Seal == "" {
		return err
	}
	seal := document.Element(c.Seal, sign.Administrative, s.establishment(w), c.Certified.Truncate(time.Second))
	return s.provenance(maker, b, c, about, compose.Object{"display": "Sello de " + c.Certifier.Facility}, seal)
}

// establishment is who seals: the Organization, or nobody that can be referred to.
func (s *service) establishment(w *waiting) string {
	if w.Custodian.ID != "" {
		return w.Custodian.String()
	}
	return "#"
}

// newborn is the change that makes the newborn's Patient, or gives the one of a replaced
// certificate its new folio and what is certified now.
func (s *service) newborn(ctx context.Context, maker bundle.Maker, c *Certificate) (bundle.Change, error) {
	if c.Replaces == "" {
		return created(maker, c.Waiting.Newborn, c.Newborn.Ref)
	}
	d, was, err := s.survivor(ctx, c)
	if err != nil {
		return bundle.Change{}, err
	}
	fresh, err := element.Parse(c.Waiting.Newborn)
	if err != nil {
		return bundle.Change{}, err
	}
	e := d.Edit(0)
	for id := range d.Items(0, "identifier") {
		if d.TextAt(id, "system") == FolioSystem {
			e.Set(id, "use", `"old"`)
		}
	}
	e.Push(0, "identifier", compose.Text(compose.Object{"use": "temp", "system": FolioSystem, "value": c.Folio}))
	for _, name := range []string{"name", "gender", "birthDate", "_birthDate", "multipleBirthBoolean", "multipleBirthInteger"} {
		if n := fresh.Get(0, name); n != element.None {
			e.Set(0, name, string(fresh.Raw(n)))
		} else if n := d.Get(0, name); n != element.None && name != "name" {
			e.Drop(n)
		}
	}
	return updated(maker, e.AppendTo(nil), was)
}

// signedBundle is the document with its signature.
func signedBundle(unsigned []byte, c *Certificate, at time.Time) ([]byte, error) {
	d, err := element.Parse(unsigned)
	if err != nil {
		return nil, err
	}
	e := d.Edit(0)
	e.Append(0, `"signature":`+string(document.Element(c.Signature, sign.Author, c.Certifier.Ref.String(), at)))
	e.Prepend(0, `"id":"`+c.Document+`"`)
	return document.Mark(e.AppendTo(nil), c.Document)
}

// provenance adds the record of who signed what.
func (s *service) provenance(maker bundle.Maker, b *bundle.Batch, c *Certificate, about []fhir.Ref, who compose.Object, signature []byte) error {
	var targets []compose.Object
	for _, ref := range about {
		targets = append(targets, compose.Reference(ref))
	}
	d, err := element.Parse(signature)
	if err != nil {
		return err
	}
	if d.TextAt(d.Get(0, "who"), "reference") == "#" { // the directory has no such establishment
		e := d.Edit(0)
		e.Replace(d.Get(0, "who"), compose.Text(who))
		signature = e.AppendTo(nil)
	}
	raw, err := document.Mark(compose.JSON(compose.Object{
		"resourceType": "Provenance", "target": targets, "recorded": c.Certified.Format(fhir.InstantLayout),
		"activity":  compose.Concept("http://terminology.hl7.org/CodeSystem/v3-DocumentCompletion", "LA", "legally authenticated"),
		"agent":     []compose.Object{{"type": compose.Concept("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "author", "Author"), "who": who}},
		"signature": []rawJSON{signature},
	}), c.Document)
	if err != nil {
		return err
	}
	change, err := created(maker, raw, fhir.Ref{Type: "Provenance", ID: s.NewID()})
	b.Changes = append(b.Changes, change)
	return err
}

// certified answers with what was certified.
func certified(c *Certificate) *operation.Answer {
	return answer([]compose.Object{
		compose.Part("folio", "String", c.Folio), compose.Part("state", "Code", string(c.State)), compose.Part("token", "String", c.Token), compose.Part("hash", "String", c.Hash),
		compose.Part("newborn", "Reference", compose.Reference(c.Newborn.Ref)), compose.Part("mother", "Reference", compose.Reference(c.Mother.Ref)),
		compose.Part("composition", "Reference", compose.Reference(c.Held[0])), compose.Part("document", "Reference", compose.Object{"reference": "Bundle/" + c.Document}),
	})
}
