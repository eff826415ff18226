package guide

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"path/filepath"
	"strings"
	"testing"
)

type member struct {
	name, text string
	kind       byte
}

// archive packs members; kind 0 is a regular file.
func archive(members ...member) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.text)), Typeflag: tar.TypeReg}
		if m.kind != 0 {
			h.Typeflag, h.Size, h.Linkname = m.kind, 0, m.text
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte(m.text)); err != nil {
				panic(err)
			}
		}
	}
	w.Close()
	z.Close()
	return b.Bytes()
}

const good = `{"name":"a.b","version":"1.0.0","dependencies":{"hl7.fhir.r4.core":"4.0.1"}}`

func TestReadArchive(t *testing.T) {
	text := archive(member{name: "package/package.json", text: good},
		member{name: "package/StructureDefinition-x.json", text: `{"url":"http://x","resourceType":"StructureDefinition","id":"x","z":1.50}`},
		member{name: "package/example/Patient-x.json", text: `{"resourceType":"Patient"}`},
		member{name: "package/Broken.json", text: `{`})
	p, err := ReadArchive(bytes.NewReader(text), DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if p.String() != "a.b#1.0.0" || len(p.Definitions) != 1 || len(p.Refused) != 1 {
		t.Fatalf("%+v", p)
	}
	d := p.Definitions[0]
	if want := `{"resourceType":"StructureDefinition","id":"` + d.ID + `","url":"http://x","z":1.50}`; string(d.JSON) != want {
		t.Errorf("%s, want %s", d.JSON, want)
	}
	again, err := ReadArchive(bytes.NewReader(text), DefaultLimits)
	if err != nil || again.Definitions[0].ID != d.ID {
		t.Error("the id is another when the package is read again")
	}
}

// attacks must be refused as a whole.
func attacks() map[string][]byte {
	ok := member{name: "package/package.json", text: good}
	many := make([]member, 0, 40)
	for range 40 {
		many = append(many, member{name: "package/x.txt", text: ""})
	}
	return map[string][]byte{
		"parent":        archive(ok, member{name: "package/../../etc/passwd.json", text: "{}"}),
		"absolute":      archive(ok, member{name: "/etc/x.json", text: "{}"}),
		"backslash":     archive(ok, member{name: `package\..\x.json`, text: "{}"}),
		"drive":         archive(ok, member{name: "C:x.json", text: "{}"}),
		"symbolic link": archive(ok, member{name: "package/x.json", text: "/etc/passwd", kind: tar.TypeSymlink}),
		"hard link":     archive(ok, member{name: "package/x.json", text: "package/package.json", kind: tar.TypeLink}),
		"device":        archive(ok, member{name: "package/x.json", kind: tar.TypeChar}),
		"many files":    archive(append(many, ok)...),
		"large file":    archive(ok, member{name: "package/x.json", text: strings.Repeat(" ", 2000)}),
		"bomb":          archive(ok, member{name: "package/x.txt", text: strings.Repeat(" ", 4<<20)}),
		"no manifest":   archive(member{name: "package/x.json", text: "{}"}),
		"no name":       archive(member{name: "package/package.json", text: "{}"}),
		"for R5":        archive(member{name: "package/package.json", text: `{"name":"a","version":"1","fhirVersions":["5.0.0"]}`}),
		"no gzip":       []byte("hello"),
		"cut off":       archive(ok)[:40],
		"nothing":       nil,
	}
}

var small = Limits{Files: 20, File: 1000, Total: 10_000}

func TestAttacks(t *testing.T) {
	for name, text := range attacks() {
		if p, err := ReadArchive(bytes.NewReader(text), small); err == nil {
			t.Errorf("%s: was read: %v", name, p)
		}
	}
}

func FuzzReadArchive(f *testing.F) {
	for _, text := range attacks() {
		f.Add(text)
	}
	f.Add(archive(member{name: "package/package.json", text: good}, member{name: "package/V.json", text: `{"resourceType":"ValueSet","url":"u"}`}))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ReadArchive(bytes.NewReader(text), small)
		if err != nil {
			return
		}
		if p.Name == "" || p.Version == "" {
			t.Error("a package without a name or version")
		}
		for _, d := range p.Definitions {
			if !installed[d.Type] || len(d.ID) > 64 {
				t.Errorf("%+v", d)
			}
		}
	})
}

func TestSatisfies(t *testing.T) {
	for _, c := range []struct {
		version, want string
		ok            bool
	}{
		{"6.1.0", "6.1.0", true}, {"6.1.0", "6.1.1", false}, {"6.1.0", "6.1.x", true}, {"6.2.0", "6.1.x", false},
		{"6.1.0", "6.x", true}, {"6.1.0", "current", true}, {"6.1.0", "current$branch", true}, {"6.1.0", "latest", true},
		{"6.1.0", "^6.0.0", true}, {"7.0.0", "^6.0.0", false}, {"5.9.0", "^6.0.0", false}, {"6.1.5", "~6.1.2", true},
		{"6.2.0", "~6.1.2", false}, {"6.1.0", ">=6.0.0 <7.0.0", true}, {"7.0.0", ">=6.0.0 <7.0.0", false},
		{"1.0.0", "2.0.0 || 1.0.0", true}, {"1.0.0-ballot", ">=1.0.0", false}, {"10.0.0", ">9.0.0", true}, {"1.0.0", "", true},
	} {
		if got := Satisfies(c.version, c.want); got != c.ok {
			t.Errorf("%s for %q: %v", c.version, c.want, got)
		}
	}
}

func TestOrder(t *testing.T) {
	a := &Package{Name: "a", Version: "1.0.0", Dependencies: []Dependency{{"b", "1.x"}, {"hl7.fhir.r4.core", "4.0.1"}}}
	b := &Package{Name: "b", Version: "1.2.0", Dependencies: []Dependency{{"c", "3.0.0"}, {"a", "current"}}}
	if got, err := Order([]*Package{a, b}, []Dependency{{"c", "3.0.0"}}); err != nil || got[0] != b || got[1] != a {
		t.Errorf("%v %v", got, err)
	}
	_, err := Order([]*Package{a, b}, []Dependency{{"c", "2.0.0"}})
	if err == nil || !strings.Contains(err.Error(), "b#1.2.0 needs c#3.0.0 (there is 2.0.0)") {
		t.Errorf("missing: %v", err)
	}
}

// TestPublishedGuides reads the guides among the test data.
func TestPublishedGuides(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "ig", "*gz"))
	if len(files) == 0 {
		t.Skip("NOT CHECKED: the guides are not here")
	}
	for _, f := range files {
		p, err := Read(f, DefaultLimits)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if len(p.Definitions) < 10 {
			t.Errorf("%s has %d definitions", p, len(p.Definitions))
		}
		for _, r := range p.Refused {
			if p.String() == "hl7.fhir.us.core#3.1.1" && r.File == "package/ig-r4.json" {
				continue // it holds its ImplementationGuide twice
			}
			t.Errorf("%s refused %s: %s", p, r.File, r.Reason)
		}
	}
	if _, err := Read("nowhere", DefaultLimits); err == nil {
		t.Error("a package that is not there was read")
	}
}
