package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/document"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity"
	"github.com/amate-health/amate/fhir/registry/prescription"
	nom004 "github.com/amate-health/amate/fhir/registry/record"
	"github.com/amate-health/amate/fhir/rest"
)

// signing says whose signatures of documents are believed.
type signing struct {
	Trust         string `help:"Folder of certificate authorities whose certificates people may sign documents with, and of their revocation lists (CRL): DER or PEM. Read anew each minute. Without it nothing can be signed." placeholder:"DIR" type:"existingdir"`
	OCSP          bool   `help:"Ask the authority of each certificate by OCSP whether it was revoked."`
	AnyRevocation bool   `help:"Let people sign whose authority does not say whether their certificate was revoked."`
}

// documentOperations make, sign, verify and void documents.
func (o *opened) documentOperations() []operation.Operation {
	cfg := document.Config{
		Store: documentStore{o}, Maker: o.maker, PersonSystems: personSystems,
		Rules:     func(d *element.Doc) []fhir.Issue { return append(nom004.Check(d), prescription.Check(d)...) },
		Completed: prescription.Completed, Rights: []string{prescription.Right},
		AnyRevocation: o.signing.AnyRevocation, PlaceSystem: identity.SystemCLUES, Registrars: []string{"system"},
	}
	if o.signing.Trust != "" {
		cfg.Trust = (&trusting{settings: o.signing, log: o.log}).now
	}
	return document.Operations(cfg)
}

// personSystems are the identifiers by which a certificate names its holder.
var personSystems = []string{identity.SystemCURP, identity.SystemRFC}

// documentStore tells the audit trail what is written as well.
type documentStore struct{ *opened }

func (s documentStore) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	results, err := s.opened.Apply(ctx, b)
	for i := range results {
		rest.Touched(ctx, results[i].Resource)
	}
	return results, err
}

// trusting keeps what a folder says of whom to trust, and reads it anew now and then:
// revocation lists are replaced each day.
type trusting struct {
	settings signing
	log      *slog.Logger

	mu    sync.Mutex
	trust *sign.Trust
	read  time.Time
	asked authorities
}

// trustFor is how long what a folder said is believed.
const trustFor = time.Minute

// now returns whom to trust. What cannot be read leaves the trust of before.
func (t *trusting) now() *sign.Trust {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.read) < trustFor && t.trust != nil {
		return t.trust
	}
	t.read = time.Now()
	fresh, err := sign.ReadTrust(os.DirFS(t.settings.Trust))
	if err != nil {
		t.log.Error("the folder of --signature-trust cannot be read", "error", err)
		if t.trust == nil {
			return nil
		}
		return t.trust
	}
	if t.settings.OCSP {
		fresh.Ask = t.asked.ask
	}
	t.trust = fresh
	return fresh
}

// check reads the folder once, so that what is wrong with it shows at the start.
func (s *signing) check() error {
	if s.Trust == "" {
		return nil
	}
	trust, err := sign.ReadTrust(os.DirFS(s.Trust))
	if err == nil && trust.Empty() {
		err = errors.New("it has no certificate of an authority that signed itself")
	}
	if err != nil {
		return usagef("--signature-trust %s: %v", s.Trust, err)
	}
	return nil
}

// authorities asks them by OCSP, and keeps what they say for a while.
type authorities struct {
	mu   sync.Mutex
	kept map[string]answered
}

// answered is an answer, or that there is none, and when it came.
type answered struct {
	response []byte
	err      error
	at       time.Time
}

// How authorities are asked.
const (
	answerFor  = 5 * time.Minute
	answerIn   = 5 * time.Second
	answerMost = 64 << 10 // bytes
	mostKept   = 10_000
)

// ask returns the response of an authority about one of its certificates. Where to ask
// stands in the certificate, whose chain is trusted by then.
//
// See https://www.rfc-editor.org/rfc/rfc6960#appendix-A.
func (a *authorities) ask(ctx context.Context, c, issuer *x509.Certificate) ([]byte, error) {
	if len(c.OCSPServer) == 0 {
		return nil, errors.New("the certificate does not say where to ask")
	}
	key := string(c.Raw)
	a.mu.Lock()
	have, ok := a.kept[key]
	a.mu.Unlock()
	if ok && time.Since(have.at) < answerFor {
		return have.response, have.err
	}
	response, err := fetchOCSP(ctx, c.OCSPServer[0], c, issuer)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept == nil || len(a.kept) >= mostKept {
		a.kept = map[string]answered{}
	}
	a.kept[key] = answered{response, err, time.Now()}
	return response, err
}

func fetchOCSP(ctx context.Context, server string, c, issuer *x509.Certificate) ([]byte, error) {
	question, err := ocsp.CreateRequest(c, issuer, &ocsp.RequestOptions{Hash: crypto.SHA1}) // it names the certificate, and protects nothing
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server, bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/ocsp-request")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the authority authorities %s", res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, answerMost))
}
