package blob

import (
	"bytes"
	"testing"
)

// BenchmarkPut keeps a picture of 1 MiB, each time another one.
func BenchmarkPut(b *testing.B) {
	s, err := Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	content := make([]byte, 1<<20)
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		content[0], content[1], content[2] = byte(i), byte(i>>8), byte(i>>16)
		if _, err := s.Put(b.Context(), bytes.NewReader(content), 1<<21, generic); err != nil {
			b.Fatal(err)
		}
	}
}
