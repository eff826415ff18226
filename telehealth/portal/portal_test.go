package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
)

// documents is a Verifier of some documents by their tokens.
type documents map[string]*Finding

func (documents) Kind() string { return "birth-certificate" }

func (d documents) Verify(_ context.Context, token string) (*Finding, error) {
	if token == broken {
		return nil, errors.New("the database is gone: token " + token)
	}
	if f := d[token]; f != nil {
		return f, nil
	}
	return nil, fhir.Errorf(fhir.NotFound, "none")
}

// Tokens of the tests, as long as real ones.
const (
	good     = "Zk3vQm9Xb0pTq1rWc7YdHg"
	void     = "Zk3vQm9Xb0pTq1rWc7YdHh"
	replaced = "Zk3vQm9Xb0pTq1rWc7YdHi"
	hostile  = "Zk3vQm9Xb0pTq1rWc7YdHj"
	broken   = "Zk3vQm9Xb0pTq1rWc7YdHk"
)

const attack = `</dd></style><script>alert(1)</script>"'><img src=x onerror=alert(1)>{{.}}` + "\x00\u202E"

func shelf() documents {
	title := Text{"Certificado de nacimiento", "Certificate of birth"}
	folio := Fact{"folio", Text{"Folio", "Number"}, Same("MC26000004711")}
	return documents{
		good:     {title, Valid, []Fact{folio, {"born", Text{"Mes de nacimiento", "Month of birth"}, Text{"noviembre de 2026", "November 2026"}}}},
		void:     {title, Void, []Fact{folio}},
		replaced: {title, Replaced, []Fact{folio}},
		hostile:  {Same(attack), Valid, []Fact{{attack, Same(attack), Same(attack)}}},
	}
}

// counter is a portal that is asked, its clock and what it tells.
type counter struct {
	*Portal
	now      time.Time
	outcomes []Outcome
	log      bytes.Buffer
}

func newCounter(t testing.TB, rate Rate) *counter {
	t.Helper()
	c := &counter{now: time.Date(2026, 11, 22, 5, 30, 0, 0, time.UTC)}
	c.Portal = New(Config{
		Verifiers: []Verifier{documents{}, shelf()}, Now: func() time.Time { return c.now }, Rate: rate,
		Log: slog.New(slog.NewTextHandler(&c.log, nil)), Observe: func(o Outcome) { c.outcomes = append(c.outcomes, o) },
	})
	return c
}

func (c *counter) ask(path string, headers ...string) *httptest.ResponseRecorder {
	return c.from("192.0.2.1:4711", "GET", path, headers...)
}

func (c *counter) from(address, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://salud.example"+path, nil)
	r.RemoteAddr = address
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w
}

func TestStates(t *testing.T) {
	c := newCounter(t, Rate{})
	for _, one := range []struct {
		path   string
		status int
		want   []string
		never  []string
	}{
		{good, 200, []string{"Documento válido", "Certificado de nacimiento", "MC26000004711", "noviembre de 2026", "21/11/2026, 23:30 (UTC-6)", "Compare con el papel"}, []string{"November"}},
		{good + "?lang=en", 200, []string{"The document is valid", "Certificate of birth", "November 2026", "Compare with the paper"}, []string{"noviembre", "válido"}},
		{void, 200, []string{"Documento cancelado", "No tiene validez", "MC26000004711"}, []string{"válido.", "Compare con el papel"}},
		{replaced, 200, []string{"Documento reemplazado"}, []string{"Compare con el papel"}},
		{"", 200, []string{"Verifique un documento"}, nil},
		{"AAAAAAAAAAAAAAAAAAAAAA", 404, []string{"No existe este documento"}, nil},
		{broken, 503, []string{"No se pudo consultar", "no dice nada del documento"}, []string{"database"}},
	} {
		w := c.ask(Path + one.path)
		body := w.Body.String()
		if w.Code != one.status {
			t.Errorf("%s: %d", one.path, w.Code)
		}
		for _, want := range one.want {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %q\n%s", one.path, want, body)
			}
		}
		for _, never := range one.never {
			if strings.Contains(body, never) {
				t.Errorf("%s says %q\n%s", one.path, never, body)
			}
		}
		wellFormed(t, w)
		for name, value := range map[string]string{"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow, noarchive", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"} {
			if w.Header().Get(name) != value {
				t.Errorf("%s: %s is %q", one.path, name, w.Header().Get(name))
			}
		}
		if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; style-src 'sha256-") || strings.Contains(csp, "unsafe") {
			t.Errorf("the policy is %s", csp)
		}
		if w.Result().Cookies() != nil && len(w.Result().Cookies()) > 0 {
			t.Error("a cookie is set")
		}
	}
	if want := fmt.Sprint([]Outcome{"valid", "valid", "void", "replaced", Unknown, Failed}); fmt.Sprint(c.outcomes) != want {
		t.Errorf("told %v, want %s", c.outcomes, want)
	}
}

