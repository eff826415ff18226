package link

import (
	"cmp"
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
)

// State keeps links.
type State interface {
	Entry(ctx context.Context, kind, key string) (fhir.Entry, error)
	Entries(ctx context.Context, kind, group, after string, limit int) ([]fhir.Entry, error)
	Put(ctx context.Context, entries ...fhir.Entry) error
	Remove(ctx context.Context, kind, key string, version int64) error
}

const (
	linkKind = "card-link"      // by the hash of what its URL ends with, in the group of the owner
	fileKind = "card-link-file" // in the group of its link
)

// Service keeps the links of a registry.
type Service struct {
	State  State
	Secret []byte // of this database, 32 bytes or more
	URL    string // below which links are, without a slash at its end; at most 80 characters
	Now    func() time.Time

	// Standing reports whether the record of an owner may be shown at all: it is neither
	// blocked nor removed. nil says so of every one.
	Standing func(ctx context.Context, owner string) (bool, error)
}

// File is one file of a link.
type File struct {
	Media   string // application/smart-health-card or application/fhir+json
	Content []byte
}

// Options of a link.
type Options struct {
	Owner    string // id of the Patient
	Label    string
	Expires  time.Time // zero for never
	Long     bool      // it is for long, and its files may be replaced
	Passcode string    // "" for none
	Direct   bool      // it leads to its one file, without a manifest
}

// Link is a link as its owner sees it.
type Link struct {
	ID      string // handle, which tells nothing of the link
	Owner   string
	Label   string
	Created time.Time
	Expires time.Time
	Flags   string
	Files   int
	Left    int // wrong passcodes that may still be given; 0 without one
}

// stored is a link as the state has it.
type stored struct {
	Label   string    `json:"l,omitempty"`
	Created time.Time `json:"c"`
	Expires time.Time `json:"x,omitzero"`
	Flags   string    `json:"f,omitempty"`
	Files   int       `json:"n"`
	Salt    []byte    `json:"s,omitempty"`
	Hash    []byte    `json:"h,omitempty"` // of the passcode
	Left    int       `json:"a,omitempty"` // attempts
	Print   []byte    `json:"k"`           // SHA-256 of the key
	Owner   string    `json:"o"`
}

type storedFile struct {
	Media   string    `json:"m"`
	JWE     string    `json:"e"`
	Updated time.Time `json:"t"`
}

// attempts is how many wrong passcodes end a link.
const attempts = 10

// hashRounds of a passcode: it is short, so that each guess is to cost something even to
// who has the database.
const hashRounds = 100_000

// Why a link is not made, or not answered.
var (
	ErrGone  = fhir.Errorf(fhir.NotFound, "there is no such link, or it is over")
	errFlags = errors.New("a link without a manifest has one file, no passcode, and is not for long")
)

// WrongPasscode says how many attempts are left.
type WrongPasscode struct{ Left int }

func (e *WrongPasscode) Error() string {
	return fmt.Sprintf("the passcode is wrong; %d attempts left", e.Left)
}

// Create makes a link to files, which are encrypted by a key that only the link has.
// Errors: fhir.Invalid for options that do not go together.
func (s *Service) Create(ctx context.Context, o Options, files ...File) (*Payload, *Link, error) {
	if err := s.check(&o, files); err != nil {
		return nil, nil, fhir.Errorf(fhir.Invalid, "%v", err)
	}
	id, key := make([]byte, 32), make([]byte, keySize)
	rand.Read(id) // neither fails
	rand.Read(key)
	name := b64.EncodeToString(id)
	print := sha256.Sum256(key)
	now := s.Now().UTC().Truncate(time.Second)
	l := stored{Label: o.Label, Created: now, Expires: o.Expires.UTC().Truncate(time.Second), Files: len(files), Print: print[:], Owner: o.Owner}
	if o.Expires.IsZero() {
		l.Expires = time.Time{}
	}
	for _, f := range []struct {
		on   bool
		flag string
	}{{o.Long, "L"}, {o.Passcode != "", "P"}, {o.Direct, "U"}} {
		if f.on {
			l.Flags += f.flag
		}
	}
	if o.Passcode != "" {
		l.Salt, l.Left = make([]byte, 16), attempts
		rand.Read(l.Salt)
		var err error
		if l.Hash, err = hashed(o.Passcode, l.Salt); err != nil {
			return nil, nil, err
		}
	}
	handle := handleOf(name)
	entries, err := sealed(handle, key, l.Expires, now, files)
	if err != nil {
		return nil, nil, err
	}
	value, err := json.Marshal(l)
	if err != nil {
		return nil, nil, err
	}
	entries = append(entries, fhir.Entry{Kind: linkKind, Key: handle, Group: o.Owner, Expires: l.Expires, Value: value})
	if err := s.State.Put(ctx, entries...); err != nil {
		return nil, nil, err
	}
	p := &Payload{URL: s.URL + "/" + name, Key: key, Expires: l.Expires, Flags: l.Flags, Label: o.Label}
	return p, l.link(handle), nil
}

func (s *Service) check(o *Options, files []File) error {
	if err := checkLabel(o.Label); err != nil {
		return err
	}
	switch {
	case len(files) == 0:
		return errors.New("a link without files leads to nothing")
	case o.Direct && (len(files) != 1 || o.Passcode != "" || o.Long):
		return errFlags
	case o.Passcode != "" && (len(o.Passcode) < 4 || len(o.Passcode) > 100):
		return errors.New("a passcode has 4 to 100 characters")
	case !o.Expires.IsZero() && !o.Expires.After(s.Now()):
		return errors.New("a link that is over when it is made leads to nothing")
	case len(s.URL)+1+43 > longestURL:
		return errors.New("the address of this server is too long for links")
	}
	return nil
}

