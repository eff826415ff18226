package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// lockedBuffer is written by a timer and read by the test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestLogBufferKeepsOrderAndLosesNothing(t *testing.T) {
	var out lockedBuffer
	b := &logBuffer{w: &out}
	var want strings.Builder
	line := strings.Repeat("x", 99) + "\n"
	for range 2 * logFull / len(line) {
		b.Write([]byte(line))
		want.WriteString(line)
	}
	if out.String() == "" {
		t.Error("a full buffer was not written")
	}
	b.flush()
	if out.String() != want.String() {
		t.Errorf("%d bytes came out, want %d", len(out.String()), want.Len())
	}
}

func TestLogBufferDoesNotKeepALineForLong(t *testing.T) {
	var out lockedBuffer
	b := &logBuffer{w: &out}
	b.Write([]byte("one\n"))
	for end := time.Now().Add(10 * time.Second); out.String() != "one\n"; time.Sleep(logDelay / 10) {
		if time.Now().After(end) {
			t.Fatal("the line was not written")
		}
	}
}
