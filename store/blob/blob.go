package blob

import (
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // Attachment.hash is a SHA-1 by its definition
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Store is the folder.
type Store struct {
	dir  string
	name string
	now  func() time.Time
}

// Ref says what a file holds.
type Ref struct {
	SHA256 [sha256.Size]byte
	SHA1   [sha1.Size]byte // as Attachment.hash has it
	Size   int64           // bytes
}

// String returns the form that a stored Binary holds.
func (r *Ref) String() string {
	return fmt.Sprintf("%x.%x.%d", r.SHA256, r.SHA1, r.Size)
}

// parseRef reads what String wrote.
func parseRef(s string) (r Ref, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || len(parts[0]) != 2*len(r.SHA256) || len(parts[1]) != 2*len(r.SHA1) {
		return r, false
	}
	_, err256 := hex.Decode(r.SHA256[:], []byte(parts[0]))
	_, err1 := hex.Decode(r.SHA1[:], []byte(parts[1]))
	size, err := strconv.ParseInt(parts[2], 10, 64)
	r.Size = size
	return r, err256 == nil && err1 == nil && err == nil && size >= 0
}

// The folder has another one in it for what is on its way in, and one for what is on
// its way out; all others hold files, by the first byte of their hash.
const (
	incoming = "in"
	outgoing = "out"
	nameAt   = "name" // file with the name of the folder
)

// Open opens the folder, and makes it when it is not there.
func Open(dir string) (*Store, error) {
	s := &Store{dir: dir, now: time.Now}
	for _, sub := range []string{incoming, outgoing} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	var err error
	s.name, err = nameOf(dir, filepath.Join(dir, incoming))
	return s, err
}

// nameOf returns the name of a folder, and gives it one when it has none. Of several servers
// that do so at once the first decides. The name is written in the folder by, first.
func nameOf(dir, by string) (string, error) {
	mark := filepath.Join(dir, nameAt)
	for range 2 {
		name, err := os.ReadFile(mark)
		if err == nil && len(name) > 0 {
			return string(name), nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err := markFolder(dir, by); err != nil {
			return "", err
		}
	}
	return "", errors.New("the folder cannot be given a name")
}

// markFolder writes the name of a folder, unless another server has been first.
func markFolder(dir, by string) error {
	f, err := os.CreateTemp(by, "*.new")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(rand.Text())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Link(f.Name(), filepath.Join(dir, nameAt)); errors.Is(err, fs.ErrExist) {
		return nil
	}
	return errors.Join(err, syncDir(dir))
}

// Name returns the name of the folder, by which a database knows whether it is its own.
func (s *Store) Name() string { return s.name }

// settle makes what was written to f durable, at path.
func (s *Store) settle(f *os.File, path string, err error) error {
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err == nil {
		err = syncDir(s.dir)
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closeErr := d.Close(); err == nil {
		err = closeErr
	}
	return err
}

func (s *Store) path(hash []byte) string {
	name := hex.EncodeToString(hash)
	return filepath.Join(s.dir, name[:2], name)
}

// aside is where a file is while it is looked at once more before it is removed.
func (s *Store) aside(hash []byte) string {
	return filepath.Join(s.dir, outgoing, hex.EncodeToString(hash))
}

// Put keeps what r yields, up to limit bytes, held to what it is declared to be. Once
// it returns without an error, the content survives a crash.
// Errors: fhir.TooLarge; fhir.Unprocessable for content that is not what it says; what
// r fails with.
func (s *Store) Put(ctx context.Context, r io.Reader, limit int64, contentType string) (Ref, error) {
	var ref Ref
	f, err := os.CreateTemp(filepath.Join(s.dir, incoming), "*")
	if err != nil {
		return ref, err
	}
	defer os.Remove(f.Name())
	strong, weak := sha256.New(), sha1.New() //nolint:gosec // see Ref
	ref.Size, err = io.Copy(io.MultiWriter(f, strong, weak), &untilDone{ctx, io.LimitReader(r, limit+1)})
	if err == nil && ref.Size > limit {
		err = fhir.Errorf(fhir.TooLarge, "the content is larger than the %d bytes that are taken", limit)
	}
	if err == nil {
		err = checkFile(f, ref.Size, contentType)
	}
	strong.Sum(ref.SHA256[:0])
	weak.Sum(ref.SHA1[:0])
	return ref, s.settle(f, s.path(ref.SHA256[:]), err)
}

// untilDone reads until a context ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u *untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// Get opens the content of ref. Remove may have taken the file aside for a moment, to put it
// back since its content has just come in again.
func (s *Store) Get(ref *Ref) (f *os.File, err error) {
	path := s.path(ref.SHA256[:])
	for _, at := range []string{path, s.aside(ref.SHA256[:]), path} {
		if f, err = os.Open(at); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the content of a Binary: %w", err)
	}
	return f, nil
}
