package smart

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/client"
	"github.com/amate-health/amate/authz/pages"
	"github.com/amate-health/amate/authz/people"
	"github.com/amate-health/amate/authz/scope"
	"github.com/amate-health/amate/authz/token"
	"github.com/amate-health/amate/fhir"
)

// request is an authorization request. It is not stored: the query of the URL is the
// request, from its arrival to the consent, and is checked anew at every step.
//
// See https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code.
type request struct {
	query     url.Values // without what the pages add
	client    *client.Client
	redirect  string
	state     string
	challenge string
	nonce     string
	scopes    scope.Set // what is asked for and the client may have
	launch    *launched // nil for a standalone launch
	prompt    string
}

// refusal is an error that goes back to the app.
type refusal struct {
	req *request
	oauthError
}

func (e *refusal) Error() string { return e.oauthError.Error() }

// errUnknownApp is an authorization request that must not be answered to the app.
var errUnknownApp = errors.New("the client or its redirect URI is not known")

// challengeForm is the S256 code_challenge of PKCE.
var challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// added are the parameters that the pages add to the query of a request.
var added = []string{"find", "lang"}

// read reads an authorization request. Errors: errUnknownApp, *refusal.
func (s *Server) read(ctx context.Context, q url.Values) (*request, error) {
	q = cloneWithout(q, added...)
	if once(q) != nil {
		return nil, errUnknownApp // which of two redirect URIs would it be?
	}
	c, err := s.Clients.Get(ctx, q.Get("client_id"))
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil, errUnknownApp
	}
	if err != nil {
		return nil, err
	}
	req := &request{
		query: q, client: c, redirect: q.Get("redirect_uri"), state: q.Get("state"),
		challenge: q.Get("code_challenge"), nonce: q.Get("nonce"), prompt: q.Get("prompt"),
	}
	if !slices.Contains(c.Redirects, req.redirect) {
		return nil, errUnknownApp
	}
	if e := s.check(req); e != nil {
		return nil, &refusal{req, *e}
	}
	allowed, err := scope.Parse(c.Scopes...)
	if err != nil {
		return nil, err
	}
	wanted, _ := scope.Known(q.Get("scope"))
	req.scopes = scope.Narrow(wanted, allowed)
	req.scopes.Scopes = slices.DeleteFunc(req.scopes.Scopes, func(one scope.Scope) bool { return one.Context == scope.System })
	if !c.May(client.Refresh) {
		req.scopes = req.scopes.Without("offline_access").Without("online_access")
	}
	if req.scopes.Empty() {
		return nil, &refusal{req, oauthError{Code: "invalid_scope", Description: "the app may have nothing of the scope"}}
	}
	return req, s.readLaunch(ctx, req)
}

// check returns what is wrong with the form of a request, nil when nothing is.
func (s *Server) check(req *request) *oauthError {
	q := req.query
	wrong := func(why string) *oauthError { return &oauthError{Code: "invalid_request", Description: why} }
	switch {
	case !req.client.May(client.Code):
		return &oauthError{Code: "unauthorized_client", Description: "this client does not sign people in"}
	case q.Get("response_type") != "code":
		return &oauthError{Code: "unsupported_response_type", Description: "response_type must be code"}
	case q.Has("request") || q.Has("request_uri"):
		return &oauthError{Code: "request_not_supported", Description: "request objects are not read here"}
	case q.Has("response_mode") && q.Get("response_mode") != "query":
		return wrong("response_mode must be query")
	case req.state == "" || len(req.state) > 2000:
		return wrong("state is missing, or too long")
	case len(req.nonce) > 500:
		return wrong("nonce is too long")
	case q.Get("code_challenge_method") != "S256" || !challengeForm.MatchString(req.challenge):
		return wrong("PKCE is needed: code_challenge with code_challenge_method S256")
	case strings.TrimRight(q.Get("aud"), "/") != s.base:
		return wrong("aud must be " + s.base)
	}
	return nil
}

// cloneWithout returns a copy of v without some parameters.
func cloneWithout(v url.Values, names ...string) url.Values {
	out := url.Values{}
	for name, values := range v {
		if !slices.Contains(names, name) {
			out[name] = values
		}
	}
	return out
}

