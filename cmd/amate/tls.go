package main

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// transport says how connections are secured.
type transport struct {
	Cert       string   `help:"File of the certificate chain (PEM). It and the key are read again when they change." placeholder:"FILE" type:"path"`
	Key        string   `help:"File of the key of the certificate (PEM)." placeholder:"FILE" type:"path"`
	ClientCA   string   `help:"File of the authorities (PEM) whose client certificates are taken. Tokens can then be bound to a certificate; whoever shows none still gets in with a token that is not." name:"client-ca" placeholder:"FILE" type:"path"`
	Acme       []string `help:"Host names to get certificates for by ACME, such as from Let's Encrypt. Port 443 must reach this server." placeholder:"HOST"`
	AcmeEmail  string   `help:"Where the authority may write to." placeholder:"ADDRESS"`
	AcmeServer string   `help:"Directory of the ACME authority; the default is Let's Encrypt." placeholder:"URL"`
}

// on reports whether this server speaks TLS itself.
func (t *transport) on() bool { return t.Cert != "" || t.Key != "" || len(t.Acme) > 0 }

// config returns the settings of TLS, nil without it. Nothing before TLS 1.2 is
// spoken; the suites are those that Go takes for good.
func (t *transport) config(dir string, log *slog.Logger) (*tls.Config, error) {
	switch {
	case !t.on() && t.ClientCA != "":
		return nil, usagef("--tls-client-ca needs TLS: --tls-cert and --tls-key, or --tls-acme")
	case !t.on():
		return nil, nil
	case len(t.Acme) > 0 && t.Cert+t.Key != "":
		return nil, usagef("--tls-acme and --tls-cert: want one of the two")
	case len(t.Acme) == 0 && (t.Cert == "" || t.Key == ""):
		return nil, usagef("--tls-cert and --tls-key go together")
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if t.ClientCA != "" {
		raw, err := os.ReadFile(t.ClientCA)
		if err != nil {
			return nil, usagef("--tls-client-ca: %v", err)
		}
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.VerifyClientCertIfGiven
		if !c.ClientCAs.AppendCertsFromPEM(raw) {
			return nil, usagef("--tls-client-ca %s: there is no certificate in it", t.ClientCA)
		}
	}
	if len(t.Acme) > 0 {
		m := &autocert.Manager{
			Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(filepath.Join(dir, "acme")),
			HostPolicy: autocert.HostWhitelist(t.Acme...), Email: t.AcmeEmail,
		}
		if t.AcmeServer != "" {
			m.Client = &acme.Client{DirectoryURL: t.AcmeServer}
		}
		c.GetCertificate = m.GetCertificate
		c.NextProtos = append(c.NextProtos, acme.ALPNProto)
		return c, nil
	}
	files := &certificateFiles{cert: t.Cert, key: t.Key, log: log}
	if err := files.load(); err != nil {
		return nil, usagef("--tls-cert and --tls-key: %v", err)
	}
	c.GetCertificate = files.get
	return c, nil
}

// certificateFiles is a certificate that is read again when its files change, as
// they do when it is renewed.
type certificateFiles struct {
	cert, key string
	log       *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	stamps  [2]time.Time // of the files as they were loaded
	checked time.Time
}

// certificateEvery is how often the files are looked at.
const certificateEvery = 10 * time.Second

// get returns the certificate of now. While the files do not fit together, the last
// one that did is used.
func (f *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); now.Sub(f.checked) >= certificateEvery {
		f.checked = now
		if stamps, err := f.times(); err != nil || stamps != f.stamps {
			if err = f.read(); err != nil {
				f.log.Error("the certificate changed and cannot be read; the last one stays in use", "error", err)
			} else {
				f.log.Info("the certificate was read again", "until", f.loaded.Leaf.NotAfter)
			}
		}
	}
	return f.loaded, nil
}

func (f *certificateFiles) load() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read()
}

// read loads the files.
func (f *certificateFiles) read() error {
	stamps, err := f.times()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	f.loaded, f.stamps = &pair, stamps
	return nil
}

func (f *certificateFiles) times() (stamps [2]time.Time, err error) {
	for i, name := range []string{f.cert, f.key} {
		info, err := os.Stat(name)
		if err != nil {
			return stamps, err
		}
		stamps[i] = info.ModTime()
	}
	return stamps, nil
}

// secure puts TLS around ln, if it is asked for.
func (s *serve) secure(ln net.Listener, log *slog.Logger) (net.Listener, error) {
	c, err := s.TLS.config(s.Storage.Data, log)
	if err != nil || c == nil {
		return ln, err
	}
	return tls.NewListener(ln, c), nil
}

// strict tells browsers, over TLS, never to come without it.
//
// See https://www.rfc-editor.org/rfc/rfc6797.
func strict(base string, next http.Handler) http.Handler {
	if u, err := url.Parse(base); err != nil || u.Scheme != "https" {
		return next
	}
	value := []string{"max-age=31536000"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Strict-Transport-Security"] = value
		next.ServeHTTP(w, r)
	})
}
