package validate

import (
	"os"
	"testing"

	"github.com/amate-health/amate/fhir/element"
)

func sample(tb testing.TB) []byte {
	tb.Helper()
	src, err := os.ReadFile("../element/testdata/observation.json")
	if err != nil {
		tb.Fatal(err)
	}
	return src
}

// BenchmarkCheck validates a parsed 1.2 KB Observation.
func BenchmarkCheck(b *testing.B) {
	src := sample(b)
	d, err := element.Parse(src)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if issues := Check(d, 0, "Observation"); issues != nil {
			b.Fatal(issues)
		}
	}
}

// BenchmarkParseCheck parses and validates a 1.2 KB Observation.
func BenchmarkParseCheck(b *testing.B) {
	src := sample(b)
	var d element.Doc
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Parse(src, element.Limits{}); err != nil {
			b.Fatal(err)
		}
		if issues := Check(&d, 0, "Observation"); issues != nil {
			b.Fatal(issues)
		}
	}
}

// BenchmarkShapes builds the tables that the first Check needs.
func BenchmarkShapes(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if len(build()) < 600 {
			b.Fatal("too few shapes")
		}
	}
}
