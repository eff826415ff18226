package bulk

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
)

// Config is what a Service needs. Store, Jobs, Files, Access and Moment must be set.
type Config struct {
	Store  EntryStore
	Jobs   Jobs
	Files  Files
	Access Access

	// Moment returns a moment up to which nothing will be written any more: what is stored
	// as of it stays so. What was acknowledged before the call is not after it.
	Moment func(ctx context.Context) (time.Time, error)

	// Record tells the audit trail what came of an order; nil tells nobody.
	Record func(ctx context.Context, o *Order) error

	Plain bool // files are kept as they are, and not as zstd

	Keep time.Duration // how long what came of an order is kept; 0 is a day
	Most int           // orders of one principal at a time that are not done; 0 is 4
	Disk int64         // bytes that the files of all orders may take, which are never more than half of what is free; 0 is no less than that
	Now  func() time.Time
	Log  *slog.Logger
}

// EntryStore keeps orders.
type EntryStore interface {
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
}

// Service takes orders, does them, and hands out what came of them.
type Service struct {
	Config
	kinds map[string]*Kind
	disk  *disk
}

// New returns the service that cfg describes.
func New(cfg Config, kinds ...Kind) *Service {
	cfg.Keep, cfg.Most = cmp.Or(cfg.Keep, 24*time.Hour), cmp.Or(cfg.Most, 4)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{Config: cfg, kinds: map[string]*Kind{}, disk: &disk{files: cfg.Files, limit: cfg.Disk, now: cfg.Now}}
	for i := range kinds {
		s.Add(kinds[i])
	}
	return s
}

// Add has the service do a kind of work. It is called before anything is ordered.
func (s *Service) Add(k Kind) { s.kinds[k.Name] = &k }

// Kinds lists the names of the kinds.
func (s *Service) Kinds() []string { return slices.Sorted(maps.Keys(s.kinds)) }

// unbegun is how long an order is kept that never ends.
const unbegun = 30 * 24 * time.Hour

// Order returns the Run of the operation by which a kind of work is ordered.
func (s *Service) Order(kind string) func(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	return func(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
		return s.order(ctx, s.kinds[kind], call)
	}
}

func (s *Service) order(ctx context.Context, k *Kind, call *operation.Call) (*operation.Answer, error) {
	if !call.Async && !call.Lenient {
		return nil, fhir.Errorf(fhir.Invalid, "this takes longer than a request: it is ordered with the header Prefer: respond-async, and fetched later")
	}
	owner, secured, err := s.Access.Owner(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.space(ctx); err != nil {
		return nil, err
	}
	plan, err := k.Plan(ctx, call)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	now := s.Now().UTC()
	o := &Order{
		ID: strings.ToLower(rand.Text()), Kind: k.Name, URL: cmp.Or(call.URL, call.Base+"/$"+k.Name), Type: call.Type, Instance: call.ID,
		Secured: secured, Owner: owner, Plan: raw, Ordered: now, Place: s.Files.Name(), Part: call.Seen != nil, expires: now.Add(unbegun),
	}
	o.by(&call.Caller)
	if err := s.enter(ctx, o); err != nil {
		return nil, err
	}
	if err := s.Jobs.Add(ctx, o.ID); err != nil {
		return nil, err
	}
	issue := fhir.Issue{Severity: "information", Type: "informational", Details: "the order was taken; Content-Location says where to ask for what comes of it"}
	return &operation.Answer{
		Status: 202, Location: call.Base + "/$" + StatusName + "/" + o.ID, JSON: operation.AppendOutcome(nil, []fhir.Issue{issue}), Nothing: false,
	}, nil
}

// find returns the order of somebody. What is another's is not there.
// Errors: fhir.NotFound.
func (s *Service) find(ctx context.Context, call *operation.Call, id string) (*Order, error) {
	none := fhir.Errorf(fhir.NotFound, "there is no such order, or it has expired or was given up")
	if !fhir.ValidID(id) {
		return nil, none
	}
	e, err := s.Store.Entry(ctx, entryKind, id)
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil, none
	}
	if err != nil {
		return nil, err
	}
	o, err := readOrder(&e)
	if err != nil {
		return nil, err
	}
	if o.Principal != call.Caller.Principal || o.Client != call.Caller.Client || s.kinds[o.Kind] == nil {
		return nil, none
	}
	return o, nil
}
