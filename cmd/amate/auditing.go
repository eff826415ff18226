package main

import (
	"context"
	"errors"
	"log/slog"
	"os/user"
	"path/filepath"

	"github.com/amate-health/amate/authz/audit"
	"github.com/amate-health/amate/authz/smart"
	"github.com/amate-health/amate/fhir/rest"
)

// auditing says how the audit trail is kept.
type auditing struct {
	Off  bool   `help:"Keep no audit trail. Only together with --insecure-no-auth."`
	GoOn bool   `help:"Answer requests although the audit trail cannot be written, instead of refusing them with 503." name:"go-on"`
	Key  string `help:"File of the key that signs checkpoints, made when it is not there; the default is audit-key.pem in --data. Servers of one database may share it." placeholder:"FILE" type:"path"`
}

// keyFile returns where the key is.
func (a *auditing) keyFile(s storage) string {
	if a.Key != "" {
		return a.Key
	}
	return filepath.Join(s.Data, "audit-key.pem")
}

// open begins the audit trail of store.
func (a *auditing) open(s *serve, store *opened, log *slog.Logger) error {
	if a.Off {
		if !s.InsecureNoAuth {
			return usagef("--audit-off is for trying things out, together with --insecure-no-auth: who reads a record must be on record")
		}
		return nil
	}
	signer, err := audit.LoadSigner(a.keyFile(s.Storage))
	if err != nil {
		return err
	}
	store.trail, err = audit.Open(audit.Config{
		Chains: store, Dir: filepath.Join(s.Storage.Data, "audit"), Signer: signer, Log: log, GoOn: a.GoOn,
		Pseudonyms: store.key("audit queries"),
	})
	return err
}

// audited returns the store that the API is served from, and what records its use;
// nil for nothing.
func (o *opened) audited(base string) (rest.Store, rest.Auditor) {
	if o.trail == nil {
		return o, nil
	}
	return audit.NewStore(o, o.trail, base), o.trail
}

// closeTrail ends the audit trail, before the store is closed.
func (o *opened) closeTrail(log *slog.Logger) {
	if o.trail == nil {
		return
	}
	if err := o.trail.Close(); err != nil {
		log.Error("close the audit trail", "error", err)
	}
}

// accessKinds says what the authorization server tells of is in the audit trail.
var accessKinds = map[string]audit.Kind{
	"sign-in": audit.SignIn, "sign-out": audit.SignOut, "token": audit.TokenIssued, "revoke": audit.TokenRevoked,
	"consent": audit.AppAuthorized, "launch": audit.AppAuthorized, "password": audit.AccountChange,
}

// recordAccess puts what the authorization server tells of into the audit trail.
func recordAccess(ctx context.Context, trail *audit.Trail, e *smart.Event, log *slog.Logger) {
	if trail == nil {
		return
	}
	r := audit.Record{Kind: accessKinds[e.What], From: e.Remote, Agent: audit.Agent{Account: e.Account, Client: e.Client}, Detail: e.What}
	if r.Kind == "" {
		r.Kind = audit.AccountChange
	}
	if e.Failed != "" {
		r.Outcome, r.Detail = audit.MinorFailure, e.What+": "+e.Failed
	}
	if err := trail.Record(ctx, r); err != nil {
		log.ErrorContext(ctx, "record a sign-in", "error", err)
	}
}

// recordCommand puts into the audit trail that somebody on this machine manages
// accounts, apps or tokens, before they do. It does not say which: a command line can
// hold a name.
func (s storage) recordCommand(ctx context.Context, store *opened, log *slog.Logger) error {
	return s.record(ctx, store, audit.Record{Kind: audit.AccountChange, Detail: "accounts, apps or tokens managed from the command line"}, log)
}

// record puts into the audit trail what a command is about to do, in the name of whoever
// runs it.
func (s storage) record(ctx context.Context, store *opened, r audit.Record, log *slog.Logger) error {
	trail, err := audit.Open(audit.Config{Chains: store, Dir: filepath.Join(s.Data, "audit"), Log: log})
	if err != nil {
		return err
	}
	r.Agent = audit.Agent{Account: osAccount(), Client: "amate"}
	return errors.Join(trail.Record(ctx, r), trail.Close())
}

// osAccount is who runs this process, as the audit trail names them.
func osAccount() string {
	if u, err := user.Current(); err == nil {
		return "os:" + u.Username
	}
	return "os:unknown"
}
