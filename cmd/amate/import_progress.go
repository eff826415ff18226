package main

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// counter is a number that several workers add to.
type counter = atomic.Int64

// progress shows how far an import is: a bar on a terminal, else a line now and then.
type progress struct {
	out       io.Writer
	files     int   // to do
	size      int64 // bytes to read, as they are on the disk
	done      counter
	bytes     counter // read so far
	resources counter
	started   time.Time
	stop      func()
}

const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 5 * time.Second
	barWidth  = 30
)

func newProgress(out io.Writer, files []input) *progress {
	p := &progress{out: out, files: len(files), started: time.Now()}
	for _, f := range files {
		p.size += f.size
	}
	p.stop = watching(out, p.started, p.line)
	return p
}

// file notes that a file is done.
func (p *progress) file() { p.done.Add(1) }

// skip notes that a file need not be read.
func (p *progress) skip(f input) {
	p.bytes.Add(f.size)
	p.done.Add(1)
}

// end stops showing.
func (p *progress) end() { p.stop() }

// watching shows now and then how far something is that began at a time: a bar on a
// terminal, else a line. What it returns stops that.
func watching(out io.Writer, started time.Time, line func(took time.Duration, terminal bool) string) (stop func()) {
	stopping, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		telling(out, isTerminal(out), started, line, stopping)
	}()
	return func() {
		close(stopping)
		<-stopped
	}
}

func telling(out io.Writer, terminal bool, started time.Time, line func(time.Duration, bool) string, stop <-chan struct{}) {
	every, form := lineEvery, "%s\n"
	if terminal {
		every, form = barEvery, "\r%s\x1b[K" // to the end of the line, clear
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintf(out, form, line(time.Since(started), terminal))
		case <-stop:
			if terminal {
				fmt.Fprintf(out, "\r%s\x1b[K\n", line(time.Since(started), true))
			}
			return
		}
	}
}

// line says how far the import is after took.
func (p *progress) line(took time.Duration, withBar bool) string {
	share := 1.0
	if p.size > 0 {
		share = min(1, float64(p.bytes.Load())/float64(p.size))
	}
	n := p.resources.Load()
	text := fmt.Sprintf("%3.0f%%  %d of %d files  %d resources  %.0f a second", 100*share, p.done.Load(), p.files, n, float64(n)/took.Seconds())
	if share > 0 && share < 1 {
		left := time.Duration(float64(took) * (1 - share) / share)
		text += "  " + left.Round(time.Second).String() + " left"
	}
	if withBar {
		return bar(share) + text
	}
	return text
}

// bar draws a share of 0 to 1.
func bar(share float64) string {
	full := int(share * barWidth)
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", barWidth-full) + "] "
}
