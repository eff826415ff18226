package store

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"sync/atomic"

	"github.com/amate-health/amate/fhir/search"
	"github.com/amate-health/amate/store/index"
)

// WordCache remembers words that the dictionary holds. They are never removed from
// it, so that what is here need not be written again. Its size is fixed: where it
// forgets a word, that is offered to the dictionary once more.
type WordCache struct {
	seed  maphash.Seed
	epoch atomic.Int64
	known [1 << wordBits]atomic.Uint64 // hashes
}

const wordBits = 17 // 1 MiB

// NewWordCache returns an empty cache.
func NewWordCache() *WordCache { return &WordCache{seed: maphash.MakeSeed()} }

// hash is never 0. 64 bits with a seed of this process: nobody can make two words meet.
func (c *WordCache) hash(w *search.Word) uint64 {
	var buf [512]byte
	b := binary.LittleEndian.AppendUint16(buf[:0], w.Param)
	b = binary.LittleEndian.AppendUint64(append(b, byte(w.Kind)), uint64(w.Posting))
	return maphash.Bytes(c.seed, append(b, w.Text...)) | 1
}

// Epoch counts the resets. A caller notes it before it writes, and gives it to Put.
func (c *WordCache) Epoch() int64 { return c.epoch.Load() }

// New returns those words of writes that are not known to be in the dictionary, each
// once, in an order that all writers share, so that none waits for another in turn.
func (c *WordCache) New(writes []Write) []search.Word {
	var fresh []search.Word
	for i := range writes {
		for j := range writes[i].Words {
			w := &writes[i].Words[j]
			if h := c.hash(w); c.known[h>>(64-wordBits)].Load() != h {
				fresh = append(fresh, *w)
			}
		}
	}
	slices.SortFunc(fresh, index.CompareWords)
	return slices.Compact(fresh)
}

// Put remembers words that are committed, unless the cache was reset since epoch.
func (c *WordCache) Put(epoch int64, words []search.Word) {
	for i := range words {
		if c.epoch.Load() != epoch {
			return
		}
		h := c.hash(&words[i])
		c.known[h>>(64-wordBits)].Store(h)
	}
}

// Reset forgets everything.
func (c *WordCache) Reset() {
	c.epoch.Add(1)
	for i := range c.known {
		c.known[i].Store(0)
	}
}
