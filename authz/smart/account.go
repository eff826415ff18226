package smart

import (
	"bytes"
	"encoding/base64"
	"html/template"
	"image/png"
	"net/http"
	"net/url"
	"time"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"

	"github.com/amate-health/amate/authz/pages"
	"github.com/amate-health/amate/authz/people"
	"github.com/amate-health/amate/fhir"
)

// accountPage fills the page of somebody's own account.
type accountPage struct {
	Login           string
	Codes, Passkeys bool
	Keys            []passkeyLine
}

type passkeyLine struct {
	Name, Added string
	N           int
}

// signedIn returns who is signed in. It leads anybody else to the page to do so, and
// somebody with a password of others to the page to change it; then a is nil.
func (s *Server) signedIn(w http.ResponseWriter, r *http.Request) (session *people.Session, a *people.Account, err error) {
	session, a, err = s.session(r)
	if err != nil {
		return nil, nil, err
	}
	to := ""
	switch {
	case session == nil:
		to = "/account/sign-in?"
	case a.MustChange && r.URL.Path != s.root+"/account/password":
		to = "/account/password?"
	default:
		return session, a, nil
	}
	http.Redirect(w, r, s.root+to+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
	return nil, nil, nil
}

// account shows what a person can change about how they sign in.
func (s *Server) account(w http.ResponseWriter, r *http.Request) error {
	_, a, err := s.signedIn(w, r)
	if err != nil || a == nil {
		return err
	}
	return s.showAccount(w, r, a, "")
}

func (s *Server) showAccount(w http.ResponseWriter, r *http.Request, a *people.Account, notice string) error {
	body := accountPage{Login: a.Login, Codes: a.Secret != "", Passkeys: s.passkeys != nil}
	for i, k := range a.Passkeys {
		body.Keys = append(body.Keys, passkeyLine{Name: k.Name, N: i, Added: k.Added.Format(time.RFC3339Nano)})
	}
	page := s.newPage(w, r, "account-title")
	page.Notice, page.Body, page.Script = notice, body, body.Passkeys
	return page.Write(w, r, http.StatusOK, "account")
}

func (s *Server) passwordPage(w http.ResponseWriter, r *http.Request) error {
	_, a, err := s.signedIn(w, r)
	if err != nil || a == nil {
		return err
	}
	return s.showPassword(w, r, http.StatusOK, a, r.URL.Query().Get("next"), "")
}

func (s *Server) showPassword(w http.ResponseWriter, r *http.Request, status int, a *people.Account, next, problem string) error {
	page := s.newPage(w, r, "reset-title")
	page.Problem = problem
	if a.MustChange {
		page.Notice = pages.Text(pages.Language(r), "must-change")
	}
	page.Body = newPassword{Login: a.Login, Action: s.root + "/account/password", Next: s.next(next), Current: true, Shortest: people.ShortestPassword}
	return page.Write(w, r, status, "reset")
}

// password changes a password, for somebody who knows the old one. Every session ends
// but this one.
func (s *Server) password(w http.ResponseWriter, r *http.Request) error {
	if err := s.checkForm(r); err != nil {
		return err
	}
	session, a, err := s.session(r)
	if err != nil {
		return err
	}
	if session == nil {
		return errForm
	}
	lang, next, password := pages.Language(r), r.PostForm.Get("next"), r.PostForm.Get("password")
	if password != r.PostForm.Get("again") {
		return s.showPassword(w, r, http.StatusUnprocessableEntity, a, next, pages.Text(lang, "password-differs"))
	}
	if people.CheckPassword(password, a.Login, a.Name) != nil || password == r.PostForm.Get("current") {
		return s.showPassword(w, r, http.StatusUnprocessableEntity, a, next, pages.Text(lang, "password-weak"))
	}
	_, err = s.People.Password(r.Context(), a.Login, r.PostForm.Get("current"))
	if status, problem := s.tried(w, r, err); problem != "" {
		s.observe(r, Event{What: "password", Account: a.ID, Failed: "password"})
		return s.showPassword(w, r, status, a, next, problem)
	}
	if err != nil {
		return err
	}
	if err := s.People.SetPassword(r.Context(), a.ID, password, false); err != nil {
		return err
	}
	s.observe(r, Event{What: "password", Account: a.ID})
	if err := s.enter(w, r, a, false, session.Methods...); err != nil {
		return err
	}
	http.Redirect(w, r, s.next(next), http.StatusSeeOther)
	return nil
}

// authenticatorForm fills the page on which one-time codes are turned on.
type authenticatorForm struct {
	Secret, Proof string
	Image         template.URL // of a QR code, made here
}

func (s *Server) authenticatorPage(w http.ResponseWriter, r *http.Request) error {
	_, a, err := s.signedIn(w, r)
	if err != nil || a == nil {
		return err
	}
	secret, _, err := people.NewSecret("Amate", a.Login)
	if err != nil {
		return err
	}
	return s.showAuthenticator(w, r, http.StatusOK, a, secret, "")
}

func (s *Server) showAuthenticator(w http.ResponseWriter, r *http.Request, status int, a *people.Account, secret, problem string) error {
	link, err := people.SecretURL("Amate", a.Login, secret)
	if err != nil {
		return err
	}
	image, err := qrCode(link)
	if err != nil {
		return err
	}
	page := s.newPage(w, r, "codes-title")
	page.Problem = problem
	page.Body = authenticatorForm{Secret: secret, Proof: s.mac("authenticator", a.ID, secret), Image: image}
	return page.Write(w, r, status, "authenticator")
}

// qrCode draws a text as a data: URL.
func qrCode(text string) (template.URL, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", err
	}
	if code, err = barcode.Scale(code, 400, 400); err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := png.Encode(&b, code); err != nil {
		return "", err
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())), nil
}

