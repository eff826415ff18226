// Package visit is a consultation at a distance as the record knows it: it opens the
// Encounter of an Appointment, holds people out of the room until the patient consents,
// gives each of them a link that is good once, remembers who was there, and closes the
// visit. It is the [room.Gate] of those who carry sound and picture.
//
// What a visit is at a moment is an entry of the store, changed under its version, so that
// any server may go on where another one stopped. What stays is in the record: the
// Encounter with who took part and how well they heard each other, a Communication for
// each line of the chat, and the Consent.
package visit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/telehealth/room"
)

// Store is where visits are.
type Store interface {
	Search(ctx context.Context, q *search.Query) (*search.Result, error)
	History(ctx context.Context, q *search.History) (*search.Versions, error)
	Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error)
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
}

// Grant is a right to see the record of a patient for as long as a visit lasts.
type Grant struct {
	ID        string // of the visit: with it all of its grants are taken back
	Patient   string
	Encounter string
	Expires   time.Time
	Caller    operation.Caller // an app
}

// Moment is somebody's coming or going, for the audit trail.
type Moment struct {
	Kind      room.Kind // Entered, Left, Dropped or Proved
	Encounter string
	Patient   string
	Actor     string // "Practitioner/1"; "" for who was invited
	Role      room.Role
	At        time.Time
}

// Config is what a Service works with. Store, Maker and Page must be set.
type Config struct {
	Store Store
	Maker func(base string) bundle.Maker // makes changes for a FHIR base

	// Page returns the address of a room for who has a token; the token is behind a #,
	// which browsers send to nobody. token is "" for the room alone.
	Page func(base, room, token string) string

	Before time.Duration // how long before an Appointment people may enter; 0 for 15 minutes
	After  time.Duration // how long after its end they have to be out; 0 for 30 minutes
	NoShow time.Duration // how long after its start the patient is waited for; 0 for 20 minutes
	Skew   time.Duration // by which the clocks of servers may differ; 0 for a minute

	// Apps are the roles of systems that act for people who signed in with them.
	// nil are telehealth-app, clinic-system and system.
	Apps []string

	// Keepers are the roles of systems that see records by themselves; nil are clinic-system
	// and system. A visit is of one app, unless that has such a role.
	Keepers []string

	// Deliver sends a message to a contact of a patient. nil sends none: codes are not
	// offered then.
	Deliver func(ctx context.Context, m Message) error
	// Settled is how long a contact has to be in the record of a patient before a code is
	// sent to it; 0 for three days.
	Settled time.Duration

	// Issue makes an access token of a grant. nil offers none.
	Issue func(ctx context.Context, g Grant) (string, error)
	// Revoke takes all tokens of a visit back. It may be called more than once.
	Revoke func(ctx context.Context, id string) error
	// EndRoom ends a meeting for everybody who is in it, Remove for one of them, on this
	// server. nil does nothing.
	EndRoom func(room string)
	Remove  func(room, seat string)
	// Audit puts a moment into the audit trail. nil records none.
	Audit func(ctx context.Context, m Moment) error

	Log   *slog.Logger     // nil for none
	Now   func() time.Time // nil is time.Now
	NewID func() string    // nil makes random ones of 128 bits
}

// Service is visits. It implements room.Gate.
type Service struct{ Config }

var _ room.Gate = (*Service)(nil)

// New returns a Service.
func New(cfg Config) *Service {
	for _, d := range []struct {
		set   *time.Duration
		usual time.Duration
	}{{&cfg.Before, 15 * time.Minute}, {&cfg.After, 30 * time.Minute}, {&cfg.NoShow, 20 * time.Minute}, {&cfg.Skew, time.Minute}, {&cfg.Settled, 72 * time.Hour}} {
		if *d.set == 0 {
			*d.set = d.usual
		}
	}
	if cfg.Apps == nil {
		cfg.Apps = []string{"telehealth-app", "clinic-system", "system"}
	}
	if cfg.Keepers == nil {
		cfg.Keepers = []string{"clinic-system", "system"}
	}
	if cfg.EndRoom == nil {
		cfg.EndRoom = func(string) {}
	}
	if cfg.Remove == nil {
		cfg.Remove = func(string, string) {}
	}
	if cfg.Revoke == nil {
		cfg.Revoke = func(context.Context, string) error { return nil }
	}
	if cfg.Audit == nil {
		cfg.Audit = func(context.Context, Moment) error { return nil }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.NewID == nil {
		cfg.NewID = func() string { return random(16) }
	}
	return &Service{cfg}
}

const base = "https://github.com/amate-health/amate/fhir/"

// Operations returns the operations of visits.
func (s *Service) Operations() []operation.Operation {
	of := func(name string, on []string, run func(context.Context, *operation.Call) (*operation.Answer, error)) operation.Operation {
		return operation.Operation{Name: name, URL: base + "OperationDefinition/" + name, Scope: operation.OnInstance, Types: on, Changes: true, Run: run}
	}
	appointment, encounter := []string{"Appointment"}, []string{"Encounter"}
	return []operation.Operation{
		of("start-visit", appointment, s.start),
		of("visit-consent", []string{"Appointment", "Encounter"}, s.consent),
		of("join", encounter, s.join),
		of("invite", encounter, s.invite),
		of("uninvite", encounter, s.uninvite),
		of("visit-code", encounter, s.code),
		of("visit-token", encounter, s.token),
		of("end-visit", encounter, s.end),
	}
}

// one returns a resource that a caller may see, nil when there is none.
func (s *Service) one(ctx context.Context, only *search.Restriction, ref fhir.Ref) (*fhir.Resource, error) {
	q := &search.Query{Where: []search.Expr{search.Types{Any: []string{ref.Type}}, search.IDs{Any: []string{ref.ID}}}, Count: 1, Restriction: only}
	found, err := s.Store.Search(ctx, q)
	if err != nil || len(found.Matches) == 0 {
		return nil, err
	}
	return &found.Matches[0], nil
}

// all returns what a search finds, whoever asks: up to a hundred, of which the caller is
// shown none.
func (s *Service) all(ctx context.Context, typ string, params ...search.Param) ([]fhir.Resource, error) {
	q, err := search.Parse(typ, append(params, search.Param{Name: "_count", Value: "100"}), search.Options{})
	if err != nil {
		return nil, err
	}
	q.Restriction = search.Unrestricted
	found, err := s.Store.Search(ctx, q)
	if err != nil {
		return nil, err
	}
	return found.Matches, nil
}

// isApp reports whether a caller is a system that acts for people.
func (s *Service) isApp(c operation.Caller) bool {
	if c.User.ID != "" {
		return false
	}
	return c.Roles == nil || slices.ContainsFunc(c.Roles, func(role string) bool { return slices.Contains(s.Apps, role) })
}

// random returns n random bytes as text.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// roomLength is how many characters the name of a room has: those of 16 random bytes.
const roomLength = 22

// secret returns a new token or secret of a room, and the digest by which it is known. It
// begins with the name of the room.
func secret(name string) (secret, digest string) {
	secret = name + random(32)
	return secret, digestOf(secret)
}

func digestOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
