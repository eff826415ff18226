package card

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/registry/card/health"
	"github.com/amate-health/amate/fhir/registry/key"
	"github.com/amate-health/amate/fhir/search"
)

// State keeps what cards leave behind.
type State interface {
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
	Remove(ctx context.Context, kind, key string, version int64) error
}

// Store finds resources.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
}

// The kinds of entries.
const (
	KeyKind     = "card-key"     // of the keys
	issuedKind  = "card"         // by revocation identifier, in the group of the Patient
	doseKind    = "card-dose"    // what a card or paper says of a dose, in the group of the Immunization
	revokedKind = "card-revoked" // by revocation identifier, in the group of the key
	paperKind   = "card-paper"   // by a hash of its token, in the group of the Patient
)

// Ledger is what was handed out, and what of it was taken back.
type Ledger struct {
	State  State
	Store  Store
	Ring   *key.Ring
	Secret []byte // of this database, 32 bytes or more
	URL    string // of the issuer: where keys and lists are published
	Now    func() time.Time

	// Standing reports whether the record of a Patient may be shown at all: it is neither
	// blocked nor removed. nil says so of every one.
	Standing func(ctx context.Context, patient string) (bool, error)
}

// issued is an entry of issuedKind.
type issued struct {
	Key string    `json:"k"`
	At  time.Time `json:"t"`
}

// said is an entry of doseKind.
type said struct {
	Key    string `json:"k"` // id of the key
	Digest string `json:"d"`
}

// sign signs a card of these doses, and remembers it. The same card, signed by the same
// key, has the same identifier: who asks often leaves no more behind than who asks once.
// what says what is the same: of a Bundle without times, the Bundle.
func (l *Ledger) sign(ctx context.Context, patient, what string, c *health.Card, doses []dose) (string, error) {
	k, err := l.Ring.Signing(ctx)
	if err != nil {
		return "", err
	}
	c.Issuer, c.From, c.FHIR = l.URL, l.Now().UTC().Truncate(time.Second), "4.0.1"
	for n := 0; ; n++ {
		c.RID = l.code("card", k.ID, patient, fmt.Sprint(n), what)
		revoked, err := l.has(ctx, revokedKind, c.RID)
		if err != nil {
			return "", err
		}
		if !revoked {
			break
		}
	}
	if err := l.remember(ctx, patient, k.ID, c.RID, doses); err != nil {
		return "", err
	}
	return c.Sign(k)
}

// code is 96 bits that stand for texts, and tell nothing of them.
func (l *Ledger) code(texts ...string) string {
	mac := hmac.New(sha256.New, l.Secret)
	for _, t := range texts {
		fmt.Fprintf(mac, "%d:%s", len(t), t)
	}
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12])
}

func (l *Ledger) has(ctx context.Context, kind, key string) (bool, error) {
	_, err := l.State.Entry(ctx, kind, key)
	if fhir.CodeOf(err) == fhir.NotFound {
		return false, nil
	}
	return err == nil, err
}

// remember notes what a card says of which doses. What is changed from then on takes the card
// back; what has changed since it was read, while nobody knew of the card, does so here.
// Errors: fhir.Conflict for that.
func (l *Ledger) remember(ctx context.Context, patient, kid, rid string, doses []dose) error {
	known, err := l.has(ctx, issuedKind, rid)
	if err != nil || known {
		return err
	}
	all := []fhir.Entry{{Kind: issuedKind, Key: rid, Group: patient, Value: encode(issued{kid, l.Now().UTC().Truncate(time.Second)})}}
	for i := range doses {
		all = append(all, fhir.Entry{
			Kind: doseKind, Key: doses[i].ref.ID + "/" + rid, Group: doses[i].ref.ID, Value: encode(said{kid, digest(doses[i].doc)}),
		})
	}
	err = l.State.Put(ctx, all...)
	if fhir.CodeOf(err) == fhir.Conflict { // another request has just issued the same
		return nil
	}
	if err != nil {
		return err
	}
	so, err := l.so(ctx, patient, doses)
	if err != nil || so {
		return err
	}
	if err := l.Revoke(ctx, kid, rid); err != nil {
		return err
	}
	return &fhir.Error{Code: fhir.Conflict, RetryAfter: 1, Details: "the record has changed while the card was made: ask again"}
}

