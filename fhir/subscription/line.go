package subscription

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/fhir"
)

const (
	maxQueue   = 1000 // events that a line keeps in memory; beyond it, the feed keeps them
	maxPending = 1000 // events that are logged and not confirmed; likewise
	markEvery  = 5 * time.Minute
	failsAt    = 3 // failures after which the status is error
	minBackoff = time.Second
	maxBackoff = 5 * time.Minute
)

// line serves one Subscription. Its goroutine alone has p; what follows mu of the Service
// is shared with the pump.
type line struct {
	*Service
	id     string
	wake   chan struct{}
	ended  chan struct{}
	end    func() // ends it, and waits
	unsent atomic.Int64

	// under Service.mu
	def     *definition
	queue   []event   // that fit, in order
	read    fhir.Mark // up to which the feed is in the queue
	lagging bool      // the line reads the feed itself
	afresh  bool      // the definition is another one: the queue is made again from p.Mark
	over    bool      // it is off: what is written of it from then on is for another line

	p      progress
	saved  time.Time // when p was
	unkept bool      // p has changed since
	rights string    // with which the filter was tried
	tried  time.Time
	ready  *parcel // what has just been logged, with what it shows
}

func newLine(s *Service, d *definition) *line {
	return &line{Service: s, id: d.id, def: d, lagging: true, wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

func (l *line) rouse() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// define takes up another version of the Subscription; mu is held.
func (l *line) define(d *definition) {
	if d.version <= l.def.version {
		return
	}
	if d.status == requested {
		l.queue, l.lagging, l.afresh = nil, true, true
	}
	l.def = d
	l.rouse()
}

// offer takes what fits of changes up to a mark, of which those of some types were looked
// at; mu is held.
func (l *line) offer(all []*found, types map[string]bool, end fhir.Mark) {
	if l.lagging {
		return
	}
	if !l.def.topic.covered(types) { // it is newer than what was looked at
		l.lagging = true
		l.rouse()
		return
	}
	before := len(l.queue)
	l.queue = l.fitting(l.queue, all)
	l.read = end
	if len(l.queue) > maxQueue {
		l.lagging = true
	}
	if len(l.queue) > before {
		l.rouse()
	}
}

// fitting appends the events of a Subscription.
func (l *line) fitting(queue []event, all []*found) []event {
	for _, f := range all {
		if slices.Contains(f.topics, l.def.topic) && l.def.fits(f) {
			queue = append(queue, f.event)
		}
	}
	return queue
}

// definition returns it as it is now, and whether the queue has to be made again.
func (l *line) definition() (d *definition, afresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	afresh, l.afresh = l.afresh, false
	return l.def, afresh
}

// run serves until ctx ends, or the Subscription is off.
func (l *line) run(ctx context.Context) {
	loaded, over := false, false
	for ctx.Err() == nil && !over {
		var err error
		if !loaded {
			err = l.reload(ctx)
			loaded = err == nil
		}
		if loaded {
			over, err = l.step(ctx)
		}
		switch {
		case over || err == nil || ctx.Err() != nil:
			continue
		case fhir.CodeOf(err) == fhir.Conflict:
			loaded = false // another process has done something for it
		default:
			l.Log.WarnContext(ctx, "subscription: it is tried again", "subscription", l.id, "error", err)
		}
		l.ready = nil
		l.sleep(ctx, time.Second)
	}
	if l.unkept {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = l.keep(ctx) // else it is sent once more
	}
}

// reload reads how far it is.
func (l *line) reload(ctx context.Context) error {
	p, err := l.load(ctx, l.id)
	if err != nil {
		return err
	}
	if p.entry.Version == 0 {
		if p.Mark, err = l.Changes.End(ctx); err != nil {
			return err
		}
		p.Told = l.Now()
		if err := l.Service.save(ctx, &p); err != nil {
			return err
		}
	}
	l.p, l.ready, l.unkept, l.saved = p, nil, false, l.Now()
	l.restart()
	return nil
}

// restart makes the queue again from the mark.
func (l *line) restart() {
	l.mu.Lock()
	l.queue, l.lagging, l.read = nil, true, l.p.Mark
	l.mu.Unlock()
}

// keep saves how far it is.
func (l *line) keep(ctx context.Context, more ...fhir.Entry) error {
	err := l.Service.save(ctx, &l.p, more...)
	if err == nil {
		l.unkept, l.saved = false, l.Now()
	}
	return err
}

// step does one piece of work, or waits for some. over says that the Subscription is off.
func (l *line) step(ctx context.Context) (over bool, err error) {
	d, afresh := l.definition()
	if afresh {
		l.p.Failures, l.p.Since, l.p.Next, l.p.Shaken = 0, time.Time{}, time.Time{}, false
		l.rights, l.ready = "", nil // it may be another one's now, or show less
		l.restart()
	}
	now := l.Now()
	pending := l.p.Logged - l.p.Sent
	l.unsent.Store(pending)
	if d.channel == webSocket {
		pending = 0
		l.unsent.Store(0)
	}
	due := !now.Before(l.p.Next)
	switch {
	case !d.end.IsZero() && !now.Before(d.end):
		return l.off(ctx, d, "its end has come")
	case d.status == requested && d.channel == webSocket:
		return false, l.become(ctx, d, active, "")
	case d.channel == restHook && (d.status == requested || !l.p.Shaken):
		if due {
			return l.shake(ctx, d)
		}
		return false, l.wait(ctx, d, now)
	case pending > 0 && due:
		return l.deliver(ctx, d)
	case pending < maxPending:
		queue, err := l.next(ctx, d.count)
		if err != nil {
			return false, err
		}
		if len(queue) > 0 {
			return l.log(ctx, d, queue)
		}
		if l.behind() {
			return false, nil
		}
	}
	if d.channel == restHook && due && d.heartbeat > 0 && now.Sub(l.p.Told) >= d.heartbeat {
		return l.beat(ctx, d)
	}
	return false, l.wait(ctx, d, now)
}

// next returns up to limit events, without taking them.
func (l *line) next(ctx context.Context, limit int) ([]event, error) {
	l.mu.Lock()
	queue, lagging, read, at, topic := l.queue, l.lagging, l.read, l.at, l.def.topic
	l.mu.Unlock()
	if len(queue) > 0 || !lagging {
		return queue[:min(limit, len(queue))], nil
	}
	changes, err := l.Changes.Changes(ctx, read, feedPage)
	if l.Other != nil && errors.Is(err, l.Other) {
		l.p.Mark, err = l.Changes.End(ctx)
		l.unkept = true
		l.restart()
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	types := map[string]bool{}
	topic.addTypes(types)
	all, err := l.match(ctx, changes, types)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.afresh || l.def.topic != topic {
		return nil, nil
	}
	l.queue = l.fitting(nil, all)
	if len(changes) > 0 {
		l.read = changes[len(changes)-1].At
	}
	if l.lagging = l.read != l.at; l.lagging && len(changes) == 0 && at == l.at {
		l.mu.Unlock()
		l.sleep(ctx, 100*time.Millisecond) // the pump is about to catch up
		l.mu.Lock()
	}
	return l.queue[:min(limit, len(l.queue))], nil
}

// behind reports whether there is more to be read.
func (l *line) behind() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lagging || len(l.queue) > 0
}

// took takes n events off the queue, and returns the mark up to which all has been seen.
func (l *line) took(queue []event) fhir.Mark {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.afresh {
		return queue[len(queue)-1].at
	}
	l.queue = slices.Clip(l.queue[len(queue):])
	if len(l.queue) == 0 {
		return l.read
	}
	return queue[len(queue)-1].at
}

// log gives numbers to those events whose resources the subscriber may see now, and keeps
// them, with the mark up to which everything has been looked at.
func (l *line) log(ctx context.Context, d *definition, queue []event) (over bool, err error) {
	shown, err := l.shown(ctx, d, queue)
	if err != nil {
		return l.refused(ctx, d, err)
	}
	now := l.Now()
	var events []event
	var entries []fhir.Entry
	told := map[string]bool{} // of what this batch has shown, or has told to be gone
	for _, e := range queue {
		_, visible := shown[e.Ref]
		if e.Gone = e.deleted || !visible; e.Gone {
			knows, known := told[e.Ref]
			if !known {
				if knows, err = l.knows(ctx, l.id, e.Ref); err != nil {
					return false, err
				}
			}
			if told[e.Ref] = false; !knows {
				continue
			}
		}
		told[e.Ref] = !e.Gone
		e.Number = l.p.Logged + int64(len(events)) + 1
		entry, err := e.entry(l.id, now)
		if err != nil {
			return false, err
		}
		events, entries = append(events, e), append(entries, entry)
	}
	before := l.p
	l.p.Logged += int64(len(events))
	l.p.Mark = l.took(queue)
	if len(events) == 0 {
		l.unkept = true
		return false, nil // the mark is saved with what comes next
	}
	if err := l.keep(ctx, entries...); err != nil {
		l.p = before // else they would be passed over as if they had been logged
		l.restart()
		return false, err
	}
	l.ready = &parcel{events: events, shown: shown, at: now}
	l.noted(l.id)
	return false, nil
}

// wait returns when there may be something to do.
func (l *line) wait(ctx context.Context, d *definition, now time.Time) error {
	mark := l.p.Mark
	l.mu.Lock()
	if !l.lagging && len(l.queue) == 0 {
		mark = l.read
	}
	l.mu.Unlock()
	if l.unkept || mark != l.p.Mark && now.Sub(l.saved) >= markEvery {
		l.p.Mark = mark
		if err := l.keep(ctx); err != nil {
			return err
		}
	}
	until := markEvery
	if in := l.p.Next.Sub(now); in > 0 {
		until = min(until, in)
	} else if d.heartbeat > 0 && d.channel == restHook {
		until = min(until, max(d.heartbeat-now.Sub(l.p.Told), time.Millisecond))
	}
	if !d.end.IsZero() {
		until = min(until, max(d.end.Sub(now), time.Millisecond))
	}
	select {
	case <-ctx.Done():
	case <-l.wake:
	case <-l.After(until):
	}
	return nil
}
