package people

import (
	"context"
	"errors"
	"strings"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// stepSeconds is how long a one-time code is shown.
//
// See https://www.rfc-editor.org/rfc/rfc6238.
const stepSeconds = 30

// NewSecret returns a secret for one-time codes, and the URL that an authenticator
// reads from a QR code. It counts once ConfirmCode has seen a code of it.
func NewSecret(issuer, login string) (secret, url string, err error) {
	k, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: login, SecretSize: 20})
	if err != nil {
		return "", "", err
	}
	return k.Secret(), k.URL(), nil
}

// SecretURL returns the URL of a secret that NewSecret has made.
func SecretURL(issuer, login, secret string) (string, error) {
	raw, err := base32Decode(secret)
	if err != nil {
		return "", err
	}
	k, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: login, Secret: raw})
	if err != nil {
		return "", err
	}
	return k.URL(), nil
}

// ConfirmCode turns one-time codes on, with a code that shows that the authenticator
// has the secret. Errors: ErrWrong.
func (d *Directory) ConfirmCode(ctx context.Context, id, secret, code string) error {
	_, err := d.Change(ctx, id, func(a *Account) error {
		a.Secret, a.Step = secret, 0
		return d.use(a, code)
	})
	return err
}

// DropCode turns one-time codes off.
func (d *Directory) DropCode(ctx context.Context, id string) error {
	_, err := d.Change(ctx, id, func(a *Account) error {
		a.Secret, a.Step = "", 0
		return nil
	})
	return err
}

// Code checks the one-time code of an account. A code is good once.
// Errors: ErrWrong, *WaitError.
func (d *Directory) Code(ctx context.Context, id, code string) error {
	who := "code/" + id
	if err := d.count(ctx, who); err != nil {
		return err
	}
	if _, err := d.Change(ctx, id, func(a *Account) error {
		if a.Locked {
			return ErrWrong
		}
		return d.use(a, code)
	}); err != nil {
		return err
	}
	return d.forgive(ctx, who)
}

// use takes a code of this step of time, or of the one before or after it, for clocks
// that are not right. A step that was used is over.
func (d *Directory) use(a *Account, code string) error {
	code = strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, code)
	now := d.now().Unix() / stepSeconds
	for _, step := range []int64{now - 1, now, now + 1} {
		ok, err := hotp.ValidateCustom(code, uint64(step), a.Secret, hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil && !errors.Is(err, otp.ErrValidateInputInvalidLength) {
			return err
		}
		if ok && step > a.Step {
			a.Step = step
			return nil
		}
	}
	return ErrWrong
}
