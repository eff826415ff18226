// Package feed answers $changes: it keeps a copy that a client has of what it may see
// the same as what the server has.
//
// A client asks without since, gets everything in pages, and then asks again with the
// cursor of the last answer, from time to time or waiting. What it gets are the entries
// of a history: a resource to put in its place, or a DELETE of one to drop, because it
// was deleted or because the client may not see it any more, which is not told apart.
//
// What is promised: a client that applies answers in their order has, once it has caught
// up, exactly the resources that a search of its scope under its rights finds, each in its
// current version. Answers come at least once: every cursor that was ever given out can be
// used again, and the same holds. Only what nobody has asked for since [KeepCopies] is not
// kept: its client is told to restart, as after rights that changed. Of a resource that the client was never shown, no answer
// tells anything.
//
// How: for each copy the server keeps a set of hashes, of what that copy may hold. The
// change feed of the store says what changed; from the conditions of the client's rights
// follows what else that may show or hide: a Consent, whatever is in the record of its
// patient. Each candidate is looked up among what the client may see now, and what
// differs from the set goes into it, and into a log of what came into view and left it.
// So the cursor is only a place in the feed and in that log.
package feed

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
)

// Store is where resources are, and what is kept of each copy.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
}

// Changes is the change feed of a store.
type Changes interface {
	End(ctx context.Context) (fhir.Mark, error)
	Changes(ctx context.Context, after fhir.Mark, limit int) ([]fhir.Change, error)
	Check(ctx context.Context, at fhir.Mark) error
	Touched(since fhir.Mark, hashes []uint64) bool
	Wait(ctx context.Context, after fhir.Mark) error

	// Settled returns when all is there that was committed before, also what is held back
	// by what others have not yet finished to write.
	Settled(ctx context.Context) error

	// Reach is End, once it is not before a mark that another server may have given out; of
	// a mark that is none of this database, it is End.
	Reach(ctx context.Context, at fhir.Mark) (fhir.Mark, error)
}

// Config is what a Feed needs. Inside is what a search in the server's own interest
// reads with; what it finds is never shown to anybody, so that it need not be recorded.
type Config struct {
	Store   Store
	Inside  Store
	Changes Changes
	Key     []byte // seals cursors; the same on every server

	// Shown makes what Inside has found under a restriction what Store would have: it is
	// about to be shown. nil lets Store find it once more.
	Shown func(ctx context.Context, only *search.Restriction, resources []fhir.Resource) error

	// Hidden reports whether a patient is hidden under a restriction from what is about others
	// as well, and whether from Groups, so that neither is found by them. nil is for a Store
	// that leaves nothing out.
	Hidden func(ctx context.Context, only *search.Restriction, patient string) (hidden, inGroups bool, err error)

	// Several reports whether a resource is about several patients, so that it may be shown
	// without some of them. nil is for a Store that leaves nothing out.
	Several func(r *fhir.Resource) bool

	Now func() time.Time // nil is time.Now
}

// Feed answers $changes. It is safe for concurrent use.
type Feed struct {
	Config
	sealer cipher.AEAD
	recent recent
	rights rights
	places places
	turns  turns
	shapes shapes
	none   none
}

