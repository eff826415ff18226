package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/amate-health/amate/store/storetest"
)

// synthea returns the first n files of Synthea's transactions, or skips.
func synthea(b *testing.B, n int) []string {
	b.Helper()
	dir := filepath.Join(filepath.Dir(repository(b)), "shared", "data", "synthea-r4-urn")
	files, err := filepath.Glob(filepath.Join(dir, "*.json.gz"))
	if err != nil || len(files) < n {
		b.Skipf("%s does not have %d files", dir, n)
	}
	return files[:n]
}

// eachEngine runs f with an empty store of both kinds, as they are in service.
func eachEngine(b *testing.B, f func(b *testing.B, s storage)) {
	b.Run("sqlite", func(b *testing.B) { f(b, storage{Data: b.TempDir()}) })
	b.Run("postgres", func(b *testing.B) {
		f(b, storage{Data: b.TempDir(), Database: storetest.DurablePostgres(b)})
	})
}

// BenchmarkImport is "amate import" of 100 transactions of Synthea, 30,000 resources.
func BenchmarkImport(b *testing.B) {
	paths := synthea(b, 100)
	quiet := slog.New(slog.DiscardHandler)
	eachEngine(b, func(b *testing.B, s storage) {
		resources := int64(0)
		for b.Loop() {
			b.StopTimer()
			if s.Database != "" {
				s.Database = storetest.DurablePostgres(b)
			}
			s.Data = b.TempDir()
			b.StartTimer()
			var out bytes.Buffer
			l := load{Storage: s, BaseURL: "http://127.0.0.1:8080/fhir", Paths: paths}
			if err := l.Run(context.Background(), streams{out: &out, err: io.Discard}, quiet); err != nil {
				b.Fatal(err)
			}
			n := int64(0)
			for _, c := range out.Bytes() {
				if c < '0' || c > '9' {
					break
				}
				n = n*10 + int64(c-'0')
			}
			resources += n
		}
		b.ReportMetric(float64(resources)/b.Elapsed().Seconds(), "resources/s")
	})
}

// BenchmarkStart is the time from nothing to ready on an existing database.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	startServe(b, "--data", dir, "--demo").kill()
	for b.Loop() {
		startServe(b, "--data", dir).kill()
	}
	if _, err := os.Stat(dir); err != nil {
		b.Fatal(err)
	}
}
