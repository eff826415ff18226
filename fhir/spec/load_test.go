package spec

import "testing"

// BenchmarkLoad is what every start of the program pays.
func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		t, err := load(r4)
		if err != nil {
			b.Fatal(err)
		}
		t.resources()
		t.paramsByType()
	}
}
