package portal

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// shelfOfCards verifies a text that says which state to find.
type shelfOfCards struct{}

func (shelfOfCards) VerifyCards(_ context.Context, text []byte) ([]*Finding, error) {
	switch s := string(text); {
	case s == "broken":
		return nil, errors.New("the database is gone")
	case strings.HasPrefix(s, "shc:/"):
		return []*Finding{{Title: Text{"Tarjeta", "Card"}, State: State(s[5:]), Facts: []Fact{{"name", Text{"Nombre", "Name"}, Same(attack)}}}}, nil
	}
	return nil, ErrNoCard
}

func cardPortal(log *bytes.Buffer) (*Portal, *[]Outcome) {
	var outcomes []Outcome
	return New(Config{
		Verifiers: []Verifier{shelf()}, Cards: shelfOfCards{}, Prefix: "/salud", Now: func() time.Time { return time.Date(2026, 11, 22, 5, 30, 0, 0, time.UTC) },
		Log: slog.New(slog.NewTextHandler(log, nil)), Observe: func(o Outcome) { outcomes = append(outcomes, o) }, Rate: Rate{Burst: 100, Every: time.Second},
	}), &outcomes
}

func send(p *Portal, method, media, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/salud"+CardPath, strings.NewReader(body))
	r.Header.Set("Content-Type", media)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}

// TestCards: each state is said in words, what a card says is shown as text, and nothing
// of it is logged or put into an address.
func TestCards(t *testing.T) {
	var log bytes.Buffer
	p, outcomes := cardPortal(&log)
	const form = "application/x-www-form-urlencoded"
	w := send(p, "GET", "", "")
	if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, `action="/salud/verify/card?lang=es"`) || !strings.Contains(body, `<label for="card">`) || !strings.Contains(w.Header().Get("Content-Security-Policy"), "form-action 'self'") {
		t.Error(w.Code, body)
	}
	for state, words := range map[State][2]string{
		Valid: {"Documento válido", "The document is valid"}, Altered: {"Tarjeta alterada", "was altered"}, Revoked: {"Tarjeta cancelada", "was revoked"}, Expired: {"Tarjeta vencida", "has expired"},
		UnknownIssuer: {"Emisor desconocido", "not known"}, NoKey: {"Firma no reconocida", "not recognised"}, NotYet: {"aún no vale", "does not count yet"}, Malformed: {"No es una tarjeta", "This is no card"},
	} {
		for i, lang := range []string{"es-MX", "en"} {
			w := send(p, "POST", form, "card=shc:/"+string(state), "Accept-Language", lang)
			body := w.Body.String()
			if w.Code != 200 || !strings.Contains(body, words[i]) || strings.Contains(body, "<script") || !strings.Contains(body, "&lt;script&gt;") || strings.Contains(body, "shc:/"+string(state)) {
				t.Errorf("%s in %s: %d\n%s", state, lang, w.Code, body)
			}
			if w.Header().Get("Cache-Control") != "no-store" {
				t.Error("it may be kept")
			}
		}
	}
	if n := len(*outcomes); n != 16 {
		t.Errorf("%d outcomes are told", n)
	}
	if log.Len() > 0 {
		t.Errorf("logged: %s", &log)
	}
	for name, c := range map[string]struct {
		method, media, body string
		status              int
	}{
		"no card": {"POST", form, "card=x", 422}, "nothing": {"POST", form, "", 422}, "the body itself": {"POST", "application/smart-health-card", "shc:/valid", 200},
		"broken": {"POST", "text/plain", "broken", 503}, "too long": {"POST", "text/plain", strings.Repeat("a", longestCard+1), 422}, "no form": {"POST", "multipart/form-data; boundary=x", "x", 422},
		"another method": {"PUT", form, "", 405},
	} {
		if w := send(p, c.method, c.media, c.body); w.Code != c.status {
			t.Errorf("%s: %d, want %d", name, w.Code, c.status)
		}
	}
	w = send(p, "POST", "text/plain", "shc:/revoked", "Accept", "application/json", "Accept-Language", "en")
	if body := w.Body.String(); !strings.Contains(body, `"cards":[{"result":"revoked","text":"The card was revoked"`) {
		t.Error(body)
	}
}

func TestCardFile(t *testing.T) {
	p, _ := cardPortal(&bytes.Buffer{})
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	f, err := m.CreateFormFile("file", "x.smart-health-card")
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("shc:/valid"))
	m.Close()
	if w := send(p, "POST", m.FormDataContentType(), b.String()); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Documento válido") {
		t.Error(w.Code, w.Body)
	}
}

// TestNoCards: without a verifier of cards their page is one more unknown token.
func TestNoCards(t *testing.T) {
	if w := newCounter(t, Rate{}).ask(CardPath); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "<form") {
		t.Error(w.Code, w.Body)
	}
}
