package rest_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/amate-health/amate/fhir/rest"
)

// stall opens n connections that each begin a request with a body of size bytes,
// and send but a part of it.
func stall(t *testing.T, s *server, n, size int) {
	t.Helper()
	for range n {
		conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), "/fhir"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n{", size)
	}
	time.Sleep(100 * time.Millisecond)
}

// TestStalledBodiesTakeNoTurn: clients that send their bodies slowly, or not at
// all, leave the others alone.
func TestStalledBodiesTakeNoTurn(t *testing.T) {
	s := serve(t, func(c *rest.Config) { c.Limits.Concurrent, c.Limits.Queue = 2, 50*time.Millisecond })
	stall(t, s, 8, 1000)
	s.want(200, s.do("GET", "/Patient", ""))
	s.want(201, s.do("POST", "/Patient", patient("", "1")))
}

// TestRoomForBodies: large bodies are taken as long as there is room for them all;
// small ones always. What is answered leaves its room to others.
func TestRoomForBodies(t *testing.T) {
	s := serve(t, func(c *rest.Config) { c.Limits.Body, c.Limits.Bodies = 2<<20, 3<<20 })
	large := func() string { return patient("", "1", strings.Repeat(" ", 1<<20)+`"active":true`) }
	for range 5 {
		s.want(201, s.do("POST", "/Patient", large()))
		s.want(201, s.send("POST", "/Patient", io.MultiReader(strings.NewReader(large())))) // of unknown length
	}
	stall(t, s, 2, 3<<19-1000)
	a := s.do("POST", "/Patient", large())
	for end := time.Now().Add(3 * time.Minute); a.status == 201 && time.Now().Before(end); { // what stalls has not arrived yet
		a = s.do("POST", "/Patient", large())
	}
	s.want(429, a)
	if a.header.Get("Retry-After") == "" || !a.outcome(t).says("large bodies") {
		t.Errorf("%v %s", a.header, a.body)
	}
	s.want(201, s.do("POST", "/Patient", patient("", "1")))
}
