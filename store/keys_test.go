package store

import (
	"fmt"
	"sync"
	"testing"

	"github.com/amate-health/amate/fhir"
)

func TestKeyCache(t *testing.T) {
	c := NewKeyCache()
	ref := func(i int) fhir.Ref { return fhir.Ref{Type: "Patient", ID: fmt.Sprint(i)} }
	if c.Get(ref(1)) != 0 {
		t.Error("an empty cache knows a key")
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := w; i < 20_000; i += 4 {
				c.Put(c.Epoch(), ref(i), int64(i+1))
			}
		})
	}
	wg.Wait()
	known := 0
	for i := range 20_000 {
		switch key := c.Get(ref(i)); key {
		case int64(i + 1):
			known++
		case 0:
		default:
			t.Fatalf("%v has key %d", ref(i), key)
		}
	}
	if known < 19_900 {
		t.Errorf("of 20000 keys it knows %d", known)
	}
	if c.Get(fhir.Ref{Type: "Observation", ID: "1"}) != 0 {
		t.Error("another type has the key of a Patient")
	}
}

// TestKeyCacheReset: what was asked before a reset is not remembered after it.
func TestKeyCacheReset(t *testing.T) {
	c := NewKeyCache()
	old := fhir.Ref{Type: "Patient", ID: "old"}
	epoch := c.Epoch()
	c.Put(epoch, old, 1)
	c.Reset()
	if c.Get(old) != 0 {
		t.Error("it remembers a key across a reset")
	}
	c.Put(epoch, old, 1)
	if c.Get(old) != 0 {
		t.Error("it took a key that was asked for before the reset")
	}
}

func BenchmarkKeyCacheGet(b *testing.B) {
	c := NewKeyCache()
	ref := fhir.Ref{Type: "Patient", ID: "018f3c1e-0000-7000-8000-000000000001"}
	c.Put(c.Epoch(), ref, 1)
	b.ReportAllocs()
	for b.Loop() {
		c.Get(ref)
	}
}
