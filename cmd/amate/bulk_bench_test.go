package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/amate-health/amate/authz"
	"github.com/amate-health/amate/fhir/bulk"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/blob"
	"github.com/amate-health/amate/store/storetest"
)

// benchOrders are orders of one caller, for whom no job does the work.
type benchOrders struct {
	*orders
	caller *authz.Principal // nil without access control
}

func (x *benchOrders) Owner(context.Context) ([]byte, bool, error) {
	return []byte("{}"), x.caller != nil, nil
}

func (x *benchOrders) As(ctx context.Context, _ []byte) (context.Context, error) {
	if x.caller == nil {
		return ctx, nil
	}
	return x.caller.With(ctx), nil
}

// benchJobs let the order be done by whoever asks.
type benchJobs struct{ last string }

func (q *benchJobs) Add(_ context.Context, order string) error { q.last = order; return nil }
func (*benchJobs) Stop(context.Context, string) error          { return nil }
func (*benchJobs) Look(context.Context, string) (bulk.State, error) {
	return bulk.State{Ended: true}, nil
}

// benchTask keeps no position: nothing is interrupted.
type benchTask struct{ done int64 }

func (*benchTask) Position(any) (bool, error)                 { return false, nil }
func (t *benchTask) Progress(done, _ int64, _ string)         { t.done = done }
func (*benchTask) Save(_ context.Context, at any) (err error) { _, err = json.Marshal(at); return err }

// BenchmarkExport is $export of imported patients to files, on the whole server and by those
// who see all of it with and without access control. peak-MB is how much memory the process
// has taken at most, the import before it included.
func BenchmarkExport(b *testing.B) {
	paths := synthea(b, 300)
	quiet := slog.New(slog.DiscardHandler)
	eachEngine(b, func(b *testing.B, s storage) {
		l := load{Storage: s, BaseURL: "http://127.0.0.1:8080/fhir", Paths: paths}
		if err := l.Run(context.Background(), streams{out: new(bytes.Buffer), err: io.Discard}, quiet); err != nil {
			b.Fatal(err)
		}
		store, err := s.open(b.Context(), quiet)
		if err != nil {
			b.Fatal(err)
		}
		defer store.Close()
		how := &serve{Storage: s, Validation: "base"}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer ln.Close()
		for _, c := range []struct {
			name, format string
			caller       *authz.Principal
		}{
			{"open", "ndjson", nil},
			{"parquet", "parquet", nil},
			{"system", "ndjson", &authz.Principal{ID: "bench", Client: "bench", Roles: []string{"system"}, Scopes: []string{"system/*.*"}}},
		} {
			if c.caller != nil && store.access == nil {
				if store.access, err = how.openAccess(b.Context(), ln, store, nil, quiet); err != nil {
					b.Fatal(err)
				}
				if err := how.Guarding.open(b.Context(), store, how.base(ln), quiet); err != nil {
					b.Fatal(err)
				}
			}
			b.Run(c.name, func(b *testing.B) {
				files, err := blob.OpenOutputs(filepath.Join(b.TempDir(), "exports"))
				if err != nil {
					b.Fatal(err)
				}
				jobs, n := &benchJobs{}, int64(0)
				x := &benchOrders{&orders{store: store}, c.caller}
				x.Service = bulk.New(bulk.Config{Store: store.engine, Jobs: jobs, Files: outputs{files}, Access: x, Moment: store.engine.Moment}, store.bulkKinds()...)
				report := storetest.Measure(b)
				for b.Loop() {
					ctx, _ := x.As(b.Context(), nil)
					only, err := x.Rights(ctx, bulk.ExportName, "", "")
					if err != nil {
						b.Fatal(err)
					}
					call := &operation.Call{Async: true, Restriction: only.Restriction, In: operation.NewInputs([]search.Param{{Name: "_outputFormat", Value: c.format}}, nil)}
					if _, err := x.Order(bulk.ExportName)(ctx, call); err != nil {
						b.Fatal(err)
					}
					task := &benchTask{}
					if _, err := x.Work(b.Context(), jobs.last, task); err != nil {
						b.Fatal(err)
					}
					if n += task.done; task.done < 10_000 {
						b.Fatalf("%d resources", task.done)
					}
				}
				report(n, "resource")
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "resources/s")
				b.ReportMetric(peakMemory(b), "peak-MB")
			})
		}
	})
}

// peakMemory returns how much memory the process has taken at most, in megabytes.
func peakMemory(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip("SKIPPED: there is no /proc")
	}
	var kilobytes float64
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			fmt.Sscan(rest, &kilobytes)
		}
	}
	return kilobytes / 1024
}
