package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	smart "github.com/amate-health/amate/fhir/registry/card/health"
	"github.com/amate-health/amate/fhir/registry/card/link"
)

// cardVerify verifies SMART Health Cards without a connection.
type cardVerify struct {
	What     []string `arg:"" help:"A card: its file (.smart-health-card), a file with what its QR codes say or with its JWS, that text itself (shc:/...), or - for standard input. Of a card in several codes, give all." placeholder:"FILE|shc:/..."`
	Trust    []string `help:"List of trusted issuers with their keys: a snapshot of a directory, in the layout of VCI, in JSON. May be given again." placeholder:"FILE" type:"existingfile"`
	Issuer   []string `help:"Folder with what an issuer publishes (.well-known/jwks.json and .well-known/crl), or its jwks.json; as URL=PATH, or PATH for whatever issuer the card names. May be given again." placeholder:"[URL=]PATH"`
	Data     string   `help:"Folder of the database of this registry, to trust its own cards." placeholder:"DIR" type:"path"`
	Database string   `help:"PostgreSQL database of this registry, likewise." placeholder:"URL"`
	Language string   `help:"Language of what is printed: es or en." enum:"es,en" default:"es"`
}

func (v *cardVerify) Run(ctx context.Context, out streams, log *slog.Logger) error {
	cards, err := v.cards()
	if err != nil {
		return err
	}
	trust, anyone, err := v.trusted(ctx, log)
	if err != nil {
		return err
	}
	f := &findings{english: v.Language == "en"}
	for _, jws := range cards {
		r := checkCard(trust, anyone, jws)
		f.say("Tarjeta de salud SMART", "SMART Health Card")
		f.card(r)
	}
	if _, err := io.WriteString(out.out, f.text.String()); err != nil {
		return err
	}
	if f.failed {
		return errNotValid
	}
	return nil
}

// cards reads what is to be verified.
func (v *cardVerify) cards() ([]string, error) {
	var all bytes.Buffer
	var found []string
	for _, what := range v.What {
		switch {
		case link.IsLink(what):
			return nil, usagef("a SMART Health Link leads to files on the network, which are not fetched here: open it, and give the file of the card")
		case strings.Contains(what, "://"):
			return nil, usagef("%.60s: addresses are not fetched here: save the card, and give its file", what)
		case smart.IsCode(what) || strings.Count(what, ".") == 2 && strings.HasPrefix(what, "ey"):
			fmt.Fprintln(&all, what)
			continue
		}
		text, err := readInput(what)
		if errors.Is(err, os.ErrNotExist) {
			return nil, usagef("%.60s: there is no such file, and it is no card", what)
		}
		if err != nil {
			return nil, err
		}
		if trimmed := bytes.TrimSpace(text); bytes.HasPrefix(trimmed, []byte("{")) {
			cards, err := smart.ReadFile(trimmed)
			if err != nil {
				return nil, usagef("%.60s: %v", what, err)
			}
			found = append(found, cards...)
			continue
		}
		all.Write(text)
		all.WriteByte('\n')
	}
	if strings.TrimSpace(all.String()) != "" {
		cards, err := smart.Find(all.Bytes())
		if err != nil {
			return nil, usagef("%v", err)
		}
		found = append(found, cards...)
	}
	return found, nil
}

// trusted reads whom to trust; anyone are those whose address is not told.
func (v *cardVerify) trusted(ctx context.Context, log *slog.Logger) (trust smart.Trust, anyone []*smart.Issuer, err error) {
	trust = smart.Trust{}
	for _, file := range v.Trust {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		more, err := smart.ParseDirectory(text)
		if err != nil {
			return nil, nil, usagef("--trust %s: %v", file, err)
		}
		trust.Add(more)
	}
	for _, one := range v.Issuer {
		url, path := "", one
		if i := strings.LastIndexByte(one, '='); i > 0 && strings.Contains(one[:i], "://") {
			url, path = one[:i], one[i+1:]
		}
		i, err := readIssuer(path, url)
		if err != nil {
			return nil, nil, usagef("--issuer %s: %v", one, err)
		}
		if url == "" {
			anyone = append(anyone, i)
		} else {
			trust[i.URL] = i
		}
	}
	if v.Data == "" && v.Database == "" {
		return trust, anyone, nil
	}
	store, err := storage{Data: v.Data, Database: v.Database}.open(ctx, log)
	if err != nil {
		return nil, nil, err
	}
	own, err := store.cardLedger().Issuer(ctx)
	if err := errors.Join(err, store.Close()); err != nil {
		return nil, nil, err
	}
	own.Name = "este registro"
	return trust, append(anyone, own), nil
}

// readIssuer reads a folder or a set of keys.
func readIssuer(path, url string) (*smart.Issuer, error) {
	at, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if at.IsDir() {
		return smart.ReadIssuer(os.DirFS(path), url)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return smart.NewIssuer(url, text)
}

// check verifies a card by who is trusted under its issuer, or else by who has its key.
func checkCard(trust smart.Trust, anyone []*smart.Issuer, jws string) smart.Result {
	r := trust.Check(jws, time.Now())
	if r.Verdict != smart.Unknown {
		return r
	}
	for _, i := range anyone {
		if i.Keys.Find(r.Signed.Key) == nil && len(anyone) > 1 {
			continue
		}
		r = smart.Trust{r.Signed.Issuer: i}.Check(jws, time.Now())
	}
	return r
}

// verdicts say what was found, in Spanish and English.
var verdicts = map[smart.Verdict][2]string{
	smart.Valid:     {"la tarjeta es auténtica y vale", "the card is authentic and counts"},
	smart.Altered:   {"la firma no corresponde: la tarjeta fue alterada", "the signature does not fit: the card was altered"},
	smart.Unknown:   {"no se conoce al emisor: faltan sus llaves (--trust, --issuer o --data)", "the issuer is not known: its keys are missing (--trust, --issuer or --data)"},
	smart.NoKey:     {"el emisor no tiene esa llave, o la retiró", "the issuer has no such key, or took it back"},
	smart.Revoked:   {"el emisor canceló la tarjeta", "the issuer revoked the card"},
	smart.Expired:   {"la tarjeta venció", "the card has expired"},
	smart.NotYet:    {"la tarjeta es del futuro", "the card is of the future"},
	smart.Malformed: {"no es una tarjeta de salud SMART", "it is no SMART Health Card"},
}

// card prints what was found of a card.
func (f *findings) card(r smart.Result) {
	words := verdicts[r.Verdict]
	if r.Verdict == smart.Valid {
		f.say("  [bien] %s", "  [passed] %s", f.in(words))
	} else {
		f.failed = true
		f.say("  [MAL] %s", "  [FAILED] %s", f.in(words))
	}
	if r.Signed == nil {
		return
	}
	f.say("  Emisor: %s", "  Issuer: %s", r.Signed.Issuer)
	if r.Verdict != smart.Valid && r.Verdict != smart.Revoked && r.Verdict != smart.Expired {
		return // what it says is nobody's word
	}
	for _, fact := range saidBy(r.Signed) {
		label, value := fact.Label.Spanish, fact.Value.Spanish
		if f.english {
			label, value = fact.Label.English, fact.Value.English
		}
		f.say("  %s: %s", "  %s: %s", label, value)
	}
}

func (f *findings) in(words [2]string) string {
	if f.english {
		return words[1]
	}
	return words[0]
}
