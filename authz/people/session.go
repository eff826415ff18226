package people

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/amate-health/amate/fhir"
)

// How long somebody stays signed in.
const (
	sessionLasts = 8 * time.Hour
	sessionIdle  = time.Hour
	touchEvery   = 5 * time.Minute // how exactly idleness is known
	halfLasts    = 5 * time.Minute // between the password and the code
	resetLasts   = 24 * time.Hour
	sessionKind  = "session"
	resetKind    = "password-reset"
)

// Session is a browser in which somebody is signed in.
type Session struct {
	Account string
	At      time.Time // when they showed who they are
	Seen    time.Time
	Methods []string // RFC 8176: "pwd", "otp", "hwk"
	Half    bool     // the password was right, the one-time code is still to come
}

// Start begins a session, always under a new name, which goes into the cookie.
func (d *Directory) Start(ctx context.Context, account string, half bool, methods ...string) (cookie string, err error) {
	cookie = random()
	now := d.now()
	s := Session{Account: account, At: now, Seen: now, Methods: methods, Half: half}
	lasts := sessionLasts
	if half {
		lasts = halfLasts
	}
	value, err := json.Marshal(s)
	if err != nil {
		return "", err
	}
	return cookie, d.State.Put(ctx, fhir.Entry{Kind: sessionKind, Key: hidden(cookie), Group: account, Expires: now.Add(lasts), Value: value})
}

// Session returns what a cookie stands for, and the account, unless it is locked.
// Errors: fhir.NotFound.
func (d *Directory) Session(ctx context.Context, cookie string) (*Session, *Account, error) {
	none := fhir.Errorf(fhir.NotFound, "nobody is signed in")
	if cookie == "" {
		return nil, nil, none
	}
	e, err := d.State.Entry(ctx, sessionKind, hidden(cookie))
	if err != nil {
		return nil, nil, err
	}
	var s Session
	if err := json.Unmarshal(e.Value, &s); err != nil {
		return nil, nil, fmt.Errorf("session: %w", err)
	}
	now := d.now()
	if now.Sub(s.Seen) > sessionIdle {
		return nil, nil, errors.Join(none, d.End(ctx, cookie))
	}
	a, err := d.Get(ctx, s.Account)
	if err != nil {
		return nil, nil, err
	}
	if a.Locked {
		return nil, nil, none
	}
	if now.Sub(s.Seen) > touchEvery {
		s.Seen = now
		if e.Value, err = json.Marshal(s); err != nil {
			return nil, nil, err
		}
		if err := d.State.Put(ctx, e); err != nil && fhir.CodeOf(err) != fhir.Conflict {
			return nil, nil, err
		}
	}
	return &s, a, nil
}

// End ends a session.
func (d *Directory) End(ctx context.Context, cookie string) error {
	return d.State.Remove(ctx, sessionKind, hidden(cookie), 0)
}

// EndAll ends every session of an account.
func (d *Directory) EndAll(ctx context.Context, account string) error {
	const page = 100
	for {
		entries, err := d.State.Entries(ctx, sessionKind, account, "", page)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := d.State.Remove(ctx, sessionKind, e.Key, 0); err != nil {
				return err
			}
		}
		if len(entries) < page {
			return nil
		}
	}
}

// Reset returns a secret with which somebody can choose a new password, once, within
// a day. Whoever gives it away decides that they are who they say.
func (d *Directory) Reset(ctx context.Context, id string) (secret string, err error) {
	if _, err := d.Get(ctx, id); err != nil {
		return "", err
	}
	secret = random()
	return secret, d.State.Put(ctx, fhir.Entry{Kind: resetKind, Key: hidden(secret), Expires: d.now().Add(resetLasts), Value: []byte(id)})
}

// ForReset returns the account that a secret of Reset is for. Errors: fhir.NotFound.
func (d *Directory) ForReset(ctx context.Context, secret string) (*Account, error) {
	e, err := d.State.Entry(ctx, resetKind, hidden(secret))
	if err != nil {
		return nil, err
	}
	return d.Get(ctx, string(e.Value))
}

// UseReset sets the password that somebody chose with a secret of Reset, and returns
// whose it is. Errors: fhir.NotFound; fhir.Invalid for a bad password, which leaves
// the secret as it is.
func (d *Directory) UseReset(ctx context.Context, secret, password string) (account string, err error) {
	a, err := d.ForReset(ctx, secret)
	if err != nil {
		return "", err
	}
	if err := CheckPassword(password, a.Login, a.Name); err != nil {
		return "", err
	}
	e, err := d.State.Entry(ctx, resetKind, hidden(secret))
	if err != nil {
		return "", err
	}
	if err := d.State.Put(ctx, spent(e, d.now())); err != nil { // of two at once, one finds it changed
		return "", err
	}
	if err := d.SetPassword(ctx, a.ID, password, false); err != nil {
		return "", err
	}
	return a.ID, d.forgive(ctx, "login/"+fold(a.Login))
}

// spent returns e as it stays for a moment after its only use, found by nobody.
func spent(e fhir.Entry, now time.Time) fhir.Entry {
	e.Expires, e.Value = now, nil
	return e
}

// hidden returns the key under which a secret is kept: who reads the database cannot
// use it.
func hidden(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func random() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Signed reports whether one of the methods of s is m.
func (s *Session) Signed(m string) bool { return slices.Contains(s.Methods, m) }

// SessionKey returns what stands for a session elsewhere, and does not open it.
func SessionKey(cookie string) string { return hidden(cookie) }

// Alive reports whether the session with this key goes on.
func (d *Directory) Alive(ctx context.Context, key string) (bool, error) {
	_, err := d.State.Entry(ctx, sessionKind, key)
	if fhir.CodeOf(err) == fhir.NotFound {
		return false, nil
	}
	return err == nil, err
}
