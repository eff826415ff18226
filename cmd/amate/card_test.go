package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/registry/card/link"
)

// sent sends a request, and returns the status and the body.
func sent(t *testing.T, method, at, media, body string, headers ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, at, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", media)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// TestCards follows a card through a server: issued, published, shared, verified on the
// page and from the command line, and revoked when its dose is.
func TestCards(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := startServe(t, "--data", data)
	const media = "application/fhir+json"
	put := func(at, body string) {
		t.Helper()
		if status, text := sent(t, "PUT", p.base+"/"+at, media, body); status > 201 {
			t.Fatal(status, text)
		}
	}
	dose := func(status string) string {
		return fmt.Sprintf(`{"resourceType":"Immunization","id":"d1","status":%q,"vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"146"}]},"patient":{"reference":"Patient/p1"},"occurrenceDateTime":"2025-05-15","lotNumber":"LOTE77"}`, status)
	}
	put("Patient/p1", `{"resourceType":"Patient","id":"p1","name":[{"family":"Ñáñez","given":["Xóchitl"]}],"birthDate":"2025-03-15"}`)
	put("Immunization/d1", dose("completed"))

	status, file := sent(t, "POST", p.base+"/Patient/p1/$health-cards-issue?credentialType=Immunization", media, "", "Accept", "application/smart-health-card")
	if status != 200 || !strings.Contains(file, "verifiableCredential") {
		t.Fatal(status, file)
	}
	saved := filepath.Join(t.TempDir(), "c.smart-health-card")
	if err := os.WriteFile(saved, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	root := issuerOf(p.base)
	published := filepath.Join(t.TempDir(), "jwks.json")
	status, h, keys := public(t, root+"/cards/.well-known/jwks.json", "*/*")
	if status != 200 || h.Get("Access-Control-Allow-Origin") != "*" || strings.Contains(keys, `"d"`) || !strings.Contains(keys, `"crlVersion":1`) {
		t.Fatal(status, h, keys)
	}
	if err := os.WriteFile(published, []byte(keys), 0o600); err != nil {
		t.Fatal(err)
	}
	verify := func() string {
		t.Helper()
		form := url.Values{"card": {file}}.Encode()
		status, page := sent(t, "POST", root+"/verify/card", "application/x-www-form-urlencoded", form, "Accept", "application/json")
		if status != 200 {
			t.Fatal(status, page)
		}
		var found struct{ Cards []struct{ Result string } }
		if err := json.Unmarshal([]byte(page), &found); err != nil || len(found.Cards) != 1 {
			t.Fatal(page, err)
		}
		return found.Cards[0].Result
	}
	if got := verify(); got != "valid" {
		t.Errorf("the page says %s", got)
	}
	var out, log bytes.Buffer
	if code := run(t.Context(), []string{"card", "verify", "--language", "en", "--issuer", root + "/cards=" + published, saved}, streams{out: &out, err: &log}); code != exitDone || !strings.Contains(out.String(), "authentic and counts") || !strings.Contains(out.String(), "LOTE77") {
		t.Errorf("%d: %s%s", code, &out, &log)
	}
	if code := run(t.Context(), []string{"card", "verify", saved}, streams{out: io.Discard, err: io.Discard}); code != exitFailed {
		t.Errorf("without keys: %d", code)
	}
	shared(t, p, root)

	put("Immunization/d1", dose("entered-in-error"))
	for end := time.Now().Add(2 * time.Minute); verify() != "revoked"; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the dose was refuted, and the card counts")
		}
	}
	if _, _, keys := public(t, root+"/cards/.well-known/jwks.json", "*/*"); !strings.Contains(keys, `"crlVersion":2`) {
		t.Error(keys)
	}
	for _, never := range []string{"shlink", "/links/", "LOTE77", "Ñáñez"} {
		if strings.Contains(p.log.String(), never) {
			t.Errorf("the log has %q", never)
		}
	}
}

// shared shares a card by a link with a passcode, and opens it as others do.
func shared(t *testing.T, p *process, root string) {
	t.Helper()
	status, made := sent(t, "POST", p.base+"/Patient/p1/$health-link?passcode=volcan", "application/fhir+json", "")
	var parameters struct {
		Parameter []struct{ Name, ValueUri string }
	}
	if err := json.Unmarshal([]byte(made), &parameters); status != 200 || err != nil {
		t.Fatal(status, made, err)
	}
	l, err := link.Parse(parameters.Parameter[0].ValueUri)
	if err != nil || !strings.HasPrefix(l.URL, root+"/cards/links/") {
		t.Fatal(made, err)
	}
	for body, want := range map[string]int{`{"recipient":"Escuela","passcode":"x"}`: 401, `{"passcode":"volcan"}`: 400, `[]`: 400} {
		if status, text := sent(t, "POST", l.URL, "application/json", body); status != want {
			t.Errorf("%s: %d %s", body, status, text)
		}
	}
	if status, _ := sent(t, "POST", l.URL[:len(l.URL)-1], "application/json", `{"recipient":"x"}`); status != 404 {
		t.Errorf("no such link: %d", status)
	}
	status, text := sent(t, "POST", l.URL, "application/json", `{"recipient":"Escuela","passcode":"volcan","embeddedLengthMax":1}`)
	var m link.Manifest
	if err := json.Unmarshal([]byte(text), &m); status != 200 || err != nil || len(m.Files) != 1 {
		t.Fatal(status, text, err)
	}
	status, h, jwe := public(t, m.Files[0].Location, "*/*")
	if _, content, err := link.Open(l.Key, jwe); status != 200 || h.Get("Content-Type") != "application/jose" || err != nil || !bytes.Contains(content, []byte("verifiableCredential")) {
		t.Errorf("%d %v %v", status, h, err)
	}
	if trail := fetched(t, p.base+"/AuditEvent?patient=p1&_count=50"); !strings.Contains(trail, "calls themselves: Escuela") || !strings.Contains(trail, "wrong passcode") {
		t.Error("the use of the link is not on record")
	}
}
