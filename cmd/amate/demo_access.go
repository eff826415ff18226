package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/people"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/demo"
)

// credential is one line of demo-credentials.json: an app that gets tokens by itself
// and, where the role is a person's, an account to sign in with.
type credential struct {
	Role     string `json:"role"`
	Client   string `json:"client_id"`
	Secret   string `json:"client_secret"`
	Scope    string `json:"scope"`
	Login    string `json:"login,omitempty"`
	Password string `json:"password,omitempty"`
}

// demoRole is a role that the demonstration can be tried in.
type demoRole struct {
	name, scope, user, patient string
	login                      string // of an account to sign in with; "" for none
}

// demoRoles lists them in the order of the file.
func demoRoles() []demoRole {
	doctor, nurse, patient := "Practitioner/"+demo.Doctor(), "Practitioner/"+demo.Nurse(), demo.PatientID(demoSeed, 1)
	return []demoRole{
		{name: "system", scope: "system/*.cruds"},
		{name: "clinician", scope: "user/*.cruds", user: doctor, login: "medica"},
		{name: "vaccinator", scope: "user/*.cruds", user: nurse, login: "vacunador"},
		{name: "birth-certifier", scope: "user/*.cruds", user: doctor, login: "certificadora"},
		{name: "civil-registrar", scope: "user/*.cruds", login: "registro"},
		{name: "telehealth-app", scope: "system/*.cruds"},
		{name: "analyst", scope: "user/*.rs", login: "analista"},
		{name: "auditor", scope: "user/*.rs", login: "auditora"},
		{name: "patient", scope: "patient/*.cruds", user: "Patient/" + patient, patient: patient, login: "paciente"},
	}
}

// demoLifetime is how long the tokens of the demonstration last, so that what was
// pasted into a terminal works for a while.
const demoLifetime = time.Hour

func (r demoRole) client() string { return "demo-" + r.name }

// credentialsFile is where the secrets of the demonstration are.
func credentialsFile(data string) string { return filepath.Join(data, "demo-credentials.json") }

// demoAccess registers an app and an account for every role, once, and writes their
// secrets into a file that only its owner can read.
func demoAccess(ctx context.Context, a *access, data string, log *slog.Logger) error {
	file := credentialsFile(data)
	known, err := readCredentials(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var all []credential
	changed := false
	for _, r := range demoRoles() {
		i := slices.IndexFunc(known, func(c credential) bool { return c.Role == r.name })
		var had credential
		if i >= 0 {
			had = known[i]
		}
		c, err := r.grant(ctx, a, had)
		if err != nil {
			return fmt.Errorf("demonstration access for %s: %w", r.name, err)
		}
		changed = changed || c != had
		all = append(all, c)
	}
	if !changed {
		return nil
	}
	log.Info("wrote the secrets of the demonstration", "file", file)
	return writeCredentials(file, all)
}

// grant sees to it that the app and the account of a role are there, with the secrets
// that had has, if they are still the ones.
func (r demoRole) grant(ctx context.Context, a *access, had credential) (credential, error) {
	now := time.Now()
	out := credential{Role: r.name, Client: r.client(), Scope: r.scope, Login: r.login}
	c, err := a.clients.Get(ctx, r.client())
	if err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return out, err
	}
	if c != nil && c.HasSecret(had.Secret, now) {
		out.Secret = had.Secret
	} else {
		if c == nil {
			c = &client.Client{ID: r.client()}
		}
		c.Name, c.Grants, c.Scopes, c.Roles = "Demo: "+r.name, []string{client.Credentials}, []string{r.scope}, []string{r.name}
		c.Org, c.User, c.Patient, c.Lifetime, c.Secrets = demo.CLUES(), r.user, r.patient, demoLifetime, nil
		if r.name == "patient" {
			c.Org = ""
		}
		out.Secret = c.NewSecret(now, 0)
		if err := a.clients.Put(ctx, c); err != nil {
			return out, err
		}
	}
	if r.login == "" {
		return out, nil
	}
	out.Password, err = r.account(ctx, a, had.Password)
	return out, err
}

// account sees to it that the account of a role is there, and returns its password.
func (r demoRole) account(ctx context.Context, a *access, had string) (string, error) {
	account, err := a.people.Find(ctx, r.login)
	if err == nil && had != "" {
		return had, nil
	}
	if err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return "", err
	}
	var b [12]byte
	rand.Read(b[:])
	password := base64.RawURLEncoding.EncodeToString(b[:])
	if err == nil {
		return password, a.people.SetPassword(ctx, account.ID, password, false)
	}
	account = &people.Account{Login: r.login, Name: "Demo: " + r.name, Roles: []string{r.name}, Org: demo.CLUES(), User: r.user}
	if r.name == "patient" {
		account.Org = ""
	}
	return password, a.people.Add(ctx, account, password)
}

func readCredentials(file string) (all []credential, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return all, nil
}

// writeCredentials writes the file, whole or not at all.
func writeCredentials(file string, all []credential) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".demo-credentials-") // with mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
