package subscription

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Reach says to where notifications may be sent. What a subscriber names is a request that
// this server makes from within its network: so it is never made to an address of that
// network, of this machine or of a cloud's services, whatever a name resolves to at that
// moment, unless who runs the server has allowed its host.
type Reach struct {
	Allow    []string // hosts to which may be sent although their addresses are private
	Loopback bool     // and to this machine, without TLS as well: for trying things out
}

// Check refuses an endpoint to which nothing would be sent, as far as can be told without
// asking anybody for its addresses.
func (r Reach) Check(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || len(endpoint) > 2000:
		return errors.New("it is an absolute URL of at most 2000 characters")
	case u.User != nil:
		return errors.New("a URL with a user or password ends up in logs: these belong into the header")
	case u.Fragment != "":
		return errors.New("it has a fragment")
	}
	host := u.Hostname()
	ip, numeric := literal(host)
	if numeric && ip.IsLoopback() || host == "localhost" {
		if !r.Loopback {
			return errors.New("it is on the server itself")
		}
		if u.Scheme == "http" || u.Scheme == "https" {
			return nil
		}
	}
	if u.Scheme != "https" {
		return errors.New("it begins with https://")
	}
	if numeric && !r.allowed(host) && private(ip) {
		return errors.New("its address is not one of the public Internet")
	}
	return nil
}

// literal returns the address that a host is. Forms that only some programs read as an
// address are one that nobody may reach.
func literal(host string) (netip.Addr, bool) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap(), true
	}
	last := host[strings.LastIndexByte(strings.TrimSuffix(host, "."), '.')+1:]
	last = strings.TrimSuffix(last, ".")
	if last != "" && last[0] >= '0' && last[0] <= '9' {
		return netip.IPv4Unspecified(), true
	}
	return netip.Addr{}, false
}

func (r Reach) allowed(host string) bool {
	return slices.ContainsFunc(r.Allow, func(a string) bool { return strings.EqualFold(a, host) })
}

// closed are the networks that are not of the public Internet, beside those that netip
// knows by name, and those by which an address of IPv4 is reached through one of IPv6.
//
// See https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-.
var closed = func() (all []netip.Prefix) {
	for _, p := range strings.Fields("0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 " +
		"::/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fec0::/10") {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}()

// private reports whether an address is none of the public Internet.
func private(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	return !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() ||
		slices.ContainsFunc(closed, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// Client returns what notifications are sent by. It follows no redirects, uses no proxy of
// the environment, and looks at each address at the moment in which it connects.
func (r Reach) Client() *http.Client {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		d := net.Dialer{Timeout: 10 * time.Second, Control: func(_, to string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(to)
			if err != nil {
				return err
			}
			ip, numeric := literal(host)
			here := host == "localhost" || numeric && ip.IsLoopback()
			if at.Addr().IsLoopback() && r.Loopback && here || r.allowed(host) || !private(at.Addr()) {
				return nil
			}
			return errors.New("the address of the endpoint is not one of the public Internet")
		}}
		return d.DialContext(ctx, network, address)
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dial, TLSHandshakeTimeout: 10 * time.Second, MaxIdleConns: 200, MaxIdleConnsPerHost: 4, IdleConnTimeout: 90 * time.Second,
			MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// refusal is what an endpoint answered that is not 2xx.
type refusal int

func (r refusal) Error() string { return fmt.Sprintf("the endpoint answered %d", int(r)) }
