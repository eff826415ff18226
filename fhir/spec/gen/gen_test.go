package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestTableIsCurrent writes the table again and compares it with the one in the tree.
func TestTableIsCurrent(t *testing.T) {
	in := filepath.Join("..", "..", "..", "..", "shared", "data", "r4-core", "hl7.fhir.r4.core-4.0.1.tar.gz")
	if _, err := os.Stat(in); err != nil {
		t.Skipf("NOT CHECKED that r4.txt is current: %v", err)
	}
	out := filepath.Join(t.TempDir(), "r4.txt")
	if err := run(in, out); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("..", "r4.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("fhir/spec/r4.txt is not what the generator writes: run it again")
	}
}

func TestNoDefinitions(t *testing.T) {
	if err := run(t.TempDir(), filepath.Join(t.TempDir(), "r4.txt")); err == nil {
		t.Error("an empty directory gives a table")
	}
}

func TestAlternatives(t *testing.T) {
	for expression, want := range map[string][]string{
		"A.b":                           {"A.b"},
		"A.b | B.c":                     {"A.b", "B.c"},
		"A.b|B.c":                       {"A.b", "B.c"},
		"(A.b | A.c).d | B.e":           {"(A.b | A.c).d", "B.e"},
		"A.where(x='|' | y='(') | B":    {"A.where(x='|' | y='(')", "B"},
		"(A.b as Quantity) | (A.c).d()": {"(A.b as Quantity)", "(A.c).d()"},
	} {
		if got := alternatives(expression); !slices.Equal(got, want) {
			t.Errorf("%q: %q", expression, got)
		}
	}
}

func TestNarrow(t *testing.T) {
	d := &definitions{structures: map[string]*structure{"A": {}, "B": {}, "Ab": {}}}
	for _, c := range []struct{ expression, base, want string }{
		{"", "A", ""},
		{"A.b | B.c", "A", "A.b"},
		{"Ab.b | A.c | A.d", "A", "A.c | A.d"},
		{"(A.b as X) | ((B.c) as X)", "B", "((B.c) as X)"},
		{"name | alias", "A", "name | alias"},
		{"A | A.b", "A", "A | A.b"},
		{"Unknown.b | B.c", "A", "Unknown.b"},
	} {
		if got, err := narrow(c.expression, c.base, d); err != nil || got != c.want {
			t.Errorf("%q for %s: %q, %v", c.expression, c.base, got, err)
		}
	}
	if _, err := narrow("B.c", "A", d); err == nil {
		t.Error("nothing left, and no error")
	}
}

// TestExpandRefuses holds that forms of value set which R4's required bindings do
// not use stop the generator instead of giving a wrong list.
func TestExpandRefuses(t *testing.T) {
	for _, compose := range []string{
		`{}`,
		`{"include":[{"system":"s","filter":[{"property":"concept","op":"is-a","value":"x"}]}]}`,
		`{"include":[{"valueSet":["v"]}]}`,
		`{"include":[{"system":"s"}],"exclude":[{"system":"s","concept":[{"code":"a"}]}]}`,
	} {
		v := &valueSet{URL: "u"}
		if err := json.Unmarshal([]byte(compose), &v.Compose); err != nil {
			t.Fatal(err)
		}
		d := &definitions{valueSets: map[string]*valueSet{"u": v}}
		if _, _, err := d.expand("u"); err == nil {
			t.Errorf("%s: no error", compose)
		}
	}
}

func TestExpandIncompleteSystem(t *testing.T) {
	v := &valueSet{URL: "u"}
	v.Compose.Include = []include{{System: "s"}}
	d := &definitions{
		valueSets:   map[string]*valueSet{"u": v},
		codeSystems: map[string]*codeSystem{"s": {URL: "s", Content: "fragment", Concept: []concept{{Code: "a"}}}},
	}
	if systems, missing, err := d.expand("u"); systems != nil || missing == "" || err != nil {
		t.Errorf("a fragment was listed: %v %q %v", systems, missing, err)
	}
}

func TestTargets(t *testing.T) {
	reference := func(path string, targets ...string) element {
		for i := range targets {
			targets[i] = structurePrefix + targets[i]
		}
		return element{Path: path, Type: []elementType{{Code: "Reference", TargetProfile: targets}}}
	}
	s := &structure{Name: "A"}
	s.Snapshot.Element = []element{reference("A.one", "X"), reference("A.two", "X", "Y"), reference("A.any", "Resource"), reference("A.pick[x]", "Y")}
	d := &definitions{structures: map[string]*structure{"A": s}}
	for _, c := range []struct {
		expression string
		want       []string
	}{
		{"A.one", []string{"X"}},
		{"A.two", []string{"X", "Y"}},
		{"A.two.where(resolve() is Y)", []string{"Y"}},
		{"(A.pick as Reference)", []string{"Y"}},
		{"A.one | A.two", []string{"X", "Y"}},
		{"A.any", []string{"X", "Y", "Z"}},
		{"A.one | A.any", []string{"X", "Y", "Z"}},
		{"A.none", []string{"X", "Y", "Z"}},
		{"A.one.where(x = 1)", []string{"X", "Y", "Z"}},
	} {
		p := baseParam{&searchParam{Target: []string{"Z", "Y", "X"}}, "A", c.expression}
		if got := d.targets(p); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.expression, got, c.want)
		}
	}
}
