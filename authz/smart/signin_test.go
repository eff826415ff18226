package smart

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/authz/people"
)

// TestForgedForms holds that no page of others can make a browser send a form.
func TestForgedForms(t *testing.T) {
	h := newHouse(t)
	b, other := h.browser(), h.browser()
	b.signIn("ana")
	other.signIn("doctora")
	_, theirs := other.get("/account").form(t, 0)
	action, own := b.get(h.ask()).form(t, 0)
	for name, change := range map[string]func(url.Values) []string{
		"no token":          func(f url.Values) []string { f.Del("form"); return nil },
		"an empty token":    func(f url.Values) []string { f.Set("form", ""); return nil },
		"another's token":   func(f url.Values) []string { f.Set("form", theirs.Get("form")); return nil },
		"another site":      func(url.Values) []string { return []string{"Sec-Fetch-Site", "cross-site"} },
		"a sister site":     func(url.Values) []string { return []string{"Sec-Fetch-Site", "same-site"} },
		"another origin":    func(url.Values) []string { return []string{"Origin", "https://evil.example"} },
		"a sandboxed frame": func(url.Values) []string { return []string{"Origin", "null"} },
	} {
		form := url.Values{}
		for k, v := range own {
			form[k] = v
		}
		head := change(form)
		if got := b.post(action, form, head...); got.status != http.StatusForbidden || got.to != "" {
			t.Errorf("%s: %d, sent to %q", name, got.status, got.to)
		}
	}
	for _, path := range []string{"/account/sign-in", "/account/sign-out", "/account/password", "/account/code", "/account/reset", "/account/authenticator",
		"/account/passkey/begin", "/account/passkey/finish", "/account/passkey/add/begin", "/account/passkey/add/finish", "/account/passkey/drop"} {
		for who, browser := range map[string]*browser{"signed in": b, "a stranger": h.browser()} {
			if got := browser.post(path, url.Values{"login": {"ana"}, "password": {secret}}); got.status != http.StatusForbidden || got.head.Get("Set-Cookie") != "" {
				t.Errorf("%s without a token, %s: %d, %q", path, who, got.status, got.head.Get("Set-Cookie"))
			}
		}
	}
	if got := b.post(action, own); !strings.HasPrefix(got.to, callback) {
		t.Errorf("the form as it was: %d %q", got.status, got.to)
	}
}

// TestLoginFixation holds that a session that somebody has planted in a browser is
// never the one that a person signs in to.
func TestLoginFixation(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	at, _ := url.Parse(h.web.URL)
	plant := func(name, value string) {
		b.http.Jar.SetCookies(at, []*http.Cookie{{Name: h.cookieName(name), Value: value, Path: "/"}})
	}
	plant("session", "planted")
	plant("form", "planted")
	got := b.signIn("ana")
	if got.status != http.StatusSeeOther {
		t.Fatalf("%d\n%s", got.status, got.body)
	}
	now := ""
	for _, c := range b.http.Jar.Cookies(at) {
		if c.Name == h.cookieName("session") {
			now = c.Value
		}
	}
	if now == "planted" || now == "" {
		t.Errorf("the session is %q", now)
	}
	if alive, err := h.People.Alive(t.Context(), people.SessionKey("planted")); err != nil || alive {
		t.Errorf("the planted session is alive: %v", err)
	}
	thief := h.browser()
	thief.http.Jar.SetCookies(at, []*http.Cookie{{Name: h.cookieName("session"), Value: "planted", Path: "/"}})
	if got := thief.get("/account"); got.status != http.StatusSeeOther {
		t.Errorf("whoever planted it is signed in: %d", got.status)
	}
	before := now
	b.signIn("ana")
	if alive, _ := h.People.Alive(t.Context(), people.SessionKey(before)); alive {
		t.Error("signing in again leaves the earlier session alive")
	}
}

