package smart

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/people"
	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/fhir"
)

// The administration speaks JSON, for programs that keep accounts and apps in step with
// a directory elsewhere. It is for the role administrator, with a token that may change
// everything that the role may (user/*.cruds or system/*.cruds), and knows no password
// and no secret that was given before.

// administrators is the role that may administer.
const administrators = "administrator"

// accountJSON is an account as the administration shows and takes it.
type accountJSON struct {
	ID       string    `json:"id,omitempty"`
	Login    string    `json:"login,omitempty"`
	Name     *string   `json:"name,omitempty"`
	Roles    *[]string `json:"roles,omitempty"`
	Org      *string   `json:"org,omitempty"`
	User     *string   `json:"fhirUser,omitempty"`
	Patients *[]string `json:"patients,omitempty"`
	Locked   *bool     `json:"locked,omitempty"`

	Codes    bool   `json:"codes,omitempty"`    // shown only: one-time codes are on
	Passkeys int    `json:"passkeys,omitempty"` // shown only
	Reset    string `json:"reset,omitempty"`    // shown once: where the person chooses a password
}

func shown(a *people.Account) accountJSON {
	return accountJSON{
		ID: a.ID, Login: a.Login, Name: &a.Name, Roles: &a.Roles, Org: &a.Org, User: &a.User, Patients: &a.Patients, Locked: &a.Locked,
		Codes: a.Secret != "", Passkeys: len(a.Passkeys),
	}
}

