package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/authz/smart"
	"github.com/amate-health/amate/authz/token"
	"github.com/amate-health/amate/fhir"
)

// bearer makes an access token for somebody who can open the database, and so may do
// everything anyway. It needs no server.
type bearer struct {
	Storage storage       `embed:""`
	Role    string        `help:"Role that the token is for, such as clinician. With --demo there is an app for each, whose settings it takes." xor:"who" required:"" placeholder:"ROLE"`
	Client  string        `help:"Registered app that the token is for, with its roles and scopes." xor:"who" required:"" placeholder:"ID"`
	Scope   string        `help:"Scopes, parted by spaces; as many as the app may have when not given." placeholder:"SCOPES"`
	Patient string        `help:"Id of the patient in context." placeholder:"ID"`
	User    string        `help:"Who it speaks for, such as Practitioner/1." placeholder:"REFERENCE"`
	Org     string        `help:"CLUES of the establishment." placeholder:"CLUES"`
	Purpose string        `help:"Purpose of use, such as TREAT." placeholder:"CODE"`
	Reason  string        `help:"Why, for --purpose BTG: access in an emergency." placeholder:"TEXT"`
	For     time.Duration `help:"How long it is good, 24h at most." default:"1h" placeholder:"DURATION"`
	BaseURL string        `help:"The FHIR base that it is for; the one of the last server on this database when not given." placeholder:"URL"`
}

func (b *bearer) Run(ctx context.Context, out streams, log *slog.Logger) error {
	if b.For <= 0 || b.For > token.Longest {
		return usagef("--for %s: a token lasts %s at most", b.For, token.Longest)
	}
	return b.Storage.withAccess(ctx, log, b.BaseURL, func(a *access) error {
		if b.Role != "" {
			if err := warnOfRoles(ctx, a.state, log, b.Role); err != nil {
				return err
			}
		}
		raw, err := b.mint(ctx, a)
		if err == nil {
			_, err = fmt.Fprintln(out.out, raw)
		}
		return err
	})
}

// mint makes the token.
func (b *bearer) mint(ctx context.Context, a *access) (string, error) {
	c, err := b.app(ctx, a)
	if err != nil {
		return "", err
	}
	for value, field := range map[*string]*string{&b.Patient: &c.Patient, &b.User: &c.User, &b.Org: &c.Org, &b.Purpose: &c.Purpose} {
		if *value != "" {
			*field = *value
		}
	}
	if b.Scope != "" {
		c.Scopes = strings.Fields(b.Scope)
	}
	granted, err := scope.Parse(c.Scopes...)
	if err != nil {
		return "", usagef("--scope: %v", err)
	}
	if granted.NeedsPatient() && c.Patient == "" {
		return "", usagef("a token with the scope %s needs --patient", granted)
	}
	claims := smart.SystemClaims(c, granted, "")
	claims.Reason = b.Reason
	return a.minter.Access(claims, b.For)
}

// app returns the app that the token is for. A role without one gets a token for the
// role alone.
func (b *bearer) app(ctx context.Context, a *access) (*client.Client, error) {
	id := b.Client
	if id == "" {
		id = demoRole{name: b.Role}.client()
	}
	c, err := a.clients.Get(ctx, id)
	switch {
	case err == nil:
		return c, nil
	case fhir.CodeOf(err) != fhir.NotFound:
		return nil, err
	case b.Client != "":
		return nil, usagef("there is no app %s: see amate client list", b.Client)
	}
	c = &client.Client{ID: "amate-token", Roles: []string{b.Role}, Scopes: []string{"user/*.cruds"}}
	switch b.Role {
	case "system":
		c.Scopes = []string{"system/*.cruds"}
	case "patient":
		c.Scopes, c.User = []string{"patient/*.cruds"}, "Patient/"+b.Patient
	}
	return c, nil
}
