package mllp

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

func TestFrames(t *testing.T) {
	for name, of := range map[string]struct {
		stream string
		want   string // messages, each in brackets; then how it ended
	}{
		"nothing":               {"", "EOF"},
		"one":                   {"\x0bMSH\x1c\r", "[MSH]EOF"},
		"two at once":           {"\x0bA\x1c\r\x0bB\x1c\r", "[A][B]EOF"},
		"without the last byte": {"\x0bA\x1c\x0bB\x1c", "[A][B]EOF"},
		"garbage between":       {"xx\n\x0bA\x1c\r\r\n--\x0bB\x1c\r", "[A][B]EOF"},
		"cut off":               {"\x0bA\x1c\r\x0bB", "[A]truncated"},
		"cut off at the end":    {"\x0bA\x1c\r\x0b", "[A]truncated"},
		"never one":             {strings.Repeat("x", 200), "flood"},
		"too large, then one":   {"\x0b" + strings.Repeat("x", 150) + "\x1c\r\x0bB\x1c\r", "[large:150][B]EOF"},
		"as large as may be":    {"\x0b" + strings.Repeat("x", 100) + "\x1c\r", "[" + strings.Repeat("x", 100) + "]EOF"},
		"without an end":        {"\x0b" + strings.Repeat("x", 200_000), "flood"},
		"empty":                 {"\x0b\x1c\r", "[]EOF"},
	} {
		for kind, in := range map[string]io.Reader{"whole": strings.NewReader(of.stream), "by bytes": iotest.OneByteReader(strings.NewReader(of.stream))} {
			if got := read(NewReader(in, 100)); got != of.want {
				t.Errorf("%s, %s: %s, want %s", name, kind, got, of.want)
			}
		}
	}
}

func read(r *Reader) string {
	var out strings.Builder
	for {
		m, err := r.Next()
		switch {
		case err == nil:
			out.WriteString("[" + string(m) + "]")
		case errors.Is(err, ErrTooLarge):
			if len(m) > headOf {
				return "the head is too long"
			}
			out.WriteString("[large:150]")
		case errors.Is(err, io.EOF):
			return out.String() + "EOF"
		case errors.Is(err, ErrTruncated):
			return out.String() + "truncated"
		default:
			return out.String() + "flood"
		}
	}
}

// TestReturn: what was framed comes back, however it is cut on its way.
func TestReturn(t *testing.T) {
	message := rapid.StringMatching(`[ -~\r]{0,200}`)
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOf(message).Draw(t, "messages")
		var stream []byte
		want := ""
		for _, m := range all {
			stream = Append(stream, []byte(m))
			want += "[" + m + "]"
		}
		if got := read(NewReader(iotest.HalfReader(bytes.NewReader(stream)), 1000)); got != want+"EOF" {
			t.Fatalf("%q came back as %q", want, got)
		}
	})
}

func FuzzFrames(f *testing.F) {
	for _, s := range []string{"\x0bA\x1c\r", "\x0b\x0b\x1c\x1c\r\r", "\x1c\r\x0b", strings.Repeat("\x0b", 300)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := NewReader(bytes.NewReader(stream), 64)
		for {
			m, err := r.Next()
			if err != nil && !errors.Is(err, ErrTooLarge) {
				return
			}
			if err == nil && (len(m) > 64 || bytes.IndexByte(m, end) >= 0) {
				t.Fatalf("a message is %q", m)
			}
		}
	})
}
