package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/amate-health/amate/fhir"
)

// Limits bounds what one request may cost. A zero field stands for its default.
type Limits struct {
	Body       int64         // bytes of a body, after its content encoding is undone; default 64 MiB
	Bodies     int64         // bytes of the bodies of all requests at a time, small ones aside; default four times Body
	URL        int           // bytes of the request target; default 16 KiB
	Entries    int           // entries of a batch or transaction; default 10,000
	Timeout    time.Duration // for one request once its body is there, and as long again for the body and for the answer: see slowest; default 60 s
	Concurrent int           // requests at work at a time; default 256
	Queue      time.Duration // how long a request waits for its turn before it is refused; default 2 s
	Answer     int64         // bytes of resources in one answer, from where on a page ends early and entries of a batch are refused; default 64 MiB
	Count      int           // resources a page when _count is not given; default 20
	MaxCount   int           // resources a page at most; default 1,000
}

// fill puts the defaults in.
func (l *Limits) fill() {
	if l.Body <= 0 {
		l.Body = 64 << 20
	}
	if l.Bodies <= 0 {
		l.Bodies = 4 * l.Body
	}
	if l.URL <= 0 {
		l.URL = 16 << 10
	}
	if l.Entries <= 0 {
		l.Entries = 10_000
	}
	if l.Timeout <= 0 {
		l.Timeout = 60 * time.Second
	}
	if l.Concurrent <= 0 {
		l.Concurrent = 256
	}
	if l.Queue <= 0 {
		l.Queue = 2 * time.Second
	}
	if l.Answer <= 0 {
		l.Answer = 64 << 20
	}
	if l.Count <= 0 {
		l.Count = 20
	}
	if l.MaxCount <= 0 {
		l.MaxCount = 1000
	}
}

// enter waits for the request's turn. Errors: fhir.Throttled.
func (a *API) enter(ctx context.Context) error {
	select {
	case a.turns <- struct{}{}:
		return nil
	default:
	}
	wait := time.NewTimer(a.limits.Queue)
	defer wait.Stop()
	select {
	case a.turns <- struct{}{}:
		return nil
	case <-wait.C:
		return fhir.Errorf(fhir.Throttled, "the server is at work on as many requests as it takes at a time; try again later")
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *API) leave() { <-a.turns }

// idle performs f, which waits, out of turn. It does not last until the very end of
// the time that ctx has, so that there is some left for an answer.
func (a *API) idle(ctx context.Context, f func(context.Context) error) error {
	waiting := ctx
	x := exchangeOf(ctx)
	if x == nil || x.req.Interaction != Operation { // it is only a part of what has the turn
		return f(ctx)
	}
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		waiting, cancel = context.WithDeadline(ctx, end.Add(-min(5*time.Second, a.limits.Timeout/4)))
		defer cancel()
	}
	a.leave()
	err := f(waiting)
	a.turns <- struct{}{} // there are always some that end
	return err
}

// readBody reads a body and undoes its content encoding. It never holds more
// than the limit: a body that says it is longer is refused unread.
// Errors: fhir.TooLarge, fhir.UnsupportedMedia, fhir.Invalid, fhir.Throttled.
func (a *API) readBody(r *http.Request, in *stay) (body []byte, received int64, err error) {
	if r.ContentLength > a.limits.Body {
		return nil, 0, a.tooLarge()
	}
	counted := &countReader{r: r.Body}
	decoded, done, err := decoder(r.Header.Get("Content-Encoding"), counted, a.limits.Body)
	if err != nil {
		return nil, 0, err
	}
	defer done()
	size := r.ContentLength + 1 // one more, so that the end is met without growing
	if decoded != io.Reader(counted) || size <= 0 {
		size = 8 << 10
	}
	body, err = readUpTo(decoded, int(size), a.limits.Body, in)
	switch {
	case err == nil, fhir.CodeOf(err) == fhir.Throttled:
		return body, counted.n, err
	case errors.Is(err, errTooLong), errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, counted.n, a.tooLarge()
	case isTimeout(err):
		return nil, counted.n, context.DeadlineExceeded
	case r.Context().Err() != nil:
		return nil, counted.n, r.Context().Err()
	}
	return nil, counted.n, fhir.Errorf(fhir.Invalid, "the body ends too early, or is not encoded as Content-Encoding says")
}

func (a *API) tooLarge() error {
	return fhir.Errorf(fhir.TooLarge, "the body is larger than the %d bytes that are taken", a.limits.Body)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

var errTooLong = errors.New("longer than the limit")

// readUpTo reads all of r into a buffer that starts with room for size bytes.
func readUpTo(r io.Reader, size int, limit int64, in *stay) ([]byte, error) {
	if err := in.grow(int64(size)); err != nil {
		return nil, err
	}
	buf := make([]byte, 0, size)
	for {
		if len(buf) == cap(buf) {
			if err := in.grow(2 * int64(cap(buf))); err != nil {
				return nil, err
			}
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, errTooLong
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// decoder undoes one content encoding. limit bounds what zstd may hold in memory.
func decoder(encoding string, r io.Reader, limit int64) (decoded io.Reader, done func(), err error) {
	switch strings.ToLower(encoding) { // RFC 9110, section 8.4.1: in any case
	case "", "identity":
		return r, func() {}, nil
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, fhir.Errorf(fhir.Invalid, "the body is not gzip, as Content-Encoding says it is")
		}
		return z, func() { z.Close() }, nil
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderMaxMemory(uint64(limit)), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return nil, nil, fhir.Errorf(fhir.UnsupportedMedia, "this content encoding is not taken: send gzip, zstd or none").
		With("Content-Encoding is %.50q", encoding)
}

// countReader counts what is read through it.
type countReader struct {
	r io.Reader
	n int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// slowest is the pace, in bytes a second, at which a body may go on arriving, or an
// answer go on being taken, once Limits.Timeout is over. A clinic with a bad line
// gets its large bundle through; a client that trickles cannot hold a place for ever.
const slowest = 64 << 10

// pacedBody moves the read deadline of its connection on as bytes arrive.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	until   time.Time // the deadline
	left    int       // bytes that must arrive before it is moved
}

// pace gives body timeout to arrive, and longer while it keeps up a pace of slowest.
// Where deadlines are not supported there is no connection to hold.
func pace(w http.ResponseWriter, body io.ReadCloser, timeout time.Duration) io.ReadCloser {
	p := &pacedBody{ReadCloser: body, control: http.NewResponseController(w), until: time.Now().Add(timeout), left: slowest}
	_ = p.control.SetReadDeadline(p.until)
	return p
}

func (p *pacedBody) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	if p.left -= n; p.left <= 0 {
		for ; p.left <= 0; p.left += slowest {
			p.until = p.until.Add(time.Second)
		}
		_ = p.control.SetReadDeadline(p.until)
	}
	return n, err
}

// paceAnswer gives the client timeout to take an answer of size bytes, and longer
// for a large one. What fits the buffers of a connection needs no deadline.
func paceAnswer(w http.ResponseWriter, size int, timeout time.Duration) {
	if size > slowest {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(timeout + time.Duration(size/slowest)*time.Second))
	}
}
