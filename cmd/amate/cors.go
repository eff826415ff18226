package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// origins decides scripts of which pages may call the API: those of registered apps
// (of their redirect URIs), and those of --cors-origins. Tokens travel in a header of
// their own, so no answer ever allows credentials that a browser adds by itself.
//
// See https://fetch.spec.whatwg.org/#http-cors-protocol.
type origins struct {
	listed []string
	known  func(ctx context.Context, origin string) (bool, error) // nil where there are no apps
	log    *slog.Logger
}

// What scripts may send, and see.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsHeaders = "Authorization, Content-Type, Accept, If-Match, If-None-Match, If-None-Exist, If-Modified-Since, Idempotency-Key, Prefer, X-Request-Id"
	corsExposed = "ETag, Location, Content-Location, Last-Modified, X-Request-Id, Retry-After, WWW-Authenticate"
	corsSeconds = "600" // how long a browser may remember it
)

// checkOrigins refuses a list that holds something else than origins.
func checkOrigins(list []string) error {
	for _, o := range list {
		u, err := url.Parse(o)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Scheme+"://"+u.Host != o {
			return usagef("--cors-origins %s: want the origins of pages, such as https://app.example.org, and no *", o)
		}
	}
	return nil
}

// allows reports whether scripts of an origin may call.
func (o *origins) allows(ctx context.Context, origin string) bool {
	if slices.Contains(o.listed, origin) {
		return true
	}
	if o.known == nil {
		return false
	}
	ok, err := o.known(ctx, origin)
	if err != nil {
		o.log.ErrorContext(ctx, "look up the origins of apps", "error", err)
	}
	return ok && err == nil
}

// below answers what browsers ask before scripts call what is below path, and says in
// the answers there who may read them.
func (o *origins) below(path string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path && !strings.HasPrefix(r.URL.Path, path+"/") {
			next.ServeHTTP(w, r)
			return
		}
		origin := r.Header.Get("Origin")
		asks := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
		if origin == "" && !asks {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		allowed := o.allows(r.Context(), origin)
		if allowed {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", corsExposed)
		}
		if !asks {
			next.ServeHTTP(w, r)
			return
		}
		h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
		if !allowed {
			plain(w, http.StatusForbidden, "scripts of this origin may not call: register the app, or list its origin in --cors-origins\n")
			return
		}
		h.Set("Access-Control-Allow-Methods", corsMethods)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", corsSeconds)
		w.WriteHeader(http.StatusNoContent)
	})
}

// origins returns who may call from pages.
func (s *serve) origins(store *opened, log *slog.Logger) *origins {
	o := &origins{listed: s.CORSOrigins, log: log}
	if store.access != nil {
		o.known = store.access.clients.Origin
	}
	return o
}
