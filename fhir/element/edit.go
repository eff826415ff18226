package element

import "slices"

// op is what a change does at its node.
type op uint8

const (
	opReplace op = iota // puts another value there
	opDrop              // leaves the member or item out
	opAfter             // adds a member or item behind it
	opFront             // adds a first member or item to a container
	opBack              // adds a last member or item to a container
)

// change is one alteration. Its text is texts[from:to] of the Edit.
type change struct {
	node     Node
	op       op
	gap      bool // the writer notes where its text lands
	from, to int
}

// Edit gathers changes to a value of a Doc, which itself stays as it is, and
// writes the changed value. A change inside a value that is replaced or dropped
// is lost. The zero Edit is not ready: see Doc.Edit.
type Edit struct {
	doc     *Doc
	root    Node
	texts   []byte
	changes []change
}

// Edit starts an edit of n, an object or array.
func (d *Doc) Edit(n Node) *Edit { return &Edit{doc: d, root: n} }

// SetString makes the value of n, which must lie below the root, the string text.
func (e *Edit) SetString(n Node, text string) {
	from := len(e.texts)
	e.texts = Quote(e.texts, text)
	e.add(n, opReplace, from)
}

// Replace makes raw, compact JSON, the value of n, which must lie below the root.
func (e *Edit) Replace(n Node, raw string) { e.put(n, opReplace, raw) }

// Drop leaves out n, a member or item below the root.
func (e *Edit) Drop(n Node) { e.put(n, opDrop, "") }

// InsertAfter adds raw behind n, which must lie below the root: an item in
// compact JSON where n is an item, or `"name":value` where n is a member.
func (e *Edit) InsertAfter(n Node, raw string) { e.put(n, opAfter, raw) }

// Append adds raw as the last item of array n, or as the last member, in the
// form `"name":value`, of object n.
func (e *Edit) Append(n Node, raw string) { e.put(n, opBack, raw) }

// Prepend is Append at the front.
func (e *Edit) Prepend(n Node, raw string) { e.put(n, opFront, raw) }

func (e *Edit) put(n Node, op op, raw string) {
	from := len(e.texts)
	e.texts = append(e.texts, raw...)
	e.add(n, op, from)
}

func (e *Edit) add(n Node, op op, from int) {
	e.changes = append(e.changes, change{node: n, op: op, from: from, to: len(e.texts)})
}

// AppendTo appends the changed value to dst, as compact JSON.
func (e *Edit) AppendTo(dst []byte) []byte {
	w := e.write(dst)
	return w.dst
}

func (e *Edit) write(dst []byte) writer {
	inOrder := func(a, b change) int { return int(a.node - b.node) }
	if !slices.IsSortedFunc(e.changes, inOrder) {
		slices.SortStableFunc(e.changes, inOrder)
	}
	if dst == nil {
		start, end := e.doc.Span(e.root)
		dst = make([]byte, 0, end-start+len(e.texts)+8*len(e.changes))
	}
	w := writer{doc: e.doc, dst: dst, texts: e.texts, changes: e.changes}
	if own := w.take(e.root); len(own) > 0 {
		w.container(e.root, own)
	} else {
		w.value(e.root)
	}
	return w
}

// The members that the server writes into meta, empty.
const (
	gaps      = `"versionId":"","lastUpdated":""`
	metaStart = `"meta":{`
	toVersion = len(`"versionId":"`)
	toUpdated = len(`"versionId":"","lastUpdated":"`)
)

// Stamp writes the resource that the edit changes as it is to be stored: with id,
// and with a meta whose versionId and lastUpdated are empty strings, inside which
// the returned offsets stand. What else is in meta stays. A member that is
// missing is added: id after resourceType, meta after id. The root must be an
// object, and the Edit is used up.
func (e *Edit) Stamp(id string) (json []byte, versionAt, updatedAt int) {
	d := e.doc
	idNode, meta := d.Get(e.root, "id"), d.Get(e.root, "meta")
	fresh := ""
	if idNode != None {
		e.SetString(idNode, id)
	} else {
		fresh = string(Quote([]byte(`"id":`), id))
	}
	lead := 0 // from the start of the marked text to the gaps
	switch {
	case meta != None && d.Kind(meta) == Object:
		for c := d.First(meta); c != None; c = d.Next(meta, c) {
			switch string(d.Name(c)) {
			case "versionId", "lastUpdated", "_versionId", "_lastUpdated":
				e.Drop(c)
			}
		}
		e.Prepend(meta, gaps)
		e.changes[len(e.changes)-1].gap = true
		if fresh != "" {
			e.lead(fresh)
		}
	case meta != None:
		e.Drop(meta)
		fallthrough
	default:
		lead = len(metaStart)
		text := metaStart + gaps + "}"
		if fresh != "" {
			lead += len(fresh) + 1
			text = fresh + "," + text
		}
		if idNode != None {
			e.InsertAfter(idNode, text)
		} else {
			e.lead(text)
		}
		e.changes[len(e.changes)-1].gap = true
	}
	w := e.write(nil)
	return w.dst, w.gap + lead + toVersion, w.gap + lead + toUpdated
}

// lead adds members behind resourceType, or at the front where there is none.
func (e *Edit) lead(members string) {
	if t := e.doc.Get(e.root, "resourceType"); t != None {
		e.InsertAfter(t, members)
	} else {
		e.Prepend(e.root, members)
	}
}
