package record

import "testing"

// BenchmarkCheck checks a clinical history, which has the most sections.
func BenchmarkCheck(b *testing.B) {
	doc := newSample(Find("historia-clinica")).doc(b)
	b.SetBytes(int64(len(doc.Source())))
	for b.Loop() {
		if len(Check(doc)) > 0 {
			b.Fatal("a good document has issues")
		}
	}
}

// BenchmarkPage lays it out.
func BenchmarkPage(b *testing.B) {
	doc := newSample(Find("historia-clinica")).doc(b)
	b.SetBytes(int64(len(doc.Source())))
	for b.Loop() {
		if _, err := Page(doc, nil); err != nil {
			b.Fatal(err)
		}
	}
}
