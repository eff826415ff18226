package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/fhir"
)

// apps manages the apps and systems that may ask for tokens. The server may be running
// meanwhile.
type apps struct {
	Add    appAdd    `cmd:"" help:"Register an app or a system."`
	List   appList   `cmd:"" help:"List the apps and systems."`
	Rotate appRotate `cmd:"" help:"Give an app a new secret, or new keys, and end its tokens."`
	Remove appRemove `cmd:"" help:"Remove an app: its tokens end at once."`
}

type appAdd struct {
	Storage     storage       `embed:""`
	ID          string        `arg:"" help:"The client_id."`
	Name        string        `help:"How people know it; shown when they are asked for their consent."`
	Redirect    []string      `help:"Redirect URI, compared to the letter; for an app that people sign in to. Can be given more than once." placeholder:"URL" sep:"none"`
	Launch      string        `help:"Where an EHR launch begins." placeholder:"URL"`
	Public      bool          `help:"An app in a browser or on a telephone, that can keep no secret."`
	JWKS        string        `help:"File with its public keys, for private_key_jwt." placeholder:"FILE" type:"existingfile" name:"jwks"`
	JWKSURL     string        `help:"Where it publishes its public keys." placeholder:"URL" name:"jwks-url"`
	Scope       string        `help:"The most that it may be given, parted by spaces." required:"" placeholder:"SCOPES"`
	Role        []string      `help:"Roles of a system that asks by itself (client_credentials). An app that only people sign in to needs none: it has theirs."`
	Org         string        `help:"CLUES of the establishment that the system works for." placeholder:"CLUES"`
	User        string        `help:"Resource that the system speaks for, such as Practitioner/1." placeholder:"REFERENCE"`
	Purpose     string        `help:"Purpose of use of a system, such as TREAT." placeholder:"CODE"`
	Life        time.Duration `help:"How long its access tokens last." placeholder:"DURATION"`
	Certificate bool          `help:"Bind its tokens to the TLS certificate that it shows (RFC 8705)."`
	Introspects bool          `help:"It is a server that asks what tokens mean (RFC 7662)."`
}

func (c *appAdd) Run(ctx context.Context, out streams, log *slog.Logger) error {
	one := &client.Client{
		ID: c.ID, Name: c.Name, Redirects: c.Redirect, Launch: c.Launch, JWKSURI: c.JWKSURL, Scopes: strings.Fields(c.Scope),
		Roles: c.Role, Org: c.Org, User: c.User, Purpose: c.Purpose, Lifetime: c.Life, Certificate: c.Certificate, Introspects: c.Introspects,
	}
	if _, err := scope.Parse(c.Scope); err != nil {
		return usagef("--scope: %v", err)
	}
	if len(c.Redirect) > 0 {
		one.Grants = append(one.Grants, client.Code, client.Refresh)
	}
	if len(c.Role) > 0 {
		one.Grants = append(one.Grants, client.Credentials)
	}
	if len(one.Grants) == 0 && !c.Introspects {
		return usagef("give --redirect for an app that people sign in to, or --role for a system that asks by itself")
	}
	if err := c.takeKeys(one); err != nil {
		return err
	}
	secret := ""
	if !c.Public && one.JWKS == nil && one.JWKSURI == "" {
		secret = one.NewSecret(time.Now(), 0)
	}
	return c.Storage.withAccess(ctx, log, "", func(a *access) error {
		if err := warnOfRoles(ctx, a.state, log, c.Role...); err != nil {
			return err
		}
		err := a.clients.Put(ctx, one)
		if fhir.CodeOf(err) == fhir.Conflict {
			return usagef("there is an app %s already", c.ID)
		}
		if fhir.CodeOf(err) == fhir.Invalid {
			return usagef("%v", err)
		}
		if err != nil {
			return err
		}
		fmt.Fprintf(out.out, "client_id      %s\n", c.ID)
		if secret != "" {
			fmt.Fprintf(out.out, "client_secret  %s\n\nThe secret is shown this once.\n", secret)
		}
		return nil
	})
}

