package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Clients that others wrote, and HL7's validator as HAPI carries it, are installed
// into a cache outside the repository, at the versions that testdata/clients
// fixes. Where their registries cannot be reached they are skipped, unless this
// variable is 1.
const requireClients = "AMATE_TEST_REQUIRE_CLIENTS"

// TestClients lets each client go through a session with a live server: create,
// read, update with If-Match, patch, a transaction, a search in pages, history,
// delete, and what must be refused. The sessions are in testdata/clients.
func TestClients(t *testing.T) {
	t.Parallel()
	p := startServe(t, "--data", t.TempDir())
	t.Run("npm", func(t *testing.T) {
		t.Parallel()
		dir := installed(t, "js", "package-lock.json", 3*time.Minute, "npm", "ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund")
		for _, client := range []string{"fhir-kit-client", "medplum", "fhirclient"} {
			t.Run(client, func(t *testing.T) {
				converse(t, dir, 17, "node", client+".mjs", p.base)
			})
		}
	})
	t.Run("hapi", func(t *testing.T) {
		t.Parallel()
		dir := installed(t, "java", "pom.xml", 5*time.Minute, "mvn", "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=classpath")
		classpath, err := os.ReadFile(filepath.Join(dir, "classpath"))
		if err != nil {
			t.Fatal(err)
		}
		converse(t, dir, 57, "java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", strings.TrimSpace(string(classpath)), "Session.java", p.base)
	})
}

// installed returns a folder with the files of testdata/clients/name, in which
// install has been run once for this content of the lock file.
func installed(t *testing.T, name, lock string, limit time.Duration, install ...string) string {
	t.Helper()
	for _, tool := range []string{install[0], map[string]string{"js": "node", "java": "java"}[name]} {
		if _, err := exec.LookPath(tool); err != nil {
			withoutClients(t, "there is no "+tool+" on this machine")
		}
	}
	source := filepath.Join("testdata", "clients", name)
	text, err := os.ReadFile(filepath.Join(source, lock))
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256(text)
	dir := filepath.Join(cache, "amate-test-clients", name+"-"+hex.EncodeToString(sum[:6]))
	if _, err := os.Stat(dir); err != nil {
		fill(t, dir, source, limit, install)
	}
	// The sessions change more often than what they need.
	session, err := os.MkdirTemp(dir, "session-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(session) })
	if err := os.CopyFS(session, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	if name == "java" {
		if err := os.Link(filepath.Join(dir, "classpath"), filepath.Join(session, "classpath")); err != nil {
			t.Fatal(err)
		}
	}
	return session
}

// fill makes dir, complete or not at all.
func fill(t *testing.T, dir, source string, limit time.Duration, install []string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "fresh-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh)
	if err := os.CopyFS(fresh, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, install[0], install[1:]...)
	cmd.Dir = fresh
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		withoutClients(t, strings.Join(install, " ")+": "+err.Error()+"\n"+string(out))
	}
	if err := os.Chmod(fresh, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, dir); err != nil {
		if _, there := os.Stat(dir); there != nil {
			t.Fatal(err)
		}
	}
}

// withoutClients ends a test that cannot have its client.
func withoutClients(t *testing.T, why string) {
	t.Helper()
	if os.Getenv(requireClients) == "1" {
		t.Fatalf("%s=1, and %s", requireClients, why)
	}
	t.Skipf("SKIPPED, THE SERVER WAS NOT TRIED WITH THIS CLIENT: %s", why)
}

var checked = regexp.MustCompile(`(?m)^(\d+) checks$`)

// converse runs a session, which fails by its exit status and says how much it
// checked.
func converse(t *testing.T, dir string, checks int, command ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if found := checked.FindSubmatch(out); found == nil || string(found[1]) != strconv.Itoa(checks) {
		t.Errorf("the session did not come to its %d checks\n%s", checks, out)
	}
	if !t.Failed() {
		t.Logf("%d of %d checks", checks, checks)
	}
}
