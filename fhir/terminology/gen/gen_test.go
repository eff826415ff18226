package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestContentIsCurrent writes the content again and compares it with the one in the tree.
func TestContentIsCurrent(t *testing.T) {
	in := filepath.Join("..", "..", "..", "..", "shared", "data", "r4-core", "hl7.fhir.r4.core-4.0.1.tar.gz")
	if _, err := os.Stat(in); err != nil {
		t.Skipf("NOT CHECKED that r4.bin is current: %v", err)
	}
	out := filepath.Join(t.TempDir(), "r4.bin")
	if err := run(in, out); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("..", "r4.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("fhir/terminology/r4.bin is not what the generator writes: run it again")
	}
}

func TestNothing(t *testing.T) {
	if err := run(t.TempDir(), filepath.Join(t.TempDir(), "r4.bin")); err == nil {
		t.Error("an empty directory gives content")
	}
}

func TestStrip(t *testing.T) {
	r, err := strip("CodeSystem", []byte(`{"resourceType":"CodeSystem","id":"a","url":"u","version":"1","content":"complete","text":{"div":"x"},"_url":{"id":"q"},"contact":[1],
		"concept":[{"id":"1","code":"c","display":"D","definition":"D","extension":[{"url":"x"}],"concept":[{"code":"e","definition":"F","_code":{}}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"concept":[{"code":"c","concept":[{"code":"e","definition":"F"}],"display":"D"}],"content":"complete","id":"a","resourceType":"CodeSystem","url":"u","version":"1"}`
	if string(r.json) != want || r.id != "a" || r.url != "u" || r.version != "1" || r.content != "complete" {
		t.Errorf("%s", r.json)
	}
	for _, bad := range []string{`{`, `{"id":"a"}`, `{"url":"u"}`} {
		if _, err := strip("CodeSystem", []byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
