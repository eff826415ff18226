// Package portal is the pages that anybody may open: today the page behind the QR code of
// a document, which says whether the document counts.
//
// Who has the paper has its token, and nobody else can guess it; so the page asks for no
// login, and shows only what lets the holder of the paper tell whether it was altered.
// It has no scripts and takes nothing from elsewhere, is read well aloud, and leaves no
// trace: it may be kept nowhere, is found by no search engine, and what is looked at is
// written to no log.
package portal

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir"
)

// Path is where the pages are: a token follows it.
const Path = "/verify/"

// Text is said in two languages.
type Text struct{ Spanish, English string }

// Same is a text that is the same in both: a number, a name.
func Same(s string) Text { return Text{s, s} }

// in returns t in a language.
func (t Text) in(lang string) string {
	if lang == english {
		return t.English
	}
	return t.Spanish
}

// State says whether a document counts.
type State string

// The states.
const (
	Valid    State = "valid"
	Void     State = "void"     // it was withdrawn
	Replaced State = "replaced" // another one was issued in its place

	Dispensed State = "dispensed" // a prescription that was handed out in full
	Lapsed    State = "lapsed"    // its days are over
)

// Fact is one thing that a document says.
type Fact struct {
	Name  string // in the JSON form: "folio"
	Label Text
	Value Text
}

// Finding is what may be shown of a document to anybody who has it. Of one that does not
// count any more it should have as little as names it.
type Finding struct {
	Title Text // what kind of document it is: "Certificado de nacimiento"
	State State
	Facts []Fact
}

// Verifier knows the documents of one kind.
type Verifier interface {
	// Kind names them in the JSON form: "birth-certificate".
	Kind() string

	// Verify returns what may be shown of the document with a token, which has at least 128
	// random bits. Errors: fhir.NotFound when no document that was ever handed to anybody
	// has it.
	Verify(ctx context.Context, token string) (*Finding, error)
}

// Outcome says how a request came out. It tells nothing of the document or its holder.
type Outcome string

// The outcomes. A page that was found is counted as its State.
const (
	Unknown Outcome = "unknown" // there is no such document, or the token is none
	Limited Outcome = "limited" // the address asks too often
	Failed  Outcome = "failed"  // it is our fault
)

// Config is what a Portal works with.
type Config struct {
	Verifiers []Verifier       // asked in this order
	Cards     CardVerifier     // of cards that bring what they say along; nil leaves their page out
	Prefix    string           // path of the server, before Path; "" for none
	Rate      Rate             // the zero Rate is DefaultRate
	Zone      *time.Location   // of times that are shown; nil is that of central Mexico
	Now       func() time.Time // nil is time.Now
	Log       *slog.Logger     // of what goes wrong; nil for none

	// Observe is told how each request came out. nil tells nobody.
	Observe func(Outcome)
}

// Portal serves the pages. It implements http.Handler, for Path and all below it.
type Portal struct {
	Config
	limiter *Limiter
}

// central is the time of most of Mexico, which has no summer time since 2022.
var central = time.FixedZone("UTC-6", -6*60*60)

// New returns a Portal.
func New(cfg Config) *Portal {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Zone == nil {
		cfg.Zone = central
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Outcome) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Rate == (Rate{}) {
		cfg.Rate = DefaultRate
	}
	return &Portal{Config: cfg, limiter: NewLimiter(cfg.Rate, cfg.Now)}
}

// ServeHTTP implements http.Handler.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	v := &view{Lang: language(r), asJSON: wantsJSON(r), Checked: p.Now().In(p.Zone), url: r.URL, prefix: p.Prefix, cards: p.Cards != nil}
	if p.Cards != nil && r.URL.Path == p.Prefix+CardPath {
		p.card(w, r, v)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		v.answer(w, r, http.StatusMethodNotAllowed, pageMethod)
		return
	}
	token := strings.TrimPrefix(r.URL.Path, p.Prefix+Path)
	if token == "" {
		v.answer(w, r, http.StatusOK, pageWelcome)
		return
	}
	address := AddressOf(r)
	if wait := p.limiter.Take(address, costHit); wait > 0 {
		p.Observe(Limited)
		w.Header().Set("Retry-After", seconds(wait))
		v.answer(w, r, http.StatusTooManyRequests, pageLimited)
		return
	}
	kind, found, err := p.find(r.Context(), token)
	switch {
	case fhir.CodeOf(err) == fhir.NotFound:
		p.limiter.Take(address, costMiss)
		p.Observe(Unknown)
		v.answer(w, r, http.StatusNotFound, pageUnknown)
	case err != nil:
		p.Observe(Failed)
		p.Log.ErrorContext(r.Context(), "verify a document", "error", strings.ReplaceAll(err.Error(), token, "[token]"))
		v.answer(w, r, http.StatusServiceUnavailable, pageFailed)
	default:
		p.Observe(Outcome(found.State))
		v.kind, v.Finding = kind, found
		v.answer(w, r, http.StatusOK, string(found.State))
	}
}

// find returns what may be shown of the document of a token, and its kind. Whatever is
// wrong with a token has the same error, so that nothing can be learned by trying.
func (p *Portal) find(ctx context.Context, token string) (kind string, found *Finding, err error) {
	if !plausible(token) {
		return "", nil, errUnknown
	}
	for _, v := range p.Verifiers {
		found, err := v.Verify(ctx, token)
		if fhir.CodeOf(err) == fhir.NotFound {
			continue
		}
		return v.Kind(), found, err
	}
	return "", nil, errUnknown
}

var errUnknown = fhir.Errorf(fhir.NotFound, "no document has this token")

// plausible reports whether a token looks like one: 128 to 512 bits in base64url.
func plausible(token string) bool {
	if len(token) < 22 || len(token) > 86 {
		return false
	}
	for _, c := range []byte(token) {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// protect sets the headers that keep a page from being kept, framed, found or told of.
func protect(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Vary", "Accept, Accept-Language")
}
