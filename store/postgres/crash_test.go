package postgres

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/amate-health/amate/store/storetest"
)

// TestCrash: what was acknowledged survives a crash of PostgreSQL under load, no
// batch is there in part, and the store goes on without being opened again.
func TestCrash(t *testing.T) {
	server := storetest.StartServer(t)
	admin, err := pgx.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.Exec(t.Context(), `CREATE DATABASE amate`); err != nil {
		t.Fatal(err)
	}
	admin.Close(t.Context())
	s, err := Open(t.Context(), server.URL("amate"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()

	var mu sync.Mutex
	var acknowledged []string
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		storetest.Hammer(ctx, s, "a", func(name string) {
			mu.Lock()
			acknowledged = append(acknowledged, name)
			mu.Unlock()
		})
	}()
	const enough = 50 // so that all of it is at work
	for have := 0; have < enough; time.Sleep(20 * time.Millisecond) {
		select {
		case <-done:
			t.Fatalf("it ended by itself, after %d batches", have)
		default:
		}
		mu.Lock()
		have = len(acknowledged)
		mu.Unlock()
	}
	if err := server.CrashAndRestart(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	<-done
	for deadline := time.Now().Add(3 * time.Minute); s.Ready(t.Context()) != nil; {
		if time.Now().After(deadline) {
			t.Fatalf("the store does not recover: %v", s.Ready(t.Context()))
		}
		time.Sleep(50 * time.Millisecond)
	}
	storetest.Survived(t, s, acknowledged)
}
