package rest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/search"
)

// remembering gives an API the state of its store.
func remembering(c *rest.Config) { c.State = c.Store.(rest.State) }

// count returns how many resources of a type there are.
func (s *server) count(typ string) (n int) {
	s.t.Helper()
	r, err := s.store.Search(context.Background(), &search.Query{Type: typ, Count: 1, Total: search.TotalAccurate, Restriction: search.Unrestricted})
	if err != nil {
		s.t.Fatal(err)
	}
	return int(r.Total)
}

// same expects that a repeated request is answered as the first, and says so.
func (s *server) same(first, again *answer) {
	s.t.Helper()
	if again.status != first.status || again.body != first.body || again.header.Get("Location") != first.header.Get("Location") || again.header.Get("ETag") != first.header.Get("ETag") {
		s.t.Errorf("first %d %v %s\nagain %d %v %s", first.status, first.header, first.body, again.status, again.header, again.body)
	}
	if first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" {
		s.t.Errorf("first %v, again %v", first.header, again.header)
	}
}

func TestOnce(t *testing.T) {
	s := serve(t, remembering)
	s.put(patient("p", "1"))
	key := 0
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/Patient", patient("", "new")},
		{"PUT", "/Patient/p", patient("p", "2")},
		{"PUT", "/Patient/q", patient("q", "1")},
		{"POST", "/", bundleOf("transaction", entry("", "POST", "Patient", patient("", "t"), ""), entry("", "PUT", "Patient/p", patient("p", "3"), ""), entry("", "DELETE", "Patient/q", "", ""))},
		{"DELETE", "/Patient/p", ""},
	} {
		key++
		name := fmt.Sprintf(`"key-%d"`, key)
		first := s.do(c.method, c.path, c.body, "Idempotency-Key", name)
		if first.status >= 300 {
			t.Fatalf("%s %s: %d %s", c.method, c.path, first.status, first.body)
		}
		before := s.count("Patient")
		s.same(first, s.do(c.method, c.path, c.body, "Idempotency-Key", name))
		s.same(first, s.do(c.method, c.path, c.body, "Idempotency-Key", strings.Trim(name, `"`)))
		if n := s.count("Patient"); n != before {
			t.Errorf("%s %s twice: %d patients, and then %d", c.method, c.path, before, n)
		}
		if c.body != "" {
			s.want(422, s.do(c.method, c.path, strings.Replace(c.body, `"value":"`, `"value":"x`, 1), "Idempotency-Key", name))
		}
	}
	// A version that is not current any more is no obstacle to the answer.
	s.put(patient("m", "1"))
	first := s.want(200, s.do("PUT", "/Patient/m", patient("m", "2"), "If-Match", `W/"1"`, "Idempotency-Key", "m"))
	s.same(first, s.do("PUT", "/Patient/m", patient("m", "2"), "If-Match", `W/"1"`, "Idempotency-Key", "m"))
	// What failed is tried again.
	s.want(412, s.do("PUT", "/Patient/m", patient("m", "4"), "If-Match", `W/"3"`, "Idempotency-Key", "f"))
	s.put(patient("m", "3"))
	s.want(200, s.do("PUT", "/Patient/m", patient("m", "4"), "If-Match", `W/"3"`, "Idempotency-Key", "f"))

	for _, bad := range []string{"", `""`, strings.Repeat("a", 300), "ñ"} {
		if a := s.do("POST", "/Patient", patient("", "x"), "Idempotency-Key", bad); bad != "" && a.status != 400 {
			t.Errorf("key %q: %d", bad, a.status)
		}
	}
	s.want(400, s.do("POST", "/", bundleOf("batch", entry("", "POST", "Patient", patient("", "b"), "")), "Idempotency-Key", "b"))
	s.want(200, s.do("GET", "/Patient/m", "", "Idempotency-Key", "m")) // it has no meaning there
}