// wellFormed reads a page as it is meant: with one heading of level 1, nothing that runs,
// and nothing from elsewhere.
func wellFormed(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(strings.TrimPrefix(w.Body.String(), "<!DOCTYPE html>\n")))
	dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	seen := map[string]int{}
	for {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in %s", err, w.Body)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		seen[e.Name.Local]++
		for _, a := range e.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "style" || a.Name.Local == "src" {
				t.Errorf("<%s %s>", e.Name.Local, a.Name.Local)
			}
			if a.Name.Local == "href" && !strings.HasPrefix(a.Value, "/verify/") && a.Value != "#result" {
				t.Errorf("a link to %q", a.Value)
			}
			if e.Name.Local == "html" && a.Name.Local == "lang" && a.Value != w.Header().Get("Content-Language") {
				t.Errorf("the page is in %q, and sent as %q", a.Value, w.Header().Get("Content-Language"))
			}
		}
	}
	if seen["h1"] != 1 || seen["main"] != 1 || seen["title"] != 1 || seen["script"]+seen["img"]+seen["form"]+seen["iframe"]+seen["link"] > 0 {
		t.Errorf("the page has %v", seen)
	}
}

// TestHostile: what is on record is shown as text.
func TestHostile(t *testing.T) {
	w := newCounter(t, Rate{}).ask(Path + hostile)
	if strings.Contains(w.Body.String(), "<script") || strings.Contains(w.Body.String(), "<img") || !strings.Contains(w.Body.String(), "&lt;script&gt;") {
		t.Error(w.Body)
	}
	wellFormed(t, w)
	if w := newCounter(t, Rate{}).ask(Path + good + "?lang=%3Cscript%3E&x=%22%3E%3Cimg%3E"); strings.Contains(w.Body.String(), "img") || strings.Contains(w.Body.String(), "<script") {
		t.Error(w.Body)
	}
}

// TestUnknownAlike: whatever is wrong with a token, the answer is the same byte by byte,
// and no verifier is asked about what cannot be one.
func TestUnknownAlike(t *testing.T) {
	c := newCounter(t, Rate{Burst: 1 << 20, Every: time.Hour})
	want := ""
	for _, token := range []string{
		"AAAAAAAAAAAAAAAAAAAAAA", good[:21], good + "A", good[:21] + "%20", "..", "x", "%00", good + "/", "/" + good, good + "%2F..", strings.ToLower(good), strings.Repeat("A", 87), strings.Repeat("A", 4000), "' OR 1=1 --%20AAAAAAAAAAAAA", "%F0%9F%92%A9", "ñ",
	} {
		w := c.ask(Path + strings.ReplaceAll(token, " ", "%20"))
		body := w.Body.String()
		if w.Code != http.StatusNotFound {
			t.Errorf("%.40q: %d", token, w.Code)
		}
		body = withoutLinks(body) // the switch of languages has the path of its own page
		if want == "" {
			want = body
		} else if body != want {
			t.Errorf("%.40q is answered by\n%s", token, body)
		}
	}
	for _, o := range c.outcomes {
		if o != Unknown {
			t.Errorf("told %s", o)
		}
	}
}

func withoutLinks(body string) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(body, ` href="/`)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		_, body, _ = strings.Cut(after, `"`)
	}
}

// TestNothingIsLogged: not a token, not a document; of a fault only that there was one.
func TestNothingIsLogged(t *testing.T) {
	c := newCounter(t, Rate{})
	for _, path := range []string{good, void, hostile, "AAAAAAAAAAAAAAAAAAAAAA"} {
		c.ask(Path + path)
	}
	if c.log.Len() != 0 {
		t.Errorf("logged: %s", c.log.String())
	}
	if c.ask(Path + broken); !strings.Contains(c.log.String(), "the database is gone") || strings.Contains(c.log.String(), broken) {
		t.Errorf("logged of a fault: %s", c.log.String())
	}
}

