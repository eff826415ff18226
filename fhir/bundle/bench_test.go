package bundle

import (
	"strconv"
	"testing"

	"github.com/amate-health/amate/fhir/samples"
)

// synthea reads the transactions of Synthea, at most limit of them.
func synthea(tb testing.TB, limit int) [][]byte {
	tb.Helper()
	files := samples.Files(tb, "synthea-r4-urn", "*.json.gz")
	var all [][]byte
	for _, file := range files[:min(limit, len(files))] {
		all = append(all, samples.Read(tb, file))
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
