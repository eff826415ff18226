package key

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
)

// State keeps the keys of a registry, for all its servers.
type State interface {
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
	Put(ctx context.Context, e ...fhir.Entry) error
}

// Ring is the keys of one kind of documents, where they are signed. It is safe for
// concurrent use.
type Ring struct {
	State  State
	Kind   string           // of its entries in State
	Length int              // characters of an id; 0 is all 43
	Now    func() time.Time // nil is time.Now

	mu     sync.Mutex
	keys   Keys
	loaded time.Time
}

// The life of a key. It may sign a little longer than the next one waits, so that what is
// signed by a server that has not seen the next one is good.
const (
	rotateAfter = 365 * 24 * time.Hour
	signsFor    = 400 * 24 * time.Hour
	reloadEvery = time.Minute
)

// storedKey is a key as the state has it. It is a secret while it has its private part,
// which is destroyed when the key signs no more.
type storedKey struct {
	Number  int
	Private []byte `json:",omitempty"` // PKCS #8
	Public  []byte `json:",omitempty"` // PKIX, of a key without its private part
	From    time.Time
	Until   time.Time
	Revoked time.Time `json:",omitzero"`
}

func (r *Ring) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// Keys returns all keys, as they were a minute ago at most; none only where there is none.
func (r *Ring) Keys(ctx context.Context) (Keys, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if since := r.now().Sub(r.loaded); len(r.keys) == 0 || since > reloadEvery || since < 0 {
		if err := r.load(ctx); err != nil {
			return nil, err
		}
	}
	return r.keys, nil
}

// Refresh returns all keys, as they are now. It is for who meets a key that is not known.
func (r *Ring) Refresh(ctx context.Context) (Keys, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.load(ctx)
	return r.keys, err
}

// Signing returns the key that signs now, a new one where the last has signed long enough.
func (r *Ring) Signing(ctx context.Context) (*Key, error) {
	for range 3 {
		keys, err := r.Keys(ctx)
		if err != nil {
			return nil, err
		}
		if n := len(keys); n > 0 {
			k, now := keys[n-1], r.now()
			if k.Signs() && k.Revoked.IsZero() && now.Before(k.From.Add(rotateAfter)) && now.Before(k.Until) {
				return k, nil
			}
		}
		if err := r.Rotate(ctx); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("key: no key to sign with")
}

// Rotate makes a new key, which signs from now on. Where two servers do so at once, both
// go on with the same. The private parts of keys whose time is over are destroyed.
func (r *Ring) Rotate(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.load(ctx); err != nil {
		return err
	}
	now := r.now()
	k, err := New(now, now.Add(signsFor), r.Length)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return err
	}
	number := len(r.keys) + 1
	value, err := json.Marshal(storedKey{Number: number, Private: private, From: k.From, Until: k.Until})
	if err != nil {
		return err
	}
	err = r.State.Put(ctx, fhir.Entry{Kind: r.Kind, Key: fmt.Sprintf("%06d", number), Value: value})
	if err != nil && fhir.CodeOf(err) != fhir.Conflict {
		return fmt.Errorf("keep a key: %w", err)
	}
	if err := r.change(ctx, func(k *Key, s *storedKey) bool { return k.Signs() && s.Until.Before(now) }); err != nil && fhir.CodeOf(err) != fhir.Conflict {
		return err
	}
	return r.load(ctx)
}

// Retire ends the time of a key: it signs nothing more, its private part is destroyed, and
// what it signed stays good. Errors: fhir.NotFound.
func (r *Ring) Retire(ctx context.Context, id string) error {
	now := r.now().UTC().Truncate(time.Second)
	return r.one(ctx, id, func(s *storedKey) {
		if s.Until.After(now) {
			s.Until = now
		}
	})
}

// Revoke takes a key back that got into wrong hands: what it signed from a time on is not
// believed any more. Errors: fhir.NotFound.
func (r *Ring) Revoke(ctx context.Context, id string, from time.Time) error {
	return r.one(ctx, id, func(s *storedKey) { s.Revoked = from.UTC().Truncate(time.Second) })
}

// one changes one key, and destroys its private part.
func (r *Ring) one(ctx context.Context, id string, f func(s *storedKey)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := false
	err := r.change(ctx, func(k *Key, s *storedKey) bool {
		if k.ID != id {
			return false
		}
		found = true
		f(s)
		return true
	})
	if err != nil {
		return err
	}
	if !found {
		return fhir.Errorf(fhir.NotFound, "the registry has no such key")
	}
	return r.load(ctx)
}

// change stores the keys that pick chooses and may alter, without their private parts.
func (r *Ring) change(ctx context.Context, pick func(k *Key, s *storedKey) bool) error {
	entries, err := r.State.Entries(ctx, r.Kind, "", "", mostKeys)
	if err != nil {
		return fmt.Errorf("read the keys: %w", err)
	}
	for _, e := range entries {
		k, stored, err := r.parse(e)
		if err != nil {
			return err
		}
		if !pick(k, stored) {
			continue
		}
		stored.Private = nil
		if stored.Public, err = x509.MarshalPKIXPublicKey(k.Public); err != nil {
			return err
		}
		if e.Value, err = json.Marshal(stored); err != nil {
			return err
		}
		if err := r.State.Put(ctx, e); err != nil {
			return fmt.Errorf("keep a key: %w", err)
		}
	}
	return nil
}

// mostKeys is how many keys a ring can have: one a year, and some that were taken back.
const mostKeys = 1000

// load reads all keys.
func (r *Ring) load(ctx context.Context) error {
	entries, err := r.State.Entries(ctx, r.Kind, "", "", mostKeys)
	if err != nil {
		return fmt.Errorf("read the keys: %w", err)
	}
	slices.SortFunc(entries, func(a, b fhir.Entry) int { return strings.Compare(a.Key, b.Key) })
	keys := Keys{}
	for _, e := range entries {
		k, _, err := r.parse(e)
		if err != nil {
			return err
		}
		keys = append(keys, k)
	}
	r.keys, r.loaded = keys, r.now()
	return nil
}

// parse reads a key of the state.
func (r *Ring) parse(e fhir.Entry) (*Key, *storedKey, error) {
	fail := func(err error) (*Key, *storedKey, error) { return nil, nil, fmt.Errorf("key %s: %w", e.Key, err) }
	var s storedKey
	if err := json.Unmarshal(e.Value, &s); err != nil {
		return fail(err)
	}
	k := &Key{From: s.From, Until: s.Until, Revoked: s.Revoked}
	var parsed any
	var err error
	if s.Private != nil {
		parsed, err = x509.ParsePKCS8PrivateKey(s.Private)
	} else {
		parsed, err = x509.ParsePKIXPublicKey(s.Public)
	}
	if err != nil {
		return fail(err)
	}
	switch parsed := parsed.(type) {
	case *ecdsa.PrivateKey:
		k.private, k.Public = parsed, &parsed.PublicKey
	case *ecdsa.PublicKey:
		k.Public = parsed
	default:
		return fail(errors.New("it is of another kind"))
	}
	k.ID, err = idOf(k.Public, r.Length)
	return k, &s, err
}