// so reports whether all doses of a Patient are as they were read, and may be shown.
func (l *Ledger) so(ctx context.Context, patient string, doses []dose) (bool, error) {
	if l.Standing != nil {
		if stands, err := l.Standing(ctx, patient); err != nil || !stands {
			return false, err
		}
	}
	for some := range slices.Chunk(doses, pageOfEntries) {
		ids, want := make([]string, len(some)), map[string]string{}
		for i := range some {
			ids[i] = some[i].ref.ID
			want[ids[i]] = digest(some[i].doc)
		}
		found, err := l.Store.Search(ctx, &search.Query{
			Type: "Immunization", Where: []search.Expr{search.IDs{Any: ids}}, Count: len(ids), Restriction: search.Unrestricted,
		})
		if err != nil || len(found.Matches) < len(want) {
			return false, err
		}
		for i := range found.Matches {
			d, err := element.Parse(found.Matches[i].JSON)
			if err != nil || digest(d) != want[found.Matches[i].Ref.ID] {
				return false, err
			}
		}
	}
	return true, nil
}

// Matters reports whether a version of a resource can make a card untrue: no card was
// issued of what has just been created.
func Matters(ref fhir.Ref) bool {
	return ref.Version != 1 && (ref.Type == "Patient" || ref.Type == "Immunization")
}

// Changed revokes the cards that say of these Immunizations what is not so any more, and
// all of these Patients whose record may not be shown any more.
func (l *Ledger) Changed(ctx context.Context, refs ...fhir.Ref) error {
	for _, ref := range refs {
		if !Matters(ref) || ref.Type == "Patient" && l.Standing == nil {
			continue
		}
		if ref.Type == "Patient" {
			if err := l.hold(ctx, ref.ID); err != nil {
				return err
			}
			continue
		}
		after := ""
		now, read := "", false
		for {
			entries, err := l.State.Entries(ctx, doseKind, ref.ID, after, pageOfEntries)
			if err != nil {
				return err
			}
			if len(entries) > 0 && !read {
				if now, err = l.digestOf(ctx, ref.ID); err != nil {
					return err
				}
				read = true
			}
			for _, e := range entries {
				var s said
				if err := json.Unmarshal(e.Value, &s); err != nil {
					return fmt.Errorf("what was issued: %w", err)
				}
				_, rid, _ := strings.Cut(e.Key, "/")
				if s.Digest != now {
					if err := l.Revoke(ctx, s.Key, rid); err != nil {
						return err
					}
				}
			}
			if len(entries) < pageOfEntries {
				break
			}
			after = entries[len(entries)-1].Key
		}
	}
	return nil
}

// hold revokes the cards of a Patient whose record may not be shown any more.
func (l *Ledger) hold(ctx context.Context, patient string) error {
	entries, err := l.State.Entries(ctx, issuedKind, patient, "", 1)
	if err != nil || len(entries) == 0 {
		return err
	}
	stands, err := l.Standing(ctx, patient)
	if err == nil && !stands {
		_, err = l.RevokeAll(ctx, patient)
	}
	return err
}

const pageOfEntries = 500

// digestOf is the digest of an Immunization as it is now, "" when it is gone.
func (l *Ledger) digestOf(ctx context.Context, id string) (string, error) {
	found, err := l.Store.Search(ctx, &search.Query{
		Type: "Immunization", Where: []search.Expr{search.IDs{Any: []string{id}}}, Count: 1, Restriction: search.Unrestricted,
	})
	if err != nil || len(found.Matches) == 0 {
		return "", err
	}
	d, err := element.Parse(found.Matches[0].JSON)
	if err != nil {
		return "", err
	}
	return digest(d), nil
}

