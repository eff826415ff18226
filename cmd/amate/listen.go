package main

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
)

// explicitlyOpen refuses to serve without access control unless that was asked for.
func explicitlyOpen(insecure bool) error {
	if insecure {
		return nil
	}
	return usagef("this version has no access control: whoever reaches the port reads and changes every record. " +
		"If that is what you want, for trying it out on this machine, say so:\n\n\tamate serve --insecure-no-auth\n")
}

// loopbackOnly refuses to listen where another machine could reach the server.
// With no access control that would hand the records to anybody on the network.
func loopbackOnly(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return usagef("--listen %q: want HOST:PORT, such as 127.0.0.1:8080", addr)
	}
	if !isLoopback(host) {
		return usagef("--listen %s would be open to other machines, and there is no access control yet: "+
			"listen on 127.0.0.1 or [::1], and let others in through something that asks who they are", addr)
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

// listen opens a loopback address. What "localhost" means is up to the machine,
// so the address that came out is looked at as well.
func listen(addr string) (net.Listener, error) {
	if err := loopbackOnly(addr); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, usagef("something listens on %s already: stop it, or choose another port with --listen 127.0.0.1:PORT", addr)
	}
	if err != nil {
		return nil, err
	}
	if err := loopbackOnly(ln.Addr().String()); err != nil {
		ln.Close()
		return nil, err
	}
	return ln, nil
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
