package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// grace is how old a file must be before it can be found to be nobody's: until then
// somebody may be about to refer to it.
const grace = 24 * time.Hour

// File is one of those in the folder.
type File struct {
	Hash []byte // SHA-256
	Size int64
	Put  time.Time // when its content last came in
}

// All calls f with every file, until it returns an error.
func (s *Store) All(f func(File) error) error {
	folders, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if len(folder.Name()) != 2 || !folder.IsDir() || folder.Name() == incoming {
			continue
		}
		files, err := os.ReadDir(filepath.Join(s.dir, folder.Name()))
		if err != nil {
			return err
		}
		for _, file := range files {
			hash, err := hex.DecodeString(file.Name())
			if err != nil || len(hash) != len(Ref{}.SHA256) {
				continue
			}
			info, err := file.Info()
			if err != nil {
				continue // it has just been removed
			}
			if err := f(File{Hash: hash, Size: info.Size(), Put: info.ModTime()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// together is how many files are asked about at a time.
const together = 500

// Sweep removes the files that came in a day ago or earlier and that nothing uses, and
// what was left half written. used tells which of some hashes something uses.
func (s *Store) Sweep(ctx context.Context, used func(context.Context, ...[]byte) ([]bool, error)) (removed int, err error) {
	before := s.now().Add(-grace)
	if err := errors.Join(s.clear(before), s.restore(before)); err != nil {
		return 0, err
	}
	var hashes [][]byte
	ask := func() error {
		if len(hashes) == 0 {
			return nil
		}
		in, err := used(ctx, hashes...)
		if err != nil {
			return err
		}
		for i, hash := range hashes {
			if in[i] {
				continue
			}
			gone, err := s.Remove(hash, before)
			if err != nil {
				return err
			}
			if gone {
				removed++
			}
		}
		hashes = hashes[:0]
		return nil
	}
	err = s.All(func(f File) error {
		if f.Put.Before(before) {
			hashes = append(hashes, f.Hash)
		}
		if len(hashes) == together {
			return ask()
		}
		return ctx.Err()
	})
	if err == nil {
		err = ask()
	}
	return removed, err
}

// Remove removes a file that nothing uses, unless its content came in again since
// before. It is first taken out of the way, so that nobody brings it in between the
// look and the removal: whoever does so then makes a new file.
func (s *Store) Remove(hash []byte, before time.Time) (gone bool, err error) {
	path, aside := s.path(hash), s.aside(hash)
	if err := os.Rename(path, aside); err != nil {
		return false, unlessGone(err)
	}
	info, err := os.Stat(aside)
	if err != nil {
		return false, unlessGone(err)
	}
	if !info.ModTime().Before(before) {
		return false, unlessGone(os.Rename(aside, path))
	}
	return true, unlessGone(os.Remove(aside))
}

// unlessGone returns err, unless that is that a file is not there: another server that
// removes the same was faster.
func unlessGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// old calls f with the names of the files of a folder that came there before a moment.
func (s *Store) old(sub string, before time.Time, f func(name string) error) error {
	files, err := os.ReadDir(filepath.Join(s.dir, sub))
	if err != nil {
		return err
	}
	for _, file := range files {
		info, err := file.Info()
		if err != nil || !info.ModTime().Before(before) {
			continue
		}
		if err := f(file.Name()); err != nil {
			return err
		}
	}
	return nil
}

// clear removes what was left half written.
func (s *Store) clear(before time.Time) error {
	return s.old(incoming, before, func(name string) error {
		_ = os.Remove(filepath.Join(s.dir, incoming, name)) // another server may have done so
		return nil
	})
}

// restore puts back what a server has taken aside that died before it knew whether that is to
// go: something may use it. Whether that is so is asked as of any other.
func (s *Store) restore(before time.Time) error {
	return s.old(outgoing, before, func(name string) error {
		hash, err := hex.DecodeString(name)
		if err != nil || len(hash) != len(Ref{}.SHA256) {
			return nil
		}
		path := s.path(hash)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return unlessGone(os.Rename(s.aside(hash), path))
	})
}
