package subscription_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// flags writes n Flags in transactions of 100, each of the patient that of says.
func (w *world) flags(prefix string, n int, of func(int) string) {
	var entries []string
	for i := range n {
		id := fmt.Sprintf("%s-%d", prefix, i)
		entries = append(entries, fmt.Sprintf(`{"resource":%s,"request":{"method":"PUT","url":"Flag/%s"}}`, flag(id, of(i), i), id))
	}
	for some := range slices.Chunk(entries, 100) {
		if status, body := w.do("system", "POST", "", `{"resourceType":"Bundle","type":"transaction","entry":[`+strings.Join(some, ",")+`]}`); status != 200 {
			w.t.Fatalf("%d %s", status, body)
		}
	}
}

// confirmed is how many events were, and how long it took from the change, in order.
func (w *world) confirmed() (n int, lags []time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.seen {
		if n += s.Events; s.Events > 0 {
			lags = append(lags, s.Lag)
		}
	}
	slices.Sort(lags)
	return n, lags
}

func quietEndpoint(b *testing.B) string {
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	b.Cleanup(web.Close)
	return web.URL
}

// BenchmarkDeliver: events that one local endpoint confirms, with their resources, 100 in a
// notification, while they are written in transactions of 100. Each is read through the
// guard, logged and confirmed.
func BenchmarkDeliver(b *testing.B) {
	for name, open := range engines {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, open(b))
			w.subscribe("clinic", asked{topic: "alert", endpoint: quietEndpoint(b), count: 100})
			round, total := 0, 0
			for b.Loop() {
				w.flags(fmt.Sprintf("r%d", round), 1000, func(int) string { return "p1" })
				round, total = round+1, total+1000
				if !eventually(func() bool { n, _ := w.confirmed(); return n >= total }) {
					b.Fatal("not all came")
				}
			}
			b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkThousand: 1,000 Subscriptions, each with a filter for a patient of its own, while
// 100 Flags are written in each round, each of which concerns one of them. The lag is from
// the change to the confirmation.
func BenchmarkThousand(b *testing.B) {
	for name, open := range engines {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, open(b))
			url := quietEndpoint(b)
			const all = 1000
			for i := range all {
				a := asked{topic: "alert", endpoint: url, filter: fmt.Sprintf("Flag?patient=Patient/n%d", i)}
				if status, body := w.do("clinic", "POST", "/Subscription", a.json()); status != 201 {
					b.Fatalf("%d %s", status, body)
				}
			}
			if !eventually(func() bool {
				_, body := w.do("clinic", "GET", "/Subscription?status=active&_summary=count", "")
				return strings.Contains(string(body), fmt.Sprintf(`"total":%d`, all))
			}) {
				b.Fatal("not all are active")
			}
			b.ResetTimer()
			round, total := 0, 0
			for b.Loop() {
				w.flags(fmt.Sprintf("r%d", round), 100, func(i int) string { return fmt.Sprintf("n%d", (round*100+i)%all) })
				round, total = round+1, total+100
				if !eventually(func() bool { n, _ := w.confirmed(); return n >= total }) {
					b.Fatal("not all came")
				}
			}
			_, lags := w.confirmed()
			b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(lags[len(lags)/2].Seconds()*1000, "ms-lag-p50")
			b.ReportMetric(lags[len(lags)*95/100].Seconds()*1000, "ms-lag-p95")
		})
	}
}
