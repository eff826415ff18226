package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/document"
	"github.com/amate-health/amate/fhir/document/sign"
	"github.com/amate-health/amate/fhir/registry/birth/paper"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
	"github.com/amate-health/amate/fhir/registry/key"
)

// birthVerify checks a certificate of birth without a connection.
type birthVerify struct {
	What     []string `arg:"" help:"What a QR code of a certificate says; or a file: its PDF, its signed document in JSON, or a text with what the code says; - reads standard input. Of several, all must be of one certificate." placeholder:"FILE|QR-TEXT"`
	Keys     string   `help:"Keys of the registry, as it publishes them at /.well-known/amate-birth-keys.json, for codes." placeholder:"FILE" type:"existingfile"`
	Trust    string   `help:"Folder of the certificate authorities that are trusted, and of their revocation lists, for documents." placeholder:"DIR" type:"existingdir"`
	Language string   `help:"Language of what is printed: es or en." enum:"es,en" default:"es"`
}

// errNotValid ends a check that did not find everything in order.
var errNotValid = errors.New("it was not found to be valid")

func (v *birthVerify) Run(ctx context.Context, out streams) error {
	trust, keys, err := v.believed()
	if err != nil {
		return err
	}
	f := &findings{english: v.Language == "en"}
	for _, what := range v.What {
		data, err := whatOf(what)
		if err != nil {
			return err
		}
		if trimmed := bytes.TrimSpace(data); bytes.HasPrefix(trimmed, []byte("{")) {
			err = f.document(ctx, trimmed, trust)
		} else if code := codeOf(data); code != "" {
			f.code(code, keys, v.Keys != "")
		} else {
			err = usagef("%.60s: neither what a QR code of a certificate says, nor a file of one", what)
		}
		if err != nil {
			return err
		}
	}
	f.together()
	if _, err := io.WriteString(out.out, f.text.String()); err != nil {
		return err
	}
	if f.failed {
		return errNotValid
	}
	return nil
}

// believed reads whose signatures are believed.
func (v *birthVerify) believed() (*sign.Trust, key.Keys, error) {
	trust := &sign.Trust{}
	var keys key.Keys
	var err error
	if v.Trust != "" {
		if trust, err = sign.ReadTrust(os.DirFS(v.Trust)); err != nil {
			return nil, nil, usagef("--trust %s: %v", v.Trust, err)
		}
	}
	if v.Keys != "" {
		text, err := os.ReadFile(v.Keys)
		if err != nil {
			return nil, nil, err
		}
		if keys, err = key.Parse(text); err != nil {
			return nil, nil, usagef("--keys %s: %v", v.Keys, err)
		}
	}
	return trust, keys, nil
}

// whatOf reads a file, or takes what is given for what a code says.
func whatOf(what string) ([]byte, error) {
	if what != "-" && paper.Claimed(what) != "" {
		return []byte(what), nil
	}
	data, err := readInput(what)
	if errors.Is(err, os.ErrNotExist) || err != nil && strings.Contains(what, "://") {
		return nil, usagef("%.60s: there is no such file, and no QR code with signed data says this", what)
	}
	return data, err
}

// codeOf finds what the code of a certificate says: in its PDF, or as text.
func codeOf(data []byte) string {
	if bytes.HasPrefix(data, []byte("%PDF-")) {
		return paper.InPDF(data)
	}
	if text := strings.TrimSpace(string(data)); paper.Claimed(text) != "" {
		return text
	}
	return ""
}

// findings are what is found of a certificate, for people.
type findings struct {
	text    strings.Builder
	english bool
	failed  bool

	hashes []string // of the signed document, from each source
}

func (f *findings) say(spanish, english string, args ...any) {
	if f.english {
		spanish = english
	}
	fmt.Fprintf(&f.text, spanish+"\n", args...)
}

// check prints one check. Anything but passed is not valid.
func (f *findings) check(result sign.Result, spanish, english string) {
	f.failed = f.failed || result != sign.Passed
	mark := map[sign.Result][2]string{sign.Passed: {"bien", "passed"}, sign.Failed: {"MAL", "FAILED"}, sign.Unknown: {"sin comprobar", "not checked"}}[result]
	if f.english {
		mark[0], spanish = mark[1], english
	}
	fmt.Fprintf(&f.text, "  [%s] %s\n", mark[0], spanish)
}

