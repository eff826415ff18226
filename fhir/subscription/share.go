package subscription

import (
	"context"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/amate-health/amate/fhir"
)

// The Subscriptions of a database are dealt out in shares, so that each is served by one
// process at a time; a process takes as many as are fair. Leases keep storms away, not
// duplicates: what two processes do at once is held apart by the versions of progress.
const (
	shareCount = 16
	leaseFor   = 15 * time.Second
	renewEvery = 4 * time.Second
)

// shareOf is the share that a Subscription belongs to.
func shareOf(id string) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int(h.Sum32() % shareCount)
}

// share renews what leases this process has, and takes or gives some, once. It returns
// when it is time to do so again.
func (s *Service) share(ctx context.Context) error {
	now := s.Now()
	if err := s.hold(ctx, serverKind, s.name, now); err != nil {
		return err
	}
	servers, err := s.Store.Entries(ctx, serverKind, "", "", 1000)
	if err != nil {
		return err
	}
	leases, err := s.Store.Entries(ctx, leaseKind, "", "", shareCount)
	if err != nil {
		return err
	}
	held := map[int]fhir.Entry{}
	for _, e := range leases {
		if n, err := strconv.Atoi(e.Key); err == nil {
			held[n] = e
		}
	}
	fair := (shareCount + len(servers) - 1) / max(1, len(servers))
	mine := map[int]bool{}
	for n := range shareCount {
		e, ok := held[n]
		if ok && string(e.Value) == s.name && len(mine) < fair {
			e.Expires = now.Add(leaseFor)
			if s.Store.Put(ctx, e) == nil {
				mine[n] = true
			}
		}
	}
	for n := range shareCount {
		e, ok := held[n]
		switch {
		case mine[n]:
		case ok && string(e.Value) == s.name:
			s.drop(n) // before somebody else begins with it
			_ = s.Store.Remove(ctx, leaseKind, e.Key, e.Version)
		case !ok && len(mine) < fair:
			e = fhir.Entry{Kind: leaseKind, Key: fmt.Sprintf("%02d", n), Expires: now.Add(leaseFor), Value: []byte(s.name)}
			if s.Store.Put(ctx, e) == nil {
				mine[n] = true
			}
		}
	}
	s.take(mine)
	s.sleep(ctx, renewEvery)
	return nil
}

// hold keeps an entry for a while.
func (s *Service) hold(ctx context.Context, kind, key string, now time.Time) error {
	e, err := s.Store.Entry(ctx, kind, key)
	if err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return err
	}
	return s.Store.Put(ctx, fhir.Entry{Kind: kind, Key: key, Version: e.Version, Expires: now.Add(leaseFor), Value: []byte(s.name)})
}

// alone takes the leases of a process that was here before: no other one can be.
func (s *Service) alone(ctx context.Context) {
	for _, kind := range []string{leaseKind, serverKind} {
		all, err := s.Store.Entries(ctx, kind, "", "", 1000)
		if err != nil {
			return // they end by themselves
		}
		for _, e := range all {
			_ = s.Store.Remove(ctx, kind, e.Key, 0)
		}
	}
}

// drop ends the lines of a share.
func (s *Service) drop(n int) {
	s.mu.Lock()
	delete(s.shares, n)
	var ended []*line
	for id, l := range s.lines {
		if shareOf(id) == n {
			ended = append(ended, l)
			delete(s.lines, id)
		}
	}
	s.mu.Unlock()
	for _, l := range ended {
		l.end()
	}
}

// take notes which shares this process has. The lines of new ones are begun by the pump.
func (s *Service) take(mine map[int]bool) {
	for n := range shareCount {
		s.mu.Lock()
		lost := s.shares[n] && !mine[n]
		s.mu.Unlock()
		if lost {
			s.drop(n)
		}
	}
	s.mu.Lock()
	for n := range mine {
		if !s.shares[n] {
			s.shares[n] = true
			s.begun = false // all are looked for once more
		}
	}
	s.mu.Unlock()
}

// leave gives what this process has to those who go on.
func (s *Service) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	s.mu.Lock()
	shares := s.shares
	s.shares = map[int]bool{}
	s.mu.Unlock()
	for n := range shares {
		key := fmt.Sprintf("%02d", n)
		if e, err := s.Store.Entry(ctx, leaseKind, key); err == nil && string(e.Value) == s.name {
			_ = s.Store.Remove(ctx, leaseKind, key, e.Version)
		}
	}
	_ = s.Store.Remove(ctx, serverKind, s.name, 0)
}
