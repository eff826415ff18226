package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/birth"
	"github.com/amate-health/amate/fhir/registry/birth/paper"
	"github.com/amate-health/amate/fhir/registry/birth/sinac"
	"github.com/amate-health/amate/fhir/registry/key"
	"github.com/amate-health/amate/telehealth/portal"
)

// birthKeysPath is where the keys are published that the QR codes of certificates of birth
// are signed by.
const birthKeysPath = "/.well-known/amate-birth-keys.json"

// verifyPage returns the URL of the public page of a token.
func verifyPage(base, token string) string { return issuerOf(base) + portal.Path + token }

// paperOperations are those that print certificates of birth and report on them.
func (o *opened) paperOperations() []operation.Operation {
	return paper.Operations(paper.Config{Store: o, Ledger: birth.Book{Rows: o}, Ring: paper.Ring(o), Page: verifyPage})
}

// mountPortal puts on r the pages that anybody may open: they need no token, and none is
// asked for.
func (o *opened) mountPortal(r chi.Router, base string, m *metrics, log *slog.Logger) error {
	cards, err := o.newCardVerifier()
	if err != nil {
		return err
	}
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "amate_verifications_total", Help: "Looks at the public page of a document, by outcome.",
	}, []string{"outcome"})
	m.registry.MustRegister(outcomes)
	prefix := ""
	if u, err := url.Parse(issuerOf(base)); err == nil {
		prefix = strings.TrimRight(u.Path, "/")
	}
	pages := portal.New(portal.Config{
		Verifiers: []portal.Verifier{birthVerifier{birth.Book{Rows: o}}, o.newPrescriptionVerifier(), cards}, Cards: cards, Prefix: prefix, Log: log,
		Observe: func(outcome portal.Outcome) { outcomes.WithLabelValues(string(outcome)).Inc() },
	})
	r.Handle(prefix+portal.Path+"*", pages)
	r.Handle(prefix+strings.TrimSuffix(portal.Path, "/"), http.RedirectHandler(prefix+portal.Path, http.StatusPermanentRedirect))
	r.Get(prefix+birthKeysPath, keysHandler(paper.Ring(o), log))
	r.Get(prefix+prescriptionKeysPath, keysHandler(o.prescriptionKeys(), log))
	o.mountCards(r, prefix, log)
	o.mountAgendas(r, prefix)
	return nil
}

// keysHandler publishes the public parts of keys.
func keysHandler(ring *key.Ring, log *slog.Logger) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, err := publicKeys(r.Context(), ring)
		if err != nil {
			log.ErrorContext(r.Context(), "publish the keys of papers", "error", err)
			http.Error(w, "the keys cannot be read now", http.StatusServiceUnavailable)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/jwk-set+json")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("Access-Control-Allow-Origin", "*") // they are for everyone
		h.Set("X-Content-Type-Options", "nosniff")
		w.Write(text) // who is gone needs no answer
	}
}

func publicKeys(ctx context.Context, ring *key.Ring) ([]byte, error) {
	keys, err := ring.Keys(ctx)
	if err != nil {
		return nil, err
	}
	return keys.JSON()
}

// birthVerifier tells the public of certificates of birth.
type birthVerifier struct{ ledger birth.Ledger }

// Kind implements portal.Verifier.
func (birthVerifier) Kind() string { return "birth-certificate" }

// Verify implements portal.Verifier. Of a certificate that counts it shows what lets a
// clerk see that the paper was altered: the month of birth, since the day is in the code
// itself, and initials. Of another one it shows the folio alone.
func (v birthVerifier) Verify(ctx context.Context, token string) (*portal.Finding, error) {
	c, err := v.ledger.Verified(ctx, token)
	if err != nil {
		return nil, err
	}
	f := &portal.Finding{Title: portal.Text{Spanish: "Certificado de nacimiento", English: "Certificate of birth"}}
	f.Facts = append(f.Facts, portal.Fact{Name: "folio", Label: portal.Text{Spanish: "Folio", English: "Number (folio)"}, Value: portal.Same(c.Folio)})
	switch {
	case c.State == birth.Void:
		f.State = portal.Void
	case c.State == birth.Replaced:
		f.State = portal.Replaced
	case c.State.Live():
		f.State = portal.Valid
		f.Facts = append(f.Facts, birthFacts(c)...)
	default:
		return nil, fhir.Errorf(fhir.NotFound, "it was never handed to anybody")
	}
	return f, nil
}

// birthFacts are what the public sees of a certificate that counts.
func birthFacts(c *birth.Certificate) (facts []portal.Fact) {
	add := func(name, spanish, english string, value portal.Text) {
		if value.Spanish != "" {
			facts = append(facts, portal.Fact{Name: name, Label: portal.Text{Spanish: spanish, English: english}, Value: value})
		}
	}
	place := c.Certifier.Facility
	if c.Certifier.Place != "" {
		place = c.Certifier.Place + " (CLUES " + place + ")"
	}
	add("establishment", "Establecimiento", "Establishment", portal.Same(place))
	issued := c.Certified.In(birth.Zone)
	add("issued", "Fecha de expedición", "Issued on", portal.Text{Spanish: issued.Format("02/01/2006"), English: issued.Format("2 January 2006")})
	if born, ok := c.Row.Date(sinac.Born); ok {
		add("born", "Mes de nacimiento", "Month of birth", portal.Text{Spanish: fmt.Sprintf("%s de %d", months[born.Month()-1], born.Year()), English: born.Format("January 2006")})
	}
	sex, _ := sinac.Sex.Meaning(c.Row[sinac.Sex])
	add("sex", "Sexo", "Sex", portal.Text{Spanish: sex, English: map[string]string{sinac.Man: "Male", sinac.Woman: "Female"}[c.Row[sinac.Sex]]})
	add("newborn", "Iniciales de la persona recién nacida", "Initials of the newborn", portal.Same(spaced(paper.Initials(c.Newborn.Name))))
	add("mother", "Iniciales de la madre", "Initials of the mother", portal.Same(spaced(paper.Initials(c.Mother.Name))))
	return facts
}

// spaced parts letters, so that a screen reader reads them one by one.
func spaced(letters string) string { return strings.Join(strings.Split(letters, ""), " ") }

var months = [...]string{"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"}

// paperKeys shows the keys that QR codes of certificates are signed by, and takes them back.
type paperKeys struct {
	Storage storage `embed:""`
	Revoke  string  `help:"Take back the key with this id: without a connection, codes that it signed from --from on are not believed any more." placeholder:"KID"`
	From    string  `help:"When the key got into wrong hands; without it, now." placeholder:"YYYY-MM-DDTHH:MM:SSZ"`
}

// Run prints the public parts, as amate birth verify --keys takes them.
func (k *paperKeys) Run(ctx context.Context, out streams, log *slog.Logger) (err error) {
	from := time.Now()
	if k.From != "" {
		if from, err = time.Parse(time.RFC3339, k.From); err != nil {
			return usagef("--from %s: a time is 2026-11-22T10:00:00Z", k.From)
		}
		if k.Revoke == "" {
			return usagef("--from goes with --revoke")
		}
	}
	store, err := k.Storage.open(ctx, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ring := paper.Ring(store)
	if k.Revoke != "" {
		if err := ring.Revoke(ctx, k.Revoke, from); err != nil {
			return err
		}
	}
	text, err := publicKeys(ctx, ring)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out.out, "%s\n", text)
	return err
}
