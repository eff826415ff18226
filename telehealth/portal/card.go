package portal

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// CardPath is the page of cards that bring what they say along. They are sent in the body:
// no URL and no log ever holds one.
const CardPath = Path + "card"

// States of such cards, beside Valid.
const (
	Altered       State = "altered"        // the signature does not fit
	Revoked       State = "revoked"        // the issuer took it back
	Expired       State = "expired"        //
	UnknownIssuer State = "unknown-issuer" // nobody who is trusted
	NoKey         State = "no-key"         // the issuer has no such key
	NotYet        State = "not-yet"        // it is of the future
	Malformed     State = "malformed"      // it is no card
)

// CardVerifier knows cards that bring what they say along.
type CardVerifier interface {
	// VerifyCards returns what was found of each card in what somebody pasted or sent.
	// Errors: ErrNoCard when there is none in it.
	VerifyCards(ctx context.Context, text []byte) ([]*Finding, error)
}

// ErrNoCard says that there is no card in what was sent.
var ErrNoCard = errors.New("portal: there is no card in it")

const (
	pageCard    = "card"  // asks for one
	pageCards   = "cards" // says what was found
	longestCard = 1 << 20 // bytes
)

// SayState is the heading of a state.
func (v *view) SayState(s State) string { return v.Say(string(s)) }

// SayLead says what a state means.
func (v *view) SayLead(s State) string { return v.Say(string(s) + ".lead") }

// cardPolicy lets the page send its form here.
var cardPolicy = strings.Replace(policy, "form-action 'none'", "form-action 'self'", 1)

// card asks for a card, and says what was found of the one that was sent.
func (p *Portal) card(w http.ResponseWriter, r *http.Request, v *view) {
	w.Header().Set("Content-Security-Policy", cardPolicy)
	v.form = true
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		v.answer(w, r, http.StatusOK, pageCard)
		return
	case http.MethodPost:
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		v.answer(w, r, http.StatusMethodNotAllowed, pageMethod)
		return
	}
	if wait := p.limiter.Take(AddressOf(r), costHit); wait > 0 {
		p.Observe(Limited)
		w.Header().Set("Retry-After", seconds(wait))
		v.answer(w, r, http.StatusTooManyRequests, pageLimited)
		return
	}
	text, err := sent(w, r)
	if err == nil {
		v.Found, err = p.Cards.VerifyCards(r.Context(), text)
	}
	switch {
	case errors.Is(err, ErrNoCard):
		p.Observe(Unknown)
		v.answer(w, r, http.StatusUnprocessableEntity, string(Malformed))
	case err != nil:
		p.Observe(Failed)
		p.Log.ErrorContext(r.Context(), "verify a card", "error", err)
		v.answer(w, r, http.StatusServiceUnavailable, pageFailed)
	default:
		for _, f := range v.Found {
			p.Observe(Outcome(f.State))
		}
		v.answer(w, r, http.StatusOK, pageCards)
	}
}

// sent returns the card of a request: of the form, or the body itself. Errors: ErrNoCard.
func sent(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	r.Body = http.MaxBytesReader(w, r.Body, longestCard)
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "multipart/form-data" && media != "application/x-www-form-urlencoded" {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, ErrNoCard
		}
		return text, nil
	}
	if err := r.ParseMultipartForm(longestCard); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return nil, ErrNoCard
	}
	if r.MultipartForm != nil {
		defer r.MultipartForm.RemoveAll()
	}
	if text := strings.TrimSpace(r.PostFormValue("card")); text != "" {
		return []byte(text), nil
	}
	f, _, err := r.FormFile("file")
	if err != nil {
		return nil, ErrNoCard
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, ErrNoCard
	}
	return text, nil
}
