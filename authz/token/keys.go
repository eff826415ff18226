package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
)

// The algorithms that are signed with. ES256 is for access tokens, which only this
// server reads, often; RS256 for ID tokens, since every OpenID client must know it.
const (
	accessAlg = jose.ES256
	idAlg     = jose.RS256
)

// The life of a key.
const (
	announced    = 10 * time.Minute    // published before it signs, so that others have it by then
	rotateAfter  = 30 * 24 * time.Hour // a new key follows
	keptFor      = 24 * time.Hour      // published after the next one signs, longer than any token lasts
	reloadEvery  = time.Minute         // how often servers look for the keys of others
	reloadAtMost = 5 * time.Second     // how often a key that is not known makes it look
	keyKind      = "signing-key"
)

// Keys are the signing keys, shared by all servers of one database.
type Keys struct {
	state authz.State
	now   func() time.Time

	loading sync.Mutex // held from before they are read: who reads later has the last word

	mu     sync.RWMutex
	all    []*key // by algorithm, oldest first
	loaded time.Time
}

// key is a signing key.
type key struct {
	ID      string // RFC 7638 thumbprint of the public key
	Alg     jose.SignatureAlgorithm
	Number  int // 1 for the first of its algorithm
	Created time.Time
	private crypto.Signer
	version int64
}

// storedKey is a key as the state has it.
type storedKey struct {
	Alg     jose.SignatureAlgorithm
	Created time.Time
	JWK     jose.JSONWebKey
}

// OpenKeys loads the keys, and makes the first ones. now is nil for time.Now.
func OpenKeys(ctx context.Context, state authz.State, now func() time.Time) (*Keys, error) {
	if now == nil {
		now = time.Now
	}
	k := &Keys{state: state, now: now}
	return k, k.Refresh(ctx)
}

// Refresh loads what other servers have made, makes a new key where the newest is
// old enough, and removes those whose tokens have all expired.
func (k *Keys) Refresh(ctx context.Context) error {
	if err := k.load(ctx); err != nil {
		return err
	}
	for _, alg := range []jose.SignatureAlgorithm{accessAlg, idAlg} {
		newest := k.newest(alg)
		if newest == nil || k.now().Sub(newest.Created) > rotateAfter {
			if err := k.Rotate(ctx, string(alg)); err != nil {
				return err
			}
		}
	}
	return k.forget(ctx)
}

// Follow refreshes until ctx ends, and hands on what goes wrong.
func (k *Keys) Follow(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := k.Refresh(ctx); err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
	}
}

// Rotate makes a new key, which signs once it has been announced for a while. When
// two servers do so at once, one of them takes the key of the other.
func (k *Keys) Rotate(ctx context.Context, alg string) error {
	private, err := generate(jose.SignatureAlgorithm(alg))
	if err != nil {
		return err
	}
	number := 1
	if newest := k.newest(jose.SignatureAlgorithm(alg)); newest != nil {
		number = newest.Number + 1
	}
	value, err := json.Marshal(storedKey{
		Alg: jose.SignatureAlgorithm(alg), Created: k.now().UTC(),
		JWK: jose.JSONWebKey{Key: private, Algorithm: alg, Use: "sig"},
	})
	if err != nil {
		return err
	}
	err = k.state.Put(ctx, fhir.Entry{Kind: keyKind, Key: fmt.Sprintf("%s-%06d", alg, number), Group: alg, Value: value})
	if err != nil && fhir.CodeOf(err) != fhir.Conflict {
		return fmt.Errorf("keep a signing key: %w", err)
	}
	return k.load(ctx)
}

// Retire removes every key but the newest of each algorithm at once. All tokens that
// they signed are refused from then on: for a key that has leaked.
func (k *Keys) Retire(ctx context.Context) error {
	k.mu.RLock()
	all := k.all
	k.mu.RUnlock()
	for _, one := range all {
		if one != k.newest(one.Alg) {
			if err := k.remove(ctx, one); err != nil {
				return err
			}
		}
	}
	return k.load(ctx)
}

