package element

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/amate-health/amate/fhir/samples"
)

// eachFile calls f with every .json or .json.gz file of a folder, up to limit.
func eachFile(t *testing.T, dir string, limit int, f func(name string, src []byte)) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".json") && !strings.HasSuffix(name, ".json.gz") {
			continue
		}
		if limit--; limit < 0 {
			return
		}
		f(name, samples.Read(t, filepath.Join(dir, name)))
	}
}

// eachPacked calls f with every .json file of a .tar.gz.
func eachPacked(t *testing.T, path string, f func(name string, src []byte)) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(samples.Read(t, path)))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(h.Name, ".json") {
			src, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			f(filepath.Base(h.Name), src)
		}
	}
}

// decode is the independent reading: encoding/json, with numbers as their text.
func decode(src []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	return v, err
}

// plainValue turns n into what decode gives.
func plainValue(d *Doc, n Node) any {
	switch d.Kind(n) {
	case Object:
		m := make(map[string]any, d.Size(n))
		for c := d.First(n); c != None; c = d.Next(n, c) {
			m[string(d.Name(c))] = plainValue(d, c)
		}
		return m
	case Array:
		items := make([]any, 0, d.Size(n))
		for c := d.First(n); c != None; c = d.Next(n, c) {
			items = append(items, plainValue(d, c))
		}
		return items
	case String:
		return d.Text(n)
	case Number:
		return json.Number(d.Bytes(n))
	case Null:
		return nil
	}
	return d.Kind(n) == True
}

func same(a, b any) bool { return reflect.DeepEqual(a, b) }
