package subscription_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// TestBegunMidway: nobody waits for resources of a type, so nobody reads their changes; a
// Subscription to them that begins while they are being written is told of every one that
// is written once it is active.
func TestBegunMidway(t *testing.T) {
	both(t, func(t *testing.T, w *world) {
		var written atomic.Int64
		var writing sync.WaitGroup
		stop := make(chan struct{})
		writing.Go(func() {
			for n := 1; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				w.do("system", "PUT", fmt.Sprintf("/Flag/b%d", n), flag(fmt.Sprintf("b%d", n), "p1", n))
				written.Store(int64(n))
			}
		})
		defer func() {
			close(stop)
			writing.Wait()
		}()
		for range 4 {
			e := newEndpoint(t)
			id := w.subscribe("clinic", asked{topic: "alert", filter: "Flag?patient=Patient/p1", endpoint: e.web.URL, count: 50})
			first := written.Load() + 2 // the one after may be under way already
			if !eventually(func() bool { return written.Load() >= first+20 }) {
				t.Fatal("nothing is written")
			}
			e.has(fmt.Sprintf("Flag/b%d", first+20))
			if status, body := w.do("system", "DELETE", "/Subscription/"+id, ""); status >= 300 {
				t.Fatalf("%d %s", status, body)
			}
			told := map[string]bool{}
			for _, ev := range e.events() {
				told[ev.focus] = true
			}
			for n := first; n <= first+20; n++ {
				if !told[fmt.Sprintf("Flag/b%d", n)] {
					t.Errorf("Flag/b%d, after Flag/b%d, was never told", n, first)
				}
			}
		}
	})
}
