package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/registry/demo"
	"github.com/amate-health/amate/store/storetest"
)

// fetch sends a GET with a bearer token, and returns the status and the body.
func fetch(t *testing.T, to, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, to, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// eventually waits until something that another process has been told holds here too.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for late := time.Now().Add(2 * time.Minute); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Errorf("after two minutes, it does not hold that %s", what)
}

// grantFor asks for a token with a client secret.
func grantFor(t *testing.T, p *process, c credential) (token string, answer map[string]any) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, p.root("/oauth/token"), strings.NewReader(url.Values{"grant_type": {"client_credentials"}, "scope": {c.Scope}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(c.Client, c.Secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	token, _ = answer["access_token"].(string)
	return token, answer
}

// TestDemoCredentials holds what tools outside rely on: a file of credentials, with
// which tokens come out of POST /oauth/token, and the same from "amate token".
func TestDemoCredentials(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for name, where := range map[string][]string{
		"sqlite":   {"--data", data},
		"postgres": {"--data", t.TempDir(), "--database", storetest.EmptyPostgres(t)},
	} {
		t.Run(name, func(t *testing.T) {
			p := startGuarded(t, append([]string{"--demo"}, where...)...)
			file := credentialsFile(where[1])
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("the file is %v, %v", info, err)
			}
			patient := p.base + "/Patient/" + demo.PatientID(demoSeed, 1)
			if status, body := fetch(t, patient, ""); status != http.StatusUnauthorized || !strings.Contains(body, `"code":"login"`) {
				t.Errorf("without a token: %d %s", status, body)
			}
			for _, role := range []string{"system", "clinician", "vaccinator", "birth-certifier", "civil-registrar", "telehealth-app", "analyst", "auditor", "patient"} {
				c := credentialOf(t, where[1], role)
				token, answer := grantFor(t, p, c)
				if token == "" || answer["scope"] != c.Scope {
					t.Errorf("%s gets %v", role, answer)
				}
				status, out, errs := amate(append([]string{"token", "--role", role}, where...)...)
				if status != exitDone || strings.Count(out, "\n") != 1 {
					t.Fatalf("amate token --role %s: %d %s%s", role, status, out, errs)
				}
				want := map[string]int{"auditor": http.StatusForbidden, "analyst": http.StatusForbidden}[role]
				if want == 0 {
					want = http.StatusOK
				}
				for how, one := range map[string]string{"POST /oauth/token": token, "amate token": strings.TrimSpace(out)} {
					if status, body := fetch(t, patient, one); status != want {
						t.Errorf("with the token of %s for %s: %d %s", how, role, status, body)
					}
				}
			}
			status, out, _ := amate(append([]string{"token", "--role", "patient"}, where...)...)
			if _, body := fetch(t, p.base+"/Patient?_summary=count", strings.TrimSpace(out)); status != exitDone || !strings.Contains(body, `"total":1`) {
				t.Errorf("the demonstration's patient sees %s", body)
			}
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.terminate(t); err != nil {
				t.Fatal(err)
			}
			if status, out, errs := amate(append([]string{"token", "--role", "clinician", "--for", "5m"}, where...)...); status != exitDone || out == "" {
				t.Errorf("amate token while no server runs: %d %s", status, errs)
			}
			again := startGuarded(t, append([]string{"--demo"}, where...)...)
			if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
				t.Errorf("the second start writes other secrets: %v", err)
			}
			if token, answer := grantFor(t, again, credentialOf(t, where[1], "clinician")); token == "" {
				t.Errorf("after a second start: %v", answer)
			}
		})
	}
}

// TestTokenCommandRefuses holds what cannot be asked of "amate token".
func TestTokenCommandRefuses(t *testing.T) {
	data := t.TempDir()
	for _, args := range [][]string{
		{"token"}, {"token", "--role", "system", "--for", "25h"}, {"token", "--role", "system", "--for", "0s"}, {"token", "--client", "nobody"},
		{"token", "--role", "patient"}, {"token", "--role", "system", "--client", "x"}, {"token", "--role", "system", "--scope", "nonsense"},
	} {
		if status, out, _ := amate(append(args, "--data", data)...); status != exitUsage || strings.Contains(out, "ey") {
			t.Errorf("amate %v: status %d, %s", args, status, out)
		}
	}
	status, out, errs := amate("token", "--data", data, "--role", "patient", "--patient", "p1")
	if status != exitDone || strings.Count(out, ".") != 2 {
		t.Errorf("a role alone: %d %s%s", status, out, errs)
	}
}