// why says in Spanish why a code is not believed.
var why = map[error]string{
	paper.ErrForm:      "no es un código firmado de un certificado de nacimiento",
	paper.ErrKey:       "el registro no tiene esa llave, o el archivo de llaves es anterior a ella",
	paper.ErrSignature: "la firma no corresponde: el código fue alterado o lo hizo alguien más",
	paper.ErrPeriod:    "la llave no firmaba en la fecha que dice el código",
	paper.ErrRevoked:   "la llave ya había sido retirada",
}

// code checks what a QR code says.
func (f *findings) code(code string, keys key.Keys, given bool) {
	f.say("Código QR", "QR code")
	claim, _, err := paper.Open(keys, paper.Claimed(code))
	switch {
	case !given && errors.Is(err, paper.ErrKey):
		f.check(sign.Unknown, "la firma del registro: faltan sus llaves (--keys)", "the signature of the registry: its keys are missing (--keys)")
		return
	case err != nil:
		f.check(sign.Failed, "la firma del registro: "+why[err], "the signature of the registry: "+err.Error())
		return
	}
	f.check(sign.Passed, "la firma del registro", "the signature of the registry")
	f.hashes = append(f.hashes, claim.SHA256())
	sex, _ := sinac.Sex.Meaning(claim.Sex)
	f.say("Compare con el papel:", "Compare with the paper:")
	for _, line := range [][3]string{
		{"Folio", "Folio", claim.Folio}, {"CLUES", "CLUES", claim.Facility}, {"Nacimiento", "Born", strings.Replace(claim.Born, "T", " ", 1)}, {"Sexo", "Sex", sex},
		{"Orden", "Order", claim.Order}, {"Iniciales de la persona recién nacida", "Initials of the newborn", claim.Newborn}, {"Iniciales de la madre", "Initials of the mother", claim.Mother},
		{"Huella (SHA-256)", "SHA-256", claim.SHA256()}, {"Impreso", "Printed", claim.At().Format(time.RFC3339)},
	} {
		if line[2] != "" {
			f.say("  "+line[0]+": %s", "  "+line[1]+": %s", line[2])
		}
	}
	f.say("No se comprobó: si después de imprimirse fue cancelado o reemplazado (requiere conexión), ni lo demás que dice el papel.",
		"Not checked: whether it was voided or replaced after it was printed (this needs a connection), nor what else the paper says.")
}

// document checks a signed document.
func (f *findings) document(ctx context.Context, data []byte, trust *sign.Trust) error {
	check := document.Verifier{Trust: trust, PersonSystems: personSystems, Now: time.Now()}
	found, err := check.Verify(ctx, data, time.Time{})
	if err != nil {
		return err
	}
	f.say("Documento firmado", "Signed document")
	if found == nil {
		f.check(sign.Failed, "el documento no tiene firma", "the document has no signature")
		return nil
	}
	language := map[bool]string{true: "en", false: "es"}[f.english]
	for _, c := range found.Checks {
		f.check(c.Result, c.Text("es"), c.Text("en"))
	}
	for _, line := range [][3]string{{"Firmó", "Signed by", found.Signer.Name}, {"CURP", "CURP", found.Signer.CURP}, {"Número de serie", "Serial number", found.Signer.Serial}} {
		if line[2] != "" {
			f.say("  "+line[0]+": %s", "  "+line[1]+": %s", line[2])
		}
	}
	f.say("  %s", "  %s", found.Text(language))
	if payload, err := sign.Document(data); err == nil {
		sum := sha256.Sum256(payload)
		f.hashes = append(f.hashes, hex.EncodeToString(sum[:]))
		f.say("  Huella (SHA-256): %s", "  SHA-256: %s", f.hashes[len(f.hashes)-1])
	}
	f.say("No se comprobó: si después fue cancelado o reemplazado, ni el sello del establecimiento, que está aparte del documento (requiere conexión).",
		"Not checked: whether it was voided or replaced afterwards, nor the seal of the establishment, which is kept beside the document (this needs a connection).")
	return nil
}

// together checks that all are of one certificate.
func (f *findings) together() {
	if len(f.hashes) < 2 {
		return
	}
	for _, h := range f.hashes[1:] {
		if h != f.hashes[0] {
			f.check(sign.Failed, "no son del mismo certificado: las huellas difieren", "they are not of one certificate: their SHA-256 differ")
			return
		}
	}
	f.check(sign.Passed, "son del mismo certificado: las huellas coinciden", "they are of one certificate: their SHA-256 are the same")
}
