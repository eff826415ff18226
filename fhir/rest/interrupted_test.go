package rest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// stopped is a store whose searches are stopped by the clock, and say so in words
// that nobody knows.
type stopped struct{ rest.Store }

func (s stopped) Search(ctx context.Context, _ *search.Query) (*search.Result, error) {
	<-ctx.Done()
	return nil, errors.New("step: interrupted")
}

// TestStoppedByTheClock: a search that takes too long is no fault of the server.
func TestStoppedByTheClock(t *testing.T) {
	s := serve(t, func(c *rest.Config) {
		c.Store, c.Limits.Timeout = stopped{c.Store}, 50*time.Millisecond
	})
	a := s.want(503, s.do("GET", "/Patient", ""))
	if a.header.Get("Retry-After") == "" || !a.outcome(t).says("longer than") {
		t.Errorf("%v %s", a.header, a.body)
	}
	if r := s.records.last(); r.Err != nil {
		t.Errorf("it is logged as a fault: %v", r.Err)
	}
	a = s.do("POST", "/", bundleOf("batch", entry("", "GET", "Patient", "", "")))
	if !strings.Contains(a.body, "503 Service Unavailable") && a.status != 503 {
		t.Errorf("in a batch: %d %s", a.status, a.body)
	}
}
