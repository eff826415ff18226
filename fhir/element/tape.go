package element

import "sync/atomic"

// Kind is the JSON kind of a node.
type Kind uint8

// The kinds of node.
const (
	Object Kind = 1 + iota
	Array
	String
	Number
	True
	False
	Null
)

// Node is the position of a node in its Doc. The root is 0. None is no node.
type Node int32

// None stands for "there is no such node".
const None Node = -1

// node is one value. Its children follow it in the arena, up to next.
type node struct {
	kind       Kind
	nameEsc    bool   // the member name holds a backslash escape
	textEsc    bool   // the string holds a backslash escape
	nameLen    uint16 // length of the member name; 0 for array items and the root
	nameAt     uint32 // where the member name starts, after its quote
	start, end uint32 // the value in the source; a string without its quotes
	next       Node   // the arena position after this node's last descendant
	size       int32  // members or items
}

// Doc is one parsed JSON text. It keeps the source bytes, which must not change
// while the Doc is used. A Doc can be parsed into again, which reuses its arena.
// A parsed Doc may be read by many goroutines.
type Doc struct {
	src    []byte
	nodes  []node
	spaced bool                  // there is white space between tokens
	ruler  atomic.Pointer[Ruler] // of src, once somebody asked for a position

	stack []frame // while parsing: the containers that are open
	table []Node  // while parsing: a hash table to find duplicate names
}

// Source returns the bytes that were parsed.
func (d *Doc) Source() []byte { return d.src }

// Len returns the number of nodes.
func (d *Doc) Len() int { return len(d.nodes) }

// Kind returns the JSON kind of n.
func (d *Doc) Kind(n Node) Kind { return d.nodes[n].kind }

// Size returns the number of members of an object or items of an array.
func (d *Doc) Size(n Node) int { return int(d.nodes[n].size) }

// Span returns where n stands in the source; for a string, with its quotes.
func (d *Doc) Span(n Node) (start, end int) {
	v := &d.nodes[n]
	if v.kind == String {
		return int(v.start) - 1, int(v.end) + 1
	}
	return int(v.start), int(v.end)
}

// Raw returns the source text of n; for a string, with its quotes.
func (d *Doc) Raw(n Node) []byte {
	s, e := d.Span(n)
	return d.src[s:e:e]
}

// First returns the first child of n, or None.
func (d *Doc) First(n Node) Node {
	if d.nodes[n].size == 0 {
		return None
	}
	return n + 1
}

// Next returns the sibling after n within parent, or None.
func (d *Doc) Next(parent, n Node) Node {
	next := d.nodes[n].next
	if next >= d.nodes[parent].next {
		return None
	}
	return next
}

// After returns the arena position after the last descendant of n.
func (d *Doc) After(n Node) Node { return d.nodes[n].next }

// Name returns the member name of n, decoded; empty for array items and the root.
// It allocates only when the name holds an escape.
func (d *Doc) Name(n Node) []byte {
	return d.name(&d.nodes[n])
}

func (d *Doc) name(v *node) []byte {
	end := v.nameAt + uint32(v.nameLen)
	raw := d.src[v.nameAt:end:end]
	if v.nameEsc {
		return unescape(nil, raw)
	}
	return raw
}

// Bytes returns the decoded text of a string, or the source text of a number,
// boolean or null. It allocates only when a string holds an escape, and the
// caller must not change what it returns.
func (d *Doc) Bytes(n Node) []byte {
	v := &d.nodes[n]
	raw := d.src[v.start:v.end:v.end]
	if v.textEsc {
		return unescape(nil, raw)
	}
	return raw
}

// Text returns Bytes as a string.
func (d *Doc) Text(n Node) string { return string(d.Bytes(n)) }

// Get returns the member of object n called name, or None. It returns None as
// well when n is None or no object, so that calls can be chained.
func (d *Doc) Get(n Node, name string) Node {
	if n == None || d.nodes[n].kind != Object {
		return None
	}
	for c := d.First(n); c != None; c = d.Next(n, c) {
		if string(d.Name(c)) == name {
			return c
		}
	}
	return None
}
