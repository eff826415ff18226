package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/amate-health/amate/authz/audit"
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/registry/card"
	"github.com/amate-health/amate/fhir/registry/card/link"
)

// linksPath is where links lead, below cardsPath.
const linksPath = "/links"

// mountCards puts on r what wallets and receivers of links ask for, without a token: keys
// and lists of revoked cards, and what links lead to.
func (o *opened) mountCards(r chi.Router, prefix string, log *slog.Logger) {
	s := &cardServer{ledger: o.cardLedger(), links: o.cardLinks(), trail: o.trail, log: log}
	base := prefix + cardsPath
	r.Get(base+"/.well-known/jwks.json", s.open(s.keys))
	r.Get(base+"/.well-known/crl/{kid}.json", s.open(s.list))
	r.Post(base+linksPath+"/{name}", s.open(s.manifest))
	r.Get(base+linksPath+"/{name}", s.open(s.direct))
	r.Get(base+linksPath+"/file/{ticket}", s.open(s.file))
	r.Options(base+"/*", s.open(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type, Accept")
		w.Header().Set("Access-Control-Max-Age", corsSeconds)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}))
}

// cardServer answers wallets and receivers of links.
type cardServer struct {
	ledger *card.Ledger
	links  *link.Service
	trail  *audit.Trail // nil for none
	log    *slog.Logger
}

// open answers scripts of every page: what is here is for whoever knows its address.
func (s *cardServer) open(f func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		err := f(w, r)
		var wrong *link.WrongPasscode
		switch {
		case err == nil:
		case errors.As(err, &wrong):
			answerJSON(w, http.StatusUnauthorized, map[string]int{"remainingAttempts": wrong.Left})
		case fhir.CodeOf(err) == fhir.NotFound:
			http.Error(w, "there is nothing here", http.StatusNotFound)
		case fhir.CodeOf(err) == fhir.Invalid:
			answerJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		default: // neither the address of a link nor a passcode is in it
			s.log.ErrorContext(r.Context(), "answer about cards", "error", err)
			http.Error(w, "it cannot be answered now", http.StatusServiceUnavailable)
		}
	}
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // who is gone needs no answer
}

// keys publishes the keys of cards.
func (s *cardServer) keys(w http.ResponseWriter, r *http.Request) error {
	i, err := s.ledger.Issuer(r.Context())
	if err != nil {
		return err
	}
	set, err := card.Set(i)
	if err == nil {
		w.Header().Set("Cache-Control", "public, max-age=60")
		answerJSON(w, http.StatusOK, set)
	}
	return err
}

// list publishes the revoked cards of a key.
func (s *cardServer) list(w http.ResponseWriter, r *http.Request) error {
	i, err := s.ledger.Issuer(r.Context())
	if err != nil {
		return err
	}
	for n := range i.Lists {
		if i.Lists[n].Key == chi.URLParam(r, "kid") {
			w.Header().Set("Cache-Control", "public, max-age=60")
			answerJSON(w, http.StatusOK, &i.Lists[n])
			return nil
		}
	}
	return fhir.Errorf(fhir.NotFound, "no such key")
}

// longestAsked is how many bytes a request for a manifest has at most.
const longestAsked = 16 << 10

// manifest answers what a link leads to.
//
// See https://hl7.org/fhir/uv/smart-health-cards-and-links/links-specification.html#smart-health-link-manifest-request.
func (s *cardServer) manifest(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Recipient string `json:"recipient"`
		Passcode  string `json:"passcode"`
		Most      *int   `json:"embeddedLengthMax"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, longestAsked)).Decode(&body); err != nil {
		return fhir.Errorf(fhir.Invalid, "the body is no JSON object with recipient")
	}
	if strings.TrimSpace(body.Recipient) == "" {
		return fhir.Errorf(fhir.Invalid, "recipient is missing: who asks, for the owner of the link")
	}
	asked := link.Asked{Name: chi.URLParam(r, "name"), Passcode: body.Passcode, Most: -1}
	if body.Most != nil {
		asked.Most = max(0, *body.Most)
	}
	m, l, err := s.links.Resolve(r.Context(), asked)
	if err := s.record(r, l, body.Recipient, err); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	if strings.Contains(l.Flags, "L") {
		w.Header().Set("Retry-After", strconv.Itoa(pollSeconds))
	}
	answerJSON(w, http.StatusOK, m)
	return nil
}

// pollSeconds is how long a receiver of a link that is for long is asked to wait before it
// looks again.
const pollSeconds = 300

// direct answers a link to one file.
func (s *cardServer) direct(w http.ResponseWriter, r *http.Request) error {
	recipient := r.URL.Query().Get("recipient")
	if strings.TrimSpace(recipient) == "" {
		return fhir.Errorf(fhir.Invalid, "recipient is missing: who asks, for the owner of the link")
	}
	jwe, l, err := s.links.Direct(r.Context(), chi.URLParam(r, "name"))
	if err := s.record(r, l, recipient, err); err != nil {
		return err
	}
	return sendJWE(w, jwe, err)
}

// file answers a place of a manifest. The manifest is on record.
func (s *cardServer) file(w http.ResponseWriter, r *http.Request) error {
	jwe, _, err := s.links.File(r.Context(), chi.URLParam(r, "ticket"))
	return sendJWE(w, jwe, err)
}

func sendJWE(w http.ResponseWriter, jwe string, err error) error {
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/jose")
	w.Write([]byte(jwe)) // who is gone needs no answer
	return nil
}

// record puts the use of a link into the audit trail, before it is answered.
func (s *cardServer) record(r *http.Request, l *link.Link, recipient string, failed error) error {
	if s.trail == nil || l == nil {
		return nil
	}
	rec := audit.Record{
		Kind: audit.Access, Action: "E", Interaction: "$health-link", Type: "Patient", Status: http.StatusOK, From: r.RemoteAddr,
		Entities: []string{"Patient/" + l.Owner}, Patients: []string{l.Owner}, Detail: "by a link of the owner; who asked calls themselves: " + clip(recipient, 100),
	}
	if failed != nil {
		rec.Outcome, rec.Status, rec.Detail = audit.MinorFailure, http.StatusUnauthorized, "a link with a wrong passcode; who asked calls themselves: "+clip(recipient, 100)
	}
	return s.trail.Record(context.WithoutCancel(r.Context()), rec)
}

// clip shortens a text to so many characters.
func clip(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
