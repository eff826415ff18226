package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/amate-health/amate/authz/audit"
)

// auditedServer is benchServer with an audit trail, over the store that s names.
func auditedServer(b testing.TB, s storage) (base string, trail *audit.Trail) {
	b.Helper()
	quiet := slog.New(slog.NewJSONHandler(io.Discard, nil))
	store, err := s.open(context.Background(), quiet)
	if err != nil {
		b.Fatal(err)
	}
	how := &serve{Storage: s, Validation: "base", InsecureNoAuth: true}
	how.Storage.Data = filepath.Join(s.Data, "audited")
	if err := how.Audit.open(how, store, quiet); err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server, err := how.server(ln, store, quiet)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
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
	return server.base, store.trail
}

// cpuTime is what this process has used so far: clients, server and SQLite.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAudit is what the audit trail costs: the same requests by 16 clients to
// two servers over one database, of which one keeps the trail, linking included.
func BenchmarkAudit(b *testing.B) {
	eachEngine(b, func(b *testing.B, s storage) {
		off, store := benchServer(b, s)
		ids := seedPatients(b, store)
		on, trail := auditedServer(b, s)
		client := benchClient()
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
				for _, base := range []string{off, on} {
					name := map[string]string{off: "off", on: "on"}[base]
					b.Run(fmt.Sprintf("%s/%s/%d", work.name, name, round), func(b *testing.B) {
						before := cpuTime()
						over16(b, func(r *rand.Rand) error {
							method, url, body := work.ask(base, r)
							_, err := ask(client, method, url, body)
							return err
						})
						trail.Flush(context.Background()) // it is not to burden the next round
						b.ReportMetric(float64((cpuTime()-before).Microseconds())/float64(b.N), "cpu_us/op")
					})
				}
			}
		}
	})
}
