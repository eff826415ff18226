package document

import (
	"context"
	"encoding/base64"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/compose"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Signature is what is found of one signature of a document.
type Signature struct {
	*sign.Verdict
	Who string // reference to who signs, as the document states it
}

// Verifier checks the signatures of documents, wherever they come from.
type Verifier struct {
	Trust         *sign.Trust
	PersonSystems []string // see Config
	Now           time.Time
}

// found is a FHIR Signature, before it is checked.
type found struct {
	purpose, who, data string
	when               time.Time
}

// signatureAt reads the Signature at n.
func signatureAt(d *element.Doc, n element.Node) found {
	f := found{who: d.TextAt(d.Get(n, "who"), "reference"), data: d.TextAt(n, "data")}
	for t := range d.Items(n, "type") {
		if d.TextAt(t, "system") == sign.PurposeSystem {
			f.purpose = d.TextAt(t, "code")
		}
	}
	f.when, _ = time.Parse(time.RFC3339, d.TextAt(n, "when")) // none is compared with none
	return f
}

// Verify checks the signature within a document Bundle. witnessed is when somebody else is
// known to have had it; zero for never. nil when the Bundle has no signature.
// Errors: *element.SyntaxError, fhir.Invalid for what is no document.
func (v *Verifier) Verify(ctx context.Context, json []byte, witnessed time.Time) (*Signature, error) {
	d, err := element.Parse(json)
	if err != nil {
		return nil, err
	}
	if d.TextAt(0, "resourceType") != "Bundle" || d.TextAt(0, "type") != "document" {
		return nil, fhir.Errorf(fhir.Invalid, "a document is a Bundle of type document")
	}
	n := d.Get(0, "signature")
	if n == element.None || d.Kind(n) != element.Object {
		return nil, nil
	}
	return v.check(ctx, d, json, signatureAt(d, n), nil, witnessed), nil
}

// check checks one signature of a document. more are codes of who signs that are not in it.
func (v *Verifier) check(ctx context.Context, d *element.Doc, json []byte, f found, more []string, witnessed time.Time) *Signature {
	out := &Signature{Who: f.who}
	payload, err := sign.Document(json)
	if err != nil {
		out.Verdict = &sign.Verdict{Checks: []sign.Check{{Name: sign.Content, Result: sign.Failed, Reason: "unreadable"}}}
		return out
	}
	jws, err := base64.StdEncoding.DecodeString(f.data)
	if err != nil {
		jws = nil // which has not the form of a signature
	}
	want := sign.Want{Person: append(v.codes(d, f.who), more...), Purpose: f.purpose, When: f.when, Witnessed: witnessed, Now: v.Now}
	out.Verdict = v.Trust.Verify(ctx, string(jws), payload, want)
	if f.purpose == sign.Author {
		check := sign.Check{Name: sign.Authorship, Result: sign.Failed, Reason: "not-author"}
		if isAuthor(d, f.who) {
			check.Result, check.Reason = sign.Passed, "is-author"
		}
		out.Checks = append(out.Checks, check)
	}
	return out
}

// isAuthor reports whether the Composition of a document names who as an author.
func isAuthor(d *element.Doc, who string) bool {
	for e := range d.Items(0, "entry") {
		for a := range d.Items(d.Get(e, "resource"), "author") {
			if who != "" && d.TextAt(a, "reference") == who {
				return true
			}
		}
		return false // the Composition is the first
	}
	return false
}

// codes returns the identifiers of who signs, as the document has them.
func (v *Verifier) codes(d *element.Doc, who string) []string {
	s := service{Config{PersonSystems: v.PersonSystems}}
	n := entryOf(d, who)
	if d.TextAt(n, "resourceType") == "PractitionerRole" {
		n = entryOf(d, d.TextAt(d.Get(n, "practitioner"), "reference"))
	}
	if n == element.None {
		return nil
	}
	return s.codesIn(d, n)
}

// entryOf returns the resource of a document that a reference names; element.None when it
// is not there, or several are.
//
// See https://hl7.org/fhir/R4/bundle.html#references.
func entryOf(d *element.Doc, reference string) element.Node {
	at := element.None
	for e := range d.Items(0, "entry") {
		url := d.TextAt(e, "fullUrl")
		if reference == "" || url != reference && !(strings.HasSuffix(url, "/"+reference) && !strings.Contains(reference, "://")) {
			continue
		}
		if at != element.None {
			return element.None
		}
		at = d.Get(e, "resource")
	}
	return at
}

// The states of a document.
const (
	unsigned = "unsigned"
	signed   = "signed"
	voided   = "voided"
)

// verify answers $verify-signature: on a Composition, the document that was signed of it; on
// a Bundle, that one; on the type Bundle, the one in the body.
//
// Parameters: language, es or en, of the words; es when not given.
func (s *service) verify(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	language := "es"
	v := &Verifier{Trust: s.Trust(), PersonSystems: s.PersonSystems, Now: s.Now()}
	if call.ID == "" {
		body, ok := call.In.Body()
		if !ok || call.Type != "Bundle" {
			return nil, fhir.Errorf(fhir.Invalid, "without an id, POST the document, a Bundle, to Bundle/$verify-signature")
		}
		one, err := v.Verify(ctx, body.Source(), time.Time{})
		if err != nil {
			return nil, err
		}
		r := &report{}
		if one != nil {
			r.signatures = append(r.signatures, one)
		}
		return r.answer(language), nil
	}
	if _, err := understood(call, "language"); err != nil {
		return nil, err
	}
	if said, err := call.In.Text("language"); err != nil {
		return nil, err
	} else if said != "" {
		language = said
	}
	b, r, err := s.signedDocument(ctx, call)
	if err != nil || r.state == unsigned && b.JSON == nil {
		return r.answer(language), err
	}
	one, err := v.Verify(ctx, b.JSON, b.Updated)
	if err != nil {
		return nil, err
	}
	if one != nil {
		r.signatures = append(r.signatures, one)
	}
	if err := s.countersigned(ctx, call, v, &b, r); err != nil {
		return nil, err
	}
	return r.answer(language), nil
}

// signedDocument returns the Bundle that a call is about, and what state the document is in.
func (s *service) signedDocument(ctx context.Context, call *operation.Call) (b fhir.Resource, r *report, err error) {
	r = &report{}
	at, err := s.composition(ctx, call)
	if err != nil {
		return b, r, err
	}
	id, ok := Signed(at.JSON)
	if !ok {
		r.state = unsigned
		if call.Type == "Bundle" { // it may carry the signature of another server
			return at, &report{}, nil
		}
		return b, r, nil
	}
	r.state = signed
	if b = at; call.Type == "Composition" {
		if b, err = s.signedBundle(ctx, call, id); err != nil {
			return b, r, err
		}
	}
	return b, r, s.followed(ctx, call, &b, r)
}

// followed finds what became of a signed document since.
func (s *service) followed(ctx context.Context, call *operation.Call, b *fhir.Resource, r *report) error {
	d, err := element.Parse(b.JSON)
	if err != nil {
		return err
	}
	for e := range d.Items(0, "entry") {
		r.composition = fhir.Ref{Type: "Composition", ID: d.TextAt(d.Get(e, "resource"), "id")}
		break
	}
	current, err := s.find(ctx, call.Restriction, r.composition)
	if err != nil {
		return err
	}
	if c, err := element.Parse(current[r.composition].JSON); err == nil && c.TextAt(0, "status") == "entered-in-error" {
		r.state = voided
	}
	q, err := search.Parse("Composition", []search.Param{{Name: "related-ref", Value: r.composition.String()}}, call.Search)
	if err != nil {
		return err
	}
	q.Count, q.Restriction = 100, call.Restriction
	res, err := s.Store.Search(ctx, q)
	if err != nil {
		return err
	}
	for _, m := range res.Matches {
		if _, ok := Signed(m.JSON); ok {
			r.later = append(r.later, m.Ref.Current())
		}
	}
	return nil
}

// countersigned checks the further signatures of a document.
func (s *service) countersigned(ctx context.Context, call *operation.Call, v *Verifier, b *fhir.Resource, r *report) error {
	q, err := search.Parse("Provenance", []search.Param{{Name: "target", Value: b.Ref.Current().String()}}, call.Search)
	if err != nil {
		return err
	}
	q.Count, q.Restriction, q.Sort = 100, call.Restriction, []search.Sort{{Field: "_lastUpdated"}}
	res, err := s.Store.Search(ctx, q)
	if err != nil {
		return err
	}
	d, err := element.Parse(b.JSON)
	if err != nil {
		return err
	}
	own := d.TextAt(d.Get(0, "signature"), "data")
	for _, m := range res.Matches {
		id, ok := Signed(m.JSON)
		p, err := element.Parse(m.JSON)
		if !ok || id != b.Ref.ID || err != nil {
			continue
		}
		for n := range p.Items(0, "signature") {
			f := signatureAt(p, n)
			if f.data == own {
				continue
			}
			var more []string
			if who, ok := fhir.ParseRef(f.who); ok {
				if more, err = s.codes(ctx, call, who); err != nil {
					return err
				}
			}
			r.signatures = append(r.signatures, v.check(ctx, d, b.JSON, f, more, m.Updated))
		}
	}
	return nil
}

// report is what $verify-signature finds.
type report struct {
	state       string // "" when this server has not signed it
	composition fhir.Ref
	later       []fhir.Ref // signed documents that add to it or replace it
	signatures  []*Signature
}

// status is passed when there are signatures and all are.
func (r *report) status() sign.Result {
	if len(r.signatures) == 0 {
		return sign.Failed
	}
	status := sign.Passed
	for _, one := range r.signatures {
		switch one.Status() {
		case sign.Failed:
			return sign.Failed
		case sign.Unknown:
			status = sign.Unknown
		}
	}
	return status
}

func (r *report) answer(language string) *operation.Answer {
	parts := []compose.Object{
		compose.Part("result", "Boolean", r.status() == sign.Passed),
		compose.Part("status", "Code", string(r.status())),
	}
	if r.state != "" {
		parts = append(parts, compose.Part("document", "Code", r.state))
	}
	for _, ref := range r.later {
		parts = append(parts, compose.Part("later", "Reference", compose.Object{"reference": ref.String()}))
	}
	for _, one := range r.signatures {
		parts = append(parts, compose.Object{"name": "signature", "part": one.parts(language)})
	}
	return answer(parts)
}

// parts says what is found of a signature.
func (s *Signature) parts(language string) []compose.Object {
	parts := []compose.Object{
		compose.Part("status", "Code", string(s.Status())),
		compose.Part("text", "String", s.Text(language)),
	}
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, compose.Part(name, "String", value))
		}
	}
	add("name", s.Signer.Name)
	add("curp", s.Signer.CURP)
	add("rfc", s.Signer.RFC)
	add("certificate", s.Signer.Serial)
	add("issuer", s.Signer.Issuer)
	if s.Who != "" {
		parts = append(parts, compose.Part("who", "Reference", compose.Object{"reference": s.Who}))
	}
	if s.Purpose != "" {
		name, _ := sign.PurposeName(s.Purpose)
		coding := compose.Object{"system": sign.PurposeSystem, "code": s.Purpose}
		if name != "" {
			coding["display"] = name
		}
		parts = append(parts, compose.Part("type", "Coding", coding))
	}
	if !s.SignedAt.IsZero() {
		parts = append(parts, compose.Part("when", "Instant", s.SignedAt.UTC().Format(fhir.InstantLayout)))
	}
	for _, c := range s.Checks {
		parts = append(parts, compose.Object{"name": "check", "part": []compose.Object{
			compose.Part("name", "Code", c.Name), compose.Part("result", "Code", string(c.Result)), compose.Part("reason", "Code", c.Reason), compose.Part("text", "String", c.Text(language)),
		}})
	}
	return parts
}
