package terminology

import (
	"hash/maphash"
	"slices"
	"strings"
)

// span is a piece of a table's text.
type span struct{ at, n uint32 }

// row is one concept. Its designations and properties begin at the given places of
// the table's lists, and end where those of the next row begin.
type row struct {
	code, display, definition span
	designations, properties  uint32
	flags                     flags
}

// flags are facts about a concept that are asked for often.
type flags uint8

const (
	abstract   flags = 1 << iota // it groups others and is not for use in data
	inactive                     // it is retired
	deprecated                   // it is to be used no more, but still active
)

// designation is another name of a concept.
type designation struct {
	language, use uint32 // places in table.words; use is the JSON of a Coding, or ""
	value         span
}

// property is one value of a property of a concept.
type property struct {
	code  uint32 // place in table.words
	typ   uint32 // place in table.words: "valueCode", "valueCoding", ...
	value span   // text of a primitive, or the JSON of a Coding
}

// table holds the concepts of a code system, in the order of the definition.
type table struct {
	text         string // what spans point into
	words        []string
	rows         []row // one more than there are concepts: the last only ends lists
	designations []designation
	properties   []property
	parents      links
	children     links
	slots        []int32 // hash table of codes: index of a row plus 1, 0 for free
	folded       bool    // codes differ by more than case
}

// links lists for each concept some others: those of concept i stand from at[i] to
// at[i+1]. Both are nil when no concept has any.
type links struct {
	at []uint32
	to []int32
}

func (l *links) of(i int32) []int32 {
	if l.at == nil {
		return nil
	}
	return l.to[l.at[i]:l.at[i+1]]
}

var seed = maphash.MakeSeed() // random, so that nobody can prepare codes that collide

func (t *table) str(s span) string { return t.text[s.at : s.at+s.n] }

func (t *table) len() int { return len(t.rows) - 1 }

// find returns the index of the concept whose code it is, or -1.
func (t *table) find(code string) int32 {
	if len(t.slots) == 0 {
		return -1
	}
	if t.folded {
		code = strings.ToLower(code)
	}
	mask := uint64(len(t.slots) - 1)
	for slot := maphash.String(seed, code) & mask; t.slots[slot] != 0; slot = (slot + 1) & mask {
		i := t.slots[slot] - 1
		if have := t.str(t.rows[i].code); have == code || t.folded && strings.ToLower(have) == code {
			return i
		}
	}
	return -1
}

// index fills the hash table. When a code comes twice, the first one stands.
func (t *table) index() {
	size := 4
	for size < 2*t.len() {
		size *= 2
	}
	t.slots = make([]int32, size)
	mask := uint64(size - 1)
	for i := range int32(t.len()) {
		code := t.str(t.rows[i].code)
		if t.folded {
			code = strings.ToLower(code)
		}
		if t.find(code) >= 0 {
			continue
		}
		slot := maphash.String(seed, code) & mask
		for t.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		t.slots[slot] = i + 1
	}
}

// walk calls each with i and all that next leads to from it, each once, nearest
// first; it stops when each returns false. Circles are walked once.
func walk(next *links, i int32, each func(int32) bool) {
	if !each(i) {
		return
	}
	if len(next.of(i)) == 0 {
		return
	}
	seen := map[int32]struct{}{i: {}}
	queue := []int32{i}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, to := range next.of(at) {
			if _, ok := seen[to]; ok {
				continue
			}
			seen[to] = struct{}{}
			if !each(to) {
				return
			}
			queue = append(queue, to)
		}
	}
}

// subsumes reports whether b is a or below a.
func (t *table) subsumes(a, b int32) bool {
	found := false
	walk(&t.parents, b, func(i int32) bool {
		found = i == a
		return !found
	})
	return found
}

// edge says that child is below parent.
type edge struct{ child, parent int32 }

// link makes the lists of parents and children from edges, without repetitions.
// Parents stand in the order of edges, children in that of the definition.
func (t *table) link(edges []edge) {
	if len(edges) == 0 {
		return
	}
	parents := list(t.len(), edges, func(e edge) (from, to int32) { return e.child, e.parent })
	kept := edges[:0]
	seen := map[int32]bool{}
	for i := range int32(t.len()) {
		all := parents.of(i)
		clear(seen)
		for n, p := range all {
			again := len(all) > fewParents && seen[p] || len(all) <= fewParents && slices.Contains(all[:n], p)
			if again || p == i {
				continue
			}
			if len(all) > fewParents {
				seen[p] = true
			}
			kept = append(kept, edge{i, p})
		}
	}
	t.parents = list(t.len(), kept, func(e edge) (from, to int32) { return e.child, e.parent })
	t.children = list(t.len(), kept, func(e edge) (from, to int32) { return e.parent, e.child })
}

// fewParents is how many parents are looked through one by one for repetitions.
const fewParents = 16

// list counts, places and fills links over n concepts.
func list(n int, edges []edge, ends func(edge) (from, to int32)) links {
	l := links{at: make([]uint32, n+1), to: make([]int32, len(edges))}
	for _, e := range edges {
		from, _ := ends(e)
		l.at[from+1]++
	}
	for i := range n {
		l.at[i+1] += l.at[i]
	}
	next := slices.Clone(l.at)
	for _, e := range edges {
		from, to := ends(e)
		l.to[next[from]] = to
		next[from]++
	}
	return l
}
