package people

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir"
)

// Account is a person who can sign in.
type Account struct {
	ID         string   // random; what tokens and records name
	Login      string   // what is typed to sign in, as it was given
	Name       string   // how pages greet; may be ""
	Roles      []string // of the role policy
	Org        string   // CLUES of the establishment that the person works for; "" for none
	User       string   // "Practitioner/1", "Patient/1" or "RelatedPerson/1"; "" for none
	Patients   []string // whose records a guardian may open, beside those the User is
	Locked     bool     // by an administrator
	MustChange bool     // the password was given by somebody else
	Password   string   // as hash writes it; "" for none
	Secret     string   // of one-time codes, base32; "" where none are asked for
	Step       int64    // the last step of time whose code was used
	Passkeys   []Passkey
	Created    time.Time

	version int64
}

// Passkey is a key that a person's device keeps.
type Passkey struct {
	Name       string // to tell it from others
	Added      time.Time
	Credential webauthn.Credential
}

// Ref returns the resource that a is linked to; zero for none.
func (a *Account) Ref() fhir.Ref {
	ref, _ := fhir.ParseRef(a.User)
	return ref
}

// Records lists the patients whose records are a's own or in a's care.
func (a *Account) Records() []string {
	all := slices.Clone(a.Patients)
	if ref := a.Ref(); ref.Type == "Patient" && !slices.Contains(all, ref.ID) {
		all = append([]string{ref.ID}, all...)
	}
	return all
}

// Kinds of entries. A login leads to the id of an account, so that an account can be
// called otherwise without becoming another.
const (
	accountKind = "account"
	loginKind   = "account-login"
)

// Directory keeps the accounts. It is safe for many goroutines.
type Directory struct {
	State authz.State
	Now   func() time.Time // nil is time.Now
}

func (d *Directory) now() time.Time {
	if d.Now == nil {
		return time.Now().UTC()
	}
	return d.Now().UTC()
}

var (
	goodLogin = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}._@+-]{1,63}$`)
	goodRole  = regexp.MustCompile(`^[a-z][a-z-]{1,40}$`)
)

// fold returns the form of a login that is compared: Ana, ana and ＡＮＡ are the same.
func fold(login string) string { return strings.ToLower(norm.NFKC.String(strings.TrimSpace(login))) }

// Add makes an account. It sets the id. Without a password, the person has to be
// given a Reset to choose one.
// Errors: fhir.Invalid for a login, role or password of the wrong form; fhir.Conflict
// when the login is taken.
func (d *Directory) Add(ctx context.Context, a *Account, password string) error {
	if err := a.check(); err != nil {
		return err
	}
	if password != "" {
		if err := a.setPassword(password); err != nil {
			return err
		}
	}
	a.ID, a.Created = uuid.NewString(), d.now()
	e, err := a.entry()
	if err != nil {
		return err
	}
	err = d.State.Put(ctx, e, fhir.Entry{Kind: loginKind, Key: fold(a.Login), Value: []byte(a.ID)})
	if fhir.CodeOf(err) == fhir.Conflict {
		return fhir.Errorf(fhir.Conflict, "this login is taken")
	}
	a.version = 1
	return err
}

// check looks at what an administrator has typed.
func (a *Account) check() error {
	if !goodLogin.MatchString(norm.NFKC.String(a.Login)) {
		return fhir.Errorf(fhir.Invalid, "a login has 2 to 64 letters, digits or . _ @ + -, and begins with a letter or a digit")
	}
	for _, r := range a.Roles {
		if !goodRole.MatchString(r) {
			return fhir.Errorf(fhir.Invalid, "a role has small letters and hyphens").With("the role is %.50q", r)
		}
	}
	if a.User != "" {
		ref, ok := fhir.ParseRef(a.User)
		if !ok || ref.Version != 0 || !slices.Contains([]string{"Practitioner", "Patient", "RelatedPerson"}, ref.Type) {
			return fhir.Errorf(fhir.Invalid, "an account is linked to a Practitioner, a Patient or a RelatedPerson, such as Practitioner/1")
		}
	}
	for _, id := range a.Patients {
		if !fhir.ValidID(id) {
			return fhir.Errorf(fhir.Invalid, "a patient in somebody's care is named by an id")
		}
	}
	return nil
}

func (a *Account) entry() (fhir.Entry, error) {
	value, err := json.Marshal(a)
	return fhir.Entry{Kind: accountKind, Key: a.ID, Version: a.version, Value: value}, err
}

func parseAccount(e fhir.Entry) (*Account, error) {
	a := &Account{version: e.Version}
	if err := json.Unmarshal(e.Value, a); err != nil {
		return nil, fmt.Errorf("account %s: %w", e.Key, err)
	}
	return a, nil
}

// Get returns an account by its id. Errors: fhir.NotFound.
func (d *Directory) Get(ctx context.Context, id string) (*Account, error) {
	e, err := d.State.Entry(ctx, accountKind, id)
	if err != nil {
		return nil, err
	}
	return parseAccount(e)
}

// Find returns an account by its login. Errors: fhir.NotFound.
func (d *Directory) Find(ctx context.Context, login string) (*Account, error) {
	e, err := d.State.Entry(ctx, loginKind, fold(login))
	if err != nil {
		return nil, err
	}
	return d.Get(ctx, string(e.Value))
}

// List returns up to limit accounts, ordered by id, after the one with the id after.
func (d *Directory) List(ctx context.Context, after string, limit int) ([]*Account, error) {
	entries, err := d.State.Entries(ctx, accountKind, "", after, limit)
	if err != nil {
		return nil, err
	}
	all := make([]*Account, len(entries))
	for i, e := range entries {
		if all[i], err = parseAccount(e); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Change lets f change an account, on its newest state, and keeps the result. f may
// be called more than once. The login stays as it is.
func (d *Directory) Change(ctx context.Context, id string, f func(*Account) error) (*Account, error) {
	for {
		a, err := d.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		login := a.Login
		if err := f(a); err != nil {
			return nil, err
		}
		a.ID, a.Login = id, login
		if err := a.check(); err != nil {
			return nil, err
		}
		e, err := a.entry()
		if err != nil {
			return nil, err
		}
		err = d.State.Put(ctx, e)
		if fhir.CodeOf(err) == fhir.Conflict && ctx.Err() == nil {
			continue
		}
		a.version++
		return a, err
	}
}

// Remove removes an account, and ends its sessions.
func (d *Directory) Remove(ctx context.Context, id string) error {
	a, err := d.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := d.State.Remove(ctx, accountKind, id, 0); err != nil {
		return err
	}
	if err := d.State.Remove(ctx, loginKind, fold(a.Login), 0); err != nil {
		return err
	}
	return d.EndAll(ctx, id)
}
