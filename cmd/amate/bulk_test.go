package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// manifest is what came of an order.
type manifest struct {
	TransactionTime     time.Time
	RequiresAccessToken bool
	Output, Deleted     []struct {
		Type, URL string
		Count     int
	}
}

// ordered orders an export, and returns the path at which it is asked for.
func (a *asker) ordered(path string) string {
	a.t.Helper()
	status, h, out := a.do("GET", path, "", "Prefer", "respond-async")
	at := h.Get("Content-Location")
	if status != http.StatusAccepted || !strings.HasPrefix(at, a.base+"/") {
		a.t.Fatalf("%s: %d %q %s", path, status, at, out)
	}
	return strings.TrimPrefix(at, a.base)
}

// exported returns what came of an order, once it is done.
func (a *asker) exported(at string) (m manifest) {
	a.t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		status, h, out := a.do("GET", at, "", "Accept", "application/json")
		if status == http.StatusOK {
			if err := json.Unmarshal([]byte(out), &m); err != nil || h.Get("Expires") == "" {
				a.t.Fatalf("%v %q %s", err, h.Get("Expires"), out)
			}
			return m
		}
		if status != http.StatusAccepted || h.Get("Retry-After") == "" || time.Now().After(end) {
			a.t.Fatalf("%s: %d %s", at, status, out)
		}
	}
}

// lines returns the resources of an export by type and id, and fails where one comes twice.
func (a *asker) lines(m manifest) map[string]string {
	a.t.Helper()
	all := map[string]string{}
	for _, f := range m.Output {
		status, _, out := a.do("GET", strings.TrimPrefix(f.URL, a.base), "", "Accept", "application/fhir+ndjson")
		if status != http.StatusOK || strings.Count(out, "\n") != f.Count {
			a.t.Fatalf("%s: %d, %d lines of %d", f.URL, status, strings.Count(out, "\n"), f.Count)
		}
		for line := range strings.Lines(out) {
			var r struct{ ResourceType, ID string }
			if err := json.Unmarshal([]byte(line), &r); err != nil || r.ResourceType != f.Type {
				a.t.Fatalf("%s: %v %.200s", f.URL, err, line)
			}
			if all[r.ResourceType+"/"+r.ID] != "" {
				a.t.Errorf("%s/%s comes twice", r.ResourceType, r.ID)
			}
			all[r.ResourceType+"/"+r.ID] = line
		}
	}
	return all
}

