package rest

import (
	"cmp"
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Config is what an API needs. Store, Guard, BaseURL and CursorKey must be set.
type Config struct {
	Store     Store
	Guard     Guard
	BaseURL   string // the public FHIR base, such as http://127.0.0.1:8080/fhir
	CursorKey []byte // seals the links to further pages; the same on every server, at least 32 bytes
	Limits    Limits
	Observer  Observer // nil observes nothing
	State     State    // remembers requests by their Idempotency-Key; nil remembers none
	Audit     Auditor  // nil keeps no audit trail; what Store returns must be told to Touched

	// Admit is asked before the body of a request is read, so that nobody can make the
	// server work who may do nothing. An error refuses the request; nil admits all.
	Admit func(ctx context.Context, req *Request) error

	// Extensions are what guides have servers say of a resource type in the
	// CapabilityStatement: a list of extensions in JSON, by type.
	Extensions map[string][]byte

	// Conformance says what guides and profiles are loaded; nil for none.
	Conformance func(ctx context.Context) (Conformance, error)

	// Documentation says in the CapabilityStatement what else there is to know of the server
	// that nothing else in it shows; in sentences. "" for nothing.
	Documentation string

	// Terminology returns the TerminologyCapabilities; nil when there are none.
	Terminology func(ctx context.Context) ([]byte, error)

	// Provide holds a transaction to the guide that it says it follows, and returns it
	// completed; nil when it follows none that is known. It may be nil.
	Provide func(d *element.Doc, root element.Node) ([]byte, error)

	Contents Contents // keeps what Binaries hold; nil leaves it within them, and takes and gives none by itself

	Rules bundle.Rules // what is held to before it is written; nil is the base rules of R4

	// FoundBy adds to what a stored version is found by what Store adds, so that conditions
	// that are tried on it by itself hold where a search would; nil for nothing.
	FoundBy func(r *fhir.Resource, ix search.Index) search.Index

	// Withhold leaves out of resources what names others whom a restriction hides, and
	// marks them as parts of themselves. Store does so with what it finds. Nil for nothing.
	Withhold func(ctx context.Context, only *search.Restriction, resources []fhir.Resource) error

	// Doubts returns warnings about a resource that was written, for a client that asks for
	// an OperationOutcome; nil for none.
	Doubts func(r *fhir.Resource) []fhir.Issue

	// Explain tells how a search is carried out, for those whom the Guard lets see it;
	// nil tells nobody.
	Explain func(ctx context.Context, q *search.Query) ([]search.Plan, error)

	// Search says by what resources are found, and what they are indexed by.
	Search Search

	Operations []operation.Operation // mounted as /$name, /Type/$name and /Type/id/$name

	// DeleteMany lets a conditional delete remove every match. Without it, more
	// than one match is refused.
	DeleteMany bool

	// Instantiates are canonical URLs of CapabilityStatements that the server fulfils.
	Instantiates []string

	Software string           // name and version for /metadata: "Amate 0.1.0"
	Now      func() time.Time // nil is time.Now
	NewID    func() string    // ids for created resources; nil makes UUIDs of version 7
}

// API is the FHIR RESTful API. It is safe for use by many goroutines.
type API struct {
	Config
	limits       Limits
	base         string // BaseURL without a slash at the end
	path         string // path of base, under which it is mounted
	router       *router
	sealer       cipher.AEAD   // of the links to further pages
	turns        chan struct{} // one place for each request at work
	bodies       room
	maker        bundle.Maker
	sends        func(ctx context.Context, bundle []byte) ([]byte, error) // is send; a field, since operations are among what it performs
	describe     sync.Mutex                                               // over what follows
	capabilities []byte                                                   // the CapabilityStatement, once it has been asked for
	described    string                                                   // Conformance.Stamp at that time
	catalogued   *search.Catalogue
}

// New returns the API that cfg describes.
func New(cfg Config) (*API, error) {
	base := strings.TrimRight(cfg.BaseURL, "/")
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("base URL %q: want http(s)://host/path", cfg.BaseURL)
	}
	if cfg.Store == nil || cfg.Guard == nil {
		return nil, errors.New("rest: Store and Guard must be set")
	}
	if len(cfg.CursorKey) < 32 {
		return nil, errors.New("rest: CursorKey must have at least 32 bytes")
	}
	if err := checkOperations(cfg.Operations); err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = newID
	}
	a := &API{
		Config: cfg,
		limits: cfg.Limits,
		base:   base,
		path:   u.EscapedPath(),
		router: newRouter(cfg.Operations),
		sealer: newSealer(cfg.CursorKey),
		maker: bundle.Maker{
			Base: base, Rules: cfg.Rules, Catalogue: cfg.Search.Catalogue,
			FullText: cfg.Search.FullText, Person: cfg.Search.Person, Terminology: cfg.Search.Terminology,
		},
	}
	a.limits.fill()
	a.sends = a.send
	a.turns = make(chan struct{}, a.limits.Concurrent)
	a.bodies.limit = a.limits.Bodies
	return a, nil
}

// newID returns a UUID of version 7, so that ids made one after another sort so.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// interact performs the interactions. Each is in a file of its own.
var interact = map[Interaction]func(*API, context.Context, *Request, Decision) (*Response, error){
	Read:            (*API).read,
	VRead:           (*API).vread,
	Create:          (*API).create,
	Update:          (*API).update,
	Patch:           (*API).patch,
	Delete:          (*API).delete,
	HistoryInstance: (*API).history,
	HistoryType:     (*API).history,
	HistorySystem:   (*API).history,
	SearchType:      (*API).search,
	SearchSystem:    (*API).search,
	Versions:        (*API).versions,
	Operation:       (*API).operate,
	Capabilities:    (*API).metadata,
}

// Do performs one interaction. It asks the Guard once, and once more for each
// entry of a batch or transaction.
func (a *API) Do(ctx context.Context, req *Request) (*Response, error) {
	if req.Interaction == Batch || req.Interaction == Transaction {
		return a.bundle(ctx, req)
	}
	bad := a.resume(req)
	return a.audited(ctx, req, func(ctx context.Context) (*Response, error) {
		d, err := a.check(ctx, req)
		if err = cmp.Or(err, bad); err != nil {
			return nil, err
		}
		return interact[req.Interaction](a, ctx, req, d)
	})
}

// check asks the Guard. A Decision without a restriction is refused: nothing may
// be read by forgetting to say what may be read.
func (a *API) check(ctx context.Context, req *Request) (Decision, error) {
	d, err := a.Guard.Check(ctx, req)
	if err != nil {
		return Decision{}, err
	}
	if d.Restriction == nil {
		return Decision{}, errors.New("the guard allowed a request without saying what it may see")
	}
	if acc := accessOf(ctx); acc != nil {
		acc.seen = true
	}
	if x := exchangeOf(ctx); x != nil && d.Principal != "" {
		x.askedBy(d.Principal)
	}
	req.Form.mask, req.principal = d.Mask, d.Principal
	return d, req.checkTurn()
}

// url returns the absolute URL of a resource or a version of it.
func (a *API) url(ref fhir.Ref) string { return a.base + "/" + ref.String() }
