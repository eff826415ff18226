package smart

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/amate-health/amate/authz/people"
	"github.com/amate-health/amate/fhir"
)

// The passkey endpoints speak JSON with the script of the pages. They check the same
// token as every form.

func passkeyNamed(f url.Values) (n int, added time.Time, err error) {
	n, err = strconv.Atoi(f.Get("n"))
	if err == nil {
		added, err = time.Parse(time.RFC3339Nano, f.Get("added"))
	}
	return n, added, err
}

// begun answers the begin of a ceremony.
type begun struct {
	ID      string `json:"id"`
	Options any    `json:"options"`
}

func (s *Server) passkeyBegin(w http.ResponseWriter, r *http.Request) error {
	if s.passkeys == nil || s.checkForm(r) != nil {
		return errForm
	}
	id, options, err := s.passkeys.BeginSignIn(r.Context())
	if err != nil {
		return err
	}
	private(w)
	send(w, http.StatusOK, begun{id, options})
	return nil
}

// passkeyFinish signs in whose passkey has signed. A passkey asks for a finger or a PIN,
// so no code is asked for beside it.
func (s *Server) passkeyFinish(w http.ResponseWriter, r *http.Request) error {
	if s.passkeys == nil || s.checkForm(r) != nil {
		return errForm
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return errForm
	}
	a, err := s.passkeys.FinishSignIn(r.Context(), r.URL.Query().Get("id"), body)
	if errors.Is(err, people.ErrWrong) {
		s.observe(r, Event{What: "sign-in", Failed: "passkey"})
		return errForm
	}
	if err != nil {
		return err
	}
	if err := s.enter(w, r, a, false, "hwk", "user"); err != nil {
		return err
	}
	private(w)
	send(w, http.StatusOK, map[string]string{"next": s.next(r.URL.Query().Get("next"))})
	return nil
}

func (s *Server) passkeyAddBegin(w http.ResponseWriter, r *http.Request) error {
	a, err := s.passkeyHolder(r)
	if err != nil {
		return err
	}
	id, options, err := s.passkeys.BeginAdd(r.Context(), a.ID)
	if err != nil {
		return err
	}
	private(w)
	send(w, http.StatusOK, begun{id, options})
	return nil
}

func (s *Server) passkeyAddFinish(w http.ResponseWriter, r *http.Request) error {
	a, err := s.passkeyHolder(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return errForm
	}
	err = s.passkeys.FinishAdd(r.Context(), a.ID, r.URL.Query().Get("id"), r.URL.Query().Get("name"), body)
	if errors.Is(err, people.ErrWrong) || fhir.CodeOf(err) == fhir.Invalid {
		return errForm
	}
	if err != nil {
		return err
	}
	private(w)
	send(w, http.StatusOK, map[string]bool{"added": true})
	return nil
}

// passkeyHolder returns who adds a passkey.
func (s *Server) passkeyHolder(r *http.Request) (*people.Account, error) {
	if s.passkeys == nil || s.checkForm(r) != nil {
		return nil, errForm
	}
	session, a, err := s.session(r)
	if err == nil && (session == nil || a.MustChange) {
		err = errForm
	}
	return a, err
}