func TestCookies(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	for _, got := range []*seen{b.get("/account/sign-in"), b.signIn("ana")} {
		c := got.head.Get("Set-Cookie")
		if !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Lax") || !strings.Contains(c, "Path=/") {
			t.Errorf("the cookie is %q", c)
		}
	}
	over := &Server{secure: true}
	if name := over.cookieName("session"); !strings.HasPrefix(name, "__Host-") {
		t.Errorf("over TLS the cookie is called %s", name)
	}
}

// TestLockOut holds that guessing is slowed down, and that the answers are the same
// whether or not there is such an account.
func TestLockOut(t *testing.T) {
	h := newHouse(t)
	answers := map[string][]string{}
	for _, login := range []string{"ana", "nobody-of-this-name"} {
		b := h.browser()
		for range freeTriesShown {
			got := b.signInAt("/account/sign-in", login, "a wrong password")
			text := strings.ReplaceAll(got.body, login, "LOGIN")
			_, form := got.form(t, 0)
			answers[login] = append(answers[login], http.StatusText(got.status)+strings.ReplaceAll(text, form.Get("form"), "FORM"))
		}
	}
	for i, text := range answers["ana"] {
		if text != answers["nobody-of-this-name"][i] {
			t.Errorf("try %d tells an account from none:\n%s\n%s", i+1, text, answers["nobody-of-this-name"][i])
		}
	}
	last := answers["ana"][freeTriesShown-1]
	if !strings.Contains(last, "Too many tries. Wait 30 seconds") || !strings.Contains(answers["ana"][0], "user name, the password or the code is wrong") {
		t.Errorf("the first and the last answer are\n%s\n%s", answers["ana"][0], last)
	}
	b := h.browser()
	if got := b.signIn("ana"); got.status != http.StatusTooManyRequests {
		t.Errorf("the right password, while the wait lasts: %d", got.status)
	}
	h.pass(30 * time.Second)
	if got := b.signIn("ana"); got.status != http.StatusSeeOther {
		t.Errorf("the right password, after the wait: %d", got.status)
	}
}

// freeTriesShown is how many tries TestLockOut makes: five that are looked at, and one
// that has to wait.
const freeTriesShown = 6

// TestNext holds that signing in leads to pages of this server only.
func TestNext(t *testing.T) {
	h := newHouse(t)
	for _, bad := range []string{
		"https://evil.example/", "//evil.example/oauth/authorize", "/\\evil.example", "\\\\evil.example", "/oauth/authorize/../../evil", "javascript:alert(1)",
		"/account/sign-out", "/oauth/token", "https:/oauth/authorize", "http:///oauth/authorize", "/%2f/evil.example", "/oauth/authorize\r\nX: y", "/oauth/authorize#x", "", "?x",
		"//user@/oauth/authorize", " /oauth/authorize", "/oauth%2fauthorize",
	} {
		if got := h.next(bad); got != "/account" {
			t.Errorf("next %q leads to %q", bad, got)
		}
	}
	for _, good := range []string{h.ask(), "/account/authenticator"} {
		if got := h.next(good); got != good {
			t.Errorf("next %q leads to %q", good, got)
		}
	}
}

// TestEvents holds what is on record of how somebody comes to tokens: each step, whose
// it was, and nothing that was typed.
func TestEvents(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	b.signInAt("/account/sign-in", "ana", "a wrong password")
	b.signIn("ana")
	got := h.exchangeCode(b.code(h.ask()))
	h.exchangeCode("made-up")
	h.refreshWith(got.RefreshToken)
	action, form := b.get("/account").form(t, 0)
	b.post(action, form)
	var steps []string
	a, err := h.People.Find(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range h.observed() {
		steps = append(steps, e.What+" "+e.Failed)
		if e.Account != "" && e.Account != a.ID || e.Client != "" && e.Client != "app" || e.Remote == "" {
			t.Errorf("an event is %+v", e)
		}
	}
	want := "sign-in password, sign-in , consent , token , token invalid_grant, token , sign-out "
	if got := strings.Join(steps, ", "); got != want {
		t.Errorf("on record is %q, want %q", got, want)
	}
}
