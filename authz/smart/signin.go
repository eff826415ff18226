package smart

import (
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"

	"github.com/amate-health/amate/authz/pages"
	"github.com/amate-health/amate/authz/people"
	"github.com/amate-health/amate/fhir"
)

// signInForm fills the page of that name.
type signInForm struct {
	App, Next, Login string
	Passkeys         bool
}

func (s *Server) signInPage(w http.ResponseWriter, r *http.Request) error {
	return s.showSignIn(w, r, http.StatusOK, signInForm{Next: s.next(r.URL.Query().Get("next"))}, "", "")
}

// showSignIn draws the page, with a problem or a notice.
func (s *Server) showSignIn(w http.ResponseWriter, r *http.Request, status int, body signInForm, problem, notice string) error {
	body.Passkeys = s.passkeys != nil
	if u, err := url.Parse(body.Next); err == nil && u.Query().Get("client_id") != "" {
		if c, err := s.Clients.Get(r.Context(), u.Query().Get("client_id")); err == nil {
			if body.App = c.Name; body.App == "" {
				body.App = c.ID
			}
		}
	}
	page := s.newPage(w, r, "sign-in-title")
	page.Problem, page.Notice, page.Body, page.Script = problem, notice, body, body.Passkeys
	return page.Write(w, r, status, "sign-in")
}

// signIn checks a login and a password.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := s.checkForm(r); err != nil {
		return err
	}
	login, next := r.PostForm.Get("login"), s.next(r.PostForm.Get("next"))
	a, err := s.People.Password(r.Context(), login, r.PostForm.Get("password"))
	if status, problem := s.tried(w, r, err); problem != "" {
		s.observe(r, Event{What: "sign-in", Failed: "password"})
		return s.showSignIn(w, r, status, signInForm{Next: next, Login: login}, problem, "")
	}
	if err != nil {
		return err
	}
	if a.Secret != "" {
		if err := s.enter(w, r, a, true, "pwd"); err != nil {
			return err
		}
		http.Redirect(w, r, s.root+"/account/code?"+url.Values{"next": {next}}.Encode(), http.StatusSeeOther)
		return nil
	}
	if err := s.enter(w, r, a, false, "pwd"); err != nil {
		return err
	}
	s.goOn(w, r, a, next)
	return nil
}

// goOn leads to next, by way of a new password where somebody else has given the old.
func (s *Server) goOn(w http.ResponseWriter, r *http.Request, a *people.Account, next string) {
	if a.MustChange {
		next = s.root + "/account/password?" + url.Values{"next": {next}}.Encode()
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// tried says what a page answers to somebody who has tried in vain; "" for anybody else.
func (s *Server) tried(w http.ResponseWriter, r *http.Request, err error) (status int, problem string) {
	lang := pages.Language(r)
	var wait *people.WaitError
	switch {
	case errors.As(err, &wait):
		seconds := max(int(math.Ceil(wait.Until.Sub(s.Now()).Seconds())), 1)
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
		return http.StatusTooManyRequests, pages.Text(lang, "wait", seconds)
	case errors.Is(err, people.ErrWrong):
		return http.StatusForbidden, pages.Text(lang, "wrong")
	}
	return 0, ""
}

// codeForm fills the page on which a one-time code is typed.
type codeForm struct{ Next string }

func (s *Server) codePage(w http.ResponseWriter, r *http.Request) error {
	next := s.next(r.URL.Query().Get("next"))
	half, _, err := s.half(r)
	if err != nil {
		return err
	}
	if half == nil {
		http.Redirect(w, r, s.root+"/account/sign-in?"+url.Values{"next": {next}}.Encode(), http.StatusSeeOther)
		return nil
	}
	page := s.newPage(w, r, "code-title")
	page.Body = codeForm{Next: next}
	return page.Write(w, r, http.StatusOK, "code")
}

// code checks a one-time code, after the password.
func (s *Server) code(w http.ResponseWriter, r *http.Request) error {
	if err := s.checkForm(r); err != nil {
		return err
	}
	half, a, err := s.half(r)
	if err != nil {
		return err
	}
	if half == nil {
		return errForm
	}
	next := s.next(r.PostForm.Get("next"))
	err = s.People.Code(r.Context(), a.ID, r.PostForm.Get("code"))
	if status, problem := s.tried(w, r, err); problem != "" {
		s.observe(r, Event{What: "sign-in", Account: a.ID, Failed: "code"})
		page := s.newPage(w, r, "code-title")
		page.Problem, page.Body = problem, codeForm{Next: next}
		return page.Write(w, r, status, "code")
	}
	if err != nil {
		return err
	}
	if err := s.enter(w, r, a, false, "pwd", "otp"); err != nil {
		return err
	}
	s.goOn(w, r, a, next)
	return nil
}

// signOut ends the session, and with it what apps may do only while it lasts.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.checkForm(r); err != nil {
		return err
	}
	session, _, err := s.session(r)
	if err != nil {
		return err
	}
	if err := s.People.End(r.Context(), s.cookie(r)); err != nil {
		return err
	}
	s.setCookie(w, "session", "")
	if session != nil {
		s.observe(r, Event{What: "sign-out", Account: session.Account})
	}
	http.Redirect(w, r, s.next(r.PostForm.Get("next")), http.StatusSeeOther)
	return nil
}

// newPassword fills the page on which a password is chosen.
type newPassword struct {
	Login, Action, Secret, Next string
	Current                     bool // the old one is asked for
	Shortest                    int
}

// resetPage is where the link of an administrator leads.
func (s *Server) resetPage(w http.ResponseWriter, r *http.Request) error {
	return s.showReset(w, r, http.StatusOK, r.URL.Query().Get("secret"), "")
}

func (s *Server) showReset(w http.ResponseWriter, r *http.Request, status int, secret, problem string) error {
	a, err := s.People.ForReset(r.Context(), secret)
	if fhir.CodeOf(err) == fhir.NotFound {
		s.problem(w, r, http.StatusNotFound, "reset-gone-title", "reset-gone", "")
		return nil
	}
	if err != nil {
		return err
	}
	page := s.newPage(w, r, "reset-title")
	page.Problem = problem
	page.Body = newPassword{Login: a.Login, Action: s.root + "/account/reset", Secret: secret, Shortest: people.ShortestPassword}
	return page.Write(w, r, status, "reset")
}

// reset takes the password that somebody chose with a link of an administrator.
func (s *Server) reset(w http.ResponseWriter, r *http.Request) error {
	if err := s.checkForm(r); err != nil {
		return err
	}
	lang, secret, password := pages.Language(r), r.PostForm.Get("secret"), r.PostForm.Get("password")
	if password != r.PostForm.Get("again") {
		return s.showReset(w, r, http.StatusUnprocessableEntity, secret, pages.Text(lang, "password-differs"))
	}
	id, err := s.People.UseReset(r.Context(), secret, password)
	switch fhir.CodeOf(err) {
	case fhir.Invalid:
		return s.showReset(w, r, http.StatusUnprocessableEntity, secret, pages.Text(lang, "password-weak"))
	case fhir.NotFound, fhir.Conflict:
		s.problem(w, r, http.StatusNotFound, "reset-gone-title", "reset-gone", "")
		return nil
	}
	if err != nil {
		return err
	}
	if err := EndAccount(r.Context(), s.State, s.Revocations, s.People, id); err != nil {
		return err
	}
	s.observe(r, Event{What: "password", Account: id})
	return s.showSignIn(w, r, http.StatusOK, signInForm{Next: s.next("")}, "", pages.Text(lang, "password-changed"))
}
