package feed_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// cpu returns the CPU time that this process has taken.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPoll: clinics that each follow their own patients ask in turn whether there is
// anything, over HTTP, under real rights. In the second case, somebody writes at the same
// time, an Observation before each poll, of patients of another clinic. What is reported is
// the CPU time that this process, client and server together, takes during the polls. 10,000 clinics
// that poll each minute are 167 polls a second: 10 % of a core is 600 microseconds a poll.
func BenchmarkPoll(b *testing.B) {
	for name, open := range engines {
		for _, writing := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/writing=%t", name, writing), func(b *testing.B) { benchmarkPoll(b, open, writing) })
		}
	}
}

func benchmarkPoll(b *testing.B, open func(testing.TB) engine, writing bool) {
	const clinics, each = 100, 20
	w := newWorld(b, 1, open)
	for n := range clinics + 1 {
		w.put(fmt.Sprintf(`{"resourceType":"Organization","id":"k%d","name":"x"}`, n))
		for p := range each {
			w.put(fmt.Sprintf(`{"resourceType":"Patient","id":"k%d-%d","managingOrganization":{"reference":"Organization/k%d"}}`, n, p, n))
		}
	}
	clients := make([]*client, clinics)
	for n := range clients {
		clients[n] = &client{w: w, who: "clinician", scope: fmt.Sprintf("organization=k%d", n)}
		for !clients[n].caught {
			clients[n].sync(false)
		}
		clients[n].sync(false)
	}
	write := func(n int) {
		w.put(fmt.Sprintf(`{"resourceType":"Observation","id":"w%d","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/k%d-%d"}}`, n, clinics, n%each))
	}
	var took time.Duration
	polls := 0
	b.ResetTimer()
	for ; b.Loop(); polls++ {
		if writing {
			write(polls)
		}
		before := cpu(b)
		c := clients[polls%clinics]
		c.sync(false)
		took += cpu(b) - before
		if !c.caught || len(c.copy) != each+1 {
			b.Fatalf("caught up %t with %d resources", c.caught, len(c.copy))
		}
	}
	b.ReportMetric(float64(took.Microseconds())/float64(polls), "cpu-µs/poll")
}
