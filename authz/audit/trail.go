package audit

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

// Chains is where the trail is kept. The engines of store have it.
type Chains interface {
	// LinkEvents takes up to inbox events out of the inbox and adds them and fresh to
	// their chains, all or none, alone with all chains. With again, those of fresh
	// that are there already are passed over. It returns how many came out of the inbox.
	LinkEvents(ctx context.Context, fresh []fhir.Event, again bool, inbox int, link func(last fhir.Event, events []fhir.Event) error) (taken int, err error)

	// PrepareEvents readies the chain of a month ahead of time.
	PrepareEvents(ctx context.Context, month int) error

	// Event returns an event, without its Keys. One that is not linked yet has Seq 0.
	// Errors: fhir.NotFound.
	Event(ctx context.Context, id [16]byte) (fhir.Event, error)

	// Events returns linked events, without their Keys.
	Events(ctx context.Context, q *fhir.EventQuery) ([]fhir.Event, error)

	// Chain returns up to limit events of a month, in order, from after seq on.
	Chain(ctx context.Context, month int, after int64, limit int) ([]fhir.Event, error)

	// EventMonths returns the months that have events, in order.
	EventMonths(ctx context.Context) ([]int, error)

	// Checkpoints returns up to limit checkpoints, in order, from after number on.
	Checkpoints(ctx context.Context, after int64, limit int) ([]fhir.Checkpoint, error)

	// PutCheckpoints adds checkpoints, which sign makes from the last one there is and
	// the newest event of each of months that has any.
	PutCheckpoints(ctx context.Context, months []int, sign func(last fhir.Checkpoint, heads []fhir.Event) ([]fhir.Checkpoint, error)) error

	// DropEvents removes a month whose final checkpoint is there.
	DropEvents(ctx context.Context, month int) error
}

// Recorder is told of what happens beside the API: sign-ins, tokens, accounts.
type Recorder interface {
	// Record returns once r is safe from the death of the process.
	// Errors: fhir.Unavailable; what r tells of must then not be done.
	Record(ctx context.Context, r Record) error
}

// Config is what a Trail needs. Chains and Dir must be set.
type Config struct {
	Chains Chains
	Dir    string  // of the journal
	Signer *Signer // nil makes no checkpoints
	Log    *slog.Logger

	// GoOn answers requests although the trail cannot be written. Without it, nobody
	// reads or writes what would not be recorded.
	GoOn bool

	// Watch is told of every access, before it is recorded; nil for nobody.
	Watch func(ctx context.Context, a *rest.Access)

	// Pseudonyms is the key of what stands for identifiers, names and words in the queries that are kept.
	Pseudonyms []byte

	CheckpointEvery time.Duration    // 0 is a minute
	Now             func() time.Time // nil is time.Now
}

// How the shipper works.
const (
	shipEvery  = 2 * time.Second  // how long an event waits for others, to be linked with them
	inboxEvery = 5 * time.Second  // how often the inbox is looked at although nothing was put there here
	syncEvery  = time.Second      // how often the journal is brought onto the disk
	shipBytes  = 1 << 20          // of the journal, in one transaction, about
	shipInbox  = 500              // events of the inbox in one transaction
	patience   = 10 * time.Second // between tries while the database is away, at most
)

// Trail records, links and signs. It is a rest.Auditor and a Recorder.
type Trail struct {
	Config
	journal *journal

	inbox   atomic.Bool // this process put something there
	wake    chan chan error
	ended   chan struct{} // closed when nothing is shipped any more but by Close
	stop    context.CancelFunc
	stopped sync.WaitGroup

	// Of the shipper alone.
	left    []*source    // journals of processes that have ended
	own     source       // where it stands in the own journal
	again   bool         // the last transaction may have been committed all the same
	months  map[int]bool // with events since the last checkpoint
	signed  time.Time    // when the last checkpoint was made
	looked  time.Time    // when the inbox was looked at
	synced  time.Time
	failing bool
	behind  atomic.Int64 // unix milliseconds since when shipping fails; 0 when it does not
}