// TestExport: exports hold what the caller may see as of their moment, whatever happens to
// the server, and are fetched by nobody else.
func TestExport(t *testing.T) {
	t.Parallel()
	address := freePort(t)
	where := []string{"--data", t.TempDir()}
	blocked := filepath.Join(t.TempDir(), "blocked.ndjson") // nobody blocks by a PUT
	if err := os.WriteFile(blocked, []byte(`{"resourceType":"Patient","id":"hidden","meta":{"security":[{"system":"`+blockedLabel.System+`","code":"`+blockedLabel.Code+`"}]}}
{"resourceType":"Condition","id":"c-hidden","subject":{"reference":"Patient/hidden"}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() *process { return startGuarded(t, append([]string{"--demo", "--listen", address}, where...)...) }
	p := start()
	mustRun(t, where, "import", blocked)
	by := map[string]*asker{}
	for _, role := range []string{"system", "clinician", "analyst", "clinic-system"} {
		by[role] = &asker{t: t, base: p.base, token: strings.TrimSpace(mustRun(t, where, "token", "--role", role))}
	}
	sys := by["system"]
	put := func(path, body string) {
		t.Helper()
		if status, _, out := sys.do("PUT", path, body); status != http.StatusCreated && status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, out)
		}
	}
	put("/Patient/in", `{"resourceType":"Patient","id":"in","gender":"female"}`)
	put("/Patient/out", `{"resourceType":"Patient","id":"out"}`)
	for _, id := range []string{"in", "out"} {
		put("/Condition/c-"+id, `{"resourceType":"Condition","id":"c-`+id+`","subject":{"reference":"Patient/`+id+`"}}`)
	}
	put("/Group/g", `{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/in"}},{"entity":{"reference":"Patient/hidden"}}]}`)

	// The server dies as soon as the order was taken, and what is written later is not in it.
	at := sys.ordered("/$export")
	if status, _, _ := sys.do("GET", at, ""); status != http.StatusAccepted && status != http.StatusOK {
		t.Errorf("%d", status)
	}
	p.kill()
	start()
	m := sys.exported(at)
	all := sys.lines(m)
	for ref, want := range map[string]bool{"Patient/in": true, "Patient/out": true, "Condition/c-out": true, "Group/g": true, "Patient/hidden": false, "Condition/c-hidden": false} {
		if got := all[ref] != ""; got != want {
			t.Errorf("%s is exported: %v", ref, got)
		}
	}
	if strings.Contains(all["Group/g"], "hidden") || !m.RequiresAccessToken || len(all) < 100 {
		t.Errorf("%d resources, %s", len(all), all["Group/g"])
	}

	// Of a Group, with less of each, since a moment.
	since := m.TransactionTime.Format(time.RFC3339Nano)
	few := sys.lines(sys.exported(sys.ordered("/Group/g/$export?_elements=Patient.gender")))
	if len(few) != 3 || few["Group/g"] == "" || few["Condition/c-in"] == "" || !strings.Contains(few["Patient/in"], "SUBSETTED") || !strings.Contains(few["Patient/in"], "female") {
		t.Errorf("of the Group: %v", few)
	}
	put("/Condition/c-new", `{"resourceType":"Condition","id":"c-new","subject":{"reference":"Patient/out"}}`)
	if status, _, out := sys.do("DELETE", "/Condition/c-out", ""); status >= 300 {
		t.Fatalf("%d %s", status, out)
	}
	later := sys.exported(sys.ordered("/Patient/$export?_type=Patient,Condition&_typeFilter=Condition%3Fsubject%3DPatient/out&_since=" + strings.ReplaceAll(since, "+", "%2B")))
	if got := sys.lines(later); len(got) != 1 || got["Condition/c-new"] == "" {
		t.Errorf("since then: %v", got)
	}
	if len(later.Deleted) != 1 || later.Deleted[0].Count != 1 {
		t.Fatalf("deleted: %+v", later.Deleted)
	}
	if _, _, out := sys.do("GET", strings.TrimPrefix(later.Deleted[0].URL, sys.base), ""); !strings.Contains(out, `"url":"Condition/c-out"`) {
		t.Errorf("deleted: %s", out)
	}

	t.Run("parquet", func(t *testing.T) { parquetRead(t, sys) })

	// Others neither order nor fetch it.
	file := strings.TrimPrefix(m.Output[0].URL, sys.base)
	for role, a := range by {
		if role == "system" {
			continue
		}
		for _, path := range []string{at, file} {
			if status, _, _ := a.do("GET", path, ""); status != http.StatusNotFound {
				t.Errorf("%s gets %s: %d", role, path, status)
			}
		}
		for _, path := range []string{"/$export", "/Patient/$export"} {
			if status, _, _ := a.do("GET", path, "", "Prefer", "respond-async"); status != http.StatusForbidden {
				t.Errorf("%s orders %s: %d", role, path, status)
			}
		}
	}
	for path, want := range map[string]int{
		"/$export?_type=Paper": 400, "/$export?_typeFilter=Patient%3Fnme=x": 400, "/$export?_typeFilter=Patient%3F_include=x": 400, "/$export?_since=yesterday": 400,
		"/$export?_outputFormat=csv": 400, "/$export?patient=Patient/in": 400, "/$export?organise=x": 400, "/Patient/$export?patient=Patient/hidden": 404, "/Group/nobody/$export": 404,
	} {
		if status, _, out := sys.do("GET", path, "", "Prefer", "respond-async"); status != want {
			t.Errorf("%s: %d %s", path, status, out)
		}
	}
	if status, _, _ := sys.do("GET", "/$export", ""); status != http.StatusBadRequest {
		t.Errorf("without Prefer: %d", status)
	}

	exportRights(t, where, sys)

	// Given up, it is gone with its files.
	if status, _, _ := sys.do("DELETE", at, ""); status != http.StatusAccepted {
		t.Errorf("given up: %d", status)
	}
	for _, path := range []string{at, file} {
		if status, _, _ := sys.do("GET", path, ""); status != http.StatusNotFound {
			t.Errorf("%s after it was given up: %d", path, status)
		}
	}
}

// TestExportClient lets the clients of others export, with a key of their own.
func TestExportClient(t *testing.T) {
	t.Parallel()
	dir := installed(t, "js", "package-lock.json", 3*time.Minute, "npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund")
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	files := t.TempDir()
	write := func(name string, v any) string {
		text, err := json.Marshal(v)
		if err == nil {
			err = os.WriteFile(filepath.Join(files, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Join(files, name)
	}
	private := write("key.json", jose.JSONWebKey{Key: key, KeyID: "k1", Algorithm: "ES384"})
	public := write("jwks.json", jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES384", Use: "sig"}}})
	where := []string{"--data", t.TempDir()}
	p := startGuarded(t, append([]string{"--demo"}, where...)...)
	mustRun(t, where, "client", "add", "warehouse", "--jwks", public, "--role", "system", "--scope", "system/*.rs")
	converse(t, dir, 9, "node", "bulk.mjs", p.root(""), "warehouse", private, p.base)
}