// TestOnceForEachCaller: the key of one is not that of another.
func TestOnceForEachCaller(t *testing.T) {
	store := newStore(t)
	a, b := serveOn(t, store, remembering), serveOn(t, store, remembering, func(c *rest.Config) { c.Guard = own{} })
	a.want(201, a.do("PUT", "/Patient/one", patient("one", "1"), "Idempotency-Key", "k"))
	active := `{"resourceType":"Patient","active":true}`
	if got := b.do("POST", "/Patient", active, "Idempotency-Key", "k"); got.status != 201 || got.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// TestOnceAtOnce: of many that send the same at the same time, one writes, and all get
// its answer.
func TestOnceAtOnce(t *testing.T) {
	s := serve(t, remembering)
	for round := range 5 {
		answers := make([]*answer, 20)
		var sending sync.WaitGroup
		for i := range answers {
			sending.Go(func() {
				answers[i] = s.do("POST", "/Patient", patient("", fmt.Sprint(round)), "Idempotency-Key", fmt.Sprint(round))
			})
		}
		sending.Wait()
		for _, a := range answers {
			if a.status != 201 || a.header.Get("Location") != answers[0].header.Get("Location") {
				t.Fatalf("%d %s %s", a.status, a.header.Get("Location"), a.body)
			}
		}
		if n := s.count("Patient"); n != round+1 {
			t.Fatalf("%d patients after %d requests", n, round+1)
		}
	}
}

// forgetful loses the answer of every first write, after it is done.
type forgetful struct {
	rest.Store
	rest.State
	mu   sync.Mutex
	lose int
}

func (f *forgetful) Apply(ctx context.Context, b *bundle.Batch) ([]bundle.Result, error) {
	results, err := f.Store.Apply(ctx, b)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lose++; f.lose%2 == 1 && err == nil {
		panic(errors.New("the server dies here"))
	}
	return results, err
}

// TestOnceAfterACrash: where the server dies between the commit and the answer, sending
// it again doubles nothing.
func TestOnceAfterACrash(t *testing.T) {
	store := newStore(t)
	s := serveOn(t, &forgetful{Store: store, State: store.(rest.State)}, remembering)
	for i := range 5 {
		send := func() *answer {
			return s.do("POST", "/Patient", patient("", fmt.Sprint(i)), "Idempotency-Key", fmt.Sprint(i))
		}
		s.want(500, send())
		if a := s.want(201, send()); a.header.Get("Idempotency-Replayed") != "true" || a.header.Get("Location") == "" {
			t.Errorf("%v", a.header)
		}
		s.want(201, s.do("POST", "/Patient", patient("", "x"))) // the one that uses up a good turn
	}
	if n := s.count("Patient"); n != 10 {
		t.Errorf("%d patients, want 10", n)
	}
}

// TestOnceOperation: an operation that changes something is performed one time.
func TestOnceOperation(t *testing.T) {
	runs, began, going := 0, make(chan bool, 1), make(chan bool)
	op := operation.Operation{Name: "make", URL: "http://x/make", Scope: operation.OnSystem, Changes: true,
		Run: func(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
			if runs++; runs == 2 {
				began <- true
				<-going
			}
			_, err := call.Send(ctx, []byte(bundleOf("transaction", entry("", "POST", "Patient", patient("", "op"), ""))))
			return &operation.Answer{JSON: fmt.Appendf(nil, `{"resourceType":"Parameters","id":"run-%d"}`, runs)}, err
		}}
	s := serve(t, remembering, func(c *rest.Config) { c.Operations = []operation.Operation{op} })
	first := s.want(200, s.do("POST", "/$make", "", "Idempotency-Key", "a"))
	s.same(first, s.do("POST", "/$make", "", "Idempotency-Key", "a"))
	done := make(chan *answer)
	go func() { done <- s.do("POST", "/$make", "", "Idempotency-Key", "b") }()
	<-began
	if a := s.want(409, s.do("POST", "/$make", "", "Idempotency-Key", "b")); a.header.Get("Retry-After") == "" {
		t.Errorf("%v", a.header)
	}
	close(going)
	s.same(<-done, s.do("POST", "/$make", "", "Idempotency-Key", "b"))
	if runs != 2 || s.count("Patient") != 2 {
		t.Errorf("%d runs, %d patients", runs, s.count("Patient"))
	}
}

// TestOnceOperationHidden: what an operation came to is not told to who may not see any
// more what it was called on.
func TestOnceOperationHidden(t *testing.T) {
	look := operation.Operation{Name: "look", URL: "http://x/look", Scope: operation.OnInstance, Types: []string{"Patient"}, Changes: true,
		Run: func(context.Context, *operation.Call) (*operation.Answer, error) {
			return &operation.Answer{JSON: []byte(`{"resourceType":"Parameters","id":"seen"}`)}, nil
		}}
	operations := func(c *rest.Config) { c.Operations = []operation.Operation{look} }
	store := newStore(t)
	all, some := serveOn(t, store, remembering, operations), serveOn(t, store, remembering, operations, func(c *rest.Config) { c.Guard = own{} })
	all.put(`{"resourceType":"Patient","id":"p","active":true}`)
	first := some.want(200, some.do("POST", "/Patient/p/$look", "", "Idempotency-Key", "k"))
	some.same(first, some.do("POST", "/Patient/p/$look", "", "Idempotency-Key", "k"))
	all.put(`{"resourceType":"Patient","id":"p","active":false}`)
	if got := some.do("POST", "/Patient/p/$look", "", "Idempotency-Key", "k"); got.status != 404 || strings.Contains(got.body, "seen") {
		t.Errorf("%d %s", got.status, got.body)
	}
	again := all.want(200, all.do("POST", "/Patient/p/$look", "", "Idempotency-Key", "k"))
	all.want(204, all.do("DELETE", "/Patient/p", ""))
	all.same(again, all.do("POST", "/Patient/p/$look", "", "Idempotency-Key", "k"))
}
