// Package pages draws what people see when they sign in, choose a patient, and give
// or refuse their consent: plain HTML in Spanish and English, that works with a
// keyboard, a screen reader, and without a script.
package pages

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/text/language"
)

//go:embed html
var files embed.FS

var templates = template.Must(template.ParseFS(files, "html/*.html"))

// Assets are the style sheet and the script.
func Assets() fs.FS {
	sub, err := fs.Sub(files, "html")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}

// Page is what a template is filled with.
type Page struct {
	Root    string // path of the server, before /account and /oauth; "" for none
	Heading string // key of the title in the table of texts
	Problem string // what went wrong, in the reader's language; "" for nothing
	Notice  string // what went well, likewise
	Form    string // proves that a form comes from this page
	Script  bool   // whether it needs the script of passkeys
	Body    any    // what the template of this name shows

	// Target is where a form of the page may lead in the end, beside this server: the
	// origin or scheme of the app; "" for nowhere.
	Target string

	Lang string   // set by Write
	self *url.URL // likewise
}

// T returns a text in the language of the page.
func (p *Page) T(key string, args ...any) string { return Text(p.Lang, key, args...) }

// Title returns the title of the page.
func (p *Page) Title() string { return p.T(p.Heading) }

// choice is a language to switch to.
type choice struct {
	Code, Name, URL string
	Current         bool
}

// Languages lists the languages, each with the URL of this page in it.
func (p *Page) Languages() (all []choice) {
	for _, l := range [...][2]string{{"es", "Español"}, {"en", "English"}} {
		u := *p.self
		q := u.Query()
		q.Set("lang", l[0])
		u.RawQuery = q.Encode()
		all = append(all, choice{Code: l[0], Name: l[1], URL: u.RequestURI(), Current: l[0] == p.Lang})
	}
	return all
}

// Write sends a page. Whatever it shows stays out of caches, frames and referrers, and
// nothing runs in it but what this server serves as a file.
func (p *Page) Write(w http.ResponseWriter, r *http.Request, status int, name string) error {
	p.Lang, p.self = Language(r), r.URL
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, p); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", p.Lang)
	Protect(h, p.Target)
	w.WriteHeader(status)
	_, err := w.Write(b.Bytes())
	return err
}

// Protect sets the headers that keep a page from being framed, cached or filled with
// the scripts of others. target may receive what its forms lead to.
func Protect(h http.Header, target string) {
	h.Set("Content-Security-Policy", strings.TrimSpace("default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self' "+target))
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Language, Cookie")
}

// languageCookie keeps what a reader has chosen.
const languageCookie = "amate-lang"

var matcher = language.NewMatcher([]language.Tag{language.Spanish, language.English})

// Language returns the language for a request: what its URL says, or what was chosen
// before, or what the browser prefers; Spanish otherwise.
func Language(r *http.Request) string {
	if l := r.URL.Query().Get("lang"); texts[l] != nil {
		return l
	}
	if c, err := r.Cookie(languageCookie); err == nil && texts[c.Value] != nil {
		return c.Value
	}
	wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(wanted) == 0 {
		return "es"
	}
	if _, i, _ := matcher.Match(wanted...); i == 1 {
		return "en"
	}
	return "es"
}

// Remember keeps the language that the URL of a request chooses.
func Remember(w http.ResponseWriter, r *http.Request, secure bool) {
	if l := r.URL.Query().Get("lang"); texts[l] != nil {
		http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: l, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode})
	}
}

// Text returns a text in a language.
func Text(lang, key string, args ...any) string {
	s, ok := texts[lang][key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return s
	}
	return fmt.Sprintf(s, args...)
}
