package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/authz/audit"
)

// guardedServer is auditedServer with access control over it, as in service, and a
// token of a clinician.
func guardedServer(b testing.TB, s storage) (base, bearerToken string, trail *audit.Trail) {
	b.Helper()
	quiet := slog.New(slog.NewJSONHandler(io.Discard, nil))
	ctx, stop := context.WithCancel(context.Background())
	store, err := s.open(ctx, quiet)
	if err != nil {
		b.Fatal(err)
	}
	how := &serve{Storage: s, Validation: "base"}
	how.Storage.Data = filepath.Join(s.Data, "guarded")
	if err := how.Audit.open(how, store, quiet); err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	if store.access, err = how.openAccess(ctx, ln, store, nil, quiet); err != nil {
		b.Fatal(err)
	}
	if err := how.Guarding.open(ctx, store, how.base(ln), quiet); err != nil {
		b.Fatal(err)
	}
	bearerToken, err = (&bearer{Role: "clinician", User: "Practitioner/bench", For: token1h}).mint(ctx, store.access)
	if err != nil {
		b.Fatal(err)
	}
	server, err := how.server(ln, store, quiet)
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.run(ctx, quiet)
	}()
	b.Cleanup(func() {
		stop()
		<-ended
		store.closeTrail(quiet)
		store.Close()
	})
	return server.base, bearerToken, store.trail
}

// token1h is how long the token of a benchmark is good.
const token1h = 3600e9

// carrying sends requests with a token.
type carrying struct {
	http.RoundTripper
	token string
}

func (c carrying) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+c.token)
	return c.RoundTripper.RoundTrip(r)
}

// BenchmarkAccessControl is what access control costs: the same requests by 16 clients,
// in turn, to three servers over one database: an open one, one that keeps the audit
// trail beside, and one that also asks for a token and decides by the role of it. What
// the trail is linked with counts; cpu_us/op is all of this process, clients included.
func BenchmarkAccessControl(b *testing.B) {
	eachEngine(b, func(b *testing.B, s storage) {
		open, store := benchServer(b, s)
		ids := seedPatients(b, store)
		audited, auditedTrail := auditedServer(b, s)
		guarded, secret, guardedTrail := guardedServer(b, s)
		plain, signed := benchClient(), benchClient()
		signed.Transport = carrying{signed.Transport, secret}
		servers := []struct {
			name, base string
			client     *http.Client
			trail      *audit.Trail
		}{{"off", open, plain, nil}, {"audit", audited, plain, auditedTrail}, {"on", guarded, signed, guardedTrail}}
		for _, work := range []struct {
			name string
			ask  func(base string, r *rand.Rand) (method, url, body string)
		}{
			{"read", func(base string, r *rand.Rand) (string, string, string) {
				return "GET", base + "/" + ids[r.IntN(len(ids))], ""
			}},
			{"search", func(base string, r *rand.Rand) (string, string, string) {
				return "GET", base + "/Immunization?_count=20&patient=" + strings.TrimPrefix(ids[r.IntN(len(ids))], "Patient/"), ""
			}},
			{"create", func(base string, r *rand.Rand) (string, string, string) {
				return "POST", base + "/Observation", fmt.Sprintf(`{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"subject":{"reference":%q}}`, ids[r.IntN(len(ids))])
			}},
		} {
			for round := range 3 {
				for _, server := range servers {
					b.Run(fmt.Sprintf("%s/%s/%d", work.name, server.name, round), func(b *testing.B) {
						before := cpuTime()
						over16(b, func(r *rand.Rand) error {
							method, url, body := work.ask(server.base, r)
							_, err := ask(server.client, method, url, body)
							return err
						})
						if server.trail != nil {
							server.trail.Flush(context.Background()) // it is not to burden the next round
						}
						b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu_us/op")
					})
				}
			}
		}
	})
}
