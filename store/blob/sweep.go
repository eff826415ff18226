package blob

import (
	"context"
	"encoding/hex"
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
	for _, sub := range []string{incoming, outgoing} {
		if err := s.clear(sub, before); err != nil {
			return 0, err
		}
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
	path, aside := s.path(hash), filepath.Join(s.dir, outgoing, hex.EncodeToString(hash))
	if err := os.Rename(path, aside); err != nil {
		if os.IsNotExist(err) {
			return false, nil
		}
		return false, err
	}
	info, err := os.Stat(aside)
	if err != nil {
		return false, err
	}
	if !info.ModTime().Before(before) {
		return false, os.Rename(aside, path)
	}
	return true, os.Remove(aside)
}

// clear removes old files of a folder for what is on its way.
func (s *Store) clear(sub string, before time.Time) error {
	files, err := os.ReadDir(filepath.Join(s.dir, sub))
	if err != nil {
		return err
	}
	for _, file := range files {
		info, err := file.Info()
		if err == nil && info.ModTime().Before(before) {
			_ = os.Remove(filepath.Join(s.dir, sub, file.Name())) // another server may have done so
		}
	}
	return nil
}
