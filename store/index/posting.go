package index

import (
	"math"
	"slices"

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
