package element

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// shared returns a path below the shared test data, and skips the test where it is absent.
func shared(t *testing.T, path ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	full := filepath.Join(append([]string{dir, "..", "shared", "data"}, path...)...)
	if _, err := os.Stat(full); err != nil {
		t.Skipf("test data is not here: %v", err)
	}
	return full
}

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
		src, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".gz") {
			src = gunzip(t, src)
		}
		f(name, src)
	}
}

func gunzip(t *testing.T, packed []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	src, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// eachPacked calls f with every .json file of a .tar.gz.
func eachPacked(t *testing.T, path string, f func(name string, src []byte)) {
	t.Helper()
	packed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(bytes.NewReader(gunzip(t, packed)))
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
