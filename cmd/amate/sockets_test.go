package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// An address that opens one websocket after another has to wait; others do not.
func TestCallers(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	c := newCallers(func() time.Time { return now })
	h := c.before(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	ask := func(from string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/visit/signal/x", nil)
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	let := func(from string) (n int) {
		for ask(from).Code == http.StatusNoContent {
			n++
		}
		return n
	}
	if n := let("192.0.2.1:1000"); n != callersRate.Burst {
		t.Errorf("at once %d are let in", n)
	}
	if w := ask("192.0.2.1:2000"); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "1" {
		t.Errorf("from another port: %d %v", w.Code, w.Header())
	}
	if n := let("[2001:db8::1]:1"); n != callersRate.Burst {
		t.Errorf("of another address %d are let in", n)
	}
	if w := ask("[2001:db8::ffff]:1"); w.Code != http.StatusTooManyRequests {
		t.Errorf("of the same network: %d", w.Code)
	}
	now = now.Add(10 * callersRate.Every)
	if n := let("192.0.2.1:1000"); n != 10 {
		t.Errorf("later %d are let in", n)
	}
}
