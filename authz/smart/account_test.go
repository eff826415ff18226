package smart

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/amate-health/amate/authz/people"
)

// TestCodesOnPages turns one-time codes on, signs in with one, and turns them off again.
func TestCodesOnPages(t *testing.T) {
	h := newHouse(t)
	b := h.browser()
	b.signIn("ana")
	page := b.get("/account/authenticator")
	if !strings.Contains(page.body, `src="data:image/png;base64,`) {
		t.Fatalf("there is no image\n%s", page.body)
	}
	action, form := page.form(t, 0)
	key := form.Get("secret")
	at := func() string {
		code, err := totp.GenerateCode(key, h.now())
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	form.Set("code", "000000")
	page = b.post(action, form)
	if page.status != http.StatusForbidden || !strings.Contains(page.body, key) {
		t.Fatalf("with a wrong code: %d\n%s", page.status, page.body)
	}
	forged := url.Values{}
	for k, v := range form {
		forged[k] = v
	}
	forged["secret"], forged["code"] = []string{strings.Repeat("A", 32)}, []string{"000000"}
	if got := b.post(action, forged); got.status != http.StatusForbidden || !strings.Contains(got.body, "no longer valid") {
		t.Errorf("a secret of somebody else's: %d\n%s", got.status, got.body)
	}
	form.Set("code", at())
	if page = b.post(action, form); !strings.Contains(page.body, "Codes are on") {
		t.Fatalf("with the code: %d\n%s", page.status, page.body)
	}

	other := h.browser()
	half := other.signIn("ana")
	if half.status != http.StatusSeeOther || !strings.HasPrefix(half.to, "/account/code") {
		t.Fatalf("after the password: %d %q", half.status, half.to)
	}
	for _, path := range []string{"/account", h.ask(), "/account/password", "/account/authenticator"} {
		if got := other.get(path); !strings.HasPrefix(got.to, "/account/sign-in") {
			t.Errorf("after the password alone, %s is open: %d %q", path, got.status, got.to)
		}
	}
	action, form = other.get(half.to).form(t, 0)
	form.Set("code", at()) // it was used to turn them on
	if got := other.post(action, form); got.status != http.StatusForbidden {
		t.Errorf("a code that was used: %d %q", got.status, got.to)
	}
	h.pass(time.Minute)
	form.Set("code", at())
	if got := other.post(action, form); got.status != http.StatusSeeOther || got.to != "/account" {
		t.Errorf("with a code: %d %q", got.status, got.to)
	}
	if got := other.get("/account"); got.status != http.StatusOK {
		t.Errorf("with a code, the account is closed: %d %q", got.status, got.to)
	}
	h.pass(time.Minute)
	action, form = other.get("/account").form(t, 0)
	form.Set("code", "000000")
	if got := other.post(action, form); got.status != http.StatusForbidden {
		t.Errorf("codes are turned off with a wrong one: %d", got.status)
	}
	form.Set("code", at())
	if got := other.post(action, form); !strings.Contains(got.body, "Codes are off") {
		t.Errorf("codes are not turned off: %d\n%s", got.status, got.body)
	}
	if got := h.browser().signIn("ana"); got.to != "/account" {
		t.Errorf("without codes, the password leads to %q", got.to)
	}
}

// TestGivenPassword holds that somebody whose password was set by others has to change
// it before anything else.
func TestGivenPassword(t *testing.T) {
	h := newHouse(t)
	a, err := h.People.Find(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.People.SetPassword(t.Context(), a.ID, "given by somebody", true); err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	got := b.signInAt("/account/sign-in?"+url.Values{"next": {h.ask()}}.Encode(), "ana", "given by somebody")
	if !strings.HasPrefix(got.to, "/account/password?") {
		t.Fatalf("it leads to %q", got.to)
	}
	for _, path := range []string{"/account", h.ask(), "/account/authenticator"} {
		if other := b.get(path); !strings.HasPrefix(other.to, "/account/password") {
			t.Errorf("%s is open: %d %q", path, other.status, other.to)
		}
	}
	send := func(current, password, again string) *seen {
		action, form := b.get(got.to).form(t, 0)
		form.Set("current", current)
		form.Set("password", password)
		form.Set("again", again)
		return b.post(action, form)
	}
	for name, page := range map[string]*seen{
		"another repeat":    send("given by somebody", "of my own choice", "of my own choise"),
		"a weak password":   send("given by somebody", "password", "password"),
		"the same":          send("given by somebody", "given by somebody", "given by somebody"),
		"another current":   send("guessed by somebody", "of my own choice", "of my own choice"),
		"none of the three": send("", "", ""),
	} {
		if page.status < 400 || page.to != "" {
			t.Errorf("%s: %d %q", name, page.status, page.to)
		}
	}
	if page := send("given by somebody", "of my own choice", "of my own choice"); !strings.HasPrefix(page.to, "/oauth/authorize?") {
		t.Errorf("having changed it, it leads to %d %q\n%s", page.status, page.to, page.body)
	}
	if page := b.get(h.ask()); page.status != http.StatusOK {
		t.Errorf("having changed it, the app is closed: %d %q", page.status, page.to)
	}
	if page := h.browser().signInAt("/account/sign-in", "ana", "given by somebody"); page.status != http.StatusForbidden {
		t.Errorf("the old password: %d", page.status)
	}
}

// TestResetPage goes by the link of an administrator, which ends what the account held.
func TestResetPage(t *testing.T) {
	h := newHouse(t)
	thief := h.browser()
	thief.signIn("ana")
	held := h.exchangeCode(thief.code(h.ask()))
	a, err := h.People.Find(t.Context(), "ana")
	if err != nil {
		t.Fatal(err)
	}
	link, err := h.People.Reset(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	if got := b.get("/account/reset?secret=made-up"); got.status != http.StatusNotFound {
		t.Errorf("a link that is made up: %d", got.status)
	}
	action, form := b.get("/account/reset?secret="+link).form(t, 0)
	form.Set("password", "of my own choice")
	form.Set("again", "of my own choice")
	if got := b.post(action, form); !strings.Contains(got.body, "Your password was changed") {
		t.Fatalf("%d\n%s", got.status, got.body)
	}
	if got := b.post(action, form); got.status != http.StatusNotFound {
		t.Errorf("the link again: %d", got.status)
	}
	if got := thief.get("/account"); got.status != http.StatusSeeOther || h.good(held.AccessToken) || h.refreshWith(held.RefreshToken).Error != "invalid_grant" {
		t.Errorf("what the account held goes on: %d", got.status)
	}
	if got := b.signInAt("/account/sign-in", "ana", "of my own choice"); got.status != http.StatusSeeOther {
		t.Errorf("the new password: %d", got.status)
	}
}

// TestGuardian lets a parent choose among the children, and nobody else's.
func TestGuardian(t *testing.T) {
	h := newHouse(t)
	a := &people.Account{Login: "mama", User: "RelatedPerson/r1", Roles: []string{"guardian"}, Patients: []string{"p1", "p2", "gone"}}
	if err := h.People.Add(t.Context(), a, secret); err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	b.signIn("mama")
	page := b.get(h.ask())
	if !strings.Contains(page.body, "Ana López") || !strings.Contains(page.body, "Luis") || strings.Contains(page.body, `value="gone"`) || strings.Contains(page.body, `name="find"`) {
		t.Fatalf("it shows\n%s", page.body)
	}
	action, form := page.form(t, 0)
	form.Set("patient", "p2")
	page = b.post(action, form)
	action, form = page.form(t, 0)
	u, err := url.Parse(b.post(action, form).to)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.exchangeCode(u.Query().Get("code")); got.Patient != "p2" {
		t.Errorf("the app gets %+v", got)
	}
}

func TestEmergency(t *testing.T) {
	h := newHouse(t)
	tokenOf := func(login string) string {
		b := h.browser()
		b.signIn(login)
		return h.exchangeCode(b.code(h.ask("scope", "openid user/*.rs"))).AccessToken
	}
	doctor, ana := tokenOf("doctora"), tokenOf("ana")
	ask := func(raw, body string) map[string]any {
		return h.withBearer(http.MethodPost, "/oauth/emergency", raw, body)
	}
	for name, got := range map[string]map[string]any{
		"nobody": ask("", `{"reason":"unconscious in the street"}`), "a citizen": ask(ana, `{"reason":"unconscious in the street"}`), "no reason": ask(doctor, `{}`),
		"a short reason": ask(doctor, `{"reason":"          x          "}`), "a long reason": ask(doctor, `{"reason":"`+strings.Repeat("x", 301)+`"}`), "no JSON": ask(doctor, `reason`),
	} {
		if got["access_token"] != nil || got["error"] == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
	got := ask(doctor, `{"reason":"unconscious  in the street"}`)
	raw, _ := got["access_token"].(string)
	p, err := h.Verifier.Verify(t.Context(), raw, nil)
	if err != nil {
		t.Fatal(got, err)
	}
	before, err := h.Verifier.Verify(t.Context(), doctor, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Purpose != "BTG" || p.Reason != "unconscious in the street" || p.ID != before.ID || strings.Join(p.Scopes, " ") != strings.Join(before.Scopes, " ") || p.Expires.Sub(h.now()) > emergencyLife || got["refresh_token"] != nil {
		t.Errorf("the token speaks for %+v", p)
	}
	if again := ask(raw, `{"reason":"unconscious in the street"}`); again["access_token"] != nil || again["error"] != "access_denied" {
		t.Errorf("an emergency token prolongs itself: %v", again)
	}
	if err := h.end(t.Context(), grantIn(t, h, doctor)); err != nil {
		t.Fatal(err)
	}
	if h.good(raw) {
		t.Error("the token is good after the consent that it comes from has ended")
	}
}

// grantIn returns the grant that a token comes from.
func grantIn(t *testing.T, h *house, raw string) string {
	t.Helper()
	c, err := h.Verifier.Claims(t.Context(), raw)
	if err != nil || c.Grant == "" {
		t.Fatal(c, err)
	}
	return c.Grant
}
