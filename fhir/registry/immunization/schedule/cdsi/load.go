package cdsi

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/amate-health/amate/fhir/registry/immunization/schedule"
)

// Limits of what is read: the data of version 4.64 is 33 files of 0.5 MB at most.
const (
	maxFile  = 32 << 20  // bytes of one file, unpacked
	maxTotal = 128 << 20 // bytes of all files, unpacked
	maxFiles = 500
)

// File is one file of supporting data, unpacked.
type File struct {
	Name string // antigen.json, "AntigenSupportingData- HepB-508.xml"
	Text []byte
}

// Load reads supporting data from a folder or a .tar.gz archive. Of a folder that holds
// both forms, the JSON files come first and the XML files add what those lack.
// Errors: nothing is there, it is too large, or a file is wrong; the error names the file,
// the element and the value.
func Load(path string) (*schedule.Schedule, error) {
	files, err := gather(path)
	if err != nil {
		return nil, err
	}
	return Read(files)
}

// gather reads the files of supporting data at a path, JSON before XML before archives.
func gather(path string) ([]File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	names := []string{path}
	if info.IsDir() {
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, err
		}
		names = names[:0]
		for _, e := range entries {
			if !e.IsDir() && kindOf(e.Name()) < others {
				names = append(names, filepath.Join(path, e.Name()))
			}
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return int(kindOf(a)) - int(kindOf(b)) })
	g := &gathering{}
	for _, name := range names {
		if err := g.open(name); err != nil {
			return nil, err
		}
	}
	if len(g.files) == 0 {
		return nil, fmt.Errorf("%s: no supporting data of CDSi is there: XML files, a .tar.gz of them, or antigen and vaccine .json", path)
	}
	return g.files, nil
}

// kind is the form of a file.
type kind int

const (
	jsonFile kind = iota
	xmlFile
	archive
	others
)

// kindOf tells the form of a file by its name. Test cases lie beside the data and are
// none of it.
func kindOf(path string) kind {
	name := strings.ToLower(filepath.Base(path))
	switch {
	case strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz"):
		return archive
	case strings.HasSuffix(name, ".xml") || strings.HasSuffix(name, ".xml.gz"):
		return xmlFile
	}
	for _, part := range []string{"antigen", "vaccine", "observation"} {
		if name == part+".json" || name == part+".json.gz" {
			return jsonFile
		}
	}
	return others
}

// gathering is files being read, with the room that is left.
type gathering struct {
	files []File
	total int64
}

// open reads one file or archive.
func (g *gathering) open(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := io.Reader(f)
	if lower := strings.ToLower(path); strings.HasSuffix(lower, "gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		in = z
	}
	if kindOf(path) == archive {
		return g.unpack(path, in)
	}
	return g.add(strings.TrimSuffix(filepath.Base(path), ".gz"), in)
}

// unpack reads the XML files of an archive.
func (g *gathering) unpack(path string, in io.Reader) error {
	t := tar.NewReader(in)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if h.Typeflag != tar.TypeReg || kindOf(h.Name) != xmlFile {
			continue
		}
		if err := g.add(filepath.Base(path)+": "+h.Name, t); err != nil {
			return err
		}
	}
}

// add reads one file.
// Errors: it is too large, or there are too many.
func (g *gathering) add(name string, in io.Reader) error {
	if len(g.files) == maxFiles {
		return fmt.Errorf("%s: more than %d files", name, maxFiles)
	}
	text, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	g.total += int64(len(text))
	if len(text) > maxFile || g.total > maxTotal {
		return fmt.Errorf("%s: larger than %d MiB, or %d MiB with the other files", name, maxFile>>20, maxTotal>>20)
	}
	g.files = append(g.files, File{Name: name, Text: bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))})
	return nil
}
