package postgres

import (
	"testing"

	"github.com/amate-health/amate/store/storetest"
)

func TestScan(t *testing.T) {
	storetest.Scan(t, func(t *testing.T) storetest.Scanner {
		s := open(t)
		s.slack = 0 // nobody else writes
		return s
	})
}

func BenchmarkScan(b *testing.B) { storetest.BenchmarkScan(b, open(b)) }
