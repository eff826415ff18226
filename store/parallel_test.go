package store

import (
	"fmt"
	"sync/atomic"
	"testing"
)

func TestInParallel(t *testing.T) {
	for _, n := range []int{0, 1, 7, 100, 1000} {
		var sum atomic.Int64
		if err := inParallel(n, func(i int) error { sum.Add(int64(i) + 1); return nil }); err != nil || sum.Load() != int64(n*(n+1)/2) {
			t.Errorf("%d: sum %d, %v", n, sum.Load(), err)
		}
	}
	for _, n := range []int{3, 1000} {
		err := inParallel(n, func(i int) error {
			if i >= 1 {
				return fmt.Errorf("%d", i)
			}
			return nil
		})
		if err == nil || err.Error() != "1" {
			t.Errorf("%d: the error is %v, want that of the first to fail", n, err)
		}
	}
}
