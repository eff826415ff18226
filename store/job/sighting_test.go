package job

import (
	"testing"
	"time"
)

// TestSighting: a job is silent for as long as it was watched, so that a machine which stood
// still takes it from nobody.
func TestSighting(t *testing.T) {
	const most = 3 * time.Second
	at := time.Now()
	s := sighting{}.again(1, at, most)
	for i, c := range []struct {
		version int64
		later   time.Duration
		still   time.Duration
	}{
		{1, time.Second, time.Second}, {1, 2 * time.Second, 3 * time.Second},
		{1, time.Hour, 6 * time.Second}, // one look after a long time is no more than one
		{1, time.Second, 7 * time.Second},
		{2, time.Second, 0}, {2, most, most}, {3, time.Hour, 0},
	} {
		at = at.Add(c.later)
		if s = s.again(c.version, at, most); s.still != c.still {
			t.Errorf("look %d: silent for %v, want %v", i, s.still, c.still)
		}
	}
}

// TestMostStill: a lease takes several looks to run out, unless it is shorter than two of them.
func TestMostStill(t *testing.T) {
	var usual Options
	usual.fill()
	if most := usual.mostStill(); usual.Lease/most < 3 {
		t.Errorf("of %v, %v count at once", usual.Lease, most)
	}
	if quick := (Options{Poll: time.Millisecond, Lease: time.Second}); quick.mostStill() != time.Second/5 {
		t.Errorf("%v", quick.mostStill())
	}
}
