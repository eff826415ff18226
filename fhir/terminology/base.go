package terminology

import (
	_ "embed" // for the base content
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/amate-health/amate/fhir/element"
)

//go:generate sh -c "test ! -f ../../../shared/data/r4-core/hl7.fhir.r4.core-4.0.1.tar.gz || go run ./gen -in ../../../shared/data/r4-core/hl7.fhir.r4.core-4.0.1.tar.gz -out r4.bin"

// r4 holds the terminology of FHIR R4, written by gen. Only its index is read at
// start; a resource is built when it is first asked for.
//
// Source: package hl7.fhir.r4.core 4.0.1 of HL7, licence CC0-1.0.
//
//go:embed r4.bin
var r4 []byte

// catalogue finds the resources of the base content.
type catalogue struct {
	byURL  [kinds]map[string]*entry
	byID   [kinds]map[string]*entry
	chunks []chunk

	mu    sync.Mutex // over the decoder and what it unpacked last
	z     *zstd.Decoder
	last  int // index of the chunk in text; -1 for none
	text  []byte
	loads atomic.Int64 // how often a chunk was unpacked, for tests
}

// chunk is resources compressed together.
type chunk struct {
	packed []byte
	at     int // of its first byte, within all chunks laid end to end
	size   int
}

// entry is one resource of the base content.
type entry struct {
	kind                      Kind
	id, url, version, content string
	at, size                  int

	once sync.Once
	item *Item
}

// open reads the index. The base content is part of the program, so that anything
// wrong with it is a fault of the program.
func open(packed []byte) (*catalogue, error) {
	c := &catalogue{last: -1}
	for k := range kinds {
		c.byURL[k], c.byID[k] = map[string]*entry{}, map[string]*entry{}
	}
	var err error
	if c.z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true)); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(packed)
	index, err := c.z.DecodeAll(packed[4:4+n], nil)
	if err != nil {
		return nil, err
	}
	rest, at := packed[4+n:], 0
	for line := range strings.Lines(string(index)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if f[0] == "chunk" && len(f) == 3 {
			length, size := number(f[1]), number(f[2])
			c.chunks = append(c.chunks, chunk{rest[:length], at, size})
			rest, at = rest[length:], at+size
			continue
		}
		kind, ok := KindOf(f[0])
		if !ok || len(f) != 7 {
			return nil, fmt.Errorf("bad line in the index: %q", line)
		}
		e := &entry{kind: kind, id: f[1], url: f[2], version: f[3], content: f[4], at: number(f[5]), size: number(f[6])}
		c.byURL[kind][e.url] = e
		c.byID[kind][e.id] = e
	}
	return c, nil
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic("fhir/terminology: r4.bin: " + err.Error()) // it is part of the program
	}
	return n
}

// base is opened once a process, whatever the number of registries.
var base = sync.OnceValue(func() *catalogue {
	c, err := open(r4)
	if err != nil {
		panic("fhir/terminology: r4.bin: " + err.Error())
	}
	return c
})

// load returns what e is, built the first time.
func (c *catalogue) load(e *entry) *Item {
	e.once.Do(func() {
		doc, err := c.document(e)
		if err == nil {
			e.item, err = readItem(doc, 0, nil)
		}
		if err != nil {
			panic("fhir/terminology: r4.bin: " + e.url + ": " + err.Error())
		}
	})
	return e.item
}

// document unpacks and parses one resource.
func (c *catalogue) document(e *entry) (*element.Doc, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := 0
	for e.at >= c.chunks[i].at+c.chunks[i].size {
		i++
	}
	if i != c.last {
		text, err := c.z.DecodeAll(c.chunks[i].packed, make([]byte, 0, c.chunks[i].size))
		if err != nil {
			return nil, err
		}
		c.last, c.text = i, text
		c.loads.Add(1)
	}
	from := e.at - c.chunks[i].at
	return element.Parse(c.text[from : from+e.size : from+e.size])
}
