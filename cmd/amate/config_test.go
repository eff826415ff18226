package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// parse parses a command line with a configuration file holding text ("" for none).
func parse(t *testing.T, file string, args ...string) (*commands, error) {
	t.Helper()
	if file != "" {
		name := filepath.Join(t.TempDir(), "amate.yaml")
		if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", name)
	}
	var cmds commands
	var out bytes.Buffer
	parser, err := newParser(&cmds, streams{out: &out, err: &out})
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(args)
	return &cmds, err
}

func TestPrecedence(t *testing.T) {
	const file = "listen: 127.0.0.1:3\ndata: /from/file\nserve:\n  listen: 127.0.0.1:4\n"
	tests := []struct {
		name, file, env, flag, want string
	}{
		{"default", "", "", "", "127.0.0.1:8080"},
		{"file wins over default", "listen: 127.0.0.1:3", "", "", "127.0.0.1:3"},
		{"section wins over the rest of the file", file, "", "", "127.0.0.1:4"},
		{"environment wins over file", file, "127.0.0.1:2", "", "127.0.0.1:2"},
		{"flag wins over environment and file", file, "127.0.0.1:2", "127.0.0.1:1", "127.0.0.1:1"},
		{"flag wins over file", file, "", "127.0.0.1:1", "127.0.0.1:1"},
		{"flag wins over default", "", "", "127.0.0.1:1", "127.0.0.1:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := []string{"serve"}
			if tt.env != "" {
				t.Setenv("AMATE_LISTEN", tt.env)
			}
			if tt.flag != "" {
				args = append(args, "--listen", tt.flag)
			}
			cmds, err := parse(t, tt.file, args...)
			if err != nil {
				t.Fatal(err)
			}
			if cmds.Serve.Listen != tt.want {
				t.Errorf("--listen is %s, want %s", cmds.Serve.Listen, tt.want)
			}
		})
	}
}

// TestPrecedenceOfFalse holds that what is said counts even where it says "no".
func TestPrecedenceOfFalse(t *testing.T) {
	t.Setenv("AMATE_DEMO", "false")
	cmds, err := parse(t, "demo: true", "serve")
	if err != nil {
		t.Fatal(err)
	}
	if cmds.Serve.Demo {
		t.Error("the file won over the environment")
	}
	if cmds, err = parse(t, "demo: true", "serve", "--no-auth=false"); err == nil {
		t.Errorf("an unknown flag was taken: %+v", cmds)
	}
}

func TestConfigReachesEveryKindOfFlag(t *testing.T) {
	cmds, err := parse(t, `
data: /var/lib/amate
log-level: warn
log-format: json
insecure-no-auth: true
serve:
  base-url: https://fhir.example.org/r4
  max-body: 8MiB
  max-time: 90s
  max-entries: 12
`, "serve")
	if err != nil {
		t.Fatal(err)
	}
	s := cmds.Serve
	if s.Storage.Data != "/var/lib/amate" || cmds.Logging.Level.String() != "WARN" || cmds.Logging.Format != "json" ||
		!s.InsecureNoAuth || s.BaseURL != "https://fhir.example.org/r4" || s.Limits.Body != 8<<20 ||
		s.Limits.Time != 90*time.Second || s.Limits.Entries != 12 {
		t.Errorf("the file came out as %+v, %+v", s, cmds.Logging)
	}
}

func TestConfigFromEnvironment(t *testing.T) {
	name := filepath.Join(t.TempDir(), "amate.yaml")
	if err := os.WriteFile(name, []byte("listen: 127.0.0.1:5"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AMATE_CONFIG", name)
	cmds, err := parse(t, "", "serve")
	if err != nil {
		t.Fatal(err)
	}
	if cmds.Serve.Listen != "127.0.0.1:5" {
		t.Errorf("--listen is %s: AMATE_CONFIG was passed over", cmds.Serve.Listen)
	}
}

func TestConfigRefusals(t *testing.T) {
	tests := map[string]struct{ file, want string }{
		"misspelt key":             {"lisen: 127.0.0.1:1", "no such setting: lisen"},
		"misspelt key of section":  {"serve:\n  lisen: x", "no such setting: serve.lisen"},
		"flag of another command":  {"serve:\n  patients: 3", "no such setting: serve.patients"},
		"several":                  {"a: 1\nb: 2", "no such setting: a, b"},
		"the file names itself":    {"config: x", "no such setting: config"},
		"not YAML":                 {"a: [", "amate.yaml"},
		"no mapping":               {"- a\n- b", "amate.yaml"},
		"value of a wrong type":    {"serve:\n  max-entries: many", "max-entries"},
		"a size that is no size":   {"serve:\n  max-body: 3 acres", "max-body"},
		"a key twice":              {"data: a\ndata: b", "amate.yaml"},
		"format that there is not": {"log-format: xml", "log-format"},
	}
	for name, tt := range tests {
		if _, err := parse(t, tt.file, "serve"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, tt.want)
		}
	}
	if _, err := parse(t, "", "serve", "--config", "/nowhere/amate.yaml"); err == nil {
		t.Error("a configuration file that does not exist was taken")
	}
	if _, err := parse(t, "", "serve"); err != nil {
		t.Errorf("without a file: %v", err)
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]byteSize{"1": 1, "64MiB": 64 << 20, "8KiB": 8 << 10, "2GiB": 2 << 30} {
		var got byteSize
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "0", "-1", "MiB", "1.5MiB", "1MB", "99999999999GiB", "64 MiB"} {
		var got byteSize
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as %d", text, got)
		}
	}
}
