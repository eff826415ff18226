package mllp

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// TestStrangers: who is nobody is not read from, however many they are, and those who
// are somebody have their places.
func TestStrangers(t *testing.T) {
	var known atomic.Bool
	s := &Server{
		Size: 100, Connections: 2, Idle: time.Minute, Pending: 1, Log: slog.New(slog.DiscardHandler),
		Known: func(p Peer) bool { return known.Load() && p.Address == netip.MustParseAddr("127.0.0.1") },
		Handle: func(_ context.Context, _ Peer, m []byte) func(context.Context) [][]byte {
			if !known.Load() {
				t.Errorf("a stranger said %q", m)
			}
			return func(context.Context) [][]byte { return [][]byte{m} }
		},
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, ln, time.Second) }()
	ask := func() string {
		t.Helper()
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })             // until then it takes up what place it has
		_, _ = c.Write(Append(nil, []byte("hola"))) // who is refused may find it out here
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		m, err := NewReader(c, 100).Next()
		if err != nil && err != io.EOF && !isReset(err) {
			t.Errorf("the connection is left open: %v", err)
		}
		return string(m)
	}
	for range 5 {
		if got := ask(); got != "" {
			t.Errorf("a stranger is answered %q", got)
		}
	}
	known.Store(true)
	for range 2 {
		if got := ask(); got != "hola" {
			t.Errorf("who is known is answered %q", got)
		}
	}
	if got := ask(); got != "" {
		t.Errorf("one too many is answered %q", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// isReset reports whether the other end gave up a connection.
func isReset(err error) bool {
	slow, ok := err.(net.Error)
	return ok && !slow.Timeout()
}
