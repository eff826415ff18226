package paper

import (
	"context"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/document/page"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/key"
	"github.com/amate-health/amate/fhir/search"
)

// Store finds resources.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
}

// Config is what the operations work with. All but Now and Zone must be set.
type Config struct {
	Store  Store
	Ledger birth.Ledger
	Ring   *key.Ring // as Ring makes it

	// Page returns the URL of the public page of a token, for a server with a FHIR base.
	Page func(base, token string) string

	Now  func() time.Time // nil is time.Now
	Zone *time.Location   // of the times that are shown; nil is that of central Mexico
}

// Operations returns
//
//   - $birth-print, the paper of a certificate, as a PDF or a page:
//     [base]/$birth-print?folio=..., [base]/Bundle/[id]/$birth-print and
//     [base]/Composition/[id]/$birth-print. Who may not see the Composition of the document is
//     told that there is no such certificate.
//   - $birth-report, what was certified in a year, when and how completely, without
//     identities: [base]/$birth-report?year=2026.
func Operations(cfg Config) []operation.Operation {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &service{cfg}
	own := "https://github.com/amate-health/amate/fhir/OperationDefinition/"
	return []operation.Operation{
		{
			Name: "birth-print", URL: own + "birth-print", Scope: operation.OnSystem | operation.OnInstance, Types: []string{"Bundle", "Composition"},
			Quotes: true, Media: []string{mediaHTML, mediaPDF}, Run: s.print,
		},
		{
			Name: "birth-report", URL: own + "birth-report", Scope: operation.OnSystem, Media: []string{mediaCSV}, Run: s.report,
		},
	}
}

type service struct{ Config }

const (
	mediaHTML = "text/html"
	mediaPDF  = "application/pdf"
	mediaCSV  = "text/csv"
)

// print answers $birth-print.
func (s *service) print(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	c, err := s.asked(ctx, call)
	if err != nil {
		return nil, err
	}
	o := Options{Printed: s.Now().UTC().Truncate(time.Second), Zone: s.Zone}
	if c.Token != "" {
		o.Verify = s.Page(call.Base, c.Token)
	}
	if o.Verify != "" && c.State.Live() {
		if o.Claim, err = s.claim(ctx, c, o.Printed); err != nil {
			return nil, err
		}
	}
	p, err := Page(c, o)
	if err != nil {
		return nil, err
	}
	return write(p, call.Media)
}

// claim signs what the QR code says by itself.
func (s *service) claim(ctx context.Context, c *birth.Certificate, at time.Time) (string, error) {
	claim, err := NewClaim(c, at)
	if err != nil {
		return "", err
	}
	k, err := s.Ring.Signing(ctx)
	if err != nil {
		return "", err
	}
	return claim.Sign(k)
}

func write(p *page.Page, media string) (*operation.Answer, error) {
	if media == mediaPDF {
		raw, err := p.PDF()
		return &operation.Answer{Media: mediaPDF, Raw: raw}, err
	}
	raw, err := p.HTML()
	return &operation.Answer{Media: mediaHTML + "; charset=utf-8", Raw: raw}, err
}

// asked returns the certificate that a call is about, if the caller may see its document.
func (s *service) asked(ctx context.Context, call *operation.Call) (*birth.Certificate, error) {
	folio, err := asksFor(call)
	if err != nil {
		return nil, err
	}
	if call.ID != "" {
		r, err := s.visible(ctx, call, call.Ref())
		if err != nil {
			return nil, err
		}
		if folio, err = folioOf(r.JSON); err != nil {
			return nil, err
		}
	}
	c, err := s.Ledger.Certificate(ctx, folio)
	if err != nil {
		return nil, err
	}
	if c.State == birth.Draft {
		if me := call.Caller.User; me.ID != "" && me.Current() == c.Certifier.Ref.Current() {
			return c, nil
		}
		return nil, errUnknown // there is no document yet that anybody else might see
	}
	if call.Type == "Bundle" && call.ID != c.Document || call.Type == "Composition" && !slices.Contains(c.Held, call.Ref()) {
		return nil, fhir.Errorf(fhir.Unprocessable, "this is not the document of a certificate of birth")
	}
	i := slices.IndexFunc(c.Held, func(ref fhir.Ref) bool { return ref.Type == "Composition" })
	if i < 0 {
		return nil, errUnknown
	}
	_, err = s.visible(ctx, call, c.Held[i])
	if fhir.CodeOf(err) == fhir.NotFound {
		err = errUnknown
	}
	return c, err
}

var errUnknown = fhir.Errorf(fhir.NotFound, "there is no such certificate of birth")

// asksFor reads the parameters of $birth-print. Errors: fhir.Invalid.
func asksFor(call *operation.Call) (folio string, err error) {
	for _, name := range call.In.Names() {
		if name != "folio" && name != "_format" || name == "folio" && call.ID != "" {
			return "", fhir.Errorf(fhir.Invalid, "$birth-print takes a folio, on the system alone, and _format: text/html or application/pdf").With("not %.100q", name)
		}
	}
	if folio, err = call.In.Text("folio"); err == nil && folio == "" && call.ID == "" {
		err = fhir.Errorf(fhir.Invalid, "the folio of the certificate is needed").At("folio")
	}
	return folio, err
}

// visible returns a resource as it is now. Errors: fhir.NotFound where there is none, and
// where the caller may not see it.
func (s *service) visible(ctx context.Context, call *operation.Call, ref fhir.Ref) (*fhir.Resource, error) {
	found, err := s.Store.Search(ctx, &search.Query{
		Where: []search.Expr{search.Types{Any: []string{ref.Type}}, search.IDs{Any: []string{ref.ID}}}, Count: 1, Restriction: call.Restriction,
	})
	switch {
	case err != nil:
		return nil, err
	case len(found.Matches) == 0:
		return nil, fhir.Errorf(fhir.NotFound, "no such resource").With("%s is not known", ref)
	}
	return &found.Matches[0], nil
}

// folioOf is the identifier of a Composition, or of that of a document.
func folioOf(json []byte) (string, error) {
	doc, err := element.Parse(json)
	if err != nil {
		return "", err
	}
	n := element.Node(0)
	if entries := doc.Get(0, "entry"); entries != element.None && doc.Kind(entries) == element.Array {
		if first := doc.First(entries); first != element.None {
			n = doc.Get(first, "resource")
		}
	}
	if n != element.None {
		n = doc.Get(n, "identifier")
	}
	if n != element.None && doc.Kind(n) == element.Object {
		system, value := doc.Get(n, "system"), doc.Get(n, "value")
		if system != element.None && value != element.None && doc.Text(system) == birth.FolioSystem {
			return doc.Text(value), nil
		}
	}
	return "", fhir.Errorf(fhir.Unprocessable, "this is not the document of a certificate of birth")
}