// Revoke takes a card back. To do so twice is no error.
func (l *Ledger) Revoke(ctx context.Context, kid, rid string) error {
	err := l.State.Put(ctx, fhir.Entry{Kind: revokedKind, Key: rid, Group: kid, Value: encode(l.Now().UTC().Truncate(time.Second))})
	if fhir.CodeOf(err) == fhir.Conflict {
		return nil
	}
	return err
}

// RevokeAll takes all cards of a Patient back, and returns how many there were.
func (l *Ledger) RevokeAll(ctx context.Context, patient string) (n int, err error) {
	after := ""
	for {
		entries, err := l.State.Entries(ctx, issuedKind, patient, after, pageOfEntries)
		if err != nil {
			return n, err
		}
		for _, e := range entries {
			var i issued
			if err := json.Unmarshal(e.Value, &i); err != nil {
				return n, fmt.Errorf("what was issued: %w", err)
			}
			if err := l.Revoke(ctx, i.Key, e.Key); err != nil {
				return n, err
			}
			n++
		}
		if len(entries) < pageOfEntries {
			return n, nil
		}
		after = entries[len(entries)-1].Key
	}
}

// List returns the cards of a key that were revoked.
func (l *Ledger) List(ctx context.Context, kid string) (*health.List, error) {
	out := &health.List{Key: kid, Method: "rid", RIDs: []string{}}
	after := ""
	for {
		entries, err := l.State.Entries(ctx, revokedKind, kid, after, pageOfEntries)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			out.RIDs = append(out.RIDs, e.Key)
		}
		if len(entries) < pageOfEntries {
			break
		}
		after = entries[len(entries)-1].Key
	}
	out.Counter = 1 + len(out.RIDs) // the list only grows
	return out, nil
}

// Issuer returns what is published: all keys that were not taken back, and a list for
// each. It is what own cards are verified by.
func (l *Ledger) Issuer(ctx context.Context) (*health.Issuer, error) {
	keys, err := l.Ring.Keys(ctx)
	if err != nil {
		return nil, err
	}
	i := &health.Issuer{URL: l.URL}
	for _, k := range keys {
		if !k.Revoked.IsZero() {
			continue
		}
		list, err := l.List(ctx, k.ID)
		if err != nil {
			return nil, err
		}
		i.Keys, i.Lists = append(i.Keys, k), append(i.Lists, *list)
	}
	return i, nil
}

// Set returns the keys of an issuer as they are published at [iss]/.well-known/jwks.json.
func Set(i *health.Issuer) (key.Set, error) {
	set := key.Set{Keys: []key.JWK{}}
	for n, k := range i.Keys {
		j, err := k.JWK()
		if err != nil {
			return set, err
		}
		j.RevocationList = i.Lists[n].Counter
		set.Keys = append(set.Keys, j)
	}
	return set, nil
}

// Check verifies a card by the keys of this registry, and else by those who are trusted.
func (l *Ledger) Check(ctx context.Context, jws string, trusted health.Trust) (health.Result, error) {
	found, err := l.check(ctx, jws, trusted)
	if err != nil || found.Verdict != health.NoKey || found.Issuer == nil || found.Issuer.URL != l.URL {
		return found, err
	}
	if _, err := l.Ring.Refresh(ctx); err != nil { // another server may have a new key
		return found, err
	}
	return l.check(ctx, jws, trusted)
}

func (l *Ledger) check(ctx context.Context, jws string, trusted health.Trust) (health.Result, error) {
	own, err := l.Issuer(ctx)
	if err != nil {
		return health.Result{}, err
	}
	trust := health.Trust{}
	trust.Add(trusted)
	own.Name = cmp.Or(own.Name, "Registro de esta autoridad")
	trust[own.URL] = own
	return trust.Check(jws, l.Now()), nil
}
