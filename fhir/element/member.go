package element

import "iter"

// TextAt returns the text of the primitive that is found from n on by names of members,
// one within the other; "" where there is none.
func (d *Doc) TextAt(n Node, names ...string) string {
	for _, name := range names {
		if n = d.member(n, name); n == None {
			return ""
		}
	}
	if n == None || d.Kind(n) == Object || d.Kind(n) == Array {
		return ""
	}
	return d.Text(n)
}

// Items yields the items of the array that is the member of n with a name; none where
// there is none, or it is no array.
func (d *Doc) Items(n Node, name string) iter.Seq[Node] {
	return func(yield func(Node) bool) {
		list := d.member(n, name)
		if list == None || d.Kind(list) != Array {
			return
		}
		for i := d.First(list); i != None && yield(i); {
			i = d.Next(list, i)
		}
	}
}

// member returns the member of n with a name, None also where n is no object.
func (d *Doc) member(n Node, name string) Node {
	if n == None || d.Kind(n) != Object {
		return None
	}
	return d.Get(n, name)
}

// Set makes value, JSON, the member of object n with a name.
func (e *Edit) Set(n Node, name, value string) {
	if m := e.doc.Get(n, name); m != None {
		e.Replace(m, value)
	} else {
		e.Append(n, string(Quote(nil, name))+":"+value)
	}
}

// Push adds an item, JSON, to the array that is the member of object n with a name; where
// there is none, or it is no array, it becomes one of the item alone.
func (e *Edit) Push(n Node, name, item string) {
	switch list := e.doc.Get(n, name); {
	case list == None:
		e.Append(n, string(Quote(nil, name))+":["+item+"]")
	case e.doc.Kind(list) == Array:
		e.Append(list, item)
	default:
		e.Replace(list, "["+item+"]")
	}
}
