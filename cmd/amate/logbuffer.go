package main

import (
	"io"
	"sync"
	"time"
)

// logBuffer gathers lines of the log and writes many at once: a write for each
// request would cost a tenth of a read by id. A line waits no longer than
// logDelay; what is killed without warning loses the lines of that time.
type logBuffer struct {
	mu      sync.Mutex
	w       io.Writer
	lines   []byte
	waiting bool // a flush is on its way
}

const (
	logDelay = 100 * time.Millisecond
	logFull  = 32 << 10 // bytes
)

// Write takes one line. It never fails: there is nowhere to tell of a lost log.
func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line...)
	switch {
	case len(b.lines) >= logFull:
		b.write()
	case !b.waiting:
		b.waiting = true
		time.AfterFunc(logDelay, b.flush)
	}
	return len(line), nil
}

// flush writes what has gathered.
func (b *logBuffer) flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = false
	b.write()
}

func (b *logBuffer) write() {
	if len(b.lines) > 0 {
		_, _ = b.w.Write(b.lines)
		b.lines = b.lines[:0]
	}
}
