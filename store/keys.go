package store

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/amate-health/amate/fhir"
)

// KeyCache remembers row keys of resources. They never change, so what it holds
// is true for as long as the database is the same; Reset is for when it is not
// (a replica took over). Its size is fixed.
type KeyCache struct {
	seeds  [2]maphash.Seed
	epoch  atomic.Int64
	shards [keyShards]keyShard
}

const (
	keyShards = 16
	keySets   = 2048 // sets a shard
	keyWays   = 8    // entries a set; in all 262,144 entries of 24 bytes
)

type keyShard struct {
	mu   sync.Mutex
	sets []keySet
}

// keySet holds a few keys whose hashes share their low bits. next is the way that is overwritten next.
type keySet struct {
	ways [keyWays]keyEntry
	next uint8
}

// keyEntry stands for a type and id by 128 bits of hash, with seeds of this
// process, so that nobody can make two ids meet.
type keyEntry struct {
	a, b uint64
	key  int64
}

// NewKeyCache returns an empty cache.
func NewKeyCache() *KeyCache {
	return &KeyCache{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
}

func (c *KeyCache) hash(ref fhir.Ref) (a, b uint64) {
	var buf [160]byte
	text := append(append(append(buf[:0], ref.Type...), '/'), ref.ID...)
	return maphash.Bytes(c.seeds[0], text), maphash.Bytes(c.seeds[1], text)
}

func (c *KeyCache) set(a uint64) (*keyShard, int) {
	return &c.shards[a%keyShards], int(a / keyShards % keySets)
}

// Get returns the row key of ref, or 0 when it is not known here.
func (c *KeyCache) Get(ref fhir.Ref) int64 {
	a, b := c.hash(ref)
	shard, at := c.set(a)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.sets == nil {
		return 0
	}
	for i := range shard.sets[at].ways {
		if e := &shard.sets[at].ways[i]; e.a == a && e.b == b {
			return e.key
		}
	}
	return 0
}

// Known returns the row keys of those refs that are known here, and the others.
func (c *KeyCache) Known(refs []fhir.Ref) (known map[fhir.Ref]int64, left []fhir.Ref) {
	known = make(map[fhir.Ref]int64, len(refs))
	for _, ref := range refs {
		if key := c.Get(ref); key != 0 {
			known[ref] = key
		} else {
			left = append(left, ref)
		}
	}
	return known, left
}

// Epoch counts the resets. A caller notes it before asking the database, and
// gives it to Put with the answer.
func (c *KeyCache) Epoch() int64 { return c.epoch.Load() }

// Put remembers the row key of ref, which must be committed. It does nothing
// when the cache was reset since epoch.
func (c *KeyCache) Put(epoch int64, ref fhir.Ref, key int64) {
	a, b := c.hash(ref)
	shard, at := c.set(a)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if c.epoch.Load() != epoch {
		return
	}
	if shard.sets == nil {
		shard.sets = make([]keySet, keySets)
	}
	set := &shard.sets[at]
	for i := range set.ways {
		if e := &set.ways[i]; e.a == a && e.b == b {
			return
		}
	}
	set.ways[set.next%keyWays] = keyEntry{a, b, key}
	set.next++
}

// Reset forgets everything.
func (c *KeyCache) Reset() {
	c.epoch.Add(1)
	for i := range c.shards {
		shard := &c.shards[i]
		shard.mu.Lock()
		shard.sets = nil
		shard.mu.Unlock()
	}
}
