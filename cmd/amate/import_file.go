package main

import (
	"bufio"
	"cmp"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// input is a file to import.
type input struct {
	path     string // absolute
	size     int64  // as it is on the disk
	modified time.Time
	rank     int // files of a lower rank come first
	lines    bool
}

// ranks are beginnings of file names, in the order in which the files come. What
// others refer to by a search must be there before them: Synthea names two files
// for what they hold, and exports have a file a type.
var ranks = [][]string{
	{"hospitalinformation", "organization."}, {"practitionerinformation", "location."},
	{"practitioner."}, {"practitionerrole."}, {"patient."}, {"encounter."},
}

// inputs returns the files that paths name or hold, in the order in which they
// are to be imported, each once.
func inputs(paths []string) ([]input, error) {
	var files []input
	for _, p := range paths {
		p, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		err = filepath.WalkDir(p, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			kind := strings.TrimSuffix(strings.ToLower(name), ".gz")
			lines := strings.HasSuffix(kind, ".ndjson")
			if !lines && !strings.HasSuffix(kind, ".json") {
				return nil
			}
			info, err := os.Stat(name)
			if err != nil {
				return err
			}
			files = append(files, input{path: name, size: info.Size(), modified: info.ModTime(), rank: rankOf(name), lines: lines})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(files, func(a, b input) int {
		return cmp.Or(a.rank-b.rank, cmp.Compare(a.path, b.path))
	})
	return slices.CompactFunc(files, func(a, b input) bool { return a.path == b.path }), nil
}

// rankOf returns the place of a file in ranks. A number may stand before the name.
func rankOf(path string) int {
	base := strings.TrimLeft(strings.ToLower(filepath.Base(path)), "0123456789-_.")
	for i, names := range ranks {
		if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(base, n) }) {
			return i
		}
	}
	return len(ranks)
}

// open returns the text of the file. It counts what it reads from the disk into read.
func (f input) open(read *counter) (io.ReadCloser, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	counted := bufio.NewReaderSize(&countingReader{r: file, n: read}, 128<<10)
	if !strings.HasSuffix(strings.ToLower(f.path), ".gz") {
		return readCloser{counted, file}, nil
	}
	z, err := gzip.NewReader(counted)
	if err != nil {
		file.Close()
		return nil, err
	}
	return readCloser{z, file}, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// countingReader adds what is read through it to n.
type countingReader struct {
	r io.Reader
	n *counter
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
