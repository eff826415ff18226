package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/go-jose/go-jose/v4"

	"github.com/amate-health/amate/fhir/registry/demo"
)

// The tests here use a headless Chromium. Where there is none they are skipped, unless
// this variable is 1.
const requireBrowser = "AMATE_TEST_REQUIRE_BROWSER"

// tab is a tab of a Chromium that nobody sees.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// browser starts a Chromium that prefers a language.
func browser(t *testing.T, language string) *tab {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		if os.Getenv(requireBrowser) == "1" {
			t.Fatalf("%s=1, and there is no Chromium on this machine", requireBrowser)
		}
		t.Skip("SKIPPED, NO PAGE WAS TRIED IN A BROWSER: there is no Chromium on this machine")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.NoSandbox, chromedp.ExecPath("chromium"),
		chromedp.WindowSize(900, 900), chromedp.Flag("accept-lang", language), chromedp.Flag("lang", language))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, leave := chromedp.NewContext(ctx)
	t.Cleanup(leave)
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context that it is started in
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	return &tab{t, ctx}
}

// do performs steps, and shows the page where one fails.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), 5*time.Second)
		defer cancel()
		at, _ := chromedp.Run(ctx, chromedp.Location())
		page, _ := chromedp.Run(ctx, chromedp.OuterHTML("html"))
		b.t.Fatalf("%v, at %s\n%s", err, at, page)
	}
}

// text returns what an element shows.
func (b *tab) text(selector string) string {
	b.t.Helper()
	s, err := chromedp.Run(b.ctx, chromedp.Text(selector))
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// accessible fails where a control of the page has no name. With AMATE_TEST_PICTURES it
// keeps a picture of the page in that folder.
func (b *tab) accessible(name string) {
	b.t.Helper()
	n, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](unlabelled))
	if err != nil {
		b.t.Fatal(err)
	}
	if n != 0 {
		b.t.Errorf("the page %q has %d faults that a screen reader stumbles over", name, n)
	}
	if dir := os.Getenv("AMATE_TEST_PICTURES"); dir != "" {
		picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644)
		}
		if err != nil {
			b.t.Error(err)
		}
	}
}