// TestClientAndUserCommands lets an administrator manage apps and people while a server
// runs, which notices at once.
func TestClientAndUserCommands(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := startGuarded(t, "--data", data)
	run := func(args ...string) string {
		t.Helper()
		status, out, errs := amate(append(args, "--data", data)...)
		if status != exitDone {
			t.Fatalf("amate %v: status %d, %s%s", args, status, out, errs)
		}
		return out
	}
	secretOf := func(out string) string {
		t.Helper()
		m := regexp.MustCompile(`client_secret  (\S+)`).FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("it shows no secret: %s", out)
		}
		return m[1]
	}
	site := credential{Client: "his", Scope: "system/*.rs"}
	site.Secret = secretOf(run("client", "add", "his", "--role", "system", "--scope", "system/*.rs"))
	token, answer := grantFor(t, p, site)
	if status, body := fetch(t, p.base+"/Patient?_count=1", token); status != http.StatusOK {
		t.Fatalf("%v: %d %s", answer, status, body)
	}
	fresh := site
	fresh.Secret = secretOf(run("client", "rotate", "his", "--overlap", "1h"))
	for _, c := range []credential{site, fresh} {
		if token, answer := grantFor(t, p, c); token == "" {
			t.Errorf("while both secrets are good: %v", answer)
		}
	}
	if list := run("client", "list"); !regexp.MustCompile(`his +secret +client_credentials +system +system/\*\.rs`).MatchString(list) {
		t.Errorf("the list is\n%s", list)
	}
	run("client", "remove", "his")
	if token, _ := grantFor(t, p, fresh); token != "" {
		t.Error("a client that was removed gets tokens")
	}
	eventually(t, "the tokens of a client that was removed are refused", func() bool {
		status, _ := fetch(t, p.base+"/Patient?_count=1", token)
		return status == http.StatusUnauthorized
	})

	out := run("user", "add", "juana", "--role", "clinician,nurse", "--org", "DFSSA000001", "--link", "Practitioner/p1")
	link := regexp.MustCompile(`http\S+/account/reset\?secret=\S+`).FindString(out)
	if status, body := fetch(t, link, ""); status != http.StatusOK || !strings.Contains(body, "juana") {
		t.Errorf("the link %q answers %d %s", link, status, body)
	}
	run("user", "role", "juana", "nurse", "--take")
	run("user", "role", "juana", "vaccinator")
	run("user", "link", "juana", "Practitioner/p2")
	run("user", "lock", "juana")
	if list := run("user", "list"); !regexp.MustCompile(`juana +clinician,vaccinator +Practitioner/p2 +DFSSA000001 +- +locked`).MatchString(list) {
		t.Errorf("the list is\n%s", list)
	}
	run("user", "unlock", "juana")
	run("user", "codes", "juana")
	run("user", "password", "juana")
	run("user", "remove", "juana")
	for _, args := range [][]string{
		{"user", "lock", "juana"}, {"user", "add", "x y", "--role", "nurse"}, {"user", "add", "pedro", "--role", "Nurse!"}, {"user", "add", "pedro"},
		{"client", "add", "x", "--role", "system"}, {"client", "add", "x", "--scope", "nonsense", "--role", "system"}, {"client", "add", "x", "--scope", "system/*.rs"},
		{"client", "add", "x", "--scope", "patient/*.rs", "--public", "--redirect", "http://evil.example/"}, {"client", "add", "x y", "--scope", "system/*.rs", "--role", "system"},
		{"client", "add", "x", "--scope", "system/*.rs", "--role", "system", "--public"}, {"client", "rotate", "nobody"},
	} {
		if status, out, _ := amate(append(args, "--data", data)...); status != exitUsage {
			t.Errorf("amate %v: status %d, %s", args, status, out)
		}
	}
}

// TestTrustedIssuersFile holds that a file of issuers is checked before anything starts.
func TestTrustedIssuersFile(t *testing.T) {
	write := func(text string) issuersFile {
		file := filepath.Join(t.TempDir(), "issuers.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return issuersFile(file)
	}
	good := "- name: kc\n  issuer: https://sso.example.org/realms/salud\n  audience: amate\n  algorithms: [RS256]\n  roles: {medico: clinician}\n  claims: {roles: realm_access.roles}\n"
	all, err := write(good).read()
	if err != nil || len(all) != 1 || all[0].Claims.Roles != "realm_access.roles" || all[0].Claims.Subject != "sub" || all[0].Roles["medico"] != "clinician" {
		t.Fatalf("%v, %v", all, err)
	}
	for name, text := range map[string]string{
		"a misspelt key": strings.Replace(good, "audience", "audiense", 1), "no list": "name: kc", "twice": good + good, "no YAML": "- [", "plain http": strings.Replace(good, "https", "http", 1),
	} {
		if _, err := write(text).read(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestIssuerOf(t *testing.T) {
	for base, want := range map[string]string{
		"http://127.0.0.1:8080/fhir": "http://127.0.0.1:8080", "https://x.example/amate/fhir": "https://x.example/amate", "https://x.example": "https://x.example", "https://x.example/a/b/c": "https://x.example/a/b",
	} {
		if got := issuerOf(base); got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
}

// TestRolesThatNobodyKnows: every command that takes a role tells of a misspelled one.
func TestRolesThatNobodyKnows(t *testing.T) {
	data := t.TempDir()
	for _, c := range []struct {
		args string
		told bool
	}{
		{"token --role clinican", true},
		{"token --role clinician", false},
		{"user add ana --role nurse", false},
		{"user add eva --role nurse,clinican", true},
		{"user role ana clinican", true},
		{"user role ana clinician", false},
		{"client add lab --scope system/*.rs --role clinican", true},
		{"client add post --scope system/*.rs --role system", false},
	} {
		status, out, errs := amate(append(strings.Fields(c.args), "--data", data)...)
		if status != 0 || strings.Contains(errs, "no such role") != c.told {
			t.Errorf("amate %s: %d %s%s", c.args, status, out, errs)
		}
	}
}
