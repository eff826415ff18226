package guide

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Limits bounds what is read of one package.
type Limits struct {
	Files int   // in all, those left out included
	File  int64 // bytes of one file
	Total int64 // bytes of all files, unpacked
}

// DefaultLimits hold for every guide that is known: the largest have some 5,000
// files and 200 MB.
var DefaultLimits = Limits{Files: 20_000, File: 32 << 20, Total: 512 << 20}

// Read reads the package at name, an archive (.tgz, .tar.gz) or a folder.
func Read(name string, limits Limits) (*Package, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	var p *Package
	if info.IsDir() {
		p, err = ReadFolder(os.DirFS(name), limits)
	} else {
		var f *os.File
		if f, err = os.Open(name); err != nil {
			return nil, err
		}
		defer f.Close()
		p, err = ReadArchive(bufio.NewReader(f), limits)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// ReadArchive reads a package from a gzip-compressed tar. It refuses an archive
// with names that lead out of it, with links or devices, or beyond the limits.
// Nothing is ever written to disk.
func ReadArchive(r io.Reader, limits Limits) (*Package, error) {
	gz, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("it is no gzip: %w", err)
	}
	defer gz.Close()
	c := collector{limits: limits}
	bounded := &io.LimitedReader{R: gz, N: limits.Total + int64(limits.Files)*2048 + 1<<20}
	archive := tar.NewReader(bounded)
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if bounded.N <= 0 {
			return nil, fmt.Errorf("it unpacks to more than %d bytes", limits.Total)
		}
		if err != nil {
			return nil, fmt.Errorf("the archive is damaged: %w", err)
		}
		if err := c.entry(h, archive); err != nil {
			return nil, err
		}
	}
	return build(c.files)
}

// collector takes the files of a package that matter.
type collector struct {
	limits Limits
	count  int
	total  int64
	files  []file
}

// entry takes one entry of an archive.
func (c *collector) entry(h *tar.Header, r io.Reader) error {
	if c.count++; c.count > c.limits.Files {
		return fmt.Errorf("it has more than %d files", c.limits.Files)
	}
	name := strings.TrimPrefix(h.Name, "./")
	switch h.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	case tar.TypeReg:
	default:
		return fmt.Errorf("%.200q is no file: a package has no links or devices", h.Name)
	}
	if !fs.ValidPath(name) || strings.ContainsAny(name, "\\:\x00") {
		return fmt.Errorf("%.200q is no name within the archive", h.Name)
	}
	if !wanted(name) {
		return nil
	}
	return c.add(name, h.Size, r)
}

func (c *collector) add(name string, size int64, r io.Reader) error {
	if size > c.limits.File {
		return fmt.Errorf("%.200q has %d bytes, more than %d", name, size, c.limits.File)
	}
	if c.total += size; c.total > c.limits.Total {
		return fmt.Errorf("it unpacks to more than %d bytes", c.limits.Total)
	}
	text, err := io.ReadAll(io.LimitReader(r, c.limits.File+1))
	if err != nil {
		return fmt.Errorf("%.200q: %w", name, err)
	}
	c.files = append(c.files, file{name, text})
	return nil
}

// wanted reports whether a file is at one of the two places where definitions are:
// package/ as the specification has it, or the top.
func wanted(name string) bool {
	dir := path.Dir(name)
	return (dir == "package" || dir == ".") && path.Ext(name) == ".json" && path.Base(name)[0] != '.'
}

// ReadFolder reads a package that was unpacked.
func ReadFolder(dir fs.FS, limits Limits) (*Package, error) {
	c := collector{limits: limits}
	for _, at := range []string{".", "package"} {
		entries, err := fs.ReadDir(dir, at)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			name := path.Join(at, e.Name())
			if !wanted(name) || !e.Type().IsRegular() {
				continue
			}
			if c.count++; c.count > limits.Files {
				return nil, fmt.Errorf("it has more than %d files", limits.Files)
			}
			if err := c.open(dir, name); err != nil {
				return nil, err
			}
		}
	}
	return build(c.files)
}

func (c *collector) open(dir fs.FS, name string) error {
	f, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return c.add(name, info.Size(), f)
}
