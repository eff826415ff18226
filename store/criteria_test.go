package store

import (
	"bytes"
	"testing"

	"github.com/amate-health/amate/fhir"
)

// TestMatchesHaveTheirBound: a batch is refused, before it writes, when its
// conditional creates find more than fits; what they find twice counts once.
func TestMatchesHaveTheirBound(t *testing.T) {
	content := Compress(bytes.Repeat([]byte(" "), 30<<20))
	steps := func(keys ...int64) *run {
		r := &run{}
		for _, k := range keys {
			r.steps = append(r.steps, step{match: &Found{Key: k, Content: content}})
		}
		return r
	}
	same := steps(1, 1, 1, 1, 1, 1, 2, 3)
	if err := same.expandMatches(); err != nil {
		t.Errorf("three resources, found often: %v", err)
	}
	for i := range same.steps {
		if n := len(same.resource(&same.steps[i]).JSON); n != 30<<20 {
			t.Errorf("match %d has %d bytes", i, n)
		}
	}
	if err := steps(1, 2, 3, 4, 5).expandMatches(); fhir.CodeOf(err) != fhir.TooCostly {
		t.Errorf("five resources: %v", err)
	}
}
