package link

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Asked is a request for the manifest of a link.
type Asked struct {
	Name     string // what the URL ends with
	Passcode string
	Most     int // characters of a file that is embedded; negative for no bound
}

// Manifest lists the files of a link.
type Manifest struct {
	Status string         `json:"status,omitempty"`
	Files  []ManifestFile `json:"files"`
}

// ManifestFile is one file.
type ManifestFile struct {
	Media    string `json:"contentType"`
	Embedded string `json:"embedded,omitempty"`
	Location string `json:"location,omitempty"`
	Updated  string `json:"lastUpdated"`
	Status   string `json:"status"`
	FHIR     string `json:"fhirVersion,omitempty"`
}

// Resolve returns the files of a link. Errors: ErrGone, *WrongPasscode.
func (s *Service) Resolve(ctx context.Context, a Asked) (*Manifest, *Link, error) {
	handle := handleOf(a.Name)
	l, _, err := s.load(ctx, handle)
	if err != nil {
		return nil, nil, err
	}
	if strings.Contains(l.Flags, "U") {
		return nil, nil, ErrGone
	}
	if l.Hash != nil {
		if err := s.admit(ctx, handle, a.Passcode); err != nil {
			return nil, l.link(handle), err
		}
	}
	files, err := s.files(ctx, handle)
	if err != nil {
		return nil, nil, err
	}
	status := "finalized"
	if strings.Contains(l.Flags, "L") {
		status = "can-change"
	}
	m := &Manifest{Files: []ManifestFile{}}
	for i, f := range files {
		out := ManifestFile{Media: f.Media, Updated: f.Updated.Format(time.RFC3339), Status: status}
		if f.Media == "application/fhir+json" {
			out.FHIR = "4.0.1"
		}
		if a.Most < 0 || len(f.JWE) <= a.Most {
			out.Embedded = f.JWE
		} else {
			out.Location = s.URL + "/file/" + s.ticket(handle, i)
		}
		m.Files = append(m.Files, out)
	}
	return m, l.link(handle), nil
}

// admit checks a passcode. An attempt is taken away before it is looked at and given back
// when it is right, so that many at once are no more than one after the other.
func (s *Service) admit(ctx context.Context, handle, passcode string) error {
	left, err := s.count(ctx, handle, -1)
	if err != nil {
		return err
	}
	l, _, err := s.loadAny(ctx, handle)
	if err != nil {
		return err
	}
	hash, err := hashed(passcode, l.Salt)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(hash, l.Hash) != 1 {
		return &WrongPasscode{left}
	}
	_, err = s.count(ctx, handle, 1)
	return err
}

// loadAny is load also for a link whose last attempt is being made.
func (s *Service) loadAny(ctx context.Context, handle string) (*stored, fhir.Entry, error) {
	e, err := s.State.Entry(ctx, linkKind, handle)
	if err != nil {
		return nil, e, cmp.Or(goneFor(err), err)
	}
	l := &stored{}
	return l, e, json.Unmarshal(e.Value, l)
}

func goneFor(err error) error {
	if fhir.CodeOf(err) == fhir.NotFound {
		return ErrGone
	}
	return nil
}

// count changes how many attempts are left, and returns how many there are then.
func (s *Service) count(ctx context.Context, handle string, by int) (int, error) {
	for {
		l, e, err := s.loadAny(ctx, handle)
		if err != nil {
			return 0, err
		}
		if by < 0 && l.Left <= 0 {
			return 0, ErrGone
		}
		l.Left += by
		if e.Value, err = json.Marshal(l); err != nil {
			return 0, err
		}
		err = s.State.Put(ctx, e)
		if fhir.CodeOf(err) == fhir.Conflict {
			if err := ctx.Err(); err != nil {
				return 0, err
			}
			continue
		}
		return l.Left, err
	}
}

func (s *Service) files(ctx context.Context, handle string) ([]storedFile, error) {
	entries, err := s.State.Entries(ctx, fileKind, handle, "", 100)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b fhir.Entry) int { return strings.Compare(a.Key, b.Key) })
	var files []storedFile
	for _, e := range entries {
		var f storedFile
		if err := json.Unmarshal(e.Value, &f); err != nil {
			return nil, fmt.Errorf("a file of a link: %w", err)
		}
		files = append(files, f)
	}
	return files, nil
}

// Direct returns the one file of a link with the flag U, as a JWE. Errors: ErrGone.
func (s *Service) Direct(ctx context.Context, name string) (string, *Link, error) {
	handle := handleOf(name)
	l, _, err := s.load(ctx, handle)
	if err != nil {
		return "", nil, err
	}
	files, err := s.files(ctx, handle)
	if err != nil {
		return "", nil, err
	}
	if !strings.Contains(l.Flags, "U") || len(files) != 1 {
		return "", nil, ErrGone
	}
	return files[0].JWE, l.link(handle), nil
}

// ticketLives is how long a file can be fetched after its manifest was.
const ticketLives = 10 * time.Minute

// ticket lets somebody fetch a file for a short time.
func (s *Service) ticket(handle string, file int) string {
	text := handle + "." + strconv.Itoa(file) + "." + strconv.FormatInt(s.Now().Add(ticketLives).Unix(), 10)
	return text + "." + b64.EncodeToString(s.mac(text))
}

func (s *Service) mac(text string) []byte {
	mac := hmac.New(sha256.New, s.Secret)
	mac.Write([]byte("link file " + text))
	return mac.Sum(nil)
}

// File returns a file by its ticket, as a JWE. Errors: ErrGone.
func (s *Service) File(ctx context.Context, ticket string) (string, *Link, error) {
	i := strings.LastIndexByte(ticket, '.')
	if i < 0 {
		return "", nil, ErrGone
	}
	mac, err := b64.DecodeString(ticket[i+1:])
	if err != nil || !hmac.Equal(mac, s.mac(ticket[:i])) {
		return "", nil, ErrGone
	}
	parts := strings.Split(ticket[:i], ".")
	if len(parts) != 3 {
		return "", nil, ErrGone
	}
	until, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || s.Now().Unix() > until {
		return "", nil, ErrGone
	}
	l, _, err := s.load(ctx, parts[0])
	if err != nil {
		return "", nil, err
	}
	files, err := s.files(ctx, parts[0])
	if err != nil {
		return "", nil, err
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 0 || n >= len(files) {
		return "", nil, ErrGone
	}
	return files[n].JWE, l.link(parts[0]), nil
}
