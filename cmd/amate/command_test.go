package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/store/storetest"
)

// amate runs a command line within this process.
func amate(args ...string) (status int, out, errs string) {
	var o, e bytes.Buffer
	status = run(context.Background(), args, streams{out: &o, err: &e})
	return status, o.String(), e.String()
}

func TestImportCommand(t *testing.T) {
	dir, _ := everyKind(t)
	data, report := t.TempDir(), filepath.Join(t.TempDir(), "refused.ndjson")
	status, out, errs := amate("import", "--data", data, "--report", report, dir)
	if status != exitDone || !strings.Contains(out, "1218 resources from 6 files") {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	status, out, _ = amate("import", "--data", data, dir)
	if status != exitDone || !strings.Contains(out, "0 resources") || !strings.Contains(out, "6 files were there already") {
		t.Errorf("once more: status %d, %s", status, out)
	}
	bad := tree(t, map[string]string{"bad.json": `{"resourceType":"Patient","id":"x","gender":"Juan Pérez"}`})
	status, out, errs = amate("import", "--data", data, "--report", report, bad)
	if status != exitFailed || !strings.Contains(out, "1 refused") || !strings.Contains(errs, "Patient.gender") {
		t.Errorf("something refused: status %d, %s%s", status, out, errs)
	}
	if strings.Contains(out+errs, "Juan") {
		t.Errorf("the screen shows what was in the file: %s%s", out, errs)
	}
	text, err := os.ReadFile(report)
	if err != nil || !strings.Contains(string(text), "bad.json") {
		t.Errorf("the report is %s, %v", text, err)
	}
	if info, err := os.Stat(report); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the report can be read by others: %v, %v", info.Mode(), err)
	}
	for _, args := range [][]string{{"import"}, {"import", "/nowhere"}, {"import", "--data", data, t.TempDir()}} {
		if status, _, _ := amate(args...); status != exitUsage {
			t.Errorf("amate %v: status %d, want %d", args, status, exitUsage)
		}
	}
}

// TestSeedCommand holds that a population is the same whichever way it goes into a
// database, and that it goes in once.
func TestSeedCommand(t *testing.T) {
	t.Parallel()
	direct, files, viaFiles := t.TempDir(), t.TempDir(), t.TempDir()
	for range 2 {
		if status, _, errs := amate("seed", "--data", direct, "--patients", "20", "--random-seed", "5"); status != exitDone {
			t.Fatalf("status %d, %s", status, errs)
		}
	}
	if status, _, errs := amate("seed", "--out", files, "--patients", "20", "--random-seed", "5"); status != exitDone {
		t.Fatalf("status %d, %s", status, errs)
	}
	if status, _, errs := amate("import", "--data", viaFiles, files); status != exitDone {
		t.Fatalf("status %d, %s", status, errs)
	}
	var got [2]map[string]int
	for i, dir := range []string{direct, viaFiles} {
		store, err := storage{Data: dir}.open(context.Background(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		got[i] = versions(t, store)
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}
	same(t, got[1], got[0])
	if got[0]["Patient PUT"] != 20 || got[0]["later versions"] != 0 || got[0]["Immunization PUT"] == 0 {
		t.Errorf("the population is %v", got[0])
	}
	for _, args := range [][]string{{"seed"}, {"seed", "--patients", "0"}, {"seed", "--patients", "1", "--today", "mañana"}} {
		if status, _, _ := amate(args...); status != exitUsage {
			t.Errorf("amate %v: status %d, want %d", args, status, exitUsage)
		}
	}
}

func TestMigrateCommand(t *testing.T) {
	for _, args := range [][]string{
		{"--data", t.TempDir()}, {"--database", storetest.EmptyPostgres(t)},
	} {
		for range 2 {
			if status, _, errs := amate(append([]string{"migrate"}, args...)...); status != exitDone || !strings.Contains(errs, "up to date") {
				t.Errorf("amate migrate %v: status %d, %s", args, status, errs)
			}
		}
	}
	status, _, errs := amate("migrate", "--database", "postgres://someone:hunter2@/x?host=/nowhere")
	if status != exitFailed || strings.Contains(errs, "hunter2") {
		t.Errorf("a database that is not there: status %d, %s", status, errs)
	}
}

func TestProgress(t *testing.T) {
	p := newProgress(io.Discard, []input{{size: 600}, {size: 400}})
	defer p.end()
	p.bytes.Add(250)
	p.resources.Add(500)
	p.file()
	for bar, want := range map[bool]string{
		false: " 25%  1 of 2 files  500 resources  50 a second  30s left",
		true:  "[=======                       ]  25%  1 of 2 files  500 resources  50 a second  30s left",
	} {
		if got := p.line(10e9, bar); got != want {
			t.Errorf("it shows %q\nwant     %q", got, want)
		}
	}
	p.skip(input{size: 750})
	if got := p.line(10e9, false); got != "100%  2 of 2 files  500 resources  50 a second" {
		t.Errorf("at the end it shows %q", got)
	}
}
