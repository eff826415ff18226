package store

import (
	_ "embed"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// dictionary1 is text that resembles a FHIR resource, commonest last: names of
// elements, systems, codes and skeletons of the usual types. What was compressed
// with it can only be read with it, so it never changes; a better one gets a form
// of its own and stands beside it.
//
//go:embed dictionary1.txt
var dictionary1 []byte

// The forms of a stored content: its first byte.
const (
	// formSnappy is an S2 block with dictionary1: for Synthea resources 405 bytes of
	// 1,423 in 2.0 microseconds and back in 0.5, where zstd with the same dictionary
	// takes 330 bytes in 13.6 and back in 4.4.
	formSnappy = 1
	// formZstd is a zstd frame without a dictionary.
	formZstd = 2
)

// longContent is from how many bytes on zstd is used: what is long is mostly
// narrative and base64, on which S2 saves little or nothing.
const longContent = 8 << 10

// maxContent bounds what a stored content may unfold to, in bytes.
const maxContent = 1 << 30

var snappy = s2.MakeDict(dictionary1, nil)

// long is the codec for long contents. It is made when the first is met, since it takes memory.
var long = sync.OnceValues(func() (*zstd.Encoder, *zstd.Decoder) {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false),
		zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithSingleSegment(true), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constant
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxContent))
	if err != nil {
		panic(err)
	}
	return e, d
})

// buffers lends room to compress in, so that what is kept has just its size.
var buffers = sync.Pool{New: func() any { return new([longContent + longContent/4 + 1024]byte) }}

// Compress returns the content to store for a resource's JSON.
func Compress(json []byte) []byte {
	if len(json) >= longContent {
		e, _ := long()
		return e.EncodeAll(json, append(make([]byte, 0, len(json)/2), formZstd))
	}
	buffer := buffers.Get().(*[longContent + longContent/4 + 1024]byte)
	block := snappy.Encode(buffer[:], json)
	content := make([]byte, 1+len(block))
	content[0] = formSnappy
	copy(content[1:], block)
	buffers.Put(buffer)
	return content
}

// length returns how long the JSON of a stored content is, in bytes; 0 when that does
// not show without expanding it.
func length(content []byte) int64 {
	if len(content) == 0 {
		return 0
	}
	if content[0] == formSnappy {
		n, err := s2.DecodedLen(content[1:])
		if err != nil {
			return 0
		}
		return int64(n)
	}
	var h zstd.Header
	if err := h.Decode(content[1:]); err != nil || !h.HasFCS {
		return 0
	}
	return int64(h.FrameContentSize)
}

// Expand returns the JSON of a stored content.
func Expand(content []byte) ([]byte, error) {
	if len(content) == 0 {
		return nil, errors.New("stored content: empty")
	}
	var json []byte
	var err error
	switch content[0] {
	case formSnappy:
		var n int
		if n, err = s2.DecodedLen(content[1:]); err == nil && n < longContent {
			json, err = snappy.Decode(make([]byte, n), content[1:])
		} else if err == nil {
			err = fmt.Errorf("a block of %d bytes", n)
		}
	case formZstd:
		_, d := long()
		json, err = d.DecodeAll(content[1:], nil)
	default:
		err = fmt.Errorf("form %d is not known to this program", content[0])
	}
	if err != nil {
		return nil, fmt.Errorf("stored content: %w", err)
	}
	return json, nil
}
