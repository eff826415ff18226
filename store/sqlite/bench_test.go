package sqlite

import (
	"testing"

	"github.com/amate-health/amate/store/storetest"
)

func BenchmarkRead(b *testing.B)        { storetest.BenchmarkRead(b, open(b)) }
func BenchmarkApplySingle(b *testing.B) { storetest.BenchmarkApplySingle(b, open(b)) }
func BenchmarkApplyBundle(b *testing.B) { storetest.BenchmarkApplyBundle(b, open(b)) }
