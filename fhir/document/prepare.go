package document

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
)

// pendingKind is the kind of the entries that are documents waiting for a signature, and
// of the receipts that are left in their place once it came.
const pendingKind = "document-signature"

// pendingFor is how long a document waits for its signature.
const pendingFor = 30 * time.Minute

// pending is a document that waits for its signature; or, with Signed, the receipt of one,
// which says nothing of what was signed but where it is.
type pending struct {
	Composition string          // its id
	Version     int64           `json:",omitempty"` // of the Composition when it was prepared
	Final       json.RawMessage `json:",omitempty"` // the Composition as it will be; none for a further signature
	Bundle      json.RawMessage `json:",omitempty"` // the document
	Completed   []completed     `json:",omitempty"` // what the signature makes of other resources
	BundleID    string
	Header      string   `json:",omitempty"` // of the signature
	Purpose     string   `json:",omitempty"`
	Who         string   `json:",omitempty"` // reference to who signs
	Codes       []string `json:",omitempty"`
	Caller      string

	Signed     []byte `json:",omitempty"` // SHA-256 of the signature that came
	Provenance string `json:",omitempty"` // id of the one that was stored with it

	entry fhir.Entry // in which it is kept
}

// receipt returns the entry that takes the place of p: nothing of the patient stays where
// no purge of their record looks.
func (p *pending) receipt(signature []byte, provenance fhir.Ref) fhir.Entry {
	sum := sha256.Sum256(signature)
	e := p.entry
	e.Value = []byte(compose.Text(pending{Composition: p.Composition, BundleID: p.BundleID, Caller: p.Caller, Signed: sum[:], Provenance: provenance.ID}))
	return e
}

// Waiting is where documents wait for signatures.
type Waiting interface {
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
	Remove(ctx context.Context, kind, key string, version int64) error
}

// Forget removes what was prepared of a Composition, with the content of the document.
func Forget(ctx context.Context, w Waiting, composition string) error {
	const page = 100
	for after := ""; ; {
		found, err := w.Entries(ctx, pendingKind, composition, after, page)
		if err != nil || len(found) == 0 {
			return err
		}
		for i := range found {
			after = found[i].Key
			if err := w.Remove(ctx, pendingKind, after, 0); err != nil {
				return err
			}
		}
	}
}

// prepare answers $prepare-signature: it fixes the document, and says what is to be signed.
//
// Parameters: certificate, base64, the signer's and then those above it; who, a reference
// to who signs, where it is not the one author; type, the code of the capacity, that of an
// author when not given. On a document that is signed already it prepares a further
// signature of the same: of a witness, of a co-author, of an establishment.
func (s *service) prepare(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	if _, err := understood(call, "certificate", "who", "type"); err != nil {
		return nil, err
	}
	chain, err := chainOf(call)
	if err != nil {
		return nil, err
	}
	purpose, err := call.In.Text("type")
	if err != nil {
		return nil, err
	}
	c, err := s.composition(ctx, call)
	if err != nil {
		return nil, err
	}
	d, err := element.Parse(c.JSON)
	if err != nil {
		return nil, err
	}
	id, signed := signedIn(d)
	switch {
	case purpose == "" && signed:
		return nil, refused(fhir.Conflict, "the document is signed already", "for a further signature say by type in which capacity; to correct it, create a Composition with relatesTo")
	case purpose == "":
		purpose = sign.Author
	case !signed && purpose != sign.Author:
		return nil, refused(fhir.Conflict, "an author signs first", "prepare the signature of an author")
	}
	if d.TextAt(0, "status") == "entered-in-error" {
		return nil, refused(fhir.Conflict, "the document is void", "create another Composition")
	}
	p := &pending{Composition: call.ID, Version: c.Ref.Version, Purpose: purpose, BundleID: id, Caller: caller(call)}
	who, err := s.signatory(ctx, call, d, purpose)
	if err != nil {
		return nil, err
	}
	p.Who = who.String()
	if p.Codes, err = s.codes(ctx, call, who); err != nil {
		return nil, err
	}
	at := s.Now().UTC().Truncate(time.Second)
	if err := s.believed(ctx, chain, at, p.Codes); err != nil {
		return nil, err
	}
	var absent []string
	if signed {
		b, err := s.signedBundle(ctx, call, id)
		if err != nil {
			return nil, err
		}
		p.Bundle = b.JSON
	} else if absent, err = s.fix(ctx, call, p, c.Ref, d, at); err != nil {
		return nil, err
	}
	return s.await(ctx, p, chain, at, absent)
}