// Open opens the journal, takes over what others left there, and begins to ship.
func Open(cfg Config) (*Trail, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.CheckpointEvery == 0 {
		cfg.CheckpointEvery = time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	j, left, err := openJournal(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("audit journal: %w", err)
	}
	t := &Trail{Config: cfg, journal: j, wake: make(chan chan error), ended: make(chan struct{}), months: map[int]bool{}, signed: cfg.Now()}
	for _, f := range left {
		t.left = append(t.left, &source{file: f})
	}
	if len(left) > 0 {
		cfg.Log.Info("audit: taking over journals of processes that ended", "files", len(left))
	}
	ctx, stop := context.WithCancel(context.Background())
	t.stop = stop
	t.stopped.Go(func() { t.run(ctx) })
	return t, nil
}

// Close ships what is there, signs it, and ends. What cannot be shipped stays in the
// journal for the next start.
func (t *Trail) Close() error {
	t.stop()
	t.stopped.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := t.ship(ctx); err == nil {
		_ = t.checkpoint(ctx) // the next start makes one
	}
	for _, s := range t.left {
		s.file.Close()
	}
	at := int64(-1)
	if t.own.file == t.journal.file || t.own.file == nil && t.journal.size == int64(len(journalMagic)) {
		at = max(t.own.at, int64(len(journalMagic)))
	}
	return t.journal.close(at)
}

// Behind returns since when what is recorded cannot be brought into the database;
// zero when it can.
func (t *Trail) Behind() time.Time {
	if ms := t.behind.Load(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

// Event makes the record of an access.
func (t *Trail) Event(ctx context.Context, a *rest.Access) fhir.Event {
	if t.Watch != nil {
		t.Watch(ctx, a)
	}
	r := Record{
		Kind: Access, Action: string(rune(a.Action)), Interaction: string(a.Interaction), Type: a.Type, Status: a.Status,
		Request: a.Request, From: host(a.From), Agent: agent(ctx), Patients: a.Patients, Query: t.query(a), Outcome: outcome(a.Status),
	}
	if a.Interaction == rest.Operation {
		r.Interaction = "$" + a.Operation
	}
	r.Entities = make([]string, 0, len(a.Refs)+1)
	for _, ref := range a.Refs {
		r.Entities = append(r.Entities, ref.String())
	}
	if len(a.Listed) > 0 {
		r.Listed = make([]string, 0, len(a.Listed))
		for _, ref := range a.Listed {
			r.Listed = append(r.Listed, ref.String())
		}
	}
	if len(a.Refs)+len(a.Listed) == 0 && a.ID != "" {
		r.Entities = append(r.Entities, fhir.Ref{Type: a.Type, ID: a.ID, Version: a.Version}.String())
	}
	return r.event()
}

// agent returns who acts in ctx.
func agent(ctx context.Context) Agent {
	p := authz.From(ctx)
	if p == nil {
		return Agent{}
	}
	a := Agent{Account: p.ID, Client: p.Client, Roles: p.Roles, Org: p.Org, Purpose: p.Purpose, Reason: p.Reason, Token: p.Token}
	if p.User.ID != "" {
		a.User = p.User.Current().String()
	}
	return a
}

// outcome returns the AuditEvent.outcome of an HTTP status.
func outcome(status int) int {
	switch {
	case status >= 500:
		return SeriousFailure
	case status >= 400:
		return MinorFailure
	}
	return Success
}

// host takes the port off an address.
func host(address string) string {
	if at := strings.LastIndexByte(address, ':'); at > 0 && !strings.HasSuffix(address, "]") {
		address = address[:at]
	}
	return strings.Trim(address, "[]")
}

// query returns what was asked for, as a URL below the base without its escapes.
func (t *Trail) query(a *rest.Access) string {
	if len(a.Params) == 0 && a.Criterion == "" && a.Within.ID == "" {
		return ""
	}
	var b strings.Builder
	if a.Within.ID != "" {
		b.WriteString(a.Within.String() + "/")
	}
	b.WriteString(a.Type)
	if a.Operation != "" {
		b.WriteString("/$" + a.Operation)
	}
	sep := byte('?')
	for _, p := range a.Params {
		b.WriteByte(sep)
		b.WriteString(p.Name)
		b.WriteByte('=')
		b.WriteString(t.pseudonyms(a.Type, p.Name, p.Value))
		sep = '&'
	}
	if a.Criterion != "" {
		b.WriteByte(sep)
		b.WriteString(t.criterion(a.Type, a.Criterion))
	}
	return b.String()
}

// Keep appends events to the journal.
func (t *Trail) Keep(ctx context.Context, events []fhir.Event) error {
	err := t.journal.append(events)
	if err == nil {
		return nil
	}
	t.Log.ErrorContext(ctx, "audit: the journal cannot be written", "error", err, "events", len(events), "answered", t.GoOn)
	if t.GoOn {
		return nil
	}
	return fhir.Errorf(fhir.Unavailable, "the audit trail cannot be written, and nothing is answered that is not recorded")
}

// Record keeps a record. Who acts, unless r says so, is who ctx says.
func (t *Trail) Record(ctx context.Context, r Record) error {
	if r.Agent.Account == "" && r.Agent.Client == "" {
		r.Agent = agent(ctx)
	}
	if r.Action == "" {
		r.Action = "E"
	}
	r.From = host(r.From)
	return t.Keep(ctx, []fhir.Event{r.event()})
}