// app serves an app of others, whose pages use npm's fhirclient.
func app(t *testing.T) *httptest.Server {
	t.Helper()
	dir := installed(t, "js", "package-lock.json", 3*time.Minute, "npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund")
	library := filepath.Join(filepath.Dir(dir), "node_modules", "fhirclient", "build", "fhir-client.js")
	mux := http.NewServeMux()
	mux.HandleFunc("/fhir-client.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, library) })
	mux.Handle("/", http.FileServer(http.Dir(filepath.Join("testdata", "clients", "app"))))
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// credentialOf reads what --demo has written.
func credentialOf(t *testing.T, data, role string) credential {
	t.Helper()
	all, err := readCredentials(credentialsFile(data))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(c credential) bool { return c.Role == role })
	if i < 0 {
		t.Fatalf("there is no %s in %v", role, all)
	}
	return all[i]
}

// unlabelled counts the controls of a page that a screen reader could not name, and
// anything else that WCAG asks of a form and a machine can see.
const unlabelled = `[...document.querySelectorAll('input:not([type=hidden]):not([aria-hidden]),button,select')]
	.filter(e => !(e.labels && e.labels.length) && !e.getAttribute('aria-label') && !e.textContent.trim()).length
	+ (document.querySelectorAll('h1').length === 1 ? 0 : 1) + (document.documentElement.lang ? 0 : 1)
	+ [...document.querySelectorAll('img')].filter(e => !e.alt).length`

// TestStandaloneLaunch lets fhirclient, in a browser, go through a standalone launch: a
// citizen who reads Spanish, and a clinician who reads English and picks a patient.
func TestStandaloneLaunch(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := startGuarded(t, "--data", data, "--demo")
	site := app(t)
	if status, out, errs := amate("client", "add", "--data", data, "chart", "--name", "Gráficas", "--public", "--redirect", site.URL+"/index.html",
		"--scope", "openid fhirUser launch/patient offline_access patient/*.rs"); status != exitDone {
		t.Fatal(out, errs)
	}
	patient := demo.PatientID(demoSeed, 1)
	for _, c := range []struct {
		role, language, heading, consent string
		pick                             bool
	}{
		{"patient", "es-MX,es", "Iniciar sesión", "Dar permiso", false},
		{"clinician", "en-GB,en", "Sign in", "Give permission", true},
	} {
		t.Run(c.role, func(t *testing.T) {
			b := browser(t, c.language)
			who := credentialOf(t, data, c.role)
			b.do(chromedp.Navigate(site.URL+"/launch.html?"+url.Values{
				"iss": {p.base}, "client": {"chart"}, "scope": {"openid fhirUser launch/patient offline_access patient/*.read"}, // v1, which is mapped
			}.Encode()), chromedp.WaitVisible("#login"))
			b.accessible(c.role + "-1-sign-in")
			if got := b.text("h1"); got != c.heading {
				t.Errorf("the first page is headed %q", got)
			}
			b.do(chromedp.KeyEvent(who.Login + "\t" + who.Password + "\r")) // by the keyboard alone: the first field has the focus
			if c.pick {
				b.do(chromedp.WaitVisible("#find"), chromedp.KeyEvent("hernandez\r"), chromedp.WaitVisible("#patient-0"))
				b.accessible(c.role + "-2-pick")
				b.do(chromedp.Click("#patient-0"), chromedp.KeyEvent("\r"))
			}
			b.do(chromedp.WaitVisible("#scope-0"))
			b.accessible(c.role + "-3-consent")
			if got := b.text("h1"); got != c.consent {
				t.Errorf("the last page is headed %q", got)
			}
			b.do(chromedp.Click("fieldset ~ p button"), chromedp.WaitVisible("#result"))
			result := b.text("#result")
			var got struct {
				Failed, Patient, Context, Type, User, Scope string
				Refreshed                                   bool
				Others                                      []string
			}
			if err := json.Unmarshal([]byte(result), &got); err != nil || got.Failed != "" {
				t.Fatalf("%v: %s", err, result)
			}
			if got.Patient == "" || got.Patient != got.Context || got.Type != "Bundle" || !got.Refreshed || !strings.Contains(got.Scope, "patient/*.rs") {
				t.Errorf("the app has %s", result)
			}
			if !c.pick && (got.Patient != patient || !strings.HasSuffix(got.User, "Patient/"+patient)) {
				t.Errorf("the citizen's app has %s", result)
			}
			if !slices.Equal(got.Others, []string{got.Patient}) {
				t.Errorf("an app for one patient sees %v", got.Others)
			}
		})
	}
}

// TestPasskey adds a passkey to an account and signs in with it, on a device that the
// browser plays.
func TestPasskey(t *testing.T) {
	t.Parallel()
	b := browser(t, "es")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	free.Close()
	data := t.TempDir()
	p := startGuarded(t, "--data", data, "--demo", "--listen", "127.0.0.1:"+port, "--base-url", "http://localhost:"+port+"/fhir")
	who := credentialOf(t, data, "clinician")
	device := chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}})
		return err
	})
	b.do(device, chromedp.Navigate(p.root("/account")), chromedp.WaitVisible("#login"), chromedp.KeyEvent(who.Login+"\t"+who.Password+"\r"), chromedp.WaitVisible("#passkey-add"))
	b.accessible("account")
	b.do(chromedp.SendKeys("#passkey-name", "La de casa"), chromedp.Click("#passkey-add-button"), chromedp.WaitVisible(`button[aria-label="Quitar La de casa"]`))
	b.do(chromedp.Click(`form[action$="/account/sign-out"] button`), chromedp.WaitVisible("#passkey-button"))
	b.accessible("sign-in-with-passkey")
	b.do(chromedp.Click("#passkey-button"), chromedp.WaitVisible("#passkey-add"))
	if got := b.text("h1"); got != "Su cuenta" {
		t.Errorf("having signed in with a passkey, the page is headed %q", got)
	}
	b.do(chromedp.Navigate(p.root("/account/authenticator?lang=en")), chromedp.WaitVisible("#code"))
	b.accessible("authenticator")
}

// TestBackendClient lets npm's openid-client ask for tokens with a key of its own.
func TestBackendClient(t *testing.T) {
	t.Parallel()
	dir := installed(t, "js", "package-lock.json", 3*time.Minute, "npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund")
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	private := write("key.json", jose.JSONWebKey{Key: key, KeyID: "k1", Algorithm: "ES384"})
	public := write("jwks.json", jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES384", Use: "sig"}}})
	data := t.TempDir()
	p := startGuarded(t, "--data", data)
	if status, out, errs := amate("client", "add", "--data", data, "lab", "--jwks", public, "--role", "system", "--scope", "system/Patient.rs"); status != exitDone {
		t.Fatal(out, errs)
	}
	converse(t, dir, 10, "node", "backend.mjs", p.root(""), "lab", private, p.base)
}
