package message

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/message/hl7"
	"github.com/amate-health/amate/fhir/rest"
)

// API performs interactions as whom ctx says; *rest.API does.
type API interface {
	Do(ctx context.Context, req *rest.Request) (*rest.Response, error)
}

// Receipts keeps what was answered. The engines of store have it.
type Receipts interface {
	Receipts(ctx context.Context, asked []fhir.Receipt) ([]fhir.Receipt, error)
	KeepReceipts(ctx context.Context, receipts []fhir.Receipt) error
	ForgetReceipts(ctx context.Context, before time.Time) error
}

// Config is what a Processor needs. All but Keep, Remember, Limits, Log and Now must be set.
type Config struct {
	API      API
	State    State
	Receipts Receipts
	Senders  *Directory

	// As returns a context in which the API acts as a registered app.
	As func(ctx context.Context, client string) (context.Context, error)

	// Merged is told of a patient who was merged into another, both as references, after
	// the links are written; nil tells nobody.
	Merged func(ctx context.Context, prior, survivor string)

	// Blocked returns the Patients whose record is blocked, and who have one of some
	// identifiers, a value of the search parameter identifier. No sender is shown them;
	// what is sent of them goes to their record all the same, instead of to a second one
	// that everybody sees. nil is for none.
	Blocked func(ctx context.Context, identifiers string) ([]fhir.Resource, error)

	Kinds []Kind // of messages that are understood besides those of this package

	Keep     time.Duration // how long dead letters are kept; 0 is 90 days
	Remember time.Duration // how long the same message gets the same answer; 0 is 30 days
	Limits   hl7.Limits
	Log      *slog.Logger // nil is slog.Default
	Now      func() time.Time
}

// Processor writes messages. Close ends it.
type Processor struct {
	Config
	shards []chan *unit
	ended  sync.WaitGroup
	stop   context.CancelFunc

	mu     sync.RWMutex // held for reading while a unit is handed in
	closed bool

	cache directoryCache
	count counters
}

// workers is how many transactions are made side by side; messages about one patient of
// one sender always go to the same worker, in their order. most is how many messages
// share a transaction, unless they are mostResources or more before.
const (
	workers       = 4
	most          = 128
	mostResources = 1000
)

