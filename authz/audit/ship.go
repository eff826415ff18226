package audit

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/amate-health/amate/fhir"
)

// source is a journal that is being shipped.
type source struct {
	file *os.File
	at   int64 // up to where it was shipped
}

// run ships until ctx ends.
func (t *Trail) run(ctx context.Context) {
	defer close(t.ended)
	t.prepare(ctx)
	wait := shipEvery
	for {
		var asked chan error
		select {
		case <-ctx.Done():
			return
		case asked = <-t.wake:
		case <-time.After(wait):
		}
		shipped := t.ship(ctx)
		err := shipped
		if err == nil {
			err = t.sign(ctx)
		}
		wait = t.told(ctx, err, wait)
		if asked != nil {
			asked <- shipped
		}
	}
}

// told logs when shipping begins to fail and when it works again, and returns how
// long to wait for the next try.
func (t *Trail) told(ctx context.Context, err error, waited time.Duration) time.Duration {
	if err == nil {
		if t.failing {
			t.Log.Info("audit: what was recorded reaches the database again")
		}
		t.failing = false
		t.behind.Store(0)
		return shipEvery
	}
	if ctx.Err() != nil {
		return waited
	}
	t.again = true
	if !t.failing {
		t.failing = true
		t.behind.Store(t.Now().UnixMilli())
		t.Log.Error("audit: what is recorded stays in the journal until the database takes it", "error", err)
	}
	return min(2*waited, patience)
}

// Flush returns when what was recorded so far is linked, or could not be, or ctx ends. It
// reports whether it is linked.
func (t *Trail) Flush(ctx context.Context) bool {
	asked := make(chan error, 1)
	select {
	case t.wake <- asked:
	case <-t.ended:
		return false
	case <-ctx.Done():
		return false
	}
	select {
	case err := <-asked:
		return err == nil
	case <-t.ended:
		return false
	case <-ctx.Done():
		return false
	}
}

// ship links everything that is there.
func (t *Trail) ship(ctx context.Context) error {
	if now := t.Now(); now.Sub(t.synced) >= syncEvery {
		t.synced = now
		if err := t.journal.sync(); err != nil {
			t.Log.Error("audit: the journal cannot be brought onto the disk", "error", err)
		}
	}
	for len(t.left) > 0 {
		s := t.left[0]
		info, err := s.file.Stat()
		if err == nil {
			err = t.drain(ctx, s, info.Size(), true)
		}
		if err != nil {
			return err
		}
		t.left = t.left[1:]
		if err := remove(s.file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	for {
		f, size, full := t.journal.readable()
		if t.own.file != f {
			t.own = source{file: f}
		}
		if err := t.drain(ctx, &t.own, size, t.again); err != nil {
			return err
		}
		t.again = false
		if !full {
			break
		}
		if err := t.journal.shipped(f); err != nil {
			return err
		}
	}
	return t.drainInbox(ctx)
}

// drain links what a journal holds up to size.
func (t *Trail) drain(ctx context.Context, s *source, size int64, again bool) error {
	for s.at < size {
		events, end, err := readRecords(s.file, s.at, size, shipBytes)
		if errors.Is(err, errDamaged) {
			t.setAside(s.file, err)
			end = size
		} else if err != nil {
			return err
		}
		if len(events) > 0 {
			if _, err := t.link(ctx, events, again); err != nil {
				return err
			}
		} else if end == s.at && err == nil {
			end = size // the last record is not whole: it was never answered
		}
		s.at = end
	}
	return nil
}

// setAside keeps a second name for a journal that cannot be read to its end, so that
// it can be looked into when it has been shipped as far as possible.
func (t *Trail) setAside(f *os.File, damage error) {
	err := os.Link(nameOf(f), nameOf(f)+".damaged")
	t.Log.Error("audit: a journal cannot be read to its end; it is kept as .damaged", "error", damage, "kept", err == nil)
}

// drainInbox links what waits in the inbox.
func (t *Trail) drainInbox(ctx context.Context) error {
	now := t.Now()
	if !t.inbox.Swap(false) && now.Sub(t.looked) < inboxEvery {
		return nil
	}
	t.looked = now
	for {
		taken, err := t.link(ctx, nil, false)
		if err != nil {
			t.inbox.Store(true)
			return err
		}
		if taken < shipInbox {
			return nil
		}
	}
}

// link adds events, and some of the inbox, to the chains.
func (t *Trail) link(ctx context.Context, events []fhir.Event, again bool) (taken int, err error) {
	var touched []int
	taken, err = t.Chains.LinkEvents(ctx, events, again, shipInbox, func(last fhir.Event, events []fhir.Event) error {
		touched = append(touched, events[0].Month)
		return link(last, events)
	})
	if err == nil {
		for _, m := range touched {
			t.months[m] = true
		}
	}
	return taken, err
}

// sign makes a checkpoint when it is time.
func (t *Trail) sign(ctx context.Context) error {
	if len(t.months) == 0 || t.Now().Sub(t.signed) < t.CheckpointEvery {
		return nil
	}
	t.prepare(ctx)
	return t.checkpoint(ctx)
}

// checkpoint signs how far the chains have come that grew since the last time. It
// says so in the log, too, where nobody with the database alone can take it back.
func (t *Trail) checkpoint(ctx context.Context) error {
	if t.Signer == nil || len(t.months) == 0 {
		return nil
	}
	var months []int
	for m := range t.months {
		months = append(months, m)
	}
	var made []fhir.Checkpoint
	err := t.Chains.PutCheckpoints(ctx, months, func(last fhir.Checkpoint, heads []fhir.Event) (all []fhir.Checkpoint, err error) {
		made, err = t.Signer.checkpoints(last, heads, t.Now(), false)
		return made, err
	})
	if err != nil {
		return err
	}
	for _, c := range made {
		t.Log.Info("audit checkpoint", "number", c.Number, "month", c.Month, "seq", c.Seq, "signed", string(c.Content))
	}
	t.signed = t.Now()
	clear(t.months)
	return nil
}

// prepare readies the chains of this month and the next.
func (t *Trail) prepare(ctx context.Context) {
	now := t.Now().UTC()
	first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{first, first.AddDate(0, 1, 0)} {
		if err := t.Chains.PrepareEvents(ctx, at.Year()*100+int(at.Month())); err != nil {
			if ctx.Err() == nil {
				t.Log.Error("audit: a month cannot be prepared", "error", err)
			}
			return
		}
	}
}