// url returns the URL at which req goes on.
func (s *Server) url(req *request) string { return s.root + "/oauth/authorize?" + req.query.Encode() }

// authorize begins, or goes on with, an authorization: it lets the person sign in,
// choose a patient, and consent.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) error {
	req, err := s.read(r.Context(), r.URL.Query())
	if err != nil {
		return s.refuse(w, r, err)
	}
	session, account, err := s.session(r)
	if err != nil {
		return err
	}
	if req.prompt == "none" {
		return s.refuse(w, r, &refusal{req, oauthError{Code: "interaction_required", Description: "the person has to consent"}})
	}
	if session != nil && account.MustChange && req.prompt != "login" {
		s.goOn(w, r, account, s.url(req))
		return nil
	}
	if session == nil || req.prompt == "login" {
		req.query.Del("prompt") // having signed in, they are not asked again
		http.Redirect(w, r, s.root+"/account/sign-in?"+url.Values{"next": {s.url(req)}, "app": {req.client.ID}}.Encode(), http.StatusSeeOther)
		return nil
	}
	return s.proceed(w, r, req, account, "")
}

// proceed shows the next page of a request: to choose a patient, or to consent.
// patient is the one who was chosen, "" for none.
func (s *Server) proceed(w http.ResponseWriter, r *http.Request, req *request, account *people.Account, patient string) error {
	if req.launch != nil && req.launch.Account != account.ID {
		s.problem(w, r, http.StatusForbidden, "error-title", "launch-other", "")
		return nil
	}
	chosen, done, err := s.choose(w, r, req, account, patient)
	if err != nil || done {
		return err
	}
	return s.consentPage(w, r, req, account, chosen)
}

// decide takes what a person has done on one of the pages of authorize.
func (s *Server) decide(w http.ResponseWriter, r *http.Request) error {
	req, err := s.read(r.Context(), r.URL.Query())
	if err != nil {
		return s.refuse(w, r, err)
	}
	if err := s.checkForm(r); err != nil {
		return err
	}
	session, account, err := s.session(r)
	if err != nil {
		return err
	}
	if session == nil || account.MustChange {
		return errForm
	}
	patient := r.PostForm.Get("patient")
	switch r.PostForm.Get("step") {
	case "pick":
		return s.proceed(w, r, req, account, patient)
	case "allow":
		return s.allow(w, r, req, session, account, patient)
	}
	s.observe(r, Event{What: "consent", Account: account.ID, Client: req.client.ID, Failed: "refused"})
	return s.refuse(w, r, &refusal{req, oauthError{Code: "access_denied", Description: "the person did not consent"}})
}

// allow gives the app a code for what the person has left ticked.
func (s *Server) allow(w http.ResponseWriter, r *http.Request, req *request, session *people.Session, account *people.Account, patient string) error {
	ctx := r.Context()
	if req.launch != nil && req.launch.Account != account.ID {
		s.problem(w, r, http.StatusForbidden, "error-title", "launch-other", "")
		return nil
	}
	ticked, err := scope.Parse(r.PostForm["scope"]...)
	if err != nil {
		return errForm
	}
	granted := scope.Narrow(ticked, req.scopes)
	if granted.Empty() {
		return s.refuse(w, r, &refusal{req, oauthError{Code: "access_denied", Description: "the person did not consent"}})
	}
	g := grant{
		ID: token.Random(), Client: req.client.ID, Account: account.ID, Nonce: req.nonce, At: session.At, Methods: session.Methods,
		Salt: token.Random(), Created: s.Now().UTC(), Banner: true,
	}
	if err := s.context(ctx, req, account, patient, &g); err != nil {
		if errors.Is(err, errForm) {
			return err
		}
		return s.refuse(w, r, err)
	}
	if g.Encounter == "" {
		granted = granted.Without("launch/encounter")
	}
	g.Scope = granted.String()
	if g.Offline = granted.Has("offline_access"); g.Offline || granted.Has("online_access") {
		g.Number, g.Session = 1, people.SessionKey(s.cookie(r))
	}
	code := token.Random()
	value, err := json.Marshal(authorized{
		Client: req.client.ID, Redirect: req.redirect, Challenge: req.challenge, Until: s.Now().Add(codeLasts).UTC(), Grant: g,
	})
	if err != nil {
		return err
	}
	entries := []fhir.Entry{{Kind: codeKind, Key: codeKey(code), Expires: s.Now().Add(codeKept), Value: value}}
	if req.launch != nil {
		entries = append(entries, req.launch.spent(s.Now()))
	}
	err = s.State.Put(ctx, entries...)
	if fhir.CodeOf(err) == fhir.Conflict { // the launch was used meanwhile
		return errForm
	}
	if err != nil {
		return err
	}
	s.observe(r, Event{What: "consent", Account: account.ID, Client: req.client.ID})
	s.back(w, r, req, url.Values{"code": {code}})
	return nil
}