// New starts a Processor.
func New(cfg Config) *Processor {
	if cfg.Keep == 0 {
		cfg.Keep = 90 * 24 * time.Hour
	}
	if cfg.Remember == 0 {
		cfg.Remember = 30 * 24 * time.Hour
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &Processor{Config: cfg, shards: make([]chan *unit, workers)}
	for i := range p.shards {
		p.shards[i] = make(chan *unit, 2*most)
		p.ended.Go(func() { p.work(p.shards[i]) })
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.ended.Go(func() { p.forget(ctx) })
	p.ended.Go(func() { p.watch(ctx) })
	return p
}

// Close waits until everything that was handed in is answered.
func (p *Processor) Close() {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		p.stop()
		for _, s := range p.shards {
			close(s)
		}
	}
	p.mu.Unlock()
	p.ended.Wait()
}

// forget removes old receipts, now and then.
func (p *Processor) forget(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if err := p.Receipts.ForgetReceipts(ctx, p.Now().Add(-p.Remember)); err != nil && ctx.Err() == nil {
			p.Log.Error("forget old receipts of messages", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// watch does what commands ask for, until ctx ends.
func (p *Processor) watch(ctx context.Context) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := p.requested(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error("try dead letters again", "error", err)
		}
	}
}

// Incoming is a message as it came.
type Incoming struct {
	Raw     []byte
	Charset string // of the transport, in place of one that the message does not name; "" for none

	// Sender says who sent it, by MSH-3 and MSH-4. Errors: *fhir.Error.
	Sender func(application, facility string) (*Sender, error)

	// Act returns the context in which the API acts as the sender; nil leaves it to that
	// of Submit. Group is the same for messages that may share a transaction: those with
	// the same rights. Where there is Act, the app as which a sender writes counts as well.
	Act   func(s *Sender) (context.Context, error)
	Group string
}

// unit is a message on its way.
type unit struct {
	Incoming
	ctx      context.Context // acts as the sender
	msg      *hl7.Message    // nil when it could not be read
	sender   *Sender         // nil when it is not known
	control  string
	digest   []byte
	received time.Time
	kind     Kind
	mapped   *Mapper // nil when it was not mapped
	drafts   []Draft
	faults   []*hl7.Error
	release  func() // lets go of what its Later holds; nil for nothing
	verdict  Verdict
	passing  bool            // the fault may pass: the sender is to try again, and nothing is kept
	replay   *Letter         // nil unless it is tried again
	wrote    map[string]bool // references; of one that is tried again
	patient  string          // names the patient for the order of messages
	answer   Answer
	done     chan struct{}
}

func (u *unit) fail(v Verdict, faults ...*hl7.Error) {
	u.verdict, u.faults = v, faults
}

// why tells the first fault, without anything of the message.
func (u *unit) why() string {
	if len(u.faults) == 0 {
		return ""
	}
	return u.faults[0].Error()
}

// Pending is a message that was handed in.
type Pending struct{ u *unit }

// Wait returns the answer, once it is durable what it says.
func (d *Pending) Wait(ctx context.Context) (Answer, error) {
	select {
	case <-d.u.done:
		return d.u.answer, nil
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
}

// Submit hands a message in. Messages of one sender about one patient are written in
// the order in which they are handed in. ctx holds until the answer is there, and its
// end does not end the work.
func (p *Processor) Submit(ctx context.Context, in Incoming) *Pending {
	return p.submit(ctx, p.open(ctx, in))
}

func (p *Processor) submit(ctx context.Context, u *unit) *Pending {
	p.mu.RLock()
	defer p.mu.RUnlock()
	d := &Pending{u}
	if p.closed {
		p.finish(u, false)
		return d
	}
	h := fnv.New32a()
	h.Write([]byte(u.patient))
	select {
	case p.shards[h.Sum32()%workers] <- u:
	case <-ctx.Done():
		u.passing = true
		u.fail(Fail, &hl7.Error{Code: hl7.Internal, Text: "the server is too busy; try again"})
		p.finish(u, false)
	}
	return d
}

// open reads a message and maps it: all that needs no database.
func (p *Processor) open(ctx context.Context, in Incoming) *unit {
	u := &unit{Incoming: in, received: p.Now(), done: make(chan struct{})}
	u.ctx = context.WithoutCancel(ctx)
	sum := sha256.Sum256(in.Raw)
	u.digest = sum[:16]
	faulted := func(v Verdict, err error) *unit {
		var bad *hl7.Error
		var known *fhir.Error
		switch {
		case errors.As(err, &bad):
		case errors.As(err, &known):
			bad = &hl7.Error{Code: hl7.Internal, Text: known.Error()}
		default:
			p.Log.Error("take a message in", "error", err)
			u.passing, v = true, Fail
			bad = &hl7.Error{Code: hl7.Internal, Text: "the server cannot take messages now; try again"}
		}
		u.fail(v, bad)
		return u
	}
	text, err := hl7.Decode(in.Raw, in.Charset)
	if err != nil {
		return faulted(Reject, err)
	}
	if u.msg, err = hl7.Parse(text, p.Limits); err != nil {
		return faulted(Reject, err)
	}
	msh := u.msg.First("MSH")
	u.control = msh.Field(10).Raw
	if u.sender, err = in.Sender(msh.Field(3).Text(1), msh.Field(4).Text(1)); err != nil {
		return faulted(Reject, err)
	}
	if in.Charset == "" && u.sender.Charset != "" && msh.Field(18).Empty() {
		if text, err = hl7.Decode(in.Raw, u.sender.Charset); err == nil {
			u.msg, err = hl7.Parse(text, p.Limits)
		}
		if err != nil {
			return faulted(Reject, err)
		}
	}
	if pid := u.msg.First("PID"); pid != nil {
		u.patient = patientOf(u.sender.Name, pid.Field(3).Repetition(1).Component(1).Raw)
	}
	if in.Act != nil {
		if u.ctx, err = in.Act(u.sender); err != nil {
			return faulted(Reject, err)
		}
		u.ctx = context.WithoutCancel(u.ctx)
		u.Group += " " + u.sender.Client // several senders may share an address
	}
	u.mapped, u.kind = mapped(u.msg, u.sender, p.Now(), p.Kinds)
	if u.drafts, u.faults = u.mapped.drafts, u.mapped.faults; len(u.faults) > 0 {
		u.verdict = Fail
		for _, f := range u.faults {
			if f.Code.Reject() {
				u.verdict = Reject
			}
		}
	}
	return u
}

// work takes what waits together, until the shard is closed.
func (p *Processor) work(shard chan *unit) {
	for first := range shard {
		units, resources := []*unit{first}, len(first.drafts)
	gather:
		for len(units) < most && resources < mostResources {
			select {
			case u, ok := <-shard:
				if !ok {
					break gather
				}
				units, resources = append(units, u), resources+len(u.drafts)
			default:
				break gather
			}
		}
		for len(units) > 0 {
			n := together(units)
			p.process(units[:n])
			units = units[n:]
		}
	}
}

// together returns how many of the first units may share a transaction: those of one
// group, each message once.
func together(units []*unit) int {
	type id struct{ sender, control string }
	seen := map[id]bool{}
	for i, u := range units {
		if i > 0 && (u.Group != units[0].Group || u.alone() || units[0].alone()) {
			return i
		}
		if u.sender == nil {
			continue
		}
		at := id{u.sender.Name, u.control}
		if seen[at] {
			return i
		}
		seen[at] = true
	}
	return len(units)
}

// alone reports whether u shares a transaction with no other message.
func (u *unit) alone() bool {
	return u.replay != nil || u.kind.Answer != nil || u.mapped != nil && u.mapped.later != nil
}

// processFor is how long writing a few messages may take.
const processFor = time.Minute

// process writes units, keeps what became of them, and answers.
func (p *Processor) process(units []*unit) {
	ctx, cancel := context.WithTimeout(units[0].ctx, processFor)
	defer cancel()
	kept := false
	defer func() {
		if v := recover(); v != nil {
			p.Log.Error("process a message", "panic", v)
			for _, u := range units {
				u.passing = true
				u.fail(Fail, &hl7.Error{Code: hl7.Internal, Text: "the server could not deal with this message"})
			}
		}
		for _, u := range units {
			p.finish(u, kept)
		}
	}()
	if units[0].kind.Answer != nil {
		p.reply(ctx, units[0])
		kept = true // there is nothing to keep
		return
	}
	open, err := p.unanswered(ctx, units)
	if err == nil {
		p.write(ctx, open)
		err = p.settle(ctx, open)
	}
	if kept = err == nil; !kept {
		p.Log.Error("keep what became of messages", "error", err)
		for _, u := range units {
			if !u.answer.Again {
				u.passing = true
				u.fail(Fail, &hl7.Error{Code: hl7.Internal, Text: "the server cannot write now; try again"})
			}
		}
	}
}

// unanswered gives those their answer that had one, and returns the others.
func (p *Processor) unanswered(ctx context.Context, units []*unit) ([]*unit, error) {
	var asked []fhir.Receipt
	for _, u := range units {
		if u.sender != nil && u.control != "" {
			asked = append(asked, fhir.Receipt{Sender: u.sender.Name, Control: u.control})
		}
	}
	if len(asked) == 0 {
		return units, nil
	}
	found, err := p.Receipts.Receipts(ctx, asked)
	if err != nil || len(found) == 0 {
		return units, err
	}
	type id struct{ sender, control string }
	known := map[id]*fhir.Receipt{}
	for i := range found {
		known[id{found[i].Sender, found[i].Control}] = &found[i]
	}
	var open []*unit
	for _, u := range units {
		if u.sender != nil {
			if r := known[id{u.sender.Name, u.control}]; r != nil && p.repeated(u, r) {
				continue
			}
		}
		open = append(open, u)
	}
	return open, nil
}

// repeated deals with a message under an id that was answered before, and reports
// whether it is answered by that.
func (p *Processor) repeated(u *unit, r *fhir.Receipt) bool {
	if bytes.Equal(r.Digest, u.digest) {
		u.answer = storedAnswer(r.Answer)
		u.verdict, u.faults = Accept, nil
		return true
	}
	if u.sender.Again != "process" && u.verdict == Accept {
		u.drafts = nil
		u.fail(Reject, u.msg.First("MSH").At(hl7.DuplicateKey, 10, "another message was received under this control id"))
	}
	return false
}

// settle keeps dead letters and receipts of units.
func (p *Processor) settle(ctx context.Context, units []*unit) error {
	var receipts []fhir.Receipt
	for _, u := range units {
		if u.verdict == Accept {
			u.answer = u.acknowledge(true, p.Now())
			receipts = append(receipts, fhir.Receipt{
				Sender: u.sender.Name, Control: u.control, Digest: u.digest, Answer: u.answer.stored(), Received: u.received,
			})
			continue
		}
		if u.passing || u.sender == nil || isQuery(u.msg) { // of strangers nothing is kept
			continue
		}
		if err := p.keep(ctx, u.letter()); err != nil {
			return err
		}
	}
	if len(receipts) == 0 {
		return nil
	}
	return p.Receipts.KeepReceipts(ctx, receipts)
}

// letter makes the dead letter of a message.
func (u *unit) letter() *Letter {
	l := &Letter{
		ID: letterID(u.sender.Name, u.control, u.digest), Sender: u.sender.Name, Client: u.sender.Client, Control: u.control,
		Received: u.received.UTC(), Tried: 1, Rejected: u.verdict == Reject, Patient: u.patient, Content: u.Raw, Why: u.why(),
	}
	if len(u.faults) > 0 {
		l.Code, l.Place = u.faults[0].Code, u.faults[0].Path()
	}
	if u.msg != nil {
		f := u.msg.First("MSH").Field(9)
		l.Kind = f.Text(1) + "^" + f.Text(2)
	}
	return l
}

// finish answers a unit.
func (p *Processor) finish(u *unit, kept bool) {
	if !kept && u.verdict == Accept && !u.answer.Again {
		u.fail(Fail, &hl7.Error{Code: hl7.Internal, Text: "the server is stopping; try again"})
	}
	if u.verdict != Accept {
		u.answer = u.acknowledge(kept && !u.passing && u.sender != nil, p.Now())
	}
	u.answer.Verdict = u.verdict
	p.count.add(u)
	close(u.done)
}

// TooLarge answers a message of which only the beginning was read.
func (p *Processor) TooLarge(head []byte) Answer {
	if end := bytes.IndexAny(head, "\r\n"); end >= 0 {
		head = head[:end]
	}
	bad := &hl7.Error{Code: hl7.Internal, Text: "the message is larger than what is taken"}
	text, err := hl7.Decode(head, "")
	if err != nil {
		text = ""
	}
	msg, _ := hl7.Parse(text, p.Limits) // nil is answered as well
	return acknowledge(msg, &said{verdict: Reject, faults: []*hl7.Error{bad}}, p.Now())
}
