package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestSubscription: an app that is registered is told of what it may see, over kill -9 of
// the server, until it is removed; its header and what it is told are in no log.
func TestSubscription(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	var mu sync.Mutex
	var got []string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Header.Get("X-Key")+" "+string(body))
	}))
	t.Cleanup(hook.Close)
	has := func(what string) bool {
		mu.Lock()
		defer mu.Unlock()
		return strings.Contains(strings.Join(got, "\n"), what)
	}
	told := func(what string) {
		t.Helper()
		eventually(t, "it was told of "+what, func() bool { return has(what) })
	}
	args := []string{"--data", data, "--subscription-loopback"}
	p := startGuarded(t, args...)
	where := []string{"--data", data}
	mustRun(t, where, "client", "add", "lab", "--role", "clinic-system", "--scope", "system/*.cruds", "--org", "DFSSA003966", "--purpose", "TREAT")
	app := strings.TrimSpace(mustRun(t, where, "token", "--client", "lab"))
	all := strings.TrimSpace(mustRun(t, where, "token", "--role", "system"))
	call := func(token, method, path, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, p.base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/fhir+json")
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
	flag := func(n int) string {
		return fmt.Sprintf(`{"resourceType":"Flag","id":"f%d","status":"active","code":{"text":"AVISO-%d"},"subject":{"display":"x"}}`, n, n)
	}
	status, body := call(app, "POST", "/Subscription", fmt.Sprintf(`{"resourceType":"Subscription","status":"requested","reason":"x","criteria":"https://github.com/amate-health/amate/fhir/SubscriptionTopic/alert",
	"channel":{"type":"rest-hook","endpoint":%q,"header":["X-Key: SECRETO-9"],"payload":"application/fhir+json","_payload":{"extension":[{"url":"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-payload-content","valueCode":"full-resource"}]}}}`, hook.URL+"/RUTA"))
	var s struct{ ID string }
	if status != 201 || json.Unmarshal([]byte(body), &s) != nil || strings.Contains(body, "SECRETO") {
		t.Fatalf("%d %s", status, body)
	}
	told(`"handshake"`)
	call(all, "PUT", "/Flag/f1", flag(1))
	told("AVISO-1")
	p.kill()
	first := p.log.String()
	p = startGuarded(t, append(args, "--listen", strings.TrimPrefix(strings.TrimSuffix(p.base, "/fhir"), "http://"))...)
	if status, body := call(all, "PUT", "/Flag/f2", flag(2)); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	told("AVISO-2")
	mustRun(t, where, "client", "remove", "lab")
	call(all, "PUT", "/Flag/f3", flag(3))
	eventually(t, "the Subscription of an app that is gone is off", func() bool {
		_, body := call(all, "GET", "/Subscription/"+s.ID, "")
		return strings.Contains(body, `"status":"off"`)
	})
	if has("AVISO-3") {
		t.Error("an app that is gone was told")
	}
	if status, body := call(all, "GET", "/AuditEvent?_count=200&_sort=-date", ""); status != 200 || !strings.Contains(body, "lab") {
		t.Errorf("what was disclosed is not on record: %d", status)
	}
	if err := p.terminate(t); err != nil {
		t.Error(err)
	}
	for _, log := range []string{first, p.log.String()} {
		for _, secret := range []string{"SECRETO", "AVISO", "RUTA"} {
			if strings.Contains(log, secret) {
				t.Errorf("a log has %s", secret)
			}
		}
	}
}