// forget removes keys that have not signed for longer than any token lasts.
func (k *Keys) forget(ctx context.Context) error {
	k.mu.RLock()
	all := k.all
	k.mu.RUnlock()
	gone := false
	for i, one := range all {
		if i+1 < len(all) && all[i+1].Alg == one.Alg && k.now().Sub(all[i+1].Created) > announced+keptFor {
			if err := k.remove(ctx, one); err != nil {
				return err
			}
			gone = true
		}
	}
	if gone {
		return k.load(ctx)
	}
	return nil
}

func (k *Keys) remove(ctx context.Context, one *key) error {
	err := k.state.Remove(ctx, keyKind, fmt.Sprintf("%s-%06d", one.Alg, one.Number), one.version)
	if err != nil && fhir.CodeOf(err) != fhir.Conflict {
		return fmt.Errorf("remove a signing key: %w", err)
	}
	return nil
}

// load reads all keys.
func (k *Keys) load(ctx context.Context) error {
	k.loading.Lock()
	defer k.loading.Unlock()
	entries, err := k.state.Entries(ctx, keyKind, "", "", 1000)
	if err != nil {
		return fmt.Errorf("read the signing keys: %w", err)
	}
	all := make([]*key, 0, len(entries))
	for _, e := range entries {
		one, err := parseKey(e)
		if err != nil {
			return fmt.Errorf("signing key %s: %w", e.Key, err)
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *key) int {
		if c := strings.Compare(string(a.Alg), string(b.Alg)); c != 0 {
			return c
		}
		return a.Number - b.Number
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all, k.loaded = all, k.now()
	return nil
}

func parseKey(e fhir.Entry) (*key, error) {
	var s storedKey
	if err := json.Unmarshal(e.Value, &s); err != nil {
		return nil, err
	}
	signer, ok := s.JWK.Key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("it is a %T, which cannot sign", s.JWK.Key)
	}
	_, digits, _ := strings.Cut(e.Key, "-")
	number, err := strconv.Atoi(digits)
	if err != nil {
		return nil, err
	}
	sum, err := (&jose.JSONWebKey{Key: signer.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return &key{
		ID: base64.RawURLEncoding.EncodeToString(sum), Alg: s.Alg, Number: number,
		Created: s.Created, private: signer, version: e.Version,
	}, nil
}

func generate(alg jose.SignatureAlgorithm) (any, error) {
	switch alg {
	case accessAlg:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case idAlg:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return nil, fmt.Errorf("no keys are made for %s", alg)
}

// newest returns the last key made for alg, nil when there is none.
func (k *Keys) newest(alg jose.SignatureAlgorithm) (last *key) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, one := range k.all {
		if one.Alg == alg {
			last = one
		}
	}
	return last
}

// signing returns the key to sign with: the newest that has been announced for long
// enough, or the oldest there is.
func (k *Keys) signing(alg jose.SignatureAlgorithm) (*key, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var chosen *key
	for _, one := range k.all {
		if one.Alg == alg && (chosen == nil || k.now().Sub(one.Created) >= announced) {
			chosen = one
		}
	}
	if chosen == nil {
		return nil, fmt.Errorf("there is no key for %s", alg)
	}
	return chosen, nil
}

// verifying returns the public key with this id, if it is for alg. One that is not
// known may have been made by another server a moment ago.
func (k *Keys) verifying(ctx context.Context, id string, alg jose.SignatureAlgorithm) (any, bool) {
	find := func() (any, bool) {
		k.mu.RLock()
		defer k.mu.RUnlock()
		for _, one := range k.all {
			if one.ID == id && one.Alg == alg {
				return one.private.Public(), true
			}
		}
		return nil, false
	}
	if found, ok := find(); ok {
		return found, true
	}
	k.mu.RLock()
	stale := k.now().Sub(k.loaded) >= reloadAtMost
	k.mu.RUnlock()
	if !stale || k.load(ctx) != nil {
		return nil, false
	}
	return find()
}

// Public returns the key set that others verify with.
//
// See https://www.rfc-editor.org/rfc/rfc7517.
func (k *Keys) Public() jose.JSONWebKeySet {
	k.mu.RLock()
	defer k.mu.RUnlock()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, one := range k.all {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: one.private.Public(), KeyID: one.ID, Algorithm: string(one.Alg), Use: "sig"})
	}
	return set
}
