package rest_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// TestParallelConditionalCreates: many creates with one criterion make one resource.
func TestParallelConditionalCreates(t *testing.T) {
	s := serve(t)
	const clients = 100
	var created, matched atomic.Int32
	var done sync.WaitGroup
	for i := range clients {
		done.Go(func() {
			var a *answer
			if i%2 == 0 {
				a = s.do("POST", "/Patient", patient("", "1"), "If-None-Exist", "identifier=http://s|1")
			} else { // the same by way of a transaction
				a = s.do("POST", "/", bundleOf("transaction", entry("", "POST", "Patient", patient("", "1"), `,"ifNoneExist":"identifier=http://s|1"`)))
				if a.status == 200 && a.bundle(t).Entry[0].Response.Status == "201 Created" {
					a.status = 201
				}
			}
			switch a.status {
			case 201:
				created.Add(1)
			case 200:
				matched.Add(1)
			default:
				t.Errorf("status %d: %s", a.status, a.body)
			}
		})
	}
	done.Wait()
	if created.Load() != 1 || matched.Load() != clients-1 {
		t.Errorf("%d created, %d matched", created.Load(), matched.Load())
	}
	if b := s.do("GET", "/Patient", "").bundle(t); len(b.Entry) != 1 {
		t.Errorf("there are %v", b.ids())
	}
}

// TestParallelIfMatch: of many updates that name one version, one wins.
func TestParallelIfMatch(t *testing.T) {
	s := serve(t)
	s.put(patient("p", "0"))
	const clients = 50
	var won, lost atomic.Int32
	var done sync.WaitGroup
	for i := range clients {
		done.Go(func() {
			switch a := s.do("PUT", "/Patient/p", patient("p", fmt.Sprint(i+1)), "If-Match", `W/"1"`); a.status {
			case 200:
				won.Add(1)
			case 412:
				lost.Add(1)
			default:
				t.Errorf("status %d: %s", a.status, a.body)
			}
		})
	}
	done.Wait()
	if won.Load() != 1 || lost.Load() != clients-1 {
		t.Errorf("%d won, %d lost", won.Load(), lost.Load())
	}
}
