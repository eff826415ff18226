package subscription

import (
	"context"
	"crypto/cipher"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/search"
)

// Store is where resources are, and what is kept of each Subscription.
type Store interface {
	Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error)
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
	Remove(ctx context.Context, kind, key string, version int64) error
}

// Changes is the change feed of a store.
type Changes interface {
	End(ctx context.Context) (fhir.Mark, error)
	Changes(ctx context.Context, after fhir.Mark, limit int) ([]fhir.Change, error)
	Wait(ctx context.Context, after fhir.Mark) error
}

// ErrRevoked says that whoever a Subscription is of may do nothing any more: the account
// or the app is gone, locked, or its token has ended for good.
var ErrRevoked = errors.New("the account or app of the subscription is not good any more")

// Access says who somebody is, and becomes them.
type Access interface {
	// Owner returns what As needs to become whoever ctx is of, and the stable key of that
	// principal; "" where nobody is told apart. Errors: those of a refusal.
	Owner(ctx context.Context) (owner []byte, principal string, err error)

	// As returns a context in which requests are those of an owner, with the rights that
	// they have now, and a text that is another one when these rights may be others.
	// Errors: ErrRevoked.
	As(ctx context.Context, owner []byte) (as context.Context, rights string, err error)

	// Bound returns the id of the patient beyond whose record an owner never sees anything
	// of anybody; "" where that is not known beforehand. It saves looking.
	Bound(owner []byte) string
}

// Config is what a Service needs.
type Config struct {
	Store   Store // what it finds is shown to nobody
	Changes Changes
	Other   error // what Changes answers for a mark of another history
	Access  Access

	// Shown is Search for what is shown to a caller.
	Shown func(ctx context.Context, q *search.Query) (*search.Result, error)

	// Apply writes a Subscription, and Index says what it is found by.
	Apply func(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	Index func(r *fhir.Resource) (search.Index, error)

	// Send performs a batch, a Bundle in JSON, as the one whom ctx is of: each of its
	// entries passes the guard and is recorded.
	Send func(ctx context.Context, bundle []byte) ([]byte, error)

	Base   string // the server's FHIR base URL, without a slash at the end
	Key    []byte // seals what only the server may read; the same on every server
	Topics []*Topic
	Reach  Reach

	Alone       bool          // no other process serves this database, so that what a killed one held is free at once
	GiveUpAfter time.Duration // of failures, until a Subscription is off; 0 is a week, and that is the most
	Workers     int           // notifications that are sent at a time; 0 is 64

	Observe func(Sent)                                    // what was sent; nil tells nobody
	Now     func() time.Time                              // nil is time.Now
	After   func(d time.Duration) <-chan time.Time        // nil is time.After
	Client  func(r *http.Request) (*http.Response, error) // nil is one that Reach bounds
	Log     *slog.Logger
}

// Sent is what became of a notification, for metrics.
type Sent struct {
	Channel string        // rest-hook or websocket
	Type    string        // handshake, heartbeat or event-notification
	Events  int           //
	Failed  bool          //
	Lag     time.Duration // since the change that the first event tells of
}

// Service sends notifications. It is safe for concurrent use.
type Service struct {
	Config
	name   string // of this process, among those of the database
	topics map[string]*Topic
	sealer cipher.AEAD
	turns  chan struct{} // one place for each notification on its way
	doubts chan struct{} // and for each to an endpoint that has failed before
	sees   seen

	life    context.Context // of websockets
	sockets atomic.Int64

	mu     sync.Mutex
	lines  map[string]*line // by the id of the Subscription: those that this process serves
	at     fhir.Mark        // up to which the feed was read for all of them
	shares map[int]bool     // which are this process's
	begun  bool             // at is set
	news   map[string]chan struct{}

	looks []string // ids of Subscriptions that were written, and are still to be looked at; the pump's alone
}

const (
	giveUpAfter = 7 * 24 * time.Hour
	workers     = 64
)

// New returns the Service that cfg describes, whose websockets end with ctx. It sends
// nothing until Run.
func New(ctx context.Context, cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.After == nil {
		cfg.After = time.After
	}
	if cfg.GiveUpAfter <= 0 || cfg.GiveUpAfter > giveUpAfter {
		cfg.GiveUpAfter = giveUpAfter
	}
	if cfg.Workers == 0 {
		cfg.Workers = workers
	}
	if cfg.Client == nil {
		cfg.Client = cfg.Reach.Client().Do
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Sent) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{
		Config: cfg, life: ctx, name: uuid.NewString(), topics: map[string]*Topic{}, sealer: newSealer(cfg.Key),
		turns: make(chan struct{}, cfg.Workers), doubts: make(chan struct{}, max(1, cfg.Workers/2)),
		lines: map[string]*line{}, shares: map[int]bool{}, news: map[string]chan struct{}{},
	}
	for _, t := range cfg.Topics {
		s.topics[t.URL] = t
	}
	return s
}

func (s *Service) topicURLs() []string { return slices.Sorted(maps.Keys(s.topics)) }

// Run sends notifications until ctx ends.
func (s *Service) Run(ctx context.Context) {
	if s.Alone {
		s.alone(ctx)
	}
	var all sync.WaitGroup
	all.Go(func() { s.again(ctx, "share the subscriptions out", s.share) })
	all.Go(func() {
		s.again(ctx, "follow the changes", func(ctx context.Context) error { return s.pump(ctx, &all) })
	})
	all.Wait()
	s.leave(context.WithoutCancel(ctx))
}

// again does f until ctx ends.
func (s *Service) again(ctx context.Context, what string, f func(context.Context) error) {
	for ctx.Err() == nil {
		err := f(ctx)
		if err == nil || ctx.Err() != nil {
			continue
		}
		s.Log.WarnContext(ctx, "subscriptions: it is tried again", "what", what, "error", err)
		s.sleep(ctx, time.Second)
	}
}

// sleep returns after d, or when ctx ends.
func (s *Service) sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-s.After(d):
	}
}

// Lag is how many Subscriptions of this process there are, and how many of them are behind
// the feed or have events that were not sent.
func (s *Service) Lag() (all, behind int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		if all++; l.lagging || len(l.queue) > 0 || l.unsent.Load() > 0 {
			behind++
		}
	}
	return all, behind
}

// noted wakes those who wait for events of a Subscription.
func (s *Service) noted(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.news[id]; c != nil {
		close(c)
		delete(s.news, id)
	}
}

// whenNoted returns what is closed when there are more events.
func (s *Service) whenNoted(id string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.news[id] == nil {
		s.news[id] = make(chan struct{})
	}
	return s.news[id]
}
