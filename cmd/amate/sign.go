package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/document"
	"github.com/amate-health/amate/fhir/document/sign"
)

// signer signs on the desk of who signs: the private key goes nowhere else. It reads what
// $prepare-signature answered and prints what $sign takes; or the certificates, which
// $prepare-signature takes.
type signer struct {
	Prepared     string   `arg:"" optional:"" help:"What $prepare-signature answered; - reads it from standard input." placeholder:"FILE"`
	Cert         string   `help:"The signer's certificate (.cer), in DER or PEM." required:"" placeholder:"FILE" type:"existingfile"`
	Chain        []string `help:"Certificates of the authorities above it." placeholder:"FILE" type:"existingfile"`
	Key          string   `help:"The signer's private key (.key), PKCS #8." placeholder:"FILE" type:"existingfile"`
	PasswordFile string   `help:"File with the password of the key; asked of AMATE_SIGN_PASSWORD without it." placeholder:"FILE" type:"existingfile"`
	Certificates bool     `help:"Print the parameters of $prepare-signature instead."`
	Document     string   `help:"Where to write the document that is signed, so that it can be read before." placeholder:"FILE" type:"path"`
}

// prepared is what $prepare-signature answered.
type prepared struct {
	pending, header string
	digest          []byte
	document        json.RawMessage
}

func (s *signer) Run(out streams) error {
	me, err := s.certificates()
	if err != nil {
		return err
	}
	if s.Certificates {
		var parts []part
		for _, c := range me.Chain {
			parts = append(parts, part{"name": "certificate", "valueBase64Binary": base64.StdEncoding.EncodeToString(c.Raw)})
		}
		_, err := fmt.Fprintf(out.out, "%s\n", parameters(parts).JSON)
		return err
	}
	if s.Prepared == "" || s.Key == "" {
		return usagef("amate sign needs what $prepare-signature answered, and --key")
	}
	p, err := readPrepared(s.Prepared)
	if err != nil {
		return err
	}
	if s.Document != "" {
		if err := os.WriteFile(s.Document, p.document, 0o600); err != nil {
			return err
		}
	}
	signature, err := s.finish(me, p)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out.out, "%s\n", parameters([]part{
		{"name": "pending", "valueId": p.pending},
		{"name": "signature", "valueBase64Binary": base64.StdEncoding.EncodeToString(signature)},
	}).JSON)
	return err
}

// certificates reads the chain of the signer.
func (s *signer) certificates() (*sign.Signer, error) {
	me := &sign.Signer{}
	for _, name := range append([]string{s.Cert}, s.Chain...) {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		some, err := sign.ReadCertificates(data)
		if err != nil {
			return nil, usagef("%s: this is no certificate", name)
		}
		me.Chain = append(me.Chain, some...)
	}
	return me, nil
}

// finish signs p. What is signed is worked out from the document itself, and held against
// what the server says: it cannot have another one signed than it shows.
func (s *signer) finish(me *sign.Signer, p *prepared) ([]byte, error) {
	payload, err := sign.Document(p.document)
	if err != nil {
		return nil, err
	}
	ready, err := sign.Resume(p.header, payload)
	if err != nil {
		return nil, err
	}
	switch {
	case !bytes.Equal(ready.Digest(), p.digest):
		return nil, errors.New("what the server wants signed is not the document that it shows")
	case !ready.Signer.Equal(me.Chain[0]):
		return nil, errors.New("the signature was prepared for another certificate")
	}
	if apart := time.Since(ready.At); apart > time.Hour || apart < -time.Hour {
		return nil, fmt.Errorf("the signature is to bear the time %s, which is not now", ready.At.Format(time.RFC3339))
	}
	file, err := os.ReadFile(s.Key)
	if err != nil {
		return nil, err
	}
	password := os.Getenv("AMATE_SIGN_PASSWORD")
	if s.PasswordFile != "" {
		if password, err = secretFile("password-file", s.PasswordFile); err != nil {
			return nil, err
		}
	}
	if me.Key, err = sign.ReadKey(file, []byte(password)); err != nil {
		return nil, err
	}
	return me.Finish(ready)
}

// readPrepared reads what $prepare-signature answered.
func readPrepared(name string) (*prepared, error) {
	data, err := readInput(name)
	if err != nil {
		return nil, err
	}
	var in struct {
		Parameter []struct {
			Name     string
			Resource json.RawMessage
			ID       string `json:"valueId"`
			Text     string `json:"valueString"`
			Binary   []byte `json:"valueBase64Binary"`
		}
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, usagef("%s: this is not what $prepare-signature answers", name)
	}
	p := &prepared{}
	for _, v := range in.Parameter {
		switch v.Name {
		case "pending":
			p.pending = v.ID
		case "header":
			p.header = v.Text
		case "digest":
			p.digest = v.Binary
		case "document":
			p.document = v.Resource
		}
	}
	if p.pending == "" || p.header == "" || p.digest == nil || p.document == nil {
		return nil, usagef("%s: this is not what $prepare-signature answers", name)
	}
	return p, nil
}

func readInput(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}

// verifier checks the signature of a document without any server.
type verifier struct {
	File     string `arg:"" help:"The document, a Bundle in JSON; - reads it from standard input." placeholder:"FILE"`
	Trust    string `help:"Folder of the certificate authorities that are trusted, and of their revocation lists." placeholder:"DIR" type:"existingdir"`
	Language string `help:"Language of what is printed: es or en." enum:"es,en" default:"es"`
}

func (v *verifier) Run(ctx context.Context, out streams) error {
	data, err := readInput(v.File)
	if err != nil {
		return err
	}
	trust := &sign.Trust{}
	if v.Trust != "" {
		if trust, err = sign.ReadTrust(os.DirFS(v.Trust)); err != nil {
			return usagef("--trust %s: %v", v.Trust, err)
		}
	}
	check := document.Verifier{Trust: trust, PersonSystems: personSystems, Now: time.Now()}
	found, err := check.Verify(ctx, data, time.Time{})
	if err != nil {
		return err
	}
	if found == nil {
		return errors.New("the document has no signature")
	}
	var text strings.Builder
	fmt.Fprintln(&text, found.Text(v.Language))
	for _, part := range []string{found.Signer.Name, found.Signer.CURP, found.Signer.RFC, found.Signer.Serial} {
		if part != "" {
			fmt.Fprintln(&text, "  "+part)
		}
	}
	for _, c := range found.Checks {
		fmt.Fprintf(&text, "%-8s %-12s %s\n", c.Result, c.Name, c.Text(v.Language))
	}
	if _, err := io.WriteString(out.out, text.String()); err != nil {
		return err
	}
	if found.Status() != sign.Passed {
		return errors.New("the signature was not found to be valid")
	}
	return nil
}
