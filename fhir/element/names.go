package element

import "hash/maphash"

// fewMembers is how many members an object may have for duplicates to be sought
// one by one; beyond it a hash table is quicker.
const fewMembers = 32

// smallHash maps a name to one of 64 bits. Names of one FHIR type rarely share one.
func smallHash(name []byte) uint64 {
	h := uint(len(name)) * 7
	if len(name) > 0 {
		h += uint(name[0])*3 + uint(name[len(name)-1])*5 + uint(name[len(name)/2])*11
	}
	return 1 << (h & 63)
}

// has reports whether the open object n holds a closed member called name.
func (d *Doc) has(n Node, name []byte) bool {
	for c, end := n+1, Node(len(d.nodes)); c < end; c = d.nodes[c].next {
		if string(d.name(&d.nodes[c])) == string(name) {
			return true
		}
	}
	return false
}

var seed = maphash.MakeSeed() // random, so that nobody can prepare names that collide

// duplicate returns the first member of object n whose name an earlier one has
// already, or None. It takes time in proportion to the number of members.
func (d *Doc) duplicate(n Node) Node {
	size := 64
	for size < 2*d.Size(n) {
		size *= 2
	}
	if cap(d.table) < size {
		d.table = make([]Node, size)
	}
	table := d.table[:size]
	clear(table) // 0 is free: the root is nobody's member
	for c := d.First(n); c != None; c = d.Next(n, c) {
		name := d.Name(c)
		slot := int(maphash.Bytes(seed, name)) & (size - 1)
		for table[slot] != 0 {
			if string(d.Name(table[slot])) == string(name) {
				return c
			}
			slot = (slot + 1) & (size - 1)
		}
		table[slot] = c
	}
	return None
}