func TestLimit(t *testing.T) {
	c := newCounter(t, Rate{Burst: 10, Every: time.Second})
	for i := range 10 {
		if w := c.ask(Path + good); w.Code != 200 {
			t.Fatalf("look %d: %d", i+1, w.Code)
		}
	}
	w := c.ask(Path + good)
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" || strings.Contains(w.Body.String(), "MC26") {
		t.Errorf("%d, Retry-After %s\n%s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	wellFormed(t, w)
	if w := c.from("198.51.100.7:1", "GET", Path+good); w.Code != 200 {
		t.Errorf("another address: %d", w.Code)
	}
	if w := c.ask(Path); w.Code != 200 {
		t.Errorf("the page that says how it works: %d", w.Code)
	}
	c.now = c.now.Add(3 * time.Second)
	for i := range 3 {
		if w := c.ask(Path + good); w.Code != 200 {
			t.Errorf("after three seconds, look %d: %d", i+1, w.Code)
		}
	}
	if w := c.ask(Path + good); w.Code != 429 {
		t.Errorf("the fourth: %d", w.Code)
	}
}

// TestGuessing: who tries tokens is stopped after a few, in all of an IPv6 network, and
// then a good one is not shown to them either.
func TestGuessing(t *testing.T) {
	c := newCounter(t, Rate{Burst: 50, Every: time.Second})
	tried := 0
	for i := range 100 {
		w := c.from(fmt.Sprintf("[2001:db8::%x]:99", i+1), "GET", fmt.Sprintf("%s%022d", Path, i))
		if w.Code == 404 {
			tried++
		}
	}
	if tried != 10 {
		t.Errorf("%d tokens were tried", tried)
	}
	if w := c.from("[2001:db8::ffff]:99", "GET", Path+good); w.Code != 429 {
		t.Errorf("then a good one: %d", w.Code)
	}
	if w := c.from("[2001:db8:0:1::1]:99", "GET", Path+good); w.Code != 200 {
		t.Errorf("another network: %d", w.Code)
	}
}

// TestMemoryIsBounded: however many addresses ask.
func TestMemoryIsBounded(t *testing.T) {
	c := newCounter(t, Rate{Burst: 5, Every: time.Hour})
	for i := range mostAddresses + 500 {
		r := httptest.NewRequest("GET", Path, nil)
		r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255)
		c.limiter.Take(AddressOf(r), costHit)
	}
	if n := len(c.limiter.all); n > mostAddresses {
		t.Errorf("%d addresses are kept", n)
	}
}

func TestJSON(t *testing.T) {
	c := newCounter(t, Rate{})
	var got struct {
		Result, Kind, Document, Checked string
		Facts                           []struct{ Name, Label, Value string }
	}
	w := c.ask(Path+good, "Accept", "application/json", "Accept-Language", "en")
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Fatal(err, w.Body)
	}
	if got.Result != "valid" || got.Kind != "birth-certificate" || got.Document != "Certificate of birth" || got.Checked != "2026-11-22T05:30:00Z" || len(got.Facts) != 2 || got.Facts[0].Name != "folio" || got.Facts[1].Value != "November 2026" {
		t.Errorf("%+v", got)
	}
	for accept, want := range map[string]string{
		"": "text/html", "*/*": "text/html", "text/html,application/json;q=0.9": "text/html", "application/json;q=0.9,text/html;q=0.1": "application/json",
		"application/json": "application/json", "garbage;;;": "text/html", "application/json;q=x": "application/json",
	} {
		if w := c.ask(Path+good, "Accept", accept); !strings.HasPrefix(w.Header().Get("Content-Type"), want) {
			t.Errorf("Accept: %s gives %s", accept, w.Header().Get("Content-Type"))
		}
	}
	if w := c.ask(Path+"AAAAAAAAAAAAAAAAAAAAAA", "Accept", "application/json"); w.Code != 404 || !strings.Contains(w.Body.String(), `"result":"unknown"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestMethods(t *testing.T) {
	c := newCounter(t, Rate{})
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		if w := c.from("192.0.2.1:1", method, Path+good); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" || strings.Contains(w.Body.String(), "MC26") {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
	}
	if w := c.from("192.0.2.1:1", "HEAD", Path+good); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD: %d, %d bytes", w.Code, w.Body.Len())
	}
}

func TestLanguages(t *testing.T) {
	for header, want := range map[string]string{"": "es-MX", "es": "es-MX", "en-GB,en;q=0.9": "en", "fr": "es-MX", "fr,en;q=0.5": "en", "es-ES,en;q=0.9": "es-MX", "%%%": "es-MX", "nah,es;q=0.8": "es-MX"} {
		r := httptest.NewRequest("GET", Path, nil)
		r.Header.Set("Accept-Language", header)
		if got := language(r); got != want {
			t.Errorf("%q gives %s, want %s", header, got, want)
		}
	}
	for key, text := range texts {
		if text.Spanish == "" || text.English == "" {
			t.Errorf("%s lacks a language", key)
		}
	}
}
