package feed

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"weak"

	"github.com/amate-health/amate/fhir/search"
)

// rights remembers what stands for a restriction: the guard gives the same one out for
// many requests.
type rights struct {
	mu   sync.Mutex
	all  map[rightsKey]string
	sums map[weak.Pointer[search.Restriction]]digest
}

type rightsKey struct {
	only  weak.Pointer[search.Restriction] // which may go when the guard has forgotten it
	scope string
}

// of returns what stands for what a caller may see: other rights, other text. What
// consents and labels come to is not part of it, since that follows from what is stored.
func (r *rights) of(v *view) string {
	c := &v.call.Caller
	text := make([]byte, 0, 200)
	for _, part := range [...]string{c.Principal, c.Org, "", c.Purpose, v.scope, v.value} {
		text = append(strconv.AppendQuote(text, part), ' ')
	}
	for _, list := range [...][]string{c.Roles, v.asked.types} {
		text = append(text, '[')
		for _, part := range list {
			text = append(strconv.AppendQuote(text, part), ' ')
		}
		text = append(text, ']')
	}
	scope := string(text)
	key := rightsKey{weak.Make(v.call.Restriction), scope}
	r.mu.Lock()
	known, ok := r.all[key]
	r.mu.Unlock()
	if ok {
		return known
	}
	sum := r.shown(v.call.Restriction)
	whole := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(text, sum[0]), sum[1]))
	known = hex.EncodeToString(whole[:12])
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil || len(r.all) > maxRecent {
		r.all = map[rightsKey]string{}
	}
	r.all[key] = known
	return known
}

// digest is a sum of hashes, one of each type: so it is the same whatever part of a
// restriction a type stands in, and what many have in common is added up once.
type digest [2]uint64

// shown returns the digest of a restriction.
func (r *rights) shown(only *search.Restriction) digest {
	if only == nil {
		return digest{}
	}
	key := weak.Make(only)
	r.mu.Lock()
	sum, ok := r.sums[key]
	r.mu.Unlock()
	if ok {
		return sum
	}
	sum = r.shown(only.Base)
	for typ, where := range only.Types {
		sum.add(typ, where, 1)
		if under, listed := only.Base.Of(typ); listed {
			sum.add(typ, under, -1)
		}
	}
	if len(only.Types) >= manyTypes {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.sums == nil || len(r.sums) > maxRecent {
			r.sums = map[weak.Pointer[search.Restriction]]digest{}
		}
		r.sums[key] = sum
	}
	return sum
}

// manyTypes is from how many types on the digest of a restriction is remembered.
const manyTypes = 20

// add adds a type with its conditions, but for those that follow from what is stored, or
// takes it away.
func (d *digest) add(typ string, where []search.Expr, sign int64) {
	var b strings.Builder
	b.WriteString(typ)
	for _, e := range where {
		if !stored(e) {
			b.WriteString("\x00" + e.String())
		}
	}
	sum := sha256.Sum256([]byte(b.String()))
	for i := range d {
		d[i] += uint64(sign) * binary.BigEndian.Uint64(sum[8*i:])
	}
}

// stored reports whether a condition is one that is only there when something stored
// asks for it: a consent that refuses, a label that blocks.
func stored(e search.Expr) bool {
	switch e := e.(type) {
	case search.Consented:
		return !e.Needed
	case search.Unblocked:
		return true
	case search.Not:
		m, ok := e.X.(search.Match)
		return ok && m.Param.Code == "_security"
	}
	return false
}
