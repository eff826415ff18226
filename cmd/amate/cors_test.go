package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCORS(t *testing.T) {
	o := &origins{listed: []string{"https://listed.example.org"}, log: slog.New(slog.DiscardHandler),
		known: func(_ context.Context, origin string) (bool, error) {
			if origin == "https://fails.example.org" {
				return true, errors.New("the database is away")
			}
			return origin == "https://app.example.org", nil
		}}
	reached := 0
	h := o.below("/fhir", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reached++ }))
	for name, c := range map[string]struct {
		method, path, origin, asks string
		status                     int
		allowed, passed            bool
	}{
		"a registered app":           {"GET", "/fhir/Patient", "https://app.example.org", "", 200, true, true},
		"a listed origin":            {"GET", "/fhir/Patient", "https://listed.example.org", "", 200, true, true},
		"another page":               {"GET", "/fhir/Patient", "https://evil.example.org", "", 200, false, true},
		"an origin that is a prefix": {"GET", "/fhir/Patient", "https://app.example.org.evil.org", "", 200, false, true},
		"a sandbox":                  {"GET", "/fhir/Patient", "null", "", 200, false, true},
		"no page":                    {"GET", "/fhir/Patient", "", "", 200, false, true},
		"asked before":               {"OPTIONS", "/fhir/Patient", "https://app.example.org", "PUT", 204, true, false},
		"asked before by another":    {"OPTIONS", "/fhir", "https://evil.example.org", "PUT", 403, false, false},
		"while nobody can be asked":  {"OPTIONS", "/fhir", "https://fails.example.org", "PUT", 403, false, false},
		"a plain OPTIONS":            {"OPTIONS", "/fhir/Patient", "", "", 200, false, true},
		"elsewhere":                  {"GET", "/account", "https://app.example.org", "", 200, false, true},
		"beside":                     {"GET", "/fhirs", "https://app.example.org", "", 200, false, true},
	} {
		r := httptest.NewRequest(c.method, c.path, nil)
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.asks != "" {
			r.Header.Set("Access-Control-Request-Method", c.asks)
		}
		w, before := httptest.NewRecorder(), reached
		h.ServeHTTP(w, r)
		got := w.Header().Get("Access-Control-Allow-Origin")
		if w.Code != c.status || (got != "") != c.allowed || got != "" && got != c.origin || (reached > before) != c.passed {
			t.Errorf("%s: %d, allowed %q, passed %v", name, w.Code, got, reached > before)
		}
		if w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: credentials are allowed", name)
		}
		if c.origin != "" && strings.HasPrefix(c.path, "/fhir/") && !strings.Contains(strings.Join(w.Header()["Vary"], ","), "Origin") {
			t.Errorf("%s: a cache would not tell origins apart", name)
		}
	}
	for _, bad := range []string{"*", "app.example.org", "https://app.example.org/", "https://*.example.org/x", "javascript:alert(1)"} {
		if checkOrigins([]string{bad}) == nil {
			t.Errorf("%s is taken for an origin", bad)
		}
	}
}

func TestTrustedProxies(t *testing.T) {
	p, err := parseProxies([]string{"10.0.0.0/8", "192.0.2.7", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	seen := ""
	h := p.resolve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.RemoteAddr }))
	for _, c := range []struct{ from, header, want string }{
		{"203.0.113.9:4000", "198.51.100.1", "203.0.113.9:4000"}, // no proxy of ours
		{"10.1.1.1:4000", "198.51.100.1", "198.51.100.1:0"},
		{"10.1.1.1:4000", "6.6.6.6, 198.51.100.1", "198.51.100.1:0"}, // the client wrote the first
		{"10.1.1.1:4000", "198.51.100.1, 192.0.2.7", "198.51.100.1:0"},
		{"[::1]:4000", "2001:db8::5", "[2001:db8::5]:0"},
		{"10.1.1.1:4000", "", "10.1.1.1:4000"},
		{"10.1.1.1:4000", "rubbish", "10.1.1.1:4000"},
		{"10.1.1.1:4000", "198.51.100.1, rubbish", "10.1.1.1:4000"},
		{"10.1.1.1:4000", "10.2.2.2", "10.2.2.2:0"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.from
		if c.header != "" {
			r.Header.Set("X-Forwarded-For", c.header)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if seen != c.want {
			t.Errorf("%s with %q: %s, want %s", c.from, c.header, seen, c.want)
		}
	}
	if _, err := parseProxies([]string{"everybody"}); err == nil {
		t.Error("a name is taken for an address")
	}
}
