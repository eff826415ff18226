package people

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/amate-health/amate/fhir"
)

const (
	ceremonyKind  = "passkey-ceremony"
	ceremonyLasts = 5 * time.Minute
	mostPasskeys  = 20 // of one account
)

// Passkeys lets people sign in with a key on a device of theirs instead of a password.
// The device asks for a finger or a PIN, so that it stands for both factors.
//
// See https://www.w3.org/TR/webauthn-3/.
type Passkeys struct {
	*Directory
	web *webauthn.WebAuthn
}

// OpenPasskeys returns the passkeys for pages of origin, whose host is host.
func OpenPasskeys(d *Directory, host, origin string) (*Passkeys, error) {
	web, err := webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: "Amate", RPOrigins: []string{origin},
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	return &Passkeys{Directory: d, web: web}, nil
}

// holder is an account as the library wants it.
type holder struct{ *Account }

func (h holder) WebAuthnID() []byte          { return []byte(h.ID) }
func (h holder) WebAuthnName() string        { return h.Login }
func (h holder) WebAuthnDisplayName() string { return h.Login }
func (h holder) WebAuthnCredentials() []webauthn.Credential {
	all := make([]webauthn.Credential, len(h.Passkeys))
	for i, p := range h.Passkeys {
		all[i] = p.Credential
	}
	return all
}

// BeginAdd returns what the browser is to make a passkey with, and the id of the
// ceremony.
func (p *Passkeys) BeginAdd(ctx context.Context, account string) (id string, options any, err error) {
	a, err := p.Get(ctx, account)
	if err != nil {
		return "", nil, err
	}
	var have []protocol.CredentialDescriptor
	for _, k := range a.Passkeys {
		have = append(have, k.Credential.Descriptor())
	}
	creation, session, err := p.web.BeginRegistration(holder{a}, webauthn.WithExclusions(have))
	if err != nil {
		return "", nil, err
	}
	id, err = p.keep(ctx, session)
	return id, creation, err
}

// FinishAdd keeps the passkey that a browser has made. Errors: ErrWrong.
func (p *Passkeys) FinishAdd(ctx context.Context, account, id, name string, answer []byte) error {
	session, err := p.take(ctx, id)
	if err != nil {
		return err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return ErrWrong
	}
	_, err = p.Change(ctx, account, func(a *Account) error {
		credential, err := p.web.CreateCredential(holder{a}, *session, parsed)
		if err != nil {
			return ErrWrong
		}
		if len(a.Passkeys) >= mostPasskeys {
			return fhir.Errorf(fhir.Invalid, "an account has at most %d passkeys", mostPasskeys)
		}
		if name = strings.TrimSpace(name); name == "" || len(name) > 100 {
			name = p.now().Format(time.DateOnly)
		}
		a.Passkeys = append(a.Passkeys, Passkey{Name: name, Added: p.now(), Credential: *credential})
		return nil
	})
	return err
}

// Drop removes the passkey at place n, if it was added then.
func (p *Passkeys) Drop(ctx context.Context, account string, n int, added time.Time) error {
	_, err := p.Change(ctx, account, func(a *Account) error {
		if n < 0 || n >= len(a.Passkeys) || !a.Passkeys[n].Added.Equal(added) {
			return fhir.Errorf(fhir.NotFound, "there is no such passkey")
		}
		a.Passkeys = slices.Delete(a.Passkeys, n, n+1)
		return nil
	})
	return err
}

// BeginSignIn returns what the browser is to sign. It names no account: the device
// knows whose keys it has.
func (p *Passkeys) BeginSignIn(ctx context.Context) (id string, options any, err error) {
	assertion, session, err := p.web.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return "", nil, err
	}
	id, err = p.keep(ctx, session)
	return id, assertion, err
}

// FinishSignIn returns the account whose passkey has signed. Errors: ErrWrong.
func (p *Passkeys) FinishSignIn(ctx context.Context, id string, answer []byte) (*Account, error) {
	session, err := p.take(ctx, id)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return nil, ErrWrong
	}
	user, credential, err := p.web.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		a, err := p.Get(ctx, string(handle))
		return holder{a}, err
	}, *session, parsed)
	if err != nil || credential.Authenticator.CloneWarning {
		return nil, ErrWrong
	}
	return p.Change(ctx, user.(holder).ID, func(a *Account) error {
		if a.Locked {
			return ErrWrong
		}
		for i := range a.Passkeys {
			if bytes.Equal(a.Passkeys[i].Credential.ID, credential.ID) {
				a.Passkeys[i].Credential = *credential
				return nil
			}
		}
		return ErrWrong
	})
}

// keep keeps a ceremony until it is finished.
func (p *Passkeys) keep(ctx context.Context, session *webauthn.SessionData) (id string, err error) {
	value, err := json.Marshal(session)
	if err != nil {
		return "", err
	}
	id = random()
	return id, p.State.Put(ctx, fhir.Entry{Kind: ceremonyKind, Key: hidden(id), Expires: p.now().Add(ceremonyLasts), Value: value})
}

// take returns a ceremony, once. Errors: ErrWrong.
func (p *Passkeys) take(ctx context.Context, id string) (*webauthn.SessionData, error) {
	e, err := p.State.Entry(ctx, ceremonyKind, hidden(id))
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil, ErrWrong
	}
	if err != nil {
		return nil, err
	}
	var session webauthn.SessionData
	if err := json.Unmarshal(e.Value, &session); err != nil {
		return nil, err
	}
	err = p.State.Put(ctx, spent(e, p.now()))
	if fhir.CodeOf(err) == fhir.Conflict {
		err = errors.Join(ErrWrong, err)
	}
	return &session, err
}

func base32Decode(s string) ([]byte, error) {
	return base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(s)
}
