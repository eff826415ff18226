package monitor

import (
	"context"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Store is where records are, and what is remembered of patients who are watched.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
	Remove(ctx context.Context, kind, key string, version int64) error
}

// Config is what a Service works with. Store and Maker must be set.
type Config struct {
	Store Store
	Maker func(base string) bundle.Maker // makes changes for a FHIR base

	Skew   time.Duration // how far the clock of a device may be ahead; 0 for five minutes
	Oldest time.Duration // before which no reading is taken; 0 for a year
	Late   time.Duration // how long after its time a reading calls nobody any more; 0 for a day
	// Escalate is how long an alert waits for somebody before the next in line is called,
	// where its rule does not say; 0 for half an hour.
	Escalate time.Duration
	Zone     *time.Location // whose days trends have; nil is UTC
	Now      func() time.Time
}

// Service takes measurements in, and watches them.
type Service struct{ Config }

// New returns a Service.
func New(cfg Config) *Service {
	defaults := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	defaults(&cfg.Skew, 5*time.Minute)
	defaults(&cfg.Oldest, 366*24*time.Hour)
	defaults(&cfg.Late, 24*time.Hour)
	defaults(&cfg.Escalate, 30*time.Minute)
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{cfg}
}

// Operations returns the operations of measurements and of the alerts that come of them.
func (s *Service) Operations() []operation.Operation {
	define := canonical + "OperationDefinition/"
	return []operation.Operation{
		{Name: "measurements", URL: define + "observation-measurements", Scope: operation.OnType, Types: []string{"Observation"}, Changes: true, Run: s.receive},
		{Name: "measurements", URL: define + "patient-measurements", Scope: operation.OnInstance, Types: []string{"Patient"}, Quotes: true, Run: s.trend},
		{Name: "monitoring-templates", URL: define + "monitoring-templates", Scope: operation.OnType, Types: []string{"Goal"}, Run: s.templates},
		{Name: "acknowledge", URL: define + "acknowledge", Scope: operation.OnInstance, Types: []string{"Task"}, Changes: true, Run: s.acknowledge},
		{Name: "close-alert", URL: define + "close-alert", Scope: operation.OnInstance, Types: []string{"Task"}, Changes: true, Run: s.closeAlert},
	}
}

// one returns a resource that a caller may see, nil when there is none.
func (s *Service) one(ctx context.Context, only *search.Restriction, ref fhir.Ref) (*fhir.Resource, error) {
	q := &search.Query{Type: ref.Type, Where: []search.Expr{search.IDs{Any: []string{ref.ID}}}, Count: 1, Restriction: only}
	found, err := s.Store.Search(ctx, q)
	if err != nil || len(found.Matches) == 0 {
		return nil, err
	}
	return &found.Matches[0], nil
}

// find returns up to count resources that search parameters select.
func (s *Service) find(ctx context.Context, only *search.Restriction, typ, count string, params ...search.Param) ([]fhir.Resource, error) {
	q, err := search.Parse(typ, append(params, search.Param{Name: "_count", Value: count}), search.Options{MaxCount: mostFound})
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

// mostFound is how many resources are read at a time.
const mostFound = 1000
