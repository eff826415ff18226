package store

import (
	_ "embed"
	"fmt"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// dictionary1 is text that resembles a FHIR resource, commonest last: names of
// elements, systems, codes and skeletons of the usual types. What was compressed
// with it can only be read with it, so it never changes; a better one gets the
// next number and stands beside it.
//
//go:embed dictionary1.txt
var dictionary1 []byte

// dictionaryID1 is written into every content that was compressed with dictionary1.
const dictionaryID1 = 0x616d6101

// maxContent bounds the memory that one content can ask for.
const maxContent = 1 << 30

var encoder, decoder = newCodec()

func newCodec() (*zstd.Encoder, *zstd.Decoder) {
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderDictRaw(dictionaryID1, dictionary1),
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithEncoderCRC(false), // both engines check their pages, and the frame holds its length
		zstd.WithSingleSegment(true),
		zstd.WithWindowSize(128<<10),
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constant
	}
	d, err := zstd.NewReader(nil,
		zstd.WithDecoderDictRaw(dictionaryID1, dictionary1),
		zstd.WithDecoderConcurrency(0),
		zstd.WithDecoderMaxMemory(maxContent))
	if err != nil {
		panic(err)
	}
	return e, d
}

// Compress returns the content to store for a resource's JSON.
func Compress(json []byte) []byte {
	return encoder.EncodeAll(json, make([]byte, 0, len(json)/3+64))
}

// Expand returns the JSON of a stored content.
func Expand(content []byte) ([]byte, error) {
	var h zstd.Header
	size := 0
	if h.Decode(content) == nil && h.HasFCS {
		size = int(min(h.FrameContentSize, maxContent))
	}
	json, err := decoder.DecodeAll(content, make([]byte, 0, size))
	if err != nil {
		return nil, fmt.Errorf("stored content: %w", err)
	}
	return json, nil
}