// chainOf reads the certificates of a call.
func chainOf(call *operation.Call) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for _, v := range call.In.All("certificate") {
		der, err := binary("certificate", v.Text)
		if err != nil {
			return nil, err
		}
		all, err := sign.ReadCertificates(der)
		if err != nil {
			return nil, fhir.Errorf(fhir.Invalid, "the parameter certificate is no X.509 certificate")
		}
		chain = append(chain, all...)
	}
	if len(chain) == 0 {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter certificate is needed: the signer's certificate (.cer) in base64")
	}
	return chain, nil
}

// believed refuses a certificate with which nobody could sign for somebody with these
// codes. Errors: fhir.Unprocessable, with an issue for each check that fails.
func (s *service) believed(ctx context.Context, chain []*x509.Certificate, at time.Time, codes []string) error {
	if s.Trust().Empty() {
		return fhir.Errorf(fhir.Unprocessable, "nothing can be signed here: this server trusts no certificate authority yet (amate serve --signature-trust)")
	}
	return s.judged(s.Trust().Accept(ctx, chain, at, sign.Want{Person: codes, Now: s.Now()}))
}

// judged returns what speaks against a verdict as an error.
func (s *service) judged(v *sign.Verdict) error {
	var issues []fhir.Issue
	for _, c := range v.Checks {
		if c.Result == sign.Passed || c.Result == sign.Unknown && c.Name == sign.Revocation && s.AnyRevocation {
			continue
		}
		issues = append(issues, fhir.Issue{Severity: "error", Type: "security", Rule: "signature-" + c.Name, Details: c.Text("en")})
	}
	if issues == nil {
		return nil
	}
	return &fhir.Error{Code: fhir.Unprocessable, Issues: issues}
}

// fix makes the document that is to be signed, and notes it in p. It returns what the
// document refers to and does not hold.
func (s *service) fix(ctx context.Context, call *operation.Call, p *pending, ref fhir.Ref, d *element.Doc, at time.Time) (absent []string, err error) {
	if err := s.related(ctx, call, d); err != nil {
		return nil, err
	}
	final := finished(d, p.Who, at)
	after, err := element.Parse(final)
	if err != nil {
		return nil, err
	}
	a, err := s.assemble(ctx, call, ref, after)
	if err != nil {
		return nil, err
	}
	if p.Completed, err = s.complement(a, at); err != nil {
		return nil, err
	}
	p.BundleID = s.NewID()
	p.Final, p.Bundle = final, a.bundle(uuidOf(p.BundleID), at, ref, final)
	source, err := bundle.Parse(p.Bundle)
	if err != nil {
		return nil, err
	}
	if _, err := s.Maker(call.Base).Create(source, fhir.Ref{Type: "Bundle", ID: p.BundleID}); err != nil {
		return nil, err
	}
	if s.Rules == nil {
		return a.absent, nil
	}
	issues := s.Rules(source.Doc)
	for i := range issues { // of a text that the caller never sent
		issues[i].Line, issues[i].Col = 0, 0
	}
	if slices.ContainsFunc(issues, func(i fhir.Issue) bool { return i.Severity == "error" || i.Severity == "fatal" }) {
		return nil, &fhir.Error{Code: fhir.Unprocessable, Issues: issues}
	}
	return a.absent, nil
}

// finished returns a Composition as it is when it is signed: final, attested by who signs,
// and without the marks of the version that is stored now.
func finished(d *element.Doc, who string, at time.Time) []byte {
	e := d.Edit(0)
	e.Set(0, "status", `"final"`)
	e.Push(0, "attester", compose.Text(compose.Object{"mode": "legal", "time": at.Format(time.RFC3339), "party": compose.Object{"reference": who}}))
	unmark(e, d)
	return e.AppendTo(nil)
}

