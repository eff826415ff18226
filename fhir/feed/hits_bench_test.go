package feed_test

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkNews: as BenchmarkPoll, of a clinic to one of whose patients something was
// written just before each poll.
func BenchmarkNews(b *testing.B) {
	for name, open := range engines {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, 1, open)
			w.put(organization)
			for p := range 20 {
				w.put(fmt.Sprintf(`{"resourceType":"Patient","id":"k%d","managingOrganization":{"reference":"Organization/o0"}}`, p))
			}
			c := w.follow("clinician", "organization=o0")
			var took time.Duration
			polls := 0
			for b.Loop() {
				w.put(fmt.Sprintf(`{"resourceType":"Observation","id":"w%d","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/k%d"}}`, polls, polls%20))
				for had := len(c.copy); len(c.copy) == had; polls++ {
					time.Sleep(220 * time.Millisecond) // by then it is told
					before := cpu(b)
					c.sync(false)
					took += cpu(b) - before
				}
			}
			b.ReportMetric(float64(took.Microseconds())/float64(polls), "cpu-µs/poll")
		})
	}
}
