package message

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

// contended is an API of which others win the first transactions.
type contended struct {
	recorder
	lost atomic.Int64 // that are still to be lost
}

func (c *contended) Do(ctx context.Context, req *rest.Request) (*rest.Response, error) {
	if req.Interaction == rest.Batch && c.lost.Add(-1) >= 0 {
		return nil, fhir.Errorf(fhir.Stale, "somebody else was faster")
	}
	return c.recorder.Do(ctx, req)
}

// TestContended: a message that meets other writers for a moment is written, and is no dead
// letter.
func TestContended(t *testing.T) {
	m := newMemory()
	api := &contended{}
	api.lost.Store(8)
	p := testProcessor(t, api, m)
	a, err := p.Submit(t.Context(), incoming(testSender(), "1", 1, "ok")).Wait(t.Context())
	if err != nil || a.Verdict != Accept {
		t.Errorf("%v %v", a.Verdict, err)
	}
	if letters, err := (&Letters{m}).List(t.Context(), ""); err != nil || len(letters) > 0 {
		t.Errorf("%d letters, %v", len(letters), err)
	}
}
