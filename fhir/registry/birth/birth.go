package birth

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Store is where certificates and what is made of them are.
type Store interface {
	Rows
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	TakeFolios(ctx context.Context, facility string, year int, count int64) (fhir.FolioRange, error)
	AddFolios(ctx context.Context, r fhir.FolioRange, alone bool) error
	FolioRanges(ctx context.Context, facility string) ([]fhir.FolioRange, error)
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
}

// Config is what births are certified with. Store and Maker must be set.
type Config struct {
	Store Store
	Maker func(base string) bundle.Maker // makes changes for a FHIR base

	// Trust returns whom the certificates of certifiers are believed from, as of now; where
	// it believes nobody, nobody can certify. nil is nobody.
	Trust func() *sign.Trust
	// AnyRevocation lets somebody certify of whose certificate it is not known whether it
	// is revoked.
	AnyRevocation bool

	// Seal returns the key by which an establishment seals, by its CLUES; nil for none.
	Seal func(clues string) *sign.Signer

	// Merged returns the id of the Patient that one was merged into by who may merge, "" for
	// none. A link that anybody wrote is none: who writes it would lead the acta and the
	// CURP to somebody else. nil says so of none.
	Merged func(ctx context.Context, patient string) (string, error)

	// Carry returns the entries that make what legal holds there are on one Patient hold
	// on another as well. nil for none.
	Carry func(ctx context.Context, from, to string) ([]fhir.Entry, error)

	// OnlyRanges gives out folios of ranges only that somebody allocated. Without it an
	// establishment that has none gets its own: CLUES-yy-nnnnn.
	OnlyRanges bool

	Zone  *time.Location   // whose days count; nil is that of Mexico City
	Now   func() time.Time // nil is time.Now
	NewID func() string    // nil makes UUIDs of version 7
}

// URLs of what is particular to certificates of birth.
const (
	base = "https://github.com/amate-health/amate/fhir/"

	FolioSystem  = base + "NamingSystem/folio-certificado-nacimiento" // identifiers: the folio
	ActaSystem   = base + "NamingSystem/acta-nacimiento"              // identifiers: the number of the acta
	ColumnSystem = base + "CodeSystem/sinac"                          // codes: the columns of SINAC
)

// Zone is that of central Mexico, which has had no summer time since 2022.
var Zone = time.FixedZone("America/Mexico_City", -6*60*60)

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
	if cfg.Seal == nil {
		cfg.Seal = func(string) *sign.Signer { return nil }
	}
	if cfg.Merged == nil {
		cfg.Merged = func(context.Context, string) (string, error) { return "", nil }
	}
	if cfg.Carry == nil {
		cfg.Carry = func(context.Context, string, string) ([]fhir.Entry, error) { return nil, nil }
	}
	if cfg.Zone == nil {
		cfg.Zone = Zone
	}
	s := &service{cfg, Book{cfg.Store}}
	run := map[string]func(context.Context, *operation.Call) (*operation.Answer, error){
		"birth-certify": s.certify, "birth-replace": s.replace, "birth-deliver": s.deliver, "birth-register": s.register,
		"birth-assign-curp": s.assign, "birth-void": s.void, "birth-verify": s.verify, "birth-find": s.find,
	}
	var all []operation.Operation
	for i := range definitions {
		d := &definitions[i]
		all = append(all, operation.Operation{
			Name: d.name, URL: base + "OperationDefinition/" + d.name, Scope: operation.OnSystem, Changes: d.changes, Whole: true, Run: run[d.name],
		})
	}
	return all
}

type service struct {
	Config
	book Book
}

// today is the day in Mexico.
func (s *service) today() time.Time {
	now := s.Now().In(s.Zone)
	return time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
}

// callerOf tells callers apart: by their account or client, and whom it acts for.
func callerOf(call *operation.Call) string {
	return call.Caller.Principal + " " + call.Caller.User.String()
}

// acting returns the establishment that the caller acts for, "" for any: that of a system,
// or of anybody where there is no access control.
// Errors: fhir.Forbidden for a person who acts for none.
func acting(call *operation.Call) (string, error) {
	c := &call.Caller
	if c.Org == "" && len(c.Roles) > 0 && !slices.Contains(c.Roles, "system") {
		return "", fhir.Errorf(fhir.Forbidden, "births are certified for an establishment, and your account acts for none")
	}
	return c.Org, nil
}

// certificate returns the one that the parameter folio names, as the caller may see it:
// that of their own establishment, or of whose document they may read.
// Errors: fhir.NotFound, also for one that they may not see.
func (s *service) certificate(ctx context.Context, call *operation.Call) (*Certificate, error) {
	folio, err := call.Needed("folio", "the number of the certificate")
	if err != nil {
		return nil, err
	}
	c, err := s.book.Certificate(ctx, folio)
	if err != nil {
		return nil, err
	}
	ok, err := s.visible(ctx, call, c)
	if err == nil && !ok {
		err = unknown()
	}
	return c, err
}

// visible reports whether the caller may see a certificate.
func (s *service) visible(ctx context.Context, call *operation.Call, c *Certificate) (bool, error) {
	if c.State == Draft {
		return c.Waiting != nil && c.Waiting.Caller == callerOf(call), nil
	}
	i := slices.IndexFunc(c.Held, func(r fhir.Ref) bool { return r.Type == "Composition" })
	if i < 0 {
		return false, nil
	}
	found, err := s.shown(ctx, call.Restriction, c.Held[i])
	return found != nil, err
}

// shown returns a resource as only shows it, nil when it does not.
func (s *service) shown(ctx context.Context, only *search.Restriction, ref fhir.Ref) (*fhir.Resource, error) {
	q := &search.Query{Where: []search.Expr{search.Types{Any: []string{ref.Type}}, search.IDs{Any: []string{ref.ID}}}, Count: 1, Restriction: only}
	found, err := s.Store.Search(ctx, q)
	if err != nil || len(found.Matches) == 0 {
		return nil, err
	}
	return &found.Matches[0], nil
}

// identified returns the resources of a type with an identifier, two at most.
func (s *service) identified(ctx context.Context, only *search.Restriction, typ, system, value string) ([]fhir.Resource, error) {
	q, err := search.Parse(typ, []search.Param{{Name: "identifier", Value: escape(system) + "|" + escape(value)}, {Name: "_count", Value: "2"}}, search.Options{})
	if err != nil {
		return nil, err
	}
	q.Restriction = only
	found, err := s.Store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	return found.Matches, nil
}
