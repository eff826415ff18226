package index

import (
	"math"
	"slices"
	"sync"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/search"
)

// keyBits is the width of a row key within a reference's posting.
const keyBits = 44

// MaxKey is the largest row key that can be referred to.
const MaxKey = 1<<keyBits - 1

// Token returns the posting of a token's hash. It is negative, which keeps it
// apart from references at the price of one bit of the hash.
func Token(hash int64) int64 { return hash | math.MinInt64 }

// Link returns the posting of a reference under param to the resource with this row key. It is positive.
func Link(param uint16, key int64) int64 { return int64(param)<<keyBits | key }

// LinkTarget returns the row key within a reference's posting.
func LinkTarget(posting int64) int64 { return posting & MaxKey }

// LinkSpan returns the smallest posting of a reference under param, and the first one past them.
func LinkSpan(param uint16) (from, to int64) {
	return int64(param) << keyBits, (int64(param) + 1) << keyBits
}

// presences are the postings that say that a resource has a value for a parameter, any
// at all. There are 65,536, which takes some milliseconds to work out.
var presences = sync.OnceValue(func() map[int64]struct{} {
	all := make(map[int64]struct{}, 1<<16)
	for param := range 1 << 16 {
		all[Token(search.PresenceHash(uint16(param)))] = struct{}{}
	}
	return all
})

// Sought returns those postings that a search begins with or looks up. The others say
// that a resource has a value for a parameter; one in five does. They are only ever
// checked, in the row of the resource, and are kept there alone.
func Sought(postings []int64) []int64 {
	known := presences()
	sought := make([]int64, 0, len(postings))
	for _, p := range postings {
		if _, ok := known[p]; !ok {
			sought = append(sought, p)
		}
	}
	return sought
}

func postings(x *search.Index, key func(fhir.Ref) int64) []int64 {
	all := make([]int64, 0, len(x.Tokens)+len(x.Links))
	for _, hash := range x.Tokens {
		all = append(all, Token(hash))
	}
	for _, link := range x.Links {
		if k := key(link.Target); k != 0 {
			all = append(all, Link(link.Param, k))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// PostingsOf returns the postings of which a resource must have one for m to hold, ascending.
func (c *Condition) PostingsOf(m *search.Match) []int64 {
	var any []int64
	for i := range m.Values {
		for _, hash := range m.Values[i].Tokens {
			any = append(any, Token(hash))
		}
		for _, ref := range m.Values[i].Refs {
			if key := c.Keys(ref.Current()); key != 0 {
				any = append(any, Link(m.Param.ID, key))
			}
		}
	}
	slices.Sort(any)
	return slices.Compact(any)
}

// fewProbes is up to how many postings are looked up one by one for a resource. A
// resource has about twenty, so that of a longer list it is quicker to look at those.
const fewProbes = 4

// Postings appends a check that a resource has one of the postings.
func (c *Condition) Postings(any []int64) {
	switch {
	case len(any) == 0:
		c.Add("FALSE")
	case len(any) == 1:
		c.Add("EXISTS (SELECT 1 FROM posting x WHERE x.posting = ").Int(any[0]).Add(" AND x.rkey = ", c.Key).Fence().Add(")")
	case len(any) <= fewProbes:
		c.Add("(")
		for i, p := range any {
			if i > 0 {
				c.Add(" OR ")
			}
			c.Postings([]int64{p})
		}
		c.Add(")")
	case c.Dialect == Postgres: // the list is hashed once; CASE keeps it from being joined
		c.Add("EXISTS (SELECT 1 FROM unnest(", c.Row, ".postings) u (posting) WHERE CASE WHEN u.posting IN (SELECT unnest(").Arg(any)
		c.Add(")) THEN TRUE END OFFSET 0)")
	default: // the list is looked up in a table that is made once
		c.Add("EXISTS (SELECT 1 FROM json_each(", SpanFunction, "(", c.Row, ".postings)) u WHERE u.value IN (SELECT value FROM json_each(")
		c.Arg(jsonInts(any)).Add(")))")
	}
}

// OnRow reports whether a check of the postings looks at the row of the resource, and
// not at its row key alone.
func OnRow(any []int64) bool { return len(any) > fewProbes }

// AmongPostings appends that what stands before is a posting of the resource.
func (c *Condition) AmongPostings() {
	if c.Dialect == Postgres {
		c.Add("= ANY(", c.Row, ".postings)")
		return
	}
	c.Add("IN (SELECT u.value FROM json_each(", SpanFunction, "(", c.Row, ".postings)) u)")
}

// PostingSet appends a SELECT of the row keys of all resources that have one of the postings.
func (c *Condition) PostingSet(any []int64) {
	c.Add("SELECT x.rkey FROM posting x WHERE ").AnyInt("x.posting", any)
}
