package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:8080", "127.8.8.8:1", "[::1]:8080", "localhost:0", "[::ffff:127.0.0.1]:80"} {
		if err := loopbackOnly(addr); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
	for _, addr := range []string{"", ":8080", "0.0.0.0:8080", "[::]:8080", "10.0.0.1:80", "example.org:80", "127.0.0.1", "127.0.0.1.example.org:80", "[::ffff:10.0.0.1]:80"} {
		if err := loopbackOnly(addr); err == nil {
			t.Errorf("%q was taken", addr)
		}
	}
}

// TestServeRefusals holds what serve says when it will not serve.
func TestServeRefusals(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"no access control on the network": {[]string{"serve", "--insecure-no-auth", "--listen", "0.0.0.0:0"}, "open to other machines"},
		"under an unknown name":            {[]string{"serve", "--listen", "0.0.0.0:0"}, "--base-url"},
		"no port":                          {[]string{"serve", "--listen", "127.0.0.1"}, "HOST:PORT"},
		"issuers that are not there":       {[]string{"serve", "--trust-issuers", "/nowhere.yaml"}, "--trust-issuers"},
		"unknown command":                  {[]string{"server"}, "server"},
		"unknown flag":                     {[]string{"serve", "--port", "80"}, "--port"},
	}
	for name, tt := range tests {
		var out, errs bytes.Buffer
		status := run(context.Background(), tt.args, streams{out: &out, err: &errs})
		if status != exitUsage || !strings.Contains(errs.String(), tt.want) {
			t.Errorf("%s: status %d, %q; want %d and %q", name, status, errs.String(), exitUsage, tt.want)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, args := range [][]string{nil, {"--help"}, {"serve", "--help"}, {"version"}} {
		var out, errs bytes.Buffer
		if status := run(context.Background(), args, streams{out: &out, err: &errs}); status != exitDone || out.Len() == 0 {
			t.Errorf("amate %v: status %d, %q", args, status, errs.String())
		}
	}
}

func TestOwnHostsOnly(t *testing.T) {
	h := ownHostsOnly("https://fhir.example.org/fhir", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}))
	for host, want := range map[string]int{
		"127.0.0.1:8080": 200, "localhost:8080": 200, "[::1]:8080": 200, "fhir.example.org": 200, "127.0.0.1": 200,
		"evil.example.org": 421, "127.0.0.1.evil.example.org": 421, "": 421, "localhost.evil.example.org:8080": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "/fhir/Patient", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q: %d, want %d", host, w.Code, want)
		}
	}
}