// New returns the Feed that cfg describes.
func New(cfg Config) *Feed {
	mac := hmac.New(sha256.New, cfg.Key)
	mac.Write([]byte("cursors of changes"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		panic(err) // the key has the right size
	}
	f := &Feed{Config: cfg}
	if f.Now == nil {
		f.Now = time.Now
	}
	if f.sealer, err = cipher.NewGCM(block); err != nil {
		panic(err) // AES has the right block
	}
	return f
}

// Definition is the canonical URL of $changes.
const Definition = "https://github.com/amate-health/amate/fhir/OperationDefinition/changes"

// Operations returns $changes.
func (f *Feed) Operations() []operation.Operation {
	return []operation.Operation{{Name: "changes", URL: Definition, Scope: operation.OnSystem, Run: f.run}}
}

// maxWait is how long an answer may wait for a change.
const maxWait = 60 * time.Second

// run answers one call.
func (f *Feed) run(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
	a, err := parse(call)
	if err != nil {
		return nil, err
	}
	request := ctx
	ctx = fhir.AskedAt(request, time.Now())
	at := &cursor{}
	if a.since != "" {
		if at, err = f.open(a.since); err != nil {
			return nil, err
		}
		if err := f.catchUp(ctx, call, at); err != nil {
			return nil, err
		}
		if answer, err := f.unchanged(ctx, call, a, at); answer != nil || err != nil {
			return answer, err
		}
	}
	deadline := time.Now().Add(a.wait)
	for {
		v, page, err := f.ask(ctx, call, a, at)
		if err != nil {
			return nil, err
		}
		if len(page.items) > 0 || page.restart || !page.next.Done || time.Until(deadline) <= 0 {
			return page.answer(f, v)
		}
		over := false
		if page.next, over, err = f.wait(ctx, call, page.next, deadline); err != nil {
			return nil, err
		}
		if over {
			return page.answer(f, v) // the client asks again
		}
		at, ctx = &page.next, fhir.AskedAt(request, time.Now())
	}
}

// ask works out what the caller may see, and returns what comes after a cursor.
func (f *Feed) ask(ctx context.Context, call *operation.Call, a *asked, at *cursor) (v *view, p *page, err error) {
	least := at.Mark
	for try := 1; ; try++ {
		var ahead *aheadError
		if v, p, err = f.askOnce(ctx, call, a, at, least); !errors.As(err, &ahead) {
			return v, p, err
		}
		if try == tries {
			return nil, nil, fhir.Errorf(fhir.Conflict, "other requests for this copy are faster: ask one at a time")
		}
		least = ahead.mark
	}
}

// askOnce is ask with rights, and members of the scope, as they were when all changes up to
// a mark were known, or later: no change that they follow from is taken for looked at that
// they do not follow from yet.
func (f *Feed) askOnce(ctx context.Context, call *operation.Call, a *asked, at *cursor, least fhir.Mark) (*view, *page, error) {
	end, err := f.Changes.Reach(ctx, least)
	if err != nil {
		return nil, nil, err
	}
	if err := call.Renew(ctx); err != nil {
		return nil, nil, err
	}
	v, err := f.view(ctx, call, a)
	if err != nil {
		return nil, nil, err
	}
	v.end = end
	from, restart, err := f.goOn(ctx, v, at)
	if err != nil {
		return nil, nil, err
	}
	p, err := f.page(ctx, v, from)
	if err == nil {
		p.restart = restart
	}
	return v, p, err
}

// aheadError says that another request for a copy has looked further than this one.
type aheadError struct{ mark fhir.Mark }

func (e *aheadError) Error() string { return "another request for the copy has looked further" }

// wait waits until something may have changed that matters to a copy that has caught up,
// and returns how far it has come. over says that the time is over.
func (f *Feed) wait(ctx context.Context, call *operation.Call, at cursor, deadline time.Time) (_ cursor, over bool, err error) {
	for {
		err = call.Idle(ctx, func(ctx context.Context) error {
			ctx, cancel := context.WithDeadline(ctx, deadline)
			defer cancel()
			return f.Changes.Wait(ctx, at.Mark)
		})
		if err != nil || ctx.Err() != nil || time.Until(deadline) <= 0 {
			return at, true, nil // a failed wait is one that found nothing
		}
		p, err := f.quick(fhir.AskedAt(ctx, time.Now()), &at)
		if p == nil || err != nil {
			return at, false, err
		}
		at = p.next
	}
}

// heldLongest is how long a poll waits, at most, for what others hold back that have not
// finished to write. It is told to a later one then.
const heldLongest = 5 * time.Second

// catchUp waits until all is known that was written before a poll came, while others are
// served in its place: what is new is looked for now and then, for all who ask.
func (f *Feed) catchUp(ctx context.Context, call *operation.Call, at *cursor) error {
	return call.Idle(ctx, func(ctx context.Context) error {
		if !at.Done { // it is not about to be told that there is no more
			_, err := f.Changes.End(ctx)
			return err
		}
		waiting, stop := context.WithTimeout(ctx, heldLongest)
		defer stop()
		err := f.Changes.Settled(waiting)
		if ctx.Err() == nil && waiting.Err() != nil {
			return nil
		}
		return err
	})
}

// unchanged answers a poll of a copy that nothing has happened to, with next to no work;
// nil when there may be more to it. It is the answer to nearly all polls.
func (f *Feed) unchanged(ctx context.Context, call *operation.Call, a *asked, at *cursor) (*operation.Answer, error) {
	if a.wait > 0 {
		return nil, nil
	}
	v := &view{asked: a, call: call}
	if f.rights.of(v) != at.Rights {
		return nil, nil
	}
	p, err := f.quick(ctx, at)
	if p == nil || err != nil {
		return nil, err
	}
	return p.answer(f, v)
}

// recent remembers, of copies that have caught up, what a change must touch to concern
// them, so that most polls cost no look at the database.
type recent struct {
	mu     sync.Mutex
	all    map[string]*caughtUp // by copy
	old    map[string]*caughtUp // those before them
	hashes int                  // in all, about
}

type caughtUp struct {
	mark     fhir.Mark
	day      string   // on which who belongs to the scope was looked up
	looked   int64    // up to when it was looked for consents that begin or end
	interest []uint64 // hashes
}

// How many copies a generation remembers, and how many hashes; there are two.
const (
	maxRecent = 20_000
	maxHashes = 2 << 20
)

func (r *recent) get(copy string) *caughtUp {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.all[copy]; c != nil {
		return c
	}
	return r.old[copy]
}

func (r *recent) put(copy string, c *caughtUp) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil || len(r.all) >= maxRecent || r.hashes >= maxHashes {
		r.old, r.all, r.hashes = r.all, make(map[string]*caughtUp), 0
	}
	if before := r.all[copy]; before != nil {
		r.hashes -= len(before.interest)
	}
	r.all[copy] = c
	r.hashes += len(c.interest)
}