func hashed(passcode string, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, passcode, salt, hashRounds, 32)
}

// handleOf is the name of a link here: who has the database cannot make the URL from it.
func handleOf(name string) string {
	sum := sha256.Sum256([]byte("link " + name))
	return b64.EncodeToString(sum[:16])
}

func sealed(handle string, key []byte, expires, now time.Time, files []File) (entries []fhir.Entry, err error) {
	for i, f := range files {
		jwe, err := seal(key, f.Media, f.Content)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(storedFile{f.Media, jwe, now})
		if err != nil {
			return nil, err
		}
		entries = append(entries, fhir.Entry{Kind: fileKind, Key: handle + "/" + strconv.Itoa(i), Group: handle, Expires: expires, Value: value})
	}
	return entries, nil
}

func (l *stored) link(handle string) *Link {
	return &Link{ID: handle, Owner: l.Owner, Label: l.Label, Created: l.Created, Expires: l.Expires, Flags: l.Flags, Files: l.Files, Left: l.Left}
}

// load reads a link by its handle. Errors: ErrGone.
func (s *Service) load(ctx context.Context, handle string) (*stored, fhir.Entry, error) {
	e, err := s.State.Entry(ctx, linkKind, handle)
	if fhir.CodeOf(err) == fhir.NotFound {
		return nil, e, ErrGone
	}
	if err != nil {
		return nil, e, err
	}
	l := &stored{}
	if err := json.Unmarshal(e.Value, l); err != nil {
		return nil, e, fmt.Errorf("a link: %w", err)
	}
	if !l.Expires.IsZero() && !s.Now().Before(l.Expires) || l.Hash != nil && l.Left <= 0 {
		return nil, e, ErrGone
	}
	if s.Standing != nil {
		if stands, err := s.Standing(ctx, l.Owner); err != nil || !stands {
			return nil, e, cmp.Or(err, error(ErrGone))
		}
	}
	return l, e, nil
}

// List returns the links of an owner that are not over, the oldest first.
func (s *Service) List(ctx context.Context, owner string) ([]*Link, error) {
	entries, err := s.State.Entries(ctx, linkKind, owner, "", 1000)
	if err != nil {
		return nil, err
	}
	var all []*Link
	for _, e := range entries {
		if l, _, err := s.load(ctx, e.Key); err == nil {
			all = append(all, l.link(e.Key))
		} else if !errors.Is(err, ErrGone) {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b *Link) int { return a.Created.Compare(b.Created) })
	return all, nil
}

// Revoke ends a link of an owner, by its handle or by the link itself, and removes its
// files. Errors: ErrGone.
func (s *Service) Revoke(ctx context.Context, owner, which string) error {
	handle := which
	if IsLink(which) {
		p, err := Parse(which)
		if err != nil {
			return fhir.Errorf(fhir.Invalid, "%v", err)
		}
		handle = handleOf(p.URL[strings.LastIndexByte(p.URL, '/')+1:])
	}
	l, e, err := s.loadAny(ctx, handle)
	if err != nil {
		return err
	}
	if l.Owner != owner {
		return ErrGone
	}
	return s.end(ctx, e.Key)
}

// Forget ends all links of an owner, and removes their files.
func (s *Service) Forget(ctx context.Context, owner string) error {
	for {
		entries, err := s.State.Entries(ctx, linkKind, owner, "", 1000)
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			if err := s.end(ctx, e.Key); err != nil {
				return err
			}
		}
	}
}

// end removes the files of a link, and then the link: who goes on after a crash finds it.
func (s *Service) end(ctx context.Context, handle string) error {
	files, err := s.State.Entries(ctx, fileKind, handle, "", 100)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := s.State.Remove(ctx, fileKind, f.Key, 0); err != nil && fhir.CodeOf(err) != fhir.NotFound {
			return err
		}
	}
	if err := s.State.Remove(ctx, linkKind, handle, 0); err != nil && fhir.CodeOf(err) != fhir.NotFound {
		return err
	}
	return nil
}

// Replace puts files in place of those of a link with the flag L. It needs the link itself,
// which has the key. Errors: ErrGone, fhir.Invalid.
func (s *Service) Replace(ctx context.Context, owner, text string, files ...File) (*Link, error) {
	p, err := Parse(text)
	if err != nil {
		return nil, fhir.Errorf(fhir.Invalid, "%v", err)
	}
	handle := handleOf(p.URL[strings.LastIndexByte(p.URL, '/')+1:])
	l, e, err := s.load(ctx, handle)
	if err != nil {
		return nil, err
	}
	print := sha256.Sum256(p.Key)
	if l.Owner != owner || subtle.ConstantTimeCompare(print[:], l.Print) != 1 {
		return nil, ErrGone
	}
	if !strings.Contains(l.Flags, "L") || len(files) != l.Files {
		return nil, fhir.Errorf(fhir.Unprocessable, "only the files of a link that is for long can be replaced, by as many")
	}
	entries, err := sealed(handle, p.Key, l.Expires, s.Now().UTC().Truncate(time.Second), files)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		before, err := s.State.Entry(ctx, fileKind, entries[i].Key)
		if err != nil {
			return nil, err
		}
		entries[i].Version = before.Version
	}
	if e.Value, err = json.Marshal(l); err != nil {
		return nil, err
	}
	return l.link(handle), s.State.Put(ctx, append(entries, e)...)
}
