package mllp

import (
	"bufio"
	"errors"
	"io"
)

// The bytes around a message.
const (
	begin = 0x0b
	end   = 0x1c
	after = 0x0d
)

// Errors of a Reader.
var (
	ErrTooLarge  = errors.New("the message is larger than what is taken")
	ErrTruncated = errors.New("the connection ended within a message")
)

// Reader reads messages from a stream.
type Reader struct {
	in      *bufio.Reader
	limit   int
	Garbage int64 // bytes that stood between messages
}

// NewReader returns a Reader of messages of up to limit bytes.
func NewReader(in io.Reader, limit int) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, 64<<10), limit: limit}
}

// headOf is how much of a message that is too large is returned, so that it can be answered.
const headOf = 2048

// Next returns the next message without its frame. What stands between messages is
// passed over. Of one that is too large it returns the beginning, and ErrTooLarge; the
// one after it can be read. Errors: io.EOF between messages, ErrTruncated within one,
// and what the stream returns.
func (r *Reader) Next() ([]byte, error) {
	if err := r.begin(); err != nil {
		return nil, err
	}
	var message []byte
	large := 0
	for {
		part, err := r.in.ReadSlice(end)
		done := err == nil
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) {
				err = ErrTruncated
			}
			return nil, err
		}
		if done {
			part = part[:len(part)-1]
		}
		switch {
		case large > 0:
			large += len(part)
		case len(message)+len(part) > r.limit:
			large = len(message) + len(part)
			message = append(message, part[:min(len(part), headOf)]...)
			message = message[:min(len(message), headOf):min(len(message), headOf)]
		default:
			message = append(message, part...)
		}
		if large > 8*r.limit {
			return message, io.ErrShortBuffer // whoever sends this never ends
		}
		if done {
			break
		}
	}
	r.close()
	if large > 0 {
		return message, ErrTooLarge
	}
	return message, nil
}

// begin reads up to the beginning of a message.
func (r *Reader) begin() error {
	for {
		c, err := r.in.ReadByte()
		if err != nil {
			return err
		}
		if c == begin {
			return nil
		}
		if r.Garbage++; r.Garbage > int64(r.limit) {
			return io.ErrShortBuffer // this is no MLLP
		}
	}
}

// close passes over the byte that follows a message. Some leave it out, so that
// nothing is waited for: it is garbage before the next message otherwise.
func (r *Reader) close() {
	if r.in.Buffered() == 0 {
		return
	}
	if next, err := r.in.Peek(1); err == nil && next[0] == after {
		_, _ = r.in.Discard(1)
	}
}

// Waiting reports whether more has come than the messages that were read.
func (r *Reader) Waiting() bool { return r.in.Buffered() > 1 }

// Append appends message in its frame.
func Append(b, message []byte) []byte {
	return append(append(append(b, begin), message...), end, after)
}