// context sets the patient and the encounter of a grant. Errors: errForm, *refusal.
func (s *Server) context(ctx context.Context, req *request, account *people.Account, patient string, g *grant) error {
	if l := req.launch; l != nil {
		g.Patient, g.Encounter, g.Intent, g.Banner = l.Patient, l.Encounter, l.Intent, false
		return nil
	}
	if !req.scopes.NeedsPatient() {
		return nil
	}
	if _, err := s.patient(ctx, account, patient); err != nil {
		if code := fhir.CodeOf(err); code == 0 || code == fhir.Unavailable {
			return err
		}
		return errForm
	}
	g.Patient = patient
	return nil
}

// patient returns a patient whose record the account may open.
func (s *Server) patient(ctx context.Context, account *people.Account, id string) (Patient, error) {
	if id == "" || s.Patients == nil {
		return Patient{}, fhir.Errorf(fhir.NotFound, "there is no such patient")
	}
	if own := account.Records(); len(own) > 0 && !slices.Contains(own, id) && account.Ref().Type != "Practitioner" {
		return Patient{}, fhir.Errorf(fhir.Forbidden, "this is the record of somebody else")
	}
	return s.Patients.Patient(s.asking(ctx, account, id), id)
}

// asking returns ctx with the principal for whom patients are looked up: the person
// who is signed in, before any app is let in.
func (s *Server) asking(ctx context.Context, a *people.Account, patient string) context.Context {
	p := &authz.Principal{
		ID: a.ID, Client: "sign-in", Roles: a.Roles, Org: a.Org, User: a.Ref(), Patient: patient,
		Scopes: []string{"user/Patient.rs", "user/Encounter.rs"},
	}
	if slices.Contains(a.Records(), patient) {
		p.Scopes = []string{"patient/Patient.rs", "patient/Encounter.rs"}
	}
	return p.With(ctx)
}

// back sends the browser back to the app.
func (s *Server) back(w http.ResponseWriter, r *http.Request, req *request, v url.Values) {
	v.Set("state", req.state)
	v.Set("iss", s.issuer) // RFC 9207: so that an app does not take the answer of one server for another's
	to := req.redirect
	if strings.Contains(to, "?") {
		to += "&"
	} else {
		to += "?"
	}
	pages.Protect(w.Header(), target(req.redirect))
	http.Redirect(w, r, to+v.Encode(), http.StatusSeeOther)
}

// refuse answers a request that does not go on: to the app, or, if it is not known
// where that is, to the person.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) error {
	var e *refusal
	switch {
	case errors.As(err, &e):
		v := url.Values{"error": {e.Code}}
		if e.Description != "" {
			v.Set("error_description", e.Description)
		}
		s.back(w, r, e.req, v)
		return nil
	case errors.Is(err, errUnknownApp):
		s.problem(w, r, http.StatusBadRequest, "error-title", "bad-app", printable(r.URL.Query().Get("client_id")))
		return nil
	}
	return err
}

// target returns the origin or scheme of a redirect URI, for form-action.
func target(redirect string) string {
	u, err := url.Parse(redirect)
	if err != nil {
		return ""
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + ":"
}