// takeKeys reads the public keys of an app.
func (c *appAdd) takeKeys(one *client.Client) error {
	if c.Public && (c.JWKS != "" || c.JWKSURL != "") || c.JWKS != "" && c.JWKSURL != "" {
		return usagef("an app has one of --public, --jwks and --jwks-url")
	}
	set, err := readKeys(c.JWKS)
	one.JWKS = set
	return err
}

func readKeys(file string) (*jose.JSONWebKeySet, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("--jwks: %v", err)
	}
	set := new(jose.JSONWebKeySet)
	if err := json.Unmarshal(text, set); err != nil || len(set.Keys) == 0 {
		return nil, usagef("--jwks %s: want a JSON Web Key Set", file)
	}
	return set, nil
}

type appList struct {
	Storage storage `embed:""`
}

func (c *appList) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return c.Storage.withAccess(ctx, log, "", func(a *access) error {
		w := tabwriter.NewWriter(out.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "CLIENT\tSHOWS ITSELF BY\tGRANTS\tROLES\tSCOPES\tADDED")
		const page = 200
		for after := ""; ; {
			all, err := a.clients.List(ctx, after, page)
			if err != nil {
				return err
			}
			for _, one := range all {
				after = one.ID
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", one.ID, proof(one), strings.Join(one.Grants, ","), dash(strings.Join(one.Roles, ",")), strings.Join(one.Scopes, " "), days(one.Created))
			}
			if len(all) < page {
				return w.Flush()
			}
		}
	})
}

// proof says how an app shows that it is itself.
func proof(c *client.Client) string {
	switch {
	case c.Disabled:
		return "disabled"
	case c.Public():
		return "nothing (public)"
	case len(c.Secrets) > 0:
		return "secret"
	}
	return "keys"
}

type appRotate struct {
	Storage storage       `embed:""`
	ID      string        `arg:"" help:"The client_id."`
	JWKS    string        `help:"File with its new public keys." placeholder:"FILE" type:"existingfile" name:"jwks"`
	Overlap time.Duration `help:"How long the old secret, and the tokens that it got, go on." placeholder:"DURATION"`
}

func (c *appRotate) Run(ctx context.Context, out streams, log *slog.Logger) error {
	set, err := readKeys(c.JWKS)
	if err != nil {
		return err
	}
	return c.Storage.withAccess(ctx, log, "", func(a *access) error {
		one, err := a.clients.Get(ctx, c.ID)
		if fhir.CodeOf(err) == fhir.NotFound {
			return usagef("there is no app %s: see amate client list", c.ID)
		}
		if err != nil {
			return err
		}
		if one.Public() {
			return usagef("%s is public: it has nothing to rotate", c.ID)
		}
		secret := ""
		if set != nil {
			one.JWKS, one.JWKSURI = set, ""
		} else if len(one.Secrets) > 0 {
			secret = one.NewSecret(time.Now(), c.Overlap)
		} else {
			return usagef("%s has keys and no secret: give --jwks", c.ID)
		}
		if err := a.clients.Put(ctx, one); err != nil {
			return err
		}
		if c.Overlap <= 0 {
			if err := a.revocations.Client(ctx, c.ID); err != nil {
				return err
			}
		}
		fmt.Fprintf(out.out, "client_id      %s\n", c.ID)
		if secret != "" {
			fmt.Fprintf(out.out, "client_secret  %s\n\nThe secret is shown this once.\n", secret)
		}
		return nil
	})
}

type appRemove struct {
	Storage storage `embed:""`
	ID      string  `arg:"" help:"The client_id."`
}

func (c *appRemove) Run(ctx context.Context, out streams, log *slog.Logger) error {
	return c.Storage.withAccess(ctx, log, "", func(a *access) error {
		if err := a.revocations.Client(ctx, c.ID); err != nil {
			return err
		}
		if err := a.clients.Remove(ctx, c.ID); err != nil {
			return err
		}
		_, err := fmt.Fprintf(out.out, "Removed %s.\n", c.ID)
		return err
	})
}
