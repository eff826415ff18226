package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bulk/ingest"
	"github.com/amate-health/amate/fhir/subscription"
)

// ingesting says from where $import takes files.
type ingesting struct {
	Folder   string   `help:"Folder whose files $import may take, as file:NAME." placeholder:"DIR" type:"existingdir"`
	Allow    []string `help:"Hosts whose files $import may take although their addresses are private." placeholder:"HOST"`
	Loopback bool     `help:"Let $import take files from servers on this machine, without TLS as well: for trying things out."`
}

// importer returns what $import does its work by.
func (o *opened) importer() *ingest.Importer {
	return &ingest.Importer{Source: newFileSource(o.ingesting), Sealer: newSealer(o.key("import headers"))}
}

// fileSource is where the files of $import come from.
type fileSource struct {
	folder string
	reach  subscription.Reach
	client *http.Client
	quiet  time.Duration // how long a server may send nothing
}

// longestQuiet is how long the server of a file may send nothing: there are few turns for
// all work of this kind.
const longestQuiet = 2 * time.Minute

func newFileSource(from ingesting) *fileSource {
	reach := subscription.Reach{Allow: from.Allow, Loopback: from.Loopback}
	return &fileSource{folder: from.Folder, reach: reach, client: reach.Client(), quiet: longestQuiet}
}

// Check refuses what Open would.
func (s *fileSource) Check(url string) error {
	name, ok := strings.CutPrefix(url, "file:")
	switch {
	case !ok:
		return s.reach.Check(url)
	case s.folder == "":
		return errors.New("this server has no folder for files to import (--import-folder)")
	case !filepath.IsLocal(name):
		return errors.New("it is file: and the name of a file in the folder for files to import")
	}
	return nil
}

// Open begins to read a file.
func (s *fileSource) Open(ctx context.Context, url string, headers map[string]string) (io.ReadCloser, error) {
	if err := s.Check(url); err != nil {
		return nil, fhir.Errorf(fhir.Unprocessable, "%v", err)
	}
	if name, ok := strings.CutPrefix(url, "file:"); ok {
		root, err := os.OpenRoot(s.folder) // links do not lead out of it
		if err != nil {
			return nil, err
		}
		defer root.Close()
		about, err := root.Stat(name)
		if err == nil && !about.Mode().IsRegular() {
			err = fs.ErrInvalid // a pipe, of which opening may never end
		}
		var f *os.File
		if err == nil {
			f, err = root.Open(name)
		}
		if err != nil {
			return nil, fhir.Errorf(fhir.Unprocessable, "there is no such file in the folder for files to import")
		}
		return f, nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	body := &watched{ctx: ctx, cancel: cancel, quiet: s.quiet}
	body.timer = time.AfterFunc(s.quiet, func() { cancel(errQuiet) })
	resp, err := s.get(ctx, url, headers)
	if err != nil {
		err = body.why(err)
		_ = body.Close()
		return nil, err
	}
	body.ReadCloser = resp
	return body, nil
}

// get asks a server for a file.
func (s *fileSource) get(ctx context.Context, url string, headers map[string]string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/fhir+ndjson, application/ndjson, application/json;q=0.9, */*;q=0.1")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("a file to import: %w", withoutURL(err))
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout || resp.StatusCode >= 500 {
		return nil, fmt.Errorf("the server of a file to import answered %d", resp.StatusCode)
	}
	return nil, fhir.Errorf(fhir.Unprocessable, "the server of the file answered %d", resp.StatusCode)
}

// watched is the body of an answer, which breaks off when nothing comes for a while.
type watched struct {
	io.ReadCloser
	ctx    context.Context // of the request, as long as its body
	cancel context.CancelCauseFunc
	timer  *time.Timer
	quiet  time.Duration
}

var errQuiet = errors.New("the server of a file to import has sent nothing for too long")

// why returns what an error came of.
func (w *watched) why(err error) error {
	if err != nil && err != io.EOF && context.Cause(w.ctx) == errQuiet {
		return errQuiet
	}
	return err
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.quiet)
	defer w.timer.Stop() // who reads may take their time
	n, err := w.ReadCloser.Read(p)
	return n, w.why(err)
}

func (w *watched) Close() error {
	w.timer.Stop()
	w.cancel(nil)
	if w.ReadCloser == nil {
		return nil
	}
	return w.ReadCloser.Close()
}

// withoutURL returns what a request came to without the URL, which may hold a secret.
func withoutURL(err error) error {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

// sealer keeps what must not be read in the database.
type sealer struct{ cipher.AEAD }

func newSealer(key []byte) sealer {
	block, err := aes.NewCipher(key)
	if err == nil {
		var aead cipher.AEAD
		if aead, err = cipher.NewGCMWithRandomNonce(block); err == nil {
			return sealer{aead}
		}
	}
	panic(err) // the key is a SHA-256
}

// Seal returns what Open opens.
func (s sealer) Seal(plain []byte) []byte { return s.AEAD.Seal(nil, nil, plain, nil) }

// Open returns what was sealed.
func (s sealer) Open(sealed []byte) ([]byte, error) { return s.AEAD.Open(nil, nil, sealed, nil) }
