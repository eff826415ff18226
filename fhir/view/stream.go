package view

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/operation"
)

const (
	// held is how many bytes of an answer are held back: what goes wrong until there are more
	// is answered with an OperationOutcome, and what ends before goes out with its length.
	held = 256 << 10
	// heldFor is how long they are held back.
	heldFor = 5 * time.Second
	// longest is how long an answer may take in all.
	longest = time.Hour
)

// answer returns what produce writes, which goes out while it is being written. When it
// fails in the midst of that, the connection is broken off, so that nobody takes a part for
// the whole. Errors: fhir.Throttled; those of produce.
func (s *Service) answer(ctx context.Context, call *operation.Call, media string, produce func(context.Context, io.Writer) error) (*operation.Answer, error) {
	done, err := s.turn(call.Caller.Principal)
	if err != nil {
		return nil, err
	}
	// The context of a request ends before its answer has left.
	working, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest)
	r, w := io.Pipe()
	f := &flow{pipe: w, begun: make(chan struct{}), whole: call.URL == ""}
	ended := make(chan error, 1)
	go func() {
		defer done()
		err := f.run(working, produce)
		ended <- err
		_ = w.CloseWithError(err) // it never fails; nil is the end
	}()
	flowing := &operation.Answer{Media: media, File: &operation.File{ReadCloser: &tap{r, cancel}}}
	patience := time.NewTimer(heldFor)
	defer patience.Stop()
	for {
		select {
		case <-f.begun:
			return flowing, nil
		case err := <-ended:
			cancel()
			if err != nil {
				return nil, err
			}
			return &operation.Answer{Media: media, Raw: f.first.Bytes()}, nil
		case <-ctx.Done():
			cancel()
			_ = r.Close()
			return nil, ctx.Err()
		case <-patience.C:
			f.begin()
		}
	}
}

// turn lets a run begin, and returns what is to be called when it has ended. Of all that may
// run at a time nobody who is known has more than half: an answer is made as fast as it is
// read, and whoever reads slowly would keep out all others. Errors: fhir.Throttled.
func (s *Service) turn(principal string) (done func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if half := max(1, s.AtOnce/2); principal != "" && s.runs[principal] >= half {
		e := fhir.Errorf(fhir.Throttled, "%d views of yours are being run, which is as many as there may be at a time", half)
		e.RetryAfter = 5
		return nil, e
	}
	if s.all >= s.AtOnce {
		e := fhir.Errorf(fhir.Throttled, "%d views are being run, which is as many as there may be at a time", s.AtOnce)
		e.RetryAfter = 5
		return nil, e
	}
	s.all++
	s.runs[principal]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.runs[principal]--; s.runs[principal] == 0 {
			delete(s.runs, principal)
		}
	}, nil
}

// tap is the end of a pipe at which an answer leaves. Closing it ends what fills it.
type tap struct {
	io.Reader
	cancel context.CancelFunc
}

func (t *tap) Close() error {
	t.cancel()
	return t.Reader.(*io.PipeReader).Close()
}

// flow holds its first bytes back, and passes on what follows.
type flow struct {
	pipe  *io.PipeWriter
	whole bool // it has to be there as a whole: an entry of a batch

	mu    sync.Mutex
	first bytes.Buffer
	open  bool
	begun chan struct{} // closed when it is open
}

// run has produce write to f, and passes on what was held back when f is open by then.
func (f *flow) run(ctx context.Context, produce func(context.Context, io.Writer) error) error {
	err := f.produced(ctx, produce)
	if open := f.ended(); err != nil || !open {
		return err
	}
	return f.drain()
}

// produced has produce write to f. A panic must not end the server.
func (f *flow) produced(ctx context.Context, produce func(context.Context, io.Writer) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a view panicked: %v", p)
		}
	}()
	out := bufio.NewWriterSize(f, 64<<10)
	if err := produce(ctx, out); err != nil {
		return err
	}
	return out.Flush()
}

// ended reports whether f was opened. What was not by the time that all of it is there stays
// so: it is answered as a whole.
func (f *flow) ended() (open bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.whole = f.whole || !f.open
	return f.open
}

// begin lets f flow.
func (f *flow) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open && !f.whole {
		f.open = true
		close(f.begun)
	}
}

func (f *flow) Write(p []byte) (int, error) {
	f.mu.Lock()
	open := f.open
	if !open && f.first.Len()+len(p) <= held {
		defer f.mu.Unlock()
		return f.first.Write(p)
	}
	f.mu.Unlock()
	if f.whole {
		return 0, fhir.Errorf(fhir.TooLarge, "the answer is too large for an entry of a batch: ask for it by itself")
	}
	f.begin()
	if err := f.drain(); err != nil {
		return 0, err
	}
	return f.pipe.Write(p)
}

// drain passes on what was held back. Only the goroutine that writes calls it, once f is open.
func (f *flow) drain() error {
	if f.first.Len() == 0 {
		return nil
	}
	_, err := f.pipe.Write(f.first.Bytes())
	f.first.Reset()
	return err
}
