package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// output is what go test -json prints of the suites of one package.
func output(lines ...string) *strings.Reader {
	return strings.NewReader(strings.Join(lines, "\n"))
}

func TestRead(t *testing.T) {
	results := map[string]result{}
	err := read(output(
		`{"Action":"run","Test":"A"}`,
		`{"Action":"output","Test":"A","Output":"    a_test.go:1: 3 of 9 to begin with\n"}`,
		`{"Action":"output","Test":"A","Output":"    a_test.go:2: 7 of 9 pass\n"}`,
		`{"Action":"output","Test":"A","Output":"--- PASS: A (0.01s)\n"}`,
		`{"Action":"pass","Test":"A"}`,
		`{"Action":"output","Test":"B/c","Output":"    b_test.go:2: there is no java\n"}`,
		`{"Action":"skip","Test":"B/c"}`,
		`{"Action":"fail","Test":"D"}`,
	), "x", results)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]result{
		"x A": {"pass", 7, 9}, "x B/c": {"skip", 0, 0}, "x D": {"fail", 0, 0},
	} {
		if results[key] != want {
			t.Errorf("%s: %+v, want %+v", key, results[key], want)
		}
	}
	if err := read(output(`FAIL x [build failed]`), "x", results); err == nil {
		t.Error("what is not JSON was read")
	}
}

func TestTableTellsWhatIsNotSound(t *testing.T) {
	whole := func() map[string]result {
		all := map[string]result{}
		for _, s := range suites {
			all[s.pkg+" "+s.test] = result{"pass", 8, 9}
		}
		return all
	}
	if text, sound := table(whole()); !sound || strings.Count(text, "| 8 | 9 |") != len(suites) {
		t.Errorf("sound is %t:\n%s", sound, text)
	}
	key := suites[0].pkg + " " + suites[0].test
	for says, r := range map[string]result{
		"not run": {"skip", 0, 0}, "FAILED": {"fail", 8, 9}, "counted nothing": {"pass", 0, 0},
	} {
		all := whole()
		all[key] = r
		if text, sound := table(all); sound || !strings.Contains(text, says) {
			t.Errorf("%s: sound is %t:\n%s", says, sound, text)
		}
	}
	all := whole()
	delete(all, key)
	if text, sound := table(all); sound || !strings.Contains(text, "FAILED") {
		t.Errorf("a suite that is gone: sound is %t:\n%s", sound, text)
	}
}

// TestSuitesExist holds the list to the tests that there are.
func TestSuitesExist(t *testing.T) {
	for _, s := range suites {
		files, err := filepath.Glob(filepath.Join("..", "..", s.pkg, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(s.test, "/")
		found := false
		for _, f := range files {
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			found = found || regexp.MustCompile(`(?m)^func `+name+`\(`).Match(src)
		}
		if !found {
			t.Errorf("%s: there is no %s in %s", s.name, name, s.pkg)
		}
	}
}

func TestUpdate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "README.md")
	for _, tt := range []struct{ src, want string }{
		{"a\n<!-- conformance -->\nold\n<!-- /conformance -->\nb\n", "a\n<!-- conformance -->\nnew\n<!-- /conformance -->\nb\n"},
		{"a\n<!-- conformance -->\n<!-- /conformance -->\n", "a\n<!-- conformance -->\nnew\n<!-- /conformance -->\n"},
		{"a\n", ""},
		{"a\n<!-- conformance -->\nold\n", ""},
	} {
		if err := os.WriteFile(file, []byte(tt.src), 0o600); err != nil {
			t.Fatal(err)
		}
		err := update(file, "new\n")
		got, _ := os.ReadFile(file)
		switch {
		case tt.want == "" && (err == nil || string(got) != tt.src):
			t.Errorf("%q became %q, %v", tt.src, got, err)
		case tt.want != "" && (err != nil || string(got) != tt.want):
			t.Errorf("%q became %q, %v", tt.src, got, err)
		}
	}
}
