package postgres

import (
	"testing"

	"github.com/amate-health/amate/store/storetest"
)

// durable opens a store on a server that waits for its disk.
func durable(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.Context(), storetest.DurablePostgres(b), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

func BenchmarkRead(b *testing.B)        { storetest.BenchmarkRead(b, durable(b)) }
func BenchmarkApplySingle(b *testing.B) { storetest.BenchmarkApplySingle(b, durable(b)) }
func BenchmarkApplyBundle(b *testing.B) { storetest.BenchmarkApplyBundle(b, durable(b)) }
