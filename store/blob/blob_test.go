package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"

	"github.com/amate-health/amate/fhir"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *Store, content string) Ref {
	t.Helper()
	ref, err := s.Put(t.Context(), strings.NewReader(content), 1<<20, generic)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func files(t *testing.T, s *Store) (all []File) {
	t.Helper()
	if err := s.All(func(f File) error { all = append(all, f); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWhatIsPutIsThere(t *testing.T) {
	s := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		content := rapid.SliceOfN(rapid.Byte(), 0, 5000).Draw(rt, "content")
		ref, err := s.Put(t.Context(), iotest.OneByteReader(bytes.NewReader(content)), 5000, generic)
		if err != nil {
			rt.Fatal(err)
		}
		if ref.SHA256 != sha256.Sum256(content) || ref.Size != int64(len(content)) {
			rt.Fatalf("it is at %s", &ref)
		}
		again, ok := parseRef(ref.String())
		if !ok || again != ref {
			rt.Fatalf("%s is read as %+v", &ref, again)
		}
		f, err := s.Get(&ref)
		if err != nil {
			rt.Fatal(err)
		}
		defer f.Close()
		if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, content) {
			rt.Fatalf("%v, %d bytes", err, len(got))
		}
	})
}

func TestTheSameIsKeptOnce(t *testing.T) {
	s := open(t)
	first, again := put(t, s, "a"), put(t, s, "a")
	if first != again || len(files(t, s)) != 1 {
		t.Errorf("there are %d files", len(files(t, s)))
	}
}

// TestNothingIsLeft: what fails on its way in leaves no file.
func TestNothingIsLeft(t *testing.T) {
	s := open(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		r    io.Reader
		code fhir.Code
	}{
		"too large": {t.Context(), strings.NewReader("123456"), fhir.TooLarge},
		"broken":    {t.Context(), io.MultiReader(strings.NewReader("1"), iotest.ErrReader(errors.New("cut off"))), 0},
		"gone":      {gone, strings.NewReader("1"), 0},
	} {
		if _, err := s.Put(c.ctx, c.r, 5, generic); err == nil || fhir.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	left, err := os.ReadDir(filepath.Join(s.dir, incoming))
	if err != nil || len(left) > 0 || len(files(t, s)) > 0 {
		t.Errorf("left are %v, %v", left, files(t, s))
	}
}

func TestSweep(t *testing.T) {
	s := open(t)
	used, nobodys, back := put(t, s, "used"), put(t, s, "nobody's"), put(t, s, "back")
	fresh := put(t, s, "fresh")
	half := filepath.Join(s.dir, incoming, "half")
	if err := os.WriteFile(half, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * grace)
	for _, path := range []string{half, s.path(used.SHA256[:]), s.path(nobodys.SHA256[:]), s.path(back.SHA256[:])} {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	removed, err := s.Sweep(t.Context(), func(_ context.Context, hashes ...[]byte) ([]bool, error) {
		put(t, s, "back") // it comes in again while it is being looked whether it is used
		in := make([]bool, len(hashes))
		for i, hash := range hashes {
			in[i] = bytes.Equal(hash, used.SHA256[:])
		}
		return in, nil
	})
	if err != nil || removed != 1 {
		t.Errorf("%d were removed: %v", removed, err)
	}
	var left []Ref
	for _, ref := range []Ref{used, nobodys, back, fresh} {
		if f, err := s.Get(&ref); err == nil {
			f.Close()
			left = append(left, ref)
		}
	}
	if !slices.Equal(left, []Ref{used, back, fresh}) {
		t.Errorf("left are %v", left)
	}
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Errorf("what was half written is there: %v", err)
	}
}

// TestAside: what is taken aside for a moment can be read, and what is left there is put back
// when something uses it.
func TestAside(t *testing.T) {
	s := open(t)
	used, nobodys := put(t, s, "used"), put(t, s, "nobody's")
	for _, ref := range []Ref{used, nobodys} {
		if err := os.Rename(s.path(ref.SHA256[:]), s.aside(ref.SHA256[:])); err != nil {
			t.Fatal(err)
		}
		f, err := s.Get(&ref)
		if err != nil {
			t.Fatalf("while it is aside: %v", err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	s.now = func() time.Time { return time.Now().Add(2 * grace) }
	removed, err := s.Sweep(t.Context(), func(_ context.Context, hashes ...[]byte) (in []bool, err error) {
		for _, hash := range hashes {
			in = append(in, bytes.Equal(hash, used.SHA256[:]))
		}
		return in, nil
	})
	if err != nil || removed != 1 {
		t.Errorf("%d were removed: %v", removed, err)
	}
	if all := files(t, s); len(all) != 1 || !bytes.Equal(all[0].Hash, used.SHA256[:]) {
		t.Errorf("left are %v", all)
	}
	if gone, err := s.Remove(nobodys.SHA256[:], s.now()); gone || err != nil {
		t.Errorf("what another server has removed: %v, %v", gone, err)
	}
}

// TestNamedOnce: of servers that give a folder its name at the same time, all take that of the
// first.
func TestNamedOnce(t *testing.T) {
	dir := t.TempDir()
	if err := markFolder(dir, dir); err != nil {
		t.Fatal(err)
	}
	name, err := nameOf(dir, dir)
	if err != nil || name == "" {
		t.Fatal(name, err)
	}
	if err := markFolder(dir, dir); err != nil { // it had looked before the other was done
		t.Fatal(err)
	}
	if again, err := nameOf(dir, dir); err != nil || again != name {
		t.Errorf("it is called %q, and then %q: %v", name, again, err)
	}
	for _, opened := range []func(string) (interface{ Name() string }, error){
		func(dir string) (interface{ Name() string }, error) { return Open(dir) },
		func(dir string) (interface{ Name() string }, error) { return OpenOutputs(dir) },
	} {
		if s, err := opened(dir); err != nil || s.Name() != name {
			t.Errorf("it is opened as another: %v", err)
		}
	}
}

func TestKinds(t *testing.T) {
	const (
		png   = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
		gif   = "GIF89a\x01\x00\x01\x00"
		pdf   = "%PDF-1.7\n"
		class = "\xca\xfe\xba\xbe\x00\x00\x004"
	)
	jar := "PK\x03\x04" + strings.Repeat("x", 50) + "PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00\x2e\x00\x00\x00\x36\x00\x00\x00\x00\x00"
	for _, c := range []struct {
		name, contentType, content string
		refused                    bool
	}{
		{"picture", "image/png", png, false},
		{"picture in capitals", "IMAGE/PNG; x=y", png, false},
		{"document", "application/pdf", pdf, false},
		{"text", "text/plain; charset=utf-8", "hola", false},
		{"text about scripts", "text/plain", "#!/bin/sh", false},
		{"page as a page", "text/html", "<html><script>1</script>", false}, // it is saved, not shown
		{"nothing", "image/png", "", false},
		{"unknown", generic, "MZ\x90\x00", false},
		{"archive", "application/zip", jar, false},
		{"other picture", "image/png", gif, true},
		{"page as a picture", "image/jpeg", "<html>", true},
		{"page behind the head of a picture", "image/png", png + "<HTML><body onload=1>", true},
		{"script behind the head of a picture", "image/gif", gif + "/*<script>alert(1)</script>*/", true},
		{"GIFAR", "image/gif", gif + strings.Repeat("z", 10_000) + jar, true},
		{"GIFAR with a comment behind it", "image/gif", gif + jar[:len(jar)-2] + "\x04\x00abcd", true},
		{"document that is an archive", "application/pdf", pdf + jar, true},
		{"program as a document", "application/pdf", "MZ\x90\x00" + pdf, true},
		{"program as a picture", "image/png", "\x7fELF\x02", true},
		{"program as text", "text/plain", "MZ\x90\x00\x03", true},
		{"class as data", "application/dicom", class, true},
		{"shell script as a document", "application/pdf", "#!/bin/sh\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			_, err := s.Put(t.Context(), strings.NewReader(c.content), 1<<20, c.contentType)
			if inMemory := checkBytes([]byte(c.content), c.contentType); (inMemory != nil) != (err != nil) {
				t.Errorf("in memory %v, in a file %v", inMemory, err)
			}
			if (fhir.CodeOf(err) == fhir.Unprocessable) != c.refused || err != nil && !c.refused {
				t.Errorf("%v", err)
			}
			if n := len(files(t, s)); n == 1 == c.refused {
				t.Errorf("%d files are kept", n)
			}
		})
	}
}

// TestUsed: what files of orders take is told, and no more once they are removed.
func TestUsed(t *testing.T) {
	t.Parallel()
	o, err := OpenOutputs(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	empty, _, err := o.Used()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		f, err := o.Append("order", name, 0)
		if err == nil {
			_, err = f.Write(make([]byte, 1000))
		}
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if used, free, err := o.Used(); used != empty+2000 || free == 0 || err != nil {
		t.Errorf("%d bytes are used and %d are free: %v", used-empty, free, err)
	}
	if err := o.Remove("order"); err != nil {
		t.Fatal(err)
	}
	if used, _, err := o.Used(); used != empty || err != nil {
		t.Errorf("%d bytes are left: %v", used-empty, err)
	}
}