// apply changes a as asked; what is not named stays.
func (in *accountJSON) apply(a *people.Account) {
	set(&a.Name, in.Name)
	set(&a.Roles, in.Roles)
	set(&a.Org, in.Org)
	set(&a.User, in.User)
	set(&a.Patients, in.Patients)
	set(&a.Locked, in.Locked)
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// administer makes a handler of f, for administrators.
func (s *Server) administer(f func(r *http.Request) (status int, answer any, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := s.bearer(r)
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="amate", error="invalid_token"`)
			s.fail(w, r, &oauthError{Code: "invalid_token", Description: "this needs an access token", status: http.StatusUnauthorized})
			return
		}
		if !mayAdminister(p) {
			s.observe(r, Event{What: "administration", Account: p.ID, Client: p.Client, Failed: "access_denied"})
			s.fail(w, r, &oauthError{Code: "access_denied", Description: "this is for administrators", status: http.StatusForbidden})
			return
		}
		status, answer, err := f(r)
		if r.Method != http.MethodGet {
			s.observe(r, Event{What: "administration", Account: p.ID, Client: p.Client, Failed: reason(adminError(err))})
		}
		if err != nil {
			s.fail(w, r, adminError(err))
			return
		}
		private(w)
		if answer == nil {
			w.WriteHeader(status)
			return
		}
		send(w, status, answer)
	})
}

func mayAdminister(p *authz.Principal) bool {
	granted, err := scope.Parse(p.Scopes...)
	everything := func(context string) bool {
		all, parsed := scope.Parse(context + "/*.cruds")
		return parsed == nil && granted.Covers(all)
	}
	return err == nil && slices.Contains(p.Roles, administrators) && (everything("user") || everything("system"))
}

// adminError says in the words of OAuth what went wrong.
func adminError(err error) error {
	var told *fhir.Error
	if !errors.As(err, &told) {
		return err
	}
	status := map[fhir.Code]int{fhir.Invalid: http.StatusUnprocessableEntity, fhir.NotFound: http.StatusNotFound, fhir.Conflict: http.StatusConflict}[told.Code]
	if status == 0 {
		return err
	}
	return &oauthError{Code: "invalid_request", Description: told.Details, status: status}
}

// body reads JSON, without members that are not known: one that is misspelt would be
// passed over in silence.
func body(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return invalidRequest("the body is not the JSON that is wanted")
	}
	return nil
}

// page reads where a list goes on.
func page(r *http.Request) (after string, count int) {
	count, err := strconv.Atoi(r.URL.Query().Get("_count"))
	if err != nil || count < 1 || count > 1000 {
		count = 100
	}
	return r.URL.Query().Get("after"), count
}

func (s *Server) listAccounts(r *http.Request) (int, any, error) {
	after, count := page(r)
	all, err := s.People.List(r.Context(), after, count)
	out := []accountJSON{}
	for _, a := range all {
		out = append(out, shown(a))
	}
	return http.StatusOK, map[string]any{"accounts": out}, err
}

func (s *Server) addAccount(r *http.Request) (int, any, error) {
	var in accountJSON
	if err := body(r, &in); err != nil {
		return 0, nil, err
	}
	a := &people.Account{Login: in.Login}
	in.apply(a)
	if err := s.People.Add(r.Context(), a, ""); err != nil {
		return 0, nil, err
	}
	out := shown(a)
	var err error
	out.Reset, err = s.resetLink(r, a.ID)
	return http.StatusCreated, out, err
}

// resetLink returns where somebody chooses a password, once.
func (s *Server) resetLink(r *http.Request, id string) (string, error) {
	secret, err := s.People.Reset(r.Context(), id)
	return s.issuer + "/account/reset?" + url.Values{"secret": {secret}}.Encode(), err
}

func (s *Server) readAccount(r *http.Request) (int, any, error) {
	a, err := s.People.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, shown(a), nil
}

// changeAccount changes what is named. What the account holds from before ends, since
// its tokens say whom they speak for.
func (s *Server) changeAccount(r *http.Request) (int, any, error) {
	var in accountJSON
	if err := body(r, &in); err != nil {
		return 0, nil, err
	}
	a, err := s.People.Change(r.Context(), r.PathValue("id"), func(a *people.Account) error { in.apply(a); return nil })
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, shown(a), s.endAll(r, a.ID)
}

func (s *Server) endAll(r *http.Request, account string) error {
	err := EndAccount(r.Context(), s.State, s.Revocations, s.People, account)
	return errors.Join(err, s.Revocations.Holder(r.Context(), account))
}

func (s *Server) removeAccount(r *http.Request) (int, any, error) {
	id := r.PathValue("id")
	if err := s.endAll(r, id); err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, s.People.Remove(r.Context(), id)
}

func (s *Server) resetAccount(r *http.Request) (int, any, error) {
	link, err := s.resetLink(r, r.PathValue("id"))
	return http.StatusCreated, accountJSON{ID: r.PathValue("id"), Reset: link}, err
}

// clientJSON is an app as the administration shows it, in the words of RFC 7591 where
// that has them.
type clientJSON struct {
	ID        string   `json:"client_id"`
	Name      string   `json:"client_name,omitempty"`
	Grants    []string `json:"grant_types"`
	Redirects []string `json:"redirect_uris,omitempty"`
	Scopes    []string `json:"scopes"`
	Roles     []string `json:"roles,omitempty"`
	Public    bool     `json:"public"`
	Disabled  bool     `json:"disabled,omitempty"`
}

func (s *Server) listClients(r *http.Request) (int, any, error) {
	after, count := page(r)
	all, err := s.Clients.List(r.Context(), after, count)
	out := []clientJSON{}
	for _, c := range all {
		out = append(out, shownClient(c))
	}
	return http.StatusOK, map[string]any{"clients": out}, err
}

func shownClient(c *client.Client) clientJSON {
	return clientJSON{ID: c.ID, Name: c.Name, Grants: c.Grants, Redirects: c.Redirects, Scopes: c.Scopes, Roles: c.Roles, Public: c.Public(), Disabled: c.Disabled}
}

// administration mounts it.
func (s *Server) administration(handle func(pattern string, h http.Handler)) {
	for pattern, f := range map[string]func(*http.Request) (int, any, error){
		"GET /oauth/admin/accounts":             s.listAccounts,
		"POST /oauth/admin/accounts":            s.addAccount,
		"GET /oauth/admin/accounts/{id}":        s.readAccount,
		"PATCH /oauth/admin/accounts/{id}":      s.changeAccount,
		"DELETE /oauth/admin/accounts/{id}":     s.removeAccount,
		"POST /oauth/admin/accounts/{id}/reset": s.resetAccount,
		"GET /oauth/admin/clients":              s.listClients,
	} {
		handle(pattern, s.administer(f))
	}
}
