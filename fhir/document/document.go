// Package document makes documents out of Compositions, and takes them through their
// life: draft, signed, addended or replaced by another, or voided with a reason; never
// erased.
//
// A draft is a Composition like any other. $prepare-signature fixes the document: a
// Bundle of the Composition and all that it refers to, as they are at that moment, which
// the author's private key signs wherever it is. $sign stores, in one transaction, that
// Bundle with its signature, the Composition as final, and a Provenance. From then on the
// three carry a tag which only the server sets (Tag), and Hold lets nobody change or
// delete them. What is to be said later is another Composition that relates to the first
// one by appends or replaces, signed like it; $void marks a document as entered in error.
//
// See https://hl7.org/fhir/R4/documents.html and https://hl7.org/fhir/R4/signatures.html.
package document

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Store is where documents are.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error)
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
}

// Config is what documents are made and signed with. Store and Maker must be set.
type Config struct {
	Store Store
	Maker func(base string) bundle.Maker // makes changes for a FHIR base

	// Trust returns whom the certificates of signers are believed from, as of now; where it
	// believes nobody, nothing can be signed. nil is nobody.
	Trust func() *sign.Trust
	// AnyRevocation lets somebody sign of whose certificate it is not known whether it is
	// revoked.
	AnyRevocation bool

	// PersonSystems are the identifier systems by which a certificate names its holder:
	// those of CURP and RFC.
	PersonSystems []string

	// PlaceSystem is the identifier system by which a caller names their establishment:
	// that of CLUES. Registrars are the roles of systems that have charge of the documents
	// of all of them, when they act for none.
	PlaceSystem string
	Registrars  []string

	// Rules hold a document, the Bundle, to what the law asks of its kind before it is
	// signed. Issues with severity error or fatal refuse it. nil for no rules.
	Rules func(doc *element.Doc) []fhir.Issue

	// Completed returns what a resource of a document becomes by the signature of its author,
	// such as a request that is a draft until then: it stands so in the document, and is
	// written so in the transaction of the signature. nil leaves it as it is; so does a nil
	// function. Rights are the names of the holds that this has to pass.
	Completed func(resource *element.Doc, at time.Time) []byte
	Rights    []string

	Now   func() time.Time // nil is time.Now
	NewID func() string    // nil makes UUIDs of version 7
}

// Operations returns the operations of this package.
func Operations(cfg Config) []operation.Operation {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	if cfg.Trust == nil {
		cfg.Trust = func() *sign.Trust { return nil }
	}
	s := &service{cfg}
	own := "https://github.com/amate-health/amate/fhir/OperationDefinition/"
	composition := []string{"Composition"}
	return []operation.Operation{
		{
			Name: "document", URL: "http://hl7.org/fhir/OperationDefinition/Composition-document",
			Scope: operation.OnInstance, Types: composition, Run: s.document,
		},
		{Name: "prepare-signature", URL: own + "prepare-signature", Scope: operation.OnInstance, Types: composition, Changes: true, Run: s.prepare},
		{Name: "sign", URL: own + "sign", Scope: operation.OnInstance, Types: composition, Changes: true, Run: s.sign},
		{
			Name: "verify-signature", URL: own + "verify-signature", Scope: operation.OnInstance | operation.OnType,
			Types: []string{"Composition", "Bundle"}, Run: s.verify,
		},
		{Name: "void", URL: own + "void", Scope: operation.OnInstance, Types: composition, Changes: true, Run: s.void},
	}
}

type service struct{ Config }

// composition returns the Composition that was called on, as the caller may see it.
// Errors: fhir.NotFound.
func (s *service) composition(ctx context.Context, call *operation.Call) (fhir.Resource, error) {
	found, err := s.find(ctx, call.Restriction, call.Ref())
	if err != nil {
		return fhir.Resource{}, err
	}
	r, ok := found[call.Ref()]
	if !ok {
		return r, fhir.Errorf(fhir.NotFound, "there is no such document").With("%s is not known", call.Ref())
	}
	return r, nil
}

// find returns those of refs that only shows.
func (s *service) find(ctx context.Context, only *search.Restriction, refs ...fhir.Ref) (map[fhir.Ref]fhir.Resource, error) {
	out := make(map[fhir.Ref]fhir.Resource, len(refs))
	if len(refs) == 0 {
		return out, nil
	}
	res, err := s.Store.Search(ctx, &search.Query{Where: []search.Expr{named(refs)}, Count: len(refs), Restriction: only})
	if err != nil {
		return nil, err
	}
	for _, r := range res.Matches {
		out[r.Ref.Current()] = r
	}
	return out, nil
}

// named is the condition of being one of refs.
func named(refs []fhir.Ref) search.Expr {
	ids := map[string][]string{}
	var types []string
	for _, ref := range refs {
		if ids[ref.Type] == nil {
			types = append(types, ref.Type)
		}
		ids[ref.Type] = append(ids[ref.Type], ref.ID)
	}
	var any search.Or
	for _, typ := range types {
		any = append(any, search.And{search.Types{Any: []string{typ}}, search.IDs{Any: ids[typ]}})
	}
	return any
}