// authenticator turns one-time codes on or off.
func (s *Server) authenticator(w http.ResponseWriter, r *http.Request) error {
	if err := s.checkForm(r); err != nil {
		return err
	}
	session, a, err := s.session(r)
	if err != nil {
		return err
	}
	if session == nil || a.MustChange {
		return errForm
	}
	lang, code, secret := pages.Language(r), r.PostForm.Get("code"), r.PostForm.Get("secret")
	if r.PostForm.Get("step") == "drop" {
		err := s.People.Code(r.Context(), a.ID, code)
		if status, problem := s.tried(w, r, err); problem != "" {
			page := s.newPage(w, r, "account-title")
			page.Problem, page.Body = problem, accountPage{Login: a.Login, Codes: true}
			return page.Write(w, r, status, "account")
		}
		if err != nil {
			return err
		}
		if err := s.People.DropCode(r.Context(), a.ID); err != nil {
			return err
		}
		a.Secret = ""
		return s.showAccount(w, r, a, pages.Text(lang, "codes-are-off"))
	}
	if a.Secret != "" || !same(r.PostForm.Get("proof"), s.mac("authenticator", a.ID, secret)) {
		return errForm
	}
	err = s.People.ConfirmCode(r.Context(), a.ID, secret, code)
	if status, problem := s.tried(w, r, err); problem != "" {
		return s.showAuthenticator(w, r, status, a, secret, problem)
	}
	if err != nil {
		return err
	}
	a.Secret = secret
	return s.showAccount(w, r, a, pages.Text(lang, "codes-are-on"))
}

// passkeyDrop removes a passkey.
func (s *Server) passkeyDrop(w http.ResponseWriter, r *http.Request) error {
	if err := s.checkForm(r); err != nil {
		return err
	}
	session, a, err := s.session(r)
	if err != nil {
		return err
	}
	if session == nil || s.passkeys == nil {
		return errForm
	}
	n, added, err := passkeyNamed(r.PostForm)
	if err != nil {
		return errForm
	}
	if err := s.passkeys.Drop(r.Context(), a.ID, n, added); err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return err
	}
	http.Redirect(w, r, s.root+"/account", http.StatusSeeOther)
	return nil
}
