package main

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
)

// loopbackOnly refuses to listen where another machine could reach the server.
// With no access control that would hand the records to anybody on the network.
func loopbackOnly(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return usagef("--listen %q: want HOST:PORT, such as 127.0.0.1:8080", addr)
	}
	if !isLoopback(host) {
		return usagef("--listen %s would be open to other machines, and --insecure-no-auth lets everybody do everything: "+
			"listen on 127.0.0.1 or [::1], or serve with access control", addr)
	}
	return nil
}

// isLoopback reports whether host means this machine and nothing else.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// listen opens the address of --listen. Without access control it must be one of this
// machine; what "localhost" means is up to the machine, so the address that came out
// is looked at as well.
func (s *serve) listen() (net.Listener, error) {
	if err := s.mayListen(s.Listen); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", s.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, usagef("something listens on %s already: stop it, or choose another port with --listen 127.0.0.1:PORT", s.Listen)
	}
	if err != nil {
		return nil, err
	}
	if err := s.mayListen(ln.Addr().String()); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
}

// mayListen refuses addresses that other machines reach: without access control, and
// where it is not known under which name they do, since tokens are good for one name.
func (s *serve) mayListen(addr string) error {
	if s.InsecureNoAuth {
		return loopbackOnly(addr)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return usagef("--listen %q: want HOST:PORT, such as 127.0.0.1:8080", addr)
	}
	if !isLoopback(host) && s.BaseURL == "" {
		return usagef("--listen %s is open to other machines: say with --base-url under which URL they reach it, such as https://fhir.example.org/fhir", addr)
	}
	return nil
}

// ownHostsOnly refuses requests that were meant for another host than this machine
// or that of base. A page in a browser can point a name of its own at 127.0.0.1
// (DNS rebinding); it cannot make the browser send another name than that.
func ownHostsOnly(base string, next http.Handler) http.Handler {
	public := ""
	if u, err := url.Parse(base); err == nil {
		public = u.Hostname()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		if host != public && !isLoopback(host) {
			plain(w, http.StatusMisdirectedRequest, "this server answers for "+base+" only\n")
			return
		}
		next.ServeHTTP(w, r)
	})
}
