package main

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/amate-health/amate/fhir/registry/opendata"
)

// openPath is where the public pages of open data are.
const openPath = "/datos"

// openPages serves what was published to anybody. It keeps nothing of who asks.
type openPages struct {
	library *library
	by      opendata.Publisher
	path    string
	log     *slog.Logger
}

// mountOpenData puts the pages of open data on r.
func (o *opened) mountOpenData(r chi.Router, g *opening, base string, log *slog.Logger) {
	if o.library == nil {
		return
	}
	prefix := ""
	public := issuerOf(base)
	if u, err := url.Parse(public); err == nil {
		prefix = strings.TrimRight(u.Path, "/")
	}
	p := &openPages{library: o.library, path: prefix + openPath, log: log,
		by: opendata.Publisher{Name: g.Publisher, URL: g.Homepage, Email: g.Contact, License: g.License, Base: strings.TrimRight(public, "/") + openPath}}
	r.Handle(p.path, p)
	r.Handle(p.path+"/*", p)
}

// ServeHTTP implements http.Handler.
func (p *openPages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", opendata.Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Access-Control-Allow-Origin", "*") // it is for everyone
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "Estas páginas solo se consultan. / These pages can only be read.", http.StatusMethodNotAllowed)
		return
	}
	all, err := p.library.releases(r.Context())
	if err != nil {
		p.log.ErrorContext(r.Context(), "read what was published", "error", err)
		h.Set("Retry-After", "30")
		http.Error(w, "No se pudo consultar; vuelva a intentarlo. / It could not be looked up; try again.", http.StatusServiceUnavailable)
		return
	}
	path := strings.Trim(strings.TrimPrefix(r.URL.Path, p.path), "/")
	if name, ok := strings.CutPrefix(path, "archivos/"); ok {
		p.file(w, r, all, name)
		return
	}
	site := &opendata.Site{By: p.by, Path: p.path}
	for i := range all {
		site.Releases = append(site.Releases, all[i].Release)
	}
	if path == "catalogo.jsonld" {
		raw, err := site.Catalogue()
		if err != nil {
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
		answerOpen(w, r, "application/ld+json", raw)
		return
	}
	lang := "es"
	if r.URL.Query().Get("lang") == "en" {
		lang = "en"
	}
	page, ok := site.Page(path, lang)
	if !ok {
		http.Error(w, "No existe esta página. / There is no such page.", http.StatusNotFound)
		return
	}
	h.Set("Content-Language", lang)
	answerOpen(w, r, "text/html; charset=utf-8", page)
}

// answerOpen answers what may change when something is published: kept for five minutes.
func answerOpen(w http.ResponseWriter, r *http.Request, media string, body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "public, max-age=300")
	if known(r, tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", media)
	if r.Method != http.MethodHead {
		w.Write(body) // who is gone needs no answer
	}
}

// known reports whether a client has what an entity tag is of.
func known(r *http.Request, tag string) bool {
	for _, have := range strings.Split(r.Header.Get("If-None-Match"), ",") {
		if have = strings.TrimPrefix(strings.TrimSpace(have), "W/"); have == tag || have == "*" {
			return true
		}
	}
	return false
}

// file sends one file of a release, which never changes: names that no release has are
// none, whatever is on the disk.
func (p *openPages) file(w http.ResponseWriter, r *http.Request, all []shelved, name string) {
	for i := range all {
		f, ok := fileOf(&all[i].Release, name)
		if !ok {
			continue
		}
		content, err := os.Open(p.library.file(all[i].Folder, f.Name))
		if err != nil {
			p.log.ErrorContext(r.Context(), "a published file is not there: all servers need one folder of data", "file", f.Name, "error", err)
			w.Header().Set("Retry-After", "300")
			http.Error(w, "El archivo no está disponible ahora. / The file is not available now.", http.StatusServiceUnavailable)
			return
		}
		defer content.Close()
		media := f.Media
		if strings.HasPrefix(media, "text/") {
			media += "; charset=utf-8"
		}
		w.Header().Set("Content-Type", media)
		w.Header().Set("Content-Disposition", `attachment; filename="`+name[strings.LastIndexByte(name, '/')+1:]+`"`)
		w.Header().Set("ETag", `"`+f.SHA256+`"`)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		http.ServeContent(w, r, "", all[i].Issued, content)
		return
	}
	http.Error(w, "No existe este archivo. / There is no such file.", http.StatusNotFound)
}

func fileOf(r *opendata.Release, name string) (opendata.File, bool) {
	for _, f := range r.Files() {
		if f.Name == name {
			return f, true
		}
	}
	return opendata.File{}, false
}
