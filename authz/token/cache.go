package token

import (
	"crypto/sha256"
	"sync"
)

// cacheSize is how many tokens each of the two halves of a cache holds.
const cacheSize = 20_000

// cache remembers tokens that were verified. It has two halves: what is used moves
// into the young one, and when that is full, the old one is dropped. So it stays
// small without a list to keep in order.
type cache struct {
	mu         sync.RWMutex
	young, old map[digest]*verified
}

// digest stands for a token, so that no token lies about in memory.
type digest [sha256.Size]byte

func (c *cache) get(d digest) (*verified, bool) {
	c.mu.RLock()
	v, ok := c.young[d]
	if !ok {
		v, ok = c.old[d]
		c.mu.RUnlock()
		if ok {
			c.put(d, v)
		}
		return v, ok
	}
	c.mu.RUnlock()
	return v, true
}

func (c *cache) put(d digest, v *verified) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= cacheSize {
		c.old, c.young = c.young, nil
	}
	if c.young == nil {
		c.young = map[digest]*verified{}
	}
	c.young[d] = v
}
