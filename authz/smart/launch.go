package smart

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/authz/token"
	"github.com/amate-health/amate/fhir"
)

const (
	launchKind  = "launch"
	launchLasts = 5 * time.Minute
)

// launched is what an EHR has open when it launches an app.
//
// See https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-ehr-launch.
type launched struct {
	Client    string
	Account   string
	Patient   string
	Encounter string
	Intent    string

	entry fhir.Entry
}

// spent returns the entry of a launch that was used: found by nobody any more.
func (l *launched) spent(now time.Time) fhir.Entry {
	e := l.entry
	e.Value, e.Expires = []byte("{}"), now
	return e
}

// readLaunch finds the launch that a request names. Errors: *refusal.
func (s *Server) readLaunch(ctx context.Context, req *request) error {
	name := req.query.Get("launch")
	if name == "" {
		req.scopes = req.scopes.Without("launch")
		if req.scopes.Empty() {
			return &refusal{req, oauthError{Code: "invalid_scope", Description: "the scope launch needs the parameter launch"}}
		}
		return nil
	}
	if !req.scopes.Has("launch") {
		return &refusal{req, oauthError{Code: "invalid_scope", Description: "the parameter launch needs the scope launch"}}
	}
	e, err := s.State.Entry(ctx, launchKind, codeKey(name))
	if fhir.CodeOf(err) == fhir.NotFound {
		return &refusal{req, oauthError{Code: "invalid_request", Description: "the launch is not known, was used before, or is too old"}}
	}
	if err != nil {
		return err
	}
	l := &launched{entry: e}
	if err := json.Unmarshal(e.Value, l); err != nil {
		return err
	}
	if l.Client != req.client.ID {
		return &refusal{req, oauthError{Code: "invalid_request", Description: "the launch is for another app"}}
	}
	req.launch = l
	return nil
}

// launch lets a person's EHR begin the launch of an app: it answers an opaque value
// that is good once, for that app and that person.
func (s *Server) launch(w http.ResponseWriter, r *http.Request) {
	p, err := s.bearer(r)
	if err != nil {
		w.Header().Set("WWW-Authenticate", `Bearer realm="amate", error="invalid_token"`)
		s.fail(w, r, &oauthError{Code: "invalid_token", Description: "this needs an access token", status: http.StatusUnauthorized})
		return
	}
	var asked struct {
		Client    string `json:"client_id"`
		Patient   string `json:"patient"`
		Encounter string `json:"encounter"`
		Intent    string `json:"intent"`
	}
	if json.NewDecoder(r.Body).Decode(&asked) != nil {
		s.fail(w, r, invalidRequest("the body must be JSON: client_id, patient, encounter"))
		return
	}
	c, err := s.Clients.Get(r.Context(), asked.Client)
	if err != nil || c.Launch == "" {
		s.fail(w, r, invalidRequest("the app is not registered, or has no launch URL"))
		return
	}
	if err := s.mayLaunch(r.Context(), p, asked.Patient, asked.Encounter); err != nil {
		s.observe(r, Event{What: "launch", Account: p.ID, Client: c.ID, Failed: reason(err)})
		s.fail(w, r, err)
		return
	}
	name := token.Random()
	value, err := json.Marshal(launched{Client: c.ID, Account: p.ID, Patient: asked.Patient, Encounter: asked.Encounter, Intent: printable(asked.Intent)})
	if err == nil {
		err = s.State.Put(r.Context(), fhir.Entry{Kind: launchKind, Key: codeKey(name), Expires: s.Now().Add(launchLasts), Value: value})
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.observe(r, Event{What: "launch", Account: p.ID, Client: c.ID})
	to := c.Launch + "?"
	if strings.Contains(c.Launch, "?") {
		to = c.Launch + "&"
	}
	private(w)
	send(w, http.StatusOK, map[string]any{
		"launch": name, "url": to + url.Values{"iss": {s.base}, "launch": {name}}.Encode(), "expires_in": int64(launchLasts / time.Second),
	})
}

// mayLaunch refuses a launch by somebody who has no account here, or about a record
// that they may not open.
func (s *Server) mayLaunch(ctx context.Context, p *authz.Principal, patient, encounter string) error {
	denied := func(why string) error {
		return &oauthError{Code: "access_denied", Description: why, status: http.StatusForbidden}
	}
	if _, err := s.People.Get(ctx, p.ID); err != nil {
		if fhir.CodeOf(err) == fhir.NotFound {
			return denied("an app is launched by a person who is signed in")
		}
		return err
	}
	if patient == "" && encounter == "" {
		return nil
	}
	if s.Patients == nil {
		return denied("records cannot be opened here")
	}
	ctx = p.With(ctx)
	if encounter != "" {
		of, err := s.Patients.Encounter(ctx, encounter)
		if refused(err) || err == nil && of != patient {
			return denied("there is no such encounter of the patient that you may see")
		}
		if err != nil {
			return err
		}
	}
	_, err := s.Patients.Patient(ctx, patient)
	if refused(err) {
		return denied("there is no such patient that you may see")
	}
	return err
}

// bearer returns the principal of the bearer token of a request.
func (s *Server) bearer(r *http.Request) (*authz.Principal, error) {
	scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, fhir.Errorf(fhir.LoginRequired, "there is no bearer token")
	}
	var certificate []byte
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		certificate = r.TLS.PeerCertificates[0].Raw
	}
	return s.Verifier.Verify(r.Context(), raw, certificate)
}
