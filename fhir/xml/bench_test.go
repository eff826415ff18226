package xml

import (
	"path/filepath"
	"testing"

	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/samples"
)

func BenchmarkToJSON(b *testing.B) {
	all, size := benchmarkTexts(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, text := range all {
			if _, _, err := ToJSON(text, Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkStandardTokens is what encoding/xml takes for the tokens alone.
func BenchmarkStandardTokens(b *testing.B) {
	all, size := benchmarkTexts(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, text := range all {
			if err := wellFormed(text); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkFromJSON(b *testing.B) {
	all, size := benchmarkTexts(b)
	docs := make([]*element.Doc, len(all))
	for i, text := range all {
		out, _, err := ToJSON(text, Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if docs[i], err = element.Parse(out); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, d := range docs {
			if _, err := FromJSON(d, 0); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// benchmarkTexts returns examples as XML.
func benchmarkTexts(b *testing.B) (all [][]byte, size int64) {
	for _, file := range samples.Files(b, filepath.Join("r4-examples", "*-example.json")) {
		text := toXML(b, samples.Read(b, file), true)
		all, size = append(all, text), size+int64(len(text))
	}
	return all, size
}