// unmark leaves out the version and the time of a stored resource; and meta with them,
// where there is nothing else in it, since no element is empty.
func unmark(e *element.Edit, d *element.Doc) {
	meta := d.Get(0, "meta")
	if meta == element.None {
		return
	}
	var marks []element.Node
	for _, name := range []string{"versionId", "lastUpdated"} {
		if m := d.Get(meta, name); m != element.None {
			marks = append(marks, m)
		}
	}
	if len(marks) == d.Size(meta) {
		marks = []element.Node{meta}
	}
	for _, m := range marks {
		e.Drop(m)
	}
}

// related refuses a Composition that adds to, or replaces, what cannot be added to: it must
// be a signed document about the same, and not void.
//
// See https://hl7.org/fhir/R4/composition-definitions.html#Composition.relatesTo.
func (s *service) related(ctx context.Context, call *operation.Call, d *element.Doc) error {
	about := d.TextAt(d.Get(0, "subject"), "reference")
	for r := range d.Items(0, "relatesTo") {
		reference := d.TextAt(d.Get(r, "targetReference"), "reference")
		ref, ok := fhir.ParseRef(strings.TrimPrefix(reference, call.Base+"/"))
		if !ok || ref.Type != "Composition" {
			continue // it is elsewhere, or an identifier
		}
		fault := func(why string) error {
			return fhir.Errorf(fhir.Unprocessable, "an addendum or a replacement relates to a signed document about the same patient: %s", why).
				With("it relates to %s", ref).At("Composition.relatesTo")
		}
		found, err := s.find(ctx, call.Restriction, ref.Current())
		if err != nil {
			return err
		}
		target, ok := found[ref.Current()]
		if !ok {
			return fault("there is no such document, or it is not shown to you")
		}
		t, err := element.Parse(target.JSON)
		if err != nil {
			return err
		}
		_, signed := signedIn(t)
		switch {
		case !signed:
			return fault("it is not signed, and can be changed itself")
		case t.TextAt(0, "status") == "entered-in-error":
			return fault("it is void")
		case strings.TrimPrefix(t.TextAt(t.Get(0, "subject"), "reference"), call.Base+"/") != strings.TrimPrefix(about, call.Base+"/"):
			return fault("it is about somebody else")
		}
	}
	return nil
}

// await keeps p until it is signed, and answers with what is to be signed.
func (s *service) await(ctx context.Context, p *pending, chain []*x509.Certificate, at time.Time, absent []string) (*operation.Answer, error) {
	payload, err := sign.Document(p.Bundle)
	if err != nil {
		return nil, err
	}
	prepared, err := sign.Prepare(payload, chain, at, p.Purpose)
	if err != nil {
		return nil, err
	}
	p.Header = prepared.Header
	key, expires := s.NewID(), s.Now().Add(pendingFor)
	e := fhir.Entry{Kind: pendingKind, Key: key, Group: p.Composition, Expires: expires, Value: []byte(compose.Text(p))}
	if err := s.Store.Put(ctx, e); err != nil {
		return nil, err
	}
	parts := []compose.Object{
		compose.Part("pending", "Id", key),
		compose.Part("algorithm", "Code", prepared.Algorithm()),
		compose.Part("header", "String", prepared.Header),
		compose.Part("digest", "Base64Binary", base64.StdEncoding.EncodeToString(prepared.Digest())),
		compose.Part("when", "Instant", at.Format(fhir.InstantLayout)),
		compose.Part("who", "Reference", compose.Object{"reference": p.Who}),
		compose.Part("expires", "Instant", expires.UTC().Format(fhir.InstantLayout)),
	}
	for _, ref := range absent {
		parts = append(parts, compose.Part("absent", "Reference", compose.Object{"reference": ref}))
	}
	return answer(append(parts, compose.Object{"name": "document", "resource": json.RawMessage(p.Bundle)})), nil
}
