package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/amate-health/amate/authz/audit"
)

// auditedServer is benchServer with an audit trail, over the store that s names.
func auditedServer(b testing.TB, s storage) (base string, trail *audit.Trail) {
	b.Helper()
	quiet := slog.New(slog.NewJSONHandler(io.Discard, nil))
	store, err := s.open(context.Background(), quiet)
	if err != nil {
		b.Fatal(err)
	}
	how := &serve{Storage: s, Validation: "base", InsecureNoAuth: true}
	how.Storage.Data = filepath.Join(s.Data, "audited")
	if err := how.Audit.open(how, store, quiet); err != nil {
		b.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server, err := how.server(ln, store, quiet)
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.run(ctx, quiet)
	}()
	b.Cleanup(func() {
		stop()
		<-ended
		store.closeTrail(quiet)
		store.Close()
	})
	return server.base, store.trail
}

// cpuTime is what this process has used so far: clients, server and SQLite.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
