package bundle

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// synthea reads the transactions of the shared test data, at most limit of them.
func synthea(tb testing.TB, limit int) [][]byte {
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "..", "shared", "data", "synthea-r4-urn", "*.json.gz"))
	if len(files) == 0 {
		tb.Skip("../shared/data/synthea-r4-urn is absent")
	}
	var all [][]byte
	for _, name := range files[:min(limit, len(files))] {
		f, err := os.Open(name)
		if err != nil {
			tb.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			tb.Fatal(err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			tb.Fatal(err)
		}
		f.Close()
		all = append(all, text)
	}
	return all
}

// planAndBuild does all that the server does with a transaction but for the database.
func planAndBuild(tb testing.TB, body []byte) (entries int) {
	s, err := Parse(body)
	if err != nil {
		tb.Fatal(err)
	}
	b, err := Open(s, 10_000)
	if err != nil {
		tb.Fatal(err)
	}
	n := 0
	p, err := NewPlan(b, Options{
		Maker: Maker{Base: "http://example.org/fhir"},
		NewID: func() string { n++; return "0193a5f0-0000-7000-8000-" + strconv.Itoa(100_000_000_000+n) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range p.Batch.Changes {
		c := &p.Batch.Changes[i]
		if _, err := c.Build(nil, c.Ref, nil); err != nil {
			tb.Fatal(err)
		}
	}
	return len(b.Entries)
}

// BenchmarkSynthea plans and builds real transactions.
func BenchmarkSynthea(b *testing.B) {
	bundles := synthea(b, 50)
	entries, bytes := 0, 0
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		body := bundles[i%len(bundles)]
		bytes += len(body)
		entries += planAndBuild(b, body)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(entries), "µs/entry")
	b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
}

// BenchmarkLargest plans and builds the largest of the transactions.
func BenchmarkLargest(b *testing.B) {
	bundles := synthea(b, 400)
	largest := bundles[0]
	for _, body := range bundles {
		if len(body) < 1_300_000 && (len(body) > len(largest) || len(largest) >= 1_300_000) {
			largest = body
		}
	}
	b.SetBytes(int64(len(largest)))
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n = planAndBuild(b, largest)
	}
	b.ReportMetric(float64(n), "entries")
}
