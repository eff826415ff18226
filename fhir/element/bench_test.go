package element

import (
	"os"
	"testing"
)

func sample(tb testing.TB) []byte {
	tb.Helper()
	src, err := os.ReadFile("testdata/observation.json")
	if err != nil {
		tb.Fatal(err)
	}
	return src
}

// BenchmarkParse reads a 1.2 KB Observation into a Doc that is used again.
func BenchmarkParse(b *testing.B) {
	src := sample(b)
	var d Doc
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Parse(src, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParseFresh is BenchmarkParse with a new Doc each time.
func BenchmarkParseFresh(b *testing.B) {
	src := sample(b)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(src); err != nil {
			b.Fatal(err)
		}
	}
}
