package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/validate"
)

// guides returns the archives of implementation guides among the test data.
func guides(t *testing.T) []string {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(repository(t), "..", "shared", "data", "ig", "*gz"))
	if len(files) == 0 {
		t.Skip("NOT CHECKED: the implementation guides are not here")
	}
	return files
}

// runCommand runs a command line and returns what it wrote.
func runCommand(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out, log bytes.Buffer
	status := run(context.Background(), args, streams{out: &out, err: &log})
	return status, out.String() + log.String()
}

// TestPackageInstall installs every guide, twice; the second time changes nothing.
func TestPackageInstall(t *testing.T) {
	t.Parallel()
	files := guides(t)
	data := t.TempDir()
	args := append([]string{"package", "install", "--data", data, "--skip-missing"}, files...)
	status, text := runCommand(t, args...)
	if status != exitDone {
		t.Fatalf("status %d:\n%s", status, text)
	}
	status, text = runCommand(t, args...)
	if status != exitDone || strings.Count(text, ": 0 new, 0 changed,") != len(files) {
		t.Errorf("the second time, status %d:\n%s", status, text)
	}
	if status, text := runCommand(t, "package", "list", "--data", data); status != exitDone || strings.Count(text, "\n") != len(files) {
		t.Errorf("the list, status %d:\n%s", status, text)
	}
}

func TestPackageInstallRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"name":"a.b","version":"1.0.0","dependencies":{"c.d":"2.x"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	status, text := runCommand(t, "package", "install", "--data", t.TempDir(), dir)
	if status != exitFailed || !strings.Contains(text, "a.b#1.0.0 needs c.d#2.x") {
		t.Errorf("a missing dependency: status %d: %s", status, text)
	}
	if status, _ := runCommand(t, "package", "install", "--data", t.TempDir(), "nowhere.tgz"); status != exitFailed {
		t.Errorf("a file that is not there: status %d", status)
	}
}

// examples calls f with every JSON file of an archive that is a resource with a meta.profile.
func examples(t *testing.T, archive string, f func(name string, text []byte)) {
	t.Helper()
	archived(t, archive, func(name string, text []byte) {
		var d struct {
			Meta struct{ Profile []string }
		}
		if json.Unmarshal(text, &d) == nil && len(d.Meta.Profile) > 0 {
			f(name, text)
		}
	})
}

// archived calls f with every JSON file of an archive.
func archived(t testing.TB, archive string, f func(name string, text []byte)) {
	t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(h.Name, ".json") {
			continue
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		f(filepath.Base(archive)+"/"+filepath.Base(h.Name), text)
	}
}

// clean is how many of the published examples have no error.
const clean = 469

// TestGuideExamples holds the examples of all guides to the profiles that they claim.
func TestGuideExamples(t *testing.T) {
	t.Parallel()
	files := guides(t)
	log := slog.New(slog.DiscardHandler)
	where := storage{Data: t.TempDir()}
	if status, text := runCommand(t, append([]string{"package", "install", "--data", where.Data, "--skip-missing"}, files...)...); status != exitDone {
		t.Fatal(text)
	}
	store, err := where.open(context.Background(), log)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	before, started := memory(), time.Now()
	if store.vocabulary, err = learn(context.Background(), store, log); err != nil {
		t.Fatal(err)
	}
	v := store.validator(store.terminology())
	t.Logf("started in %v", time.Since(started))
	compiled := 0
	err = eachOf(context.Background(), store, "StructureDefinition", func(r *fhir.Resource) error {
		var d struct{ URL, Version, Derivation string }
		if err := json.Unmarshal(r.JSON, &d); err != nil || d.Derivation != "constraint" {
			return err
		}
		compiled++
		if p, err := store.definitions.Profile(d.URL + "|" + d.Version); err != nil || p == nil {
			t.Errorf("%s|%s cannot be used: %v", d.URL, d.Version, err)
		}
		return nil
	})
	if err != nil || compiled < 300 {
		t.Errorf("%d profiles: %v", compiled, err)
	}
	good, total, noticed := 0, 0, 0
	rules, unknown := map[string]int{}, map[string]int{}
	for _, file := range files {
		examples(t, file, func(name string, text []byte) {
			d, err := element.Parse(text)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			total++
			bad := false
			for _, i := range v.Validate(context.Background(), d, 0) {
				if strings.HasPrefix(i.Rule, "profile-") {
					rules[i.Severity+" "+i.Rule]++
					if testing.Verbose() {
						unknown[i.Details+": "+i.Diagnostics]++
					}
				}
				if i.Severity == "error" {
					if !bad && testing.Verbose() {
						t.Logf("%s: %s %s %s %.200s", name, i.Rule, i.Expression, i.Details, i.Diagnostics)
					}
					bad = true
					rules[i.Rule]++
				}
			}
			if !bad {
				good++
				if noticesLoss(t, v, text) {
					noticed++
				}
			}
		})
	}
	for _, r := range slices.Sorted(maps.Keys(rules)) {
		t.Logf("%5d %s", rules[r], r)
	}
	for _, u := range slices.Sorted(maps.Keys(unknown)) {
		t.Logf("%5d %s", unknown[u], u)
	}
	t.Logf("%d of %d examples have no error; %d MB more in use", good, total, (memory()-before)>>20)
	t.Logf("in %d of them it is noticed when some element is taken away", noticed)
	if noticed < noticedLoss {
		t.Errorf("in %d examples the loss of elements is noticed, want at least %d", noticed, noticedLoss)
	}
	if good < clean {
		t.Errorf("%d of %d examples have no error, want at least %d", good, total, clean)
	}
}

// noticedLoss is in how many examples it is noticed when an element that profile or
// R4 ask for is taken away. A few examples consist of what is optional.
const noticedLoss = 441

// noticesLoss reports whether taking away some element of an example at its top
// level makes an error.
func noticesLoss(t *testing.T, v *validate.Validator, text []byte) bool {
	t.Helper()
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	for name, value := range whole {
		if name == "resourceType" || name == "meta" || name == "id" {
			continue
		}
		delete(whole, name)
		part, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		whole[name] = value
		d, err := element.Parse(part)
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(v.Validate(context.Background(), d, 0), func(i fhir.Issue) bool {
			return i.Severity == "error" && strings.Contains(i.Diagnostics, "profile http")
		}) {
			return true
		}
	}
	return false
}

func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}
