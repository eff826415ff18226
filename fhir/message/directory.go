package message

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/fhir"
)

// State keeps senders and dead letters. The engines of store have it.
type State interface {
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
	Remove(ctx context.Context, kind, key string, version int64) error
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
}

const senderKind = "message-sender"

// maxSenders is how many senders there may be.
const maxSenders = 10_000

// Directory knows the senders that are registered.
type Directory struct {
	State State
	known atomic.Pointer[[]*Sender]
}

// All returns the senders that were known at the last Refresh, by name.
func (d *Directory) All() []*Sender {
	if all := d.known.Load(); all != nil {
		return *all
	}
	return nil
}

// Refresh reads the senders again. Those that have not changed stay the same ones.
func (d *Directory) Refresh(ctx context.Context) error {
	entries, err := d.State.Entries(ctx, senderKind, "", "", maxSenders)
	if err != nil {
		return err
	}
	all := make([]*Sender, 0, len(entries))
	for _, e := range entries {
		s, err := ParseSender(e.Value)
		if err != nil {
			return err
		}
		if old := d.named(s.Name); old != nil && same(old, s) {
			s = old
		}
		all = append(all, s)
	}
	d.known.Store(&all)
	return nil
}

func same(a, b *Sender) bool {
	x, err := json.Marshal(a)
	if err != nil {
		return false
	}
	y, err := json.Marshal(b)
	return err == nil && string(x) == string(y)
}

// refreshEvery is how often senders are read again.
const refreshEvery = 2 * time.Second

// Follow refreshes the senders until ctx ends.
func (d *Directory) Follow(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(refreshEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := d.Refresh(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

func (d *Directory) named(name string) *Sender {
	for _, s := range d.All() {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// ForPeer returns the sender of a message that came over a socket, nil for none. One
// that names its applications goes before one that does not.
func (d *Directory) ForPeer(p Peer, application, facility string) *Sender {
	return best(d.All(), application, facility, func(s *Sender) bool { return s.Knows(p) })
}

// Reaches reports whether a peer can be any sender, whatever it calls itself.
func (d *Directory) Reaches(p Peer) bool {
	return slices.ContainsFunc(d.All(), func(s *Sender) bool { return s.Knows(p) })
}

// ForClient returns the sender that a registered app is when it sends by HTTP: one that
// is registered, or one without tables of its own.
func (d *Directory) ForClient(client, application, facility string) *Sender {
	s := best(d.All(), application, facility, func(s *Sender) bool { return s.Client == client })
	if s != nil {
		return s
	}
	return &Sender{Name: clientPrefix + idOf("client", client)[:8], Client: client}
}

// clientPrefix begins the names of senders that are not registered.
const clientPrefix = "client."

func best(all []*Sender, application, facility string, is func(*Sender) bool) (found *Sender) {
	for _, s := range all {
		if !is(s) || !s.Named(application, facility) {
			continue
		}
		if found == nil || len(found.Applications) == 0 && len(s.Applications) > 0 {
			found = s
		}
	}
	return found
}

// Save registers a sender, in place of one of the same name.
func (d *Directory) Save(ctx context.Context, s *Sender) error {
	if err := s.Check(); err != nil {
		return fhir.Errorf(fhir.Invalid, "%s", strings.TrimPrefix(err.Error(), "sender: "))
	}
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	old, err := d.State.Entry(ctx, senderKind, s.Name)
	if err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return err
	}
	if err = d.State.Put(ctx, fhir.Entry{Kind: senderKind, Key: s.Name, Version: old.Version, Value: value}); err != nil {
		return err
	}
	return d.Refresh(ctx)
}

// Remove forgets a sender.
func (d *Directory) Remove(ctx context.Context, name string) error {
	if err := d.State.Remove(ctx, senderKind, name, 0); err != nil {
		return err
	}
	return d.Refresh(ctx)
}

// Reachable lists the names of the senders that MLLP can know.
func (d *Directory) Reachable() []string {
	var names []string
	for _, s := range d.All() {
		if len(s.Networks)+len(s.Certificates) > 0 {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names
}
