package element

// AppendCompact appends the JSON text of n to dst without white space between
// tokens. Order, numbers and strings stay as they were written.
func (d *Doc) AppendCompact(dst []byte, n Node) []byte {
	w := writer{doc: d, dst: dst}
	w.value(n)
	return w.dst
}

// writer appends compact JSON, with the changes of an Edit made on the way.
type writer struct {
	doc     *Doc
	dst     []byte
	texts   []byte   // what the changes add
	changes []change // still to make, in the order of their nodes
	gap     int      // where in dst the change marked as gap began
}

// value appends n, whose own changes were taken already.
func (w *writer) value(n Node) {
	v := &w.doc.nodes[n]
	if v.kind != Object && v.kind != Array {
		w.dst = append(w.dst, w.doc.Raw(n)...)
		return
	}
	if !w.doc.spaced && (len(w.changes) == 0 || w.changes[0].node >= v.next) {
		w.dst = append(w.dst, w.doc.src[v.start:v.end]...)
		return
	}
	w.container(n, nil)
}

// container appends an object or array, with own, the changes of n itself.
func (w *writer) container(n Node, own []change) {
	begin, end := byte('{'), byte('}')
	if w.doc.nodes[n].kind == Array {
		begin, end = '[', ']'
	}
	w.dst = append(w.dst, begin)
	empty := len(w.dst)
	w.insert(own, opFront, empty)
	for c := w.doc.First(n); c != None; c = w.doc.Next(n, c) {
		changes := w.take(c)
		w.child(c, changes, empty)
		w.insert(changes, opAfter, empty)
	}
	w.insert(own, opBack, empty)
	w.dst = append(w.dst, end)
}

// child appends a member or item. The container holds nothing yet where dst is
// as long as empty says.
func (w *writer) child(c Node, changes []change, empty int) {
	var replace *change
	inner := false
	for i := range changes {
		switch changes[i].op {
		case opDrop:
			w.skip(c)
			return
		case opReplace:
			replace = &changes[i]
		case opFront, opBack:
			inner = true
		}
	}
	w.comma(empty)
	if v := &w.doc.nodes[c]; v.nameAt > 0 {
		name := int(v.nameAt)
		w.dst = append(w.dst, w.doc.src[name-1:name+int(v.nameLen)+1]...)
		w.dst = append(w.dst, ':')
	}
	switch {
	case replace != nil:
		w.skip(c)
		w.text(replace)
	case inner:
		w.container(c, changes)
	default:
		w.value(c)
	}
}

// take removes and returns the pending changes of c.
func (w *writer) take(c Node) []change {
	n := 0
	for n < len(w.changes) && w.changes[n].node == c {
		n++
	}
	taken := w.changes[:n]
	w.changes = w.changes[n:]
	return taken
}

// skip removes the pending changes below c.
func (w *writer) skip(c Node) {
	for len(w.changes) > 0 && w.changes[0].node < w.doc.After(c) {
		w.changes = w.changes[1:]
	}
}

func (w *writer) insert(changes []change, at op, empty int) {
	for i := range changes {
		if changes[i].op == at {
			w.comma(empty)
			w.text(&changes[i])
		}
	}
}

func (w *writer) comma(empty int) {
	if len(w.dst) > empty {
		w.dst = append(w.dst, ',')
	}
}

func (w *writer) text(c *change) {
	if c.gap {
		w.gap = len(w.dst)
	}
	w.dst = append(w.dst, w.texts[c.from:c.to]...)
}

// AppendPretty appends src to dst over several lines, indented by two spaces a
// level. src must be valid JSON.
func AppendPretty(dst, src []byte) []byte {
	depth := 0
	for i := 0; i < len(src); {
		switch c := src[i]; c {
		case ' ', '\t', '\r', '\n':
		case '"':
			end := stringEnd(src, i)
			dst = append(dst, src[i:end]...)
			i = end
			continue
		case '{', '[':
			dst = append(dst, c)
			if next := skipSpace(src, i+1); src[next] == c+2 { // ']' and '}' stand two after their partners
				dst = append(dst, c+2)
				i = next + 1
				continue
			}
			depth++
			dst = newline(dst, depth)
		case '}', ']':
			depth--
			dst = append(newline(dst, depth), c)
		case ',':
			dst = newline(append(dst, c), depth)
		case ':':
			dst = append(dst, c, ' ')
		default:
			dst = append(dst, c)
		}
		i++
	}
	return dst
}

func newline(dst []byte, depth int) []byte {
	dst = append(dst, '\n')
	for range depth {
		dst = append(dst, ' ', ' ')
	}
	return dst
}

func skipSpace(src []byte, i int) int {
	for src[i] == ' ' || src[i] == '\t' || src[i] == '\r' || src[i] == '\n' {
		i++
	}
	return i
}

// stringEnd returns the position after the string that begins at i.
func stringEnd(src []byte, i int) int {
	for i++; src[i] != '"'; i++ {
		if src[i] == '\\' {
			i++
		}
	}
	return i + 1
}
