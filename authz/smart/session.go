package smart

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/amate-health/amate/authz/pages"
	"github.com/amate-health/amate/authz/people"
	"github.com/amate-health/amate/authz/token"
	"github.com/amate-health/amate/fhir"
)

// errForm is a form that does not come from a page of ours in this browser, or from one
// that is out of date.
var errForm = errors.New("the form is not one of this session")

// The names of the cookies. Over TLS they carry a prefix with which no other host, and
// nothing without TLS, can set them.
func (s *Server) cookieName(name string) string {
	if s.secure {
		return "__Host-amate-" + name
	}
	return "amate-" + name
}

// cookie returns the value of the session's cookie, "" for none.
func (s *Server) cookie(r *http.Request) string { return s.cookieValue(r, "session") }

func (s *Server) cookieValue(r *http.Request, name string) string {
	c, err := r.Cookie(s.cookieName(name))
	if err != nil || len(c.Value) > 100 {
		return ""
	}
	return c.Value
}

func (s *Server) setCookie(w http.ResponseWriter, name, value string) {
	c := &http.Cookie{Name: s.cookieName(name), Value: value, Path: "/", HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteLaxMode}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// session returns who is signed in, nil for nobody.
func (s *Server) session(r *http.Request) (*people.Session, *people.Account, error) {
	session, a, err := s.People.Session(r.Context(), s.cookie(r))
	if fhir.CodeOf(err) == fhir.NotFound || err == nil && session.Half {
		return nil, nil, nil
	}
	return session, a, err
}

// half returns whose password was right, while the code is still to come; nil for nobody.
func (s *Server) half(r *http.Request) (*people.Session, *people.Account, error) {
	session, a, err := s.People.Session(r.Context(), s.cookie(r))
	if fhir.CodeOf(err) == fhir.NotFound || err == nil && !session.Half {
		return nil, nil, nil
	}
	return session, a, err
}

// enter signs an account in, in this browser: always under a new name, so that nobody
// who knew the old one is signed in with it.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, a *people.Account, half bool, methods ...string) error {
	if old := s.cookie(r); old != "" {
		if err := s.People.End(r.Context(), old); err != nil {
			return err
		}
	}
	cookie, err := s.People.Start(r.Context(), a.ID, half, methods...)
	if err != nil {
		return err
	}
	s.setCookie(w, "session", cookie)
	if !half {
		s.observe(r, Event{What: "sign-in", Account: a.ID})
	}
	return nil
}

// formToken is what a form of this browser carries. It is bound to the session, and
// where there is none, to a cookie that a page has set.
func (s *Server) formToken(r *http.Request) string {
	if c := s.cookie(r); c != "" {
		return s.mac("form", "session", c)
	}
	if c := s.cookieValue(r, "form"); c != "" {
		return s.mac("form", "page", c)
	}
	return ""
}

// checkForm refuses a form that this browser has not had from a page of ours.
func (s *Server) checkForm(r *http.Request) error {
	sent := r.Header.Get("X-Form")
	if sent == "" {
		if err := r.ParseForm(); err != nil {
			return errForm
		}
		sent = r.PostForm.Get("form")
	}
	if want := s.formToken(r); want == "" || !same(sent, want) {
		return errForm
	}
	return nil
}

// newPage returns a page with the token of its forms.
func (s *Server) newPage(w http.ResponseWriter, r *http.Request, heading string) *pages.Page {
	p := &pages.Page{Root: s.root, Heading: heading, Form: s.formToken(r)}
	if p.Form == "" {
		c := token.Random()
		s.setCookie(w, "form", c)
		p.Form = s.mac("form", "page", c)
	}
	return p
}

// next returns where somebody goes on after signing in: a page of this server that is
// among those that ask for it, never anywhere else.
func (s *Server) next(raw string) string {
	home := s.root + "/account"
	u, err := url.Parse(raw)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" || u.Fragment != "" || strings.ContainsAny(raw, "\\\r\n\t") {
		return home
	}
	if u.EscapedPath() != s.root+"/oauth/authorize" && u.EscapedPath() != s.root+"/account/authenticator" && u.EscapedPath() != s.root+"/account/password" {
		return home
	}
	return u.String()
}
