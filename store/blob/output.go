package blob

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Outputs is a folder of files that are written from front to end, in a folder for each
// order that they came of. All servers of one database share it.
type Outputs struct {
	dir  string
	name string
}

// OpenOutputs opens the folder, and makes it when it is not there.
func OpenOutputs(dir string) (*Outputs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	name, err := nameOf(dir, dir)
	if err != nil {
		return nil, err
	}
	return &Outputs{dir, name}, nil
}

// Name returns the name of the folder.
func (o *Outputs) Name() string { return o.name }

// path is where a file is. Neither part leads out of the folder.
func (o *Outputs) path(order, name string) (string, error) {
	if !filepath.IsLocal(order) || filepath.Base(order) != order || name != "" && filepath.Base(name) != name || !filepath.IsLocal(filepath.Join(order, name)) {
		return "", fhir.Errorf(fhir.NotFound, "there is no such file")
	}
	return filepath.Join(o.dir, order, name), nil
}

// Append opens a file to be written on from an offset; what is behind that is cut off.
func (o *Outputs) Append(order, name string, at int64) (*os.File, error) {
	path, err := o.path(order, name)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	size, err := f.Seek(0, 2)
	if err == nil && size < at {
		err = errors.New("a file of an export is shorter than what was made durable of it")
	}
	if err == nil {
		err = f.Truncate(at)
	}
	if err == nil {
		_, err = f.Seek(at, 0)
	}
	if err == nil && at == 0 {
		err = errors.Join(syncDir(filepath.Dir(path)), syncDir(o.dir))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Open opens a file, and tells how long it is. Errors: fhir.NotFound.
func (o *Outputs) Open(order, name string) (*os.File, int64, error) {
	path, err := o.path(order, name)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fhir.Errorf(fhir.NotFound, "there is no such file any more")
	}
	if err != nil {
		return nil, 0, err
	}
	s, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, s.Size(), nil
}

// Remove removes all files of an order.
func (o *Outputs) Remove(order string) error {
	path, err := o.path(order, "")
	if err != nil {
		return err
	}
	return os.RemoveAll(path)
}

// Orders lists the orders of which there are files, and since when they lie there.
func (o *Outputs) Orders() (map[string]time.Time, error) {
	entries, err := os.ReadDir(o.dir)
	if err != nil {
		return nil, err
	}
	all := map[string]time.Time{}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if s, err := e.Info(); err == nil {
			all[e.Name()] = s.ModTime()
		}
	}
	return all, nil
}

// Used returns how many bytes all files take, and how many more there are on their disk for
// this process: below 0 where nobody can say.
func (o *Outputs) Used() (used, free int64, err error) {
	err = filepath.WalkDir(o.dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			var s fs.FileInfo
			if s, err = e.Info(); err == nil {
				used += s.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			err = nil
		}
		return err
	})
	return used, freeBytes(o.dir), err
}
