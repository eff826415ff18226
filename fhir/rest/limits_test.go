package rest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/rest"
)

// exchange sends one request over conn and returns the status of the answer.
func exchange(t testing.TB, conn net.Conn, head string, body io.Reader, length bool) int {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(3 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	go func() {
		w := bufio.NewWriterSize(conn, 64<<10)
		switch b := body.(type) {
		case *endless:
			if length {
				fmt.Fprintf(w, "%sContent-Length: %d\r\n\r\n", head, b.left)
				_, _ = io.Copy(w, b)
			} else {
				fmt.Fprintf(w, "%sTransfer-Encoding: chunked\r\n\r\n", head)
				chunk := make([]byte, 32<<10)
				for {
					n, err := b.Read(chunk)
					if err != nil {
						break
					}
					if _, err := fmt.Fprintf(w, "%x\r\n%s\r\n", n, chunk[:n]); err != nil {
						return
					}
				}
			}
		default:
			text, _ := io.ReadAll(b)
			fmt.Fprintf(w, "%sContent-Length: %d\r\n\r\n%s", head, len(text), text)
		}
		_ = w.Flush()
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Errorf("no answer: %v", err)
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// slow is a store whose reads wait until they are let go.
type slow struct {
	rest.Store
	started chan struct{}
	release chan struct{}
}

func (s *slow) Read(ctx context.Context, ref fhir.Ref) (fhir.Resource, error) {
	s.started <- struct{}{}
	select {
	case <-s.release:
		return s.Store.Read(ctx, ref)
	case <-ctx.Done():
		return fhir.Resource{}, fmt.Errorf("read: %w", ctx.Err())
	}
}

func TestConcurrencyLimit(t *testing.T) {
	slow := &slow{started: make(chan struct{}, 9), release: make(chan struct{})}
	s := serve(t, func(c *rest.Config) {
		slow.Store, c.Store = c.Store, slow
		c.Limits.Concurrent, c.Limits.Queue = 2, 50*time.Millisecond
	})
	s.put(patient("p", "1"))
	var done sync.WaitGroup
	for range 2 {
		done.Go(func() {
			if a := s.do("GET", "/Patient/p", ""); a.status != 200 {
				t.Errorf("a request in its turn: %d %s", a.status, a.body)
			}
		})
		<-slow.started
	}
	a := s.want(429, s.do("GET", "/Patient/p", ""))
	if a.header.Get("Retry-After") != "1" || a.outcome(t).Issue[0].Code != "throttled" {
		t.Errorf("%v %s", a.header, a.body)
	}
	close(slow.release)
	done.Wait()
	s.want(200, s.do("GET", "/Patient/p", ""))
}

func TestTimeout(t *testing.T) {
	slow := &slow{started: make(chan struct{}, 9), release: make(chan struct{})}
	s := serve(t, func(c *rest.Config) {
		slow.Store, c.Store = c.Store, slow
		c.Limits.Timeout = 100 * time.Millisecond
	})
	a := s.want(503, s.do("GET", "/Patient/p", ""))
	if a.header.Get("Retry-After") == "" || a.outcome(t).Issue[0].Code != "transient" {
		t.Errorf("%v %s", a.header, a.body)
	}
	if r := s.records.last(); r.Status != 503 || r.Code != fhir.Unavailable || r.Err != nil {
		t.Errorf("record %+v", r)
	}
}

// TestSlowBody: a client that does not send its body does not hold a place for ever.
func TestSlowBody(t *testing.T) {
	s := serve(t, func(c *rest.Config) { c.Limits.Timeout = 200 * time.Millisecond })
	conn, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSuffix(s.url, "/fhir"), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nContent-Length: 100\r\n\r\n{")
	_ = conn.SetDeadline(time.Now().Add(3 * time.Minute))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 503 {
		t.Errorf("status %d, want 503", resp.StatusCode)
	}
}

// TestSteadyBody: a body may take longer than the time for a request while it
// keeps up its pace, and no longer once it does not.
func TestSteadyBody(t *testing.T) {
	s := serve(t, func(c *rest.Config) { c.Limits.Timeout = 200 * time.Millisecond })
	send := func(part int, pause time.Duration) int {
		conn, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSuffix(s.url, "/fhir"), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(3 * time.Minute))
		body := `{"resourceType":"Basic","code":{"text":"` + strings.Repeat("x", 300_000) + `"}}`
		fmt.Fprintf(conn, "POST /fhir/Basic HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n", len(body))
		go func() {
			for len(body) > 0 {
				n := min(part, len(body))
				if _, err := io.WriteString(conn, body[:n]); err != nil {
					return
				}
				body = body[n:]
				time.Sleep(pause)
			}
		}()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	start := time.Now()
	status := 0
	for range 30 { // it does not arrive steadily, and is not written in time, on a machine that stands still
		start = time.Now()
		if status = send(40_000, 100*time.Millisecond); status != 503 {
			break
		}
	}
	if status != 201 {
		t.Errorf("a steady body: status %d", status)
	}
	if took := time.Since(start); took < 500*time.Millisecond {
		t.Errorf("it took %v, too short to show anything", took)
	}
	if status := send(500, 50*time.Millisecond); status != 503 {
		t.Errorf("a trickling body: status %d", status)
	}
}

func TestLongURL(t *testing.T) {
	s := serve(t, func(c *rest.Config) { c.Limits.URL = 200 })
	a := s.want(413, s.do("GET", "/Patient?name="+strings.Repeat("a", 200), ""))
	if !a.outcome(t).says("POST") {
		t.Errorf("%s", a.body)
	}
}

// broken is a store that fails in ways that are nobody's business.
type broken struct{ rest.Store }

func (broken) Read(_ context.Context, ref fhir.Ref) (fhir.Resource, error) {
	if ref.ID == "panic" {
		panic("secret of " + ref.ID)
	}
	return fhir.Resource{}, fmt.Errorf("disk sda1 is full of secrets")
}

func TestOurOwnFaults(t *testing.T) {
	s := serve(t, func(c *rest.Config) { c.Store = broken{c.Store} })
	for _, id := range []string{"x", "panic"} {
		const request = "0193a5f0-0000-7000-8000-000000000001"
		a := s.want(500, s.do("GET", "/Patient/"+id, "", "X-Request-Id", request))
		if strings.Contains(a.body, "secret") || !a.outcome(t).says(request) || a.header.Get("X-Request-Id") != request {
			t.Errorf("%s: %s", id, a.body)
		}
		if r := s.records.last(); r.Err == nil || r.Status != 500 || r.ID != request {
			t.Errorf("%s: record %+v", id, r)
		}
	}
	b := s.want(200, s.do("POST", "/", bundleOf("batch", entry("", "GET", "Patient/panic", "", ""), entry("", "GET", "Patient/x", "", "")))).bundle(t)
	for i, e := range b.Entry {
		if !strings.HasPrefix(e.Response.Status, "500") || strings.Contains(string(e.Response.Outcome), "secret") {
			t.Errorf("entry %d: %s %s", i, e.Response.Status, e.Response.Outcome)
		}
	}
	if r := s.records.last(); r.Err == nil {
		t.Errorf("the batch's record does not tell of it: %+v", r)
	}
}
