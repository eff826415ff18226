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

// BenchmarkStamp writes a parsed Observation as it is stored, with one reference changed.
func BenchmarkStamp(b *testing.B) {
	d, err := Parse(sample(b))
	if err != nil {
		b.Fatal(err)
	}
	ref := d.Get(d.Get(0, "subject"), "reference")
	b.ReportAllocs()
	for b.Loop() {
		e := d.Edit(0)
		e.SetString(ref, "Patient/1")
		if body, v, u := e.Stamp("x"); v >= u || u >= len(body) {
			b.Fatal(string(body))
		}
	}
}
