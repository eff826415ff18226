package people

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/amate-health/amate/fhir"
)

// ErrWrong is the answer to a login, password or code that is wrong, to a login that
// does not exist, and to an account that is locked. They look the same.
var ErrWrong = errors.New("the login, the password or the code is wrong")

// WaitError asks to wait before the next try.
type WaitError struct{ Until time.Time }

func (e *WaitError) Error() string { return "too many tries in vain" }

// The back-off: so many tries are free, then each failure doubles the wait.
const (
	freeTries   = 5
	firstWait   = 30 * time.Second
	longestWait = 15 * time.Minute
	forgetTries = 24 * time.Hour
	triesKind   = "sign-in-tries"
)

// tries is how often somebody has failed in a row.
type tries struct {
	Count int
	Until time.Time // no further try before
}

// Password returns the account with this login and password. A try is counted before
// it is looked at, so that many at once count as many.
// Errors: ErrWrong, *WaitError.
func (d *Directory) Password(ctx context.Context, login, password string) (*Account, error) {
	who := "login/" + fold(login)
	if err := d.count(ctx, who); err != nil {
		return nil, err
	}
	a, err := d.Find(ctx, login)
	if err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return nil, err
	}
	phc := nobody
	if a != nil && a.Password != "" {
		phc = a.Password
	}
	ok, err := matches(ctx, phc, password)
	if err != nil {
		return nil, err
	}
	if !ok || a == nil || a.Password == "" || a.Locked {
		return nil, ErrWrong
	}
	return a, d.forgive(ctx, who)
}

// count notes one try, and refuses it while the back-off lasts.
func (d *Directory) count(ctx context.Context, who string) error {
	sum := sha256.Sum256([]byte(who)) // what is typed as a login may be a password
	key := hex.EncodeToString(sum[:])
	for {
		old, err := d.State.Entry(ctx, triesKind, key)
		if err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return err
		}
		var t tries
		if len(old.Value) > 0 {
			if err := json.Unmarshal(old.Value, &t); err != nil {
				return fmt.Errorf("tries to sign in: %w", err)
			}
		}
		now := d.now()
		if now.Before(t.Until) {
			return &WaitError{Until: t.Until}
		}
		t.Count++
		if over := t.Count - freeTries; over >= 0 {
			t.Until = now.Add(min(firstWait<<min(over, 10), longestWait))
		}
		value, err := json.Marshal(t)
		if err != nil {
			return err
		}
		err = d.State.Put(ctx, fhir.Entry{Kind: triesKind, Key: key, Version: old.Version, Expires: now.Add(forgetTries), Value: value})
		if fhir.CodeOf(err) == fhir.Conflict && ctx.Err() == nil {
			continue
		}
		return err
	}
}

// forgive forgets the tries of somebody who has shown who they are.
func (d *Directory) forgive(ctx context.Context, who string) error {
	sum := sha256.Sum256([]byte(who))
	return d.State.Remove(ctx, triesKind, hex.EncodeToString(sum[:]), 0)
}

// SetPassword changes a password, and ends every session. given says that somebody
// else than its owner has chosen it. Errors: fhir.Invalid, fhir.NotFound.
func (d *Directory) SetPassword(ctx context.Context, id, password string, given bool) error {
	_, err := d.Change(ctx, id, func(a *Account) error {
		a.MustChange = given
		return a.setPassword(password)
	})
	if err != nil {
		return err
	}
	return d.EndAll(ctx, id)
}
