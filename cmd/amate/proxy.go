package main

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// proxies are the addresses of those that hand requests on to us, and say for whom.
type proxies []netip.Prefix

// parseProxies reads --trusted-proxies.
func parseProxies(list []string) (all proxies, err error) {
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			var one netip.Addr
			if one, err = netip.ParseAddr(text); err != nil {
				return nil, usagef("--trusted-proxies %s: want addresses or networks, such as 10.0.0.0/8", text)
			}
			p = netip.PrefixFrom(one, one.BitLen())
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

func (p proxies) trust(address netip.Addr) bool {
	for _, network := range p {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// resolve puts the address of the client in place of that of a proxy that we trust:
// the last in X-Forwarded-For that is no such proxy. What others write there is not
// believed.
func (p proxies) resolve(next http.Handler) http.Handler {
	if len(p) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil && p.trust(from.Addr().Unmap()) {
			hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
			for i := len(hops) - 1; i >= 0; i-- {
				hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
				if err != nil {
					break
				}
				r.RemoteAddr = net.JoinHostPort(hop.Unmap().String(), "0")
				if !p.trust(hop.Unmap()) {
					break
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}
