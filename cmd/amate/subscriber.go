package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/authz/smart"
	"github.com/amate-health/amate/authz/token"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/subscription"
)

// subscriber says whose a Subscription is, and becomes them when something is sent: with
// the rights that they have then.
type subscriber struct{ *opened }

// How long the rights of an owner last.
const (
	ofAccount = "account" // as long as the account and what it has granted the app
	ofClient  = "client"  // as long as the app
	ofToken   = "token"   // as long as the token: nobody here knows more of whom it speaks for
)

// owner is whose a Subscription is.
type owner struct {
	Kind      string
	Granted   bool // the app goes on by a grant of the account
	At        time.Time
	Principal authz.Principal
}

// Owner implements subscription.Access.
func (s subscriber) Owner(ctx context.Context) ([]byte, string, error) {
	if s.access == nil {
		return []byte("{}"), "", nil
	}
	p := authz.From(ctx)
	switch {
	case p == nil:
		return nil, "", fhir.Errorf(fhir.Forbidden, "a Subscription is made by a caller who is signed in: what is sent is what they may see")
	case p.Purpose == "BTG":
		return nil, "", fhir.Errorf(fhir.Forbidden, "emergency access is for a short time, and for whoever asks: no Subscription is made with it")
	}
	o := owner{Kind: ofToken, At: time.Now(), Principal: *p}
	_, err := s.access.people.Get(ctx, p.ID)
	switch fhir.CodeOf(err) {
	case fhir.NotFound:
		c, err := s.access.clients.Get(ctx, p.Client)
		if err == nil && p.ID == p.Client && c.Org == p.Org && c.Patient == p.Patient && c.User == refText(p.User) && c.Purpose == p.Purpose {
			o.Kind = ofClient
		} else if err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return nil, "", err
		}
	default:
		if err != nil {
			return nil, "", err
		}
		o.Kind = ofAccount
		if o.Granted, err = smart.Granted(ctx, s.access.state, p.ID, p.Client); err != nil {
			return nil, "", err
		}
		if !o.Granted {
			o.Kind = ofToken
		}
	}
	text, err := json.Marshal(o)
	return text, p.ID, err
}

func refText(r fhir.Ref) string {
	if r.ID == "" {
		return ""
	}
	return r.Current().String()
}

// As implements subscription.Access.
func (s subscriber) As(ctx context.Context, text []byte) (context.Context, string, error) {
	if s.access == nil {
		return ctx, "", nil
	}
	var o owner
	if err := json.Unmarshal(text, &o); err != nil || o.Kind == "" {
		return ctx, "", subscription.ErrRevoked // it was made without access control
	}
	p := o.Principal
	claims := &token.Claims{Client: p.Client}
	claims.Subject, claims.IssuedAt = p.ID, jwt.NewNumericDate(o.At)
	if o.Kind == ofToken {
		claims.ID, claims.Grant = p.Token, p.Grant
	}
	if s.access.revocations.Ended(claims) {
		return ctx, "", subscription.ErrRevoked
	}
	var err error
	switch o.Kind {
	case ofAccount:
		err = s.asAccount(ctx, &p)
	case ofClient:
		err = s.asClient(ctx, &p)
	case ofToken:
		if !p.Expires.IsZero() && !time.Now().Before(p.Expires) {
			err = subscription.ErrRevoked
		}
	default:
		err = subscription.ErrRevoked
	}
	if err != nil {
		return ctx, "", err
	}
	p.Reason = ""
	return p.With(ctx), fmt.Sprint(p.Roles, p.Org, p.User, p.Patient, p.Scopes, p.Purpose), nil
}

// Bound implements subscription.Access: a token of which each scope is for the patient in
// context opens no other record, whatever its account may do.
func (s subscriber) Bound(text []byte) string {
	var o owner
	if json.Unmarshal(text, &o) != nil || o.Principal.Patient == "" {
		return ""
	}
	set, _ := scope.Known(o.Principal.Scopes...)
	for _, one := range set.Scopes {
		if one.Context != scope.Patient {
			return ""
		}
	}
	return o.Principal.Patient
}

// asAccount gives a principal the rights that its account has now.
func (s subscriber) asAccount(ctx context.Context, p *authz.Principal) error {
	a, err := s.access.people.Get(ctx, p.ID)
	if fhir.CodeOf(err) == fhir.NotFound || err == nil && a.Locked {
		return subscription.ErrRevoked
	}
	if err != nil {
		return err
	}
	granted, err := smart.Granted(ctx, s.access.state, p.ID, p.Client)
	if err != nil {
		return err
	}
	c, err := s.access.clients.Get(ctx, p.Client)
	if fhir.CodeOf(err) == fhir.NotFound || err == nil && !granted {
		return subscription.ErrRevoked
	}
	if err != nil {
		return err
	}
	p.Roles, p.Org, p.User = a.Roles, a.Org, a.Ref()
	if personal := p.User.Type == "Patient" || p.User.Type == "RelatedPerson"; personal && p.Patient != "" && !slices.Contains(a.Records(), p.Patient) {
		return subscription.ErrRevoked // the record is not in their care any more
	}
	return narrow(p, c.Scopes)
}

// asClient gives a principal the rights that its app has now.
func (s subscriber) asClient(ctx context.Context, p *authz.Principal) error {
	c, err := s.access.clients.Get(ctx, p.Client)
	if fhir.CodeOf(err) == fhir.NotFound {
		return subscription.ErrRevoked
	}
	if err != nil {
		return err
	}
	p.Roles, p.Org, p.Patient, p.Purpose = c.Roles, c.Org, c.Patient, c.Purpose
	p.User, _ = fhir.ParseRef(c.User)
	return narrow(p, c.Scopes)
}

// narrow leaves a principal those of its scopes that its app may still have.
func narrow(p *authz.Principal, most []string) error {
	allowed, err := scope.Parse(most...)
	if err != nil {
		return err
	}
	had, _ := scope.Known(p.Scopes...)
	p.Scopes = scope.Narrow(had, allowed).Strings()
	return nil
}
