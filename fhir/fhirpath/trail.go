package fhirpath

import (
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/spec"
)

// Trail is an expression that only follows elements: name.where(use = 'official').given.first()
// or value.ofType(Quantity).value. It leads to the nodes that evaluating would, in the same
// order, without making collections.
type Trail struct {
	this  *spec.Type // what it begins at
	typ   *spec.Type // of what it leads to
	steps []trailStep
	key   keyKind
	of    string // type that the key has to be of; "" for any
}

// keyKind says which key, if any, is made of what a Trail leads to.
type keyKind uint8

const (
	noKey keyKind = iota
	keyOfResource
	keyOfReference
)

// trailStep follows one element, and passes on some of what it finds.
type trailStep struct {
	ways []way   // the JSON properties that it may have
	keep *Filter // nil for all
	at   int32   // passes on only this one of all that are found; -1 for all of them
}

// way is a JSON property, and the type of what is there.
type way struct {
	name      string
	typ       *spec.Type
	primitive bool
}

// mostSteps is how long a Trail is at most.
const mostSteps = 12

// Walker holds what following takes. The zero value is usable, by one goroutine.
type Walker struct {
	Found []element.Node // where the Trail led
	count [mostSteps]int32
	stray bool
}

// Trail returns e as a Trail from items of a type, nil where it has to be evaluated.
func (e *Expr) Trail(this *spec.Type) *Trail {
	if this == nil || e.defines {
		return nil
	}
	t := &Trail{this: this}
	ways, ok := t.plan(e.root)
	if !ok || len(t.steps) > mostSteps {
		return nil
	}
	for _, w := range ways[1:] {
		if !w.primitive || !ways[0].primitive { // what is done with them could differ
			return nil
		}
	}
	t.typ = ways[0].typ
	return t
}

// This returns the type of the items that t begins at.
func (t *Trail) This() *spec.Type { return t.this }

// Type returns the type of what t leads to, one of several when all are primitive; that of a
// key is string.
func (t *Trail) Type() *spec.Type {
	if t.key != noKey {
		return spec.TypeOf("string")
	}
	return t.typ
}

// plan adds the steps of n, and returns what they can lead to. Other ways from the last step
// are taken away by ofType.
func (t *Trail) plan(n node) ([]way, bool) {
	switch n := n.(type) {
	case this:
		return []way{{typ: t.this}}, true
	case *member:
		return t.planMember(n)
	case *indexer:
		at, constant := n.i.(*literal)
		ways, ok := t.plan(n.x)
		if !ok || !constant || len(at.items) != 1 {
			return nil, false
		}
		i, whole := at.items[0].value.(Integer)
		return ways, whole && i >= 0 && i < 1<<20 && t.only(int32(i))
	case *call:
		return t.planCall(n)
	}
	return nil, false
}

func (t *Trail) planMember(n *member) ([]way, bool) {
	from := []way{{typ: t.this}}
	if n.x != nil {
		var ok bool
		if from, ok = t.plan(n.x); !ok {
			return nil, false
		}
	} else if t.this.Is(n.name) {
		return from, true
	}
	// Several types have several definitions of what they are made of.
	if t.key != noKey || len(from) != 1 || from[0].typ == nil || from[0].typ.Kind == spec.Primitive || n.name[0] <= 'Z' && n.x == nil {
		return nil, false
	}
	var ways []way
	for i := range from[0].typ.Elements {
		e := &from[0].typ.Elements[i]
		if !named(e, n.name) {
			continue
		}
		if e.Type == nil || e.Resource || e.Type.Abstract {
			return nil, false
		}
		ways = append(ways, way{e.Name, e.Type, e.Type.Kind == spec.Primitive})
	}
	t.steps = append(t.steps, trailStep{ways: ways, at: -1})
	return ways, len(ways) > 0 && len(t.steps) <= mostSteps
}

// only lets the last step pass on one of what it finds.
func (t *Trail) only(i int32) bool {
	if len(t.steps) == 0 || t.key != noKey {
		return false
	}
	last := &t.steps[len(t.steps)-1]
	switch {
	case last.at < 0:
		last.at = i
	case i > 0: // there is no second one of one
		return false
	}
	return true
}

func (t *Trail) planCall(n *call) ([]way, bool) {
	from := []way{{typ: t.this}}
	if n.x != nil {
		var ok bool
		if from, ok = t.plan(n.x); !ok {
			return nil, false
		}
	}
	if t.key != noKey || len(from) == 0 {
		return nil, false
	}
	switch n.fn.name {
	case "first":
		return from, n.x != nil && t.only(0)
	case "ofType":
		return t.planType(from, n.typ)
	case "where":
		return from, n.x != nil && t.filter(from, n.args[0])
	case "extension":
		return t.planExtension(from, n)
	case "getResourceKey":
		t.key = keyOfResource
		return from, n.fn.eval != nil && len(from) == 1 && len(t.steps) == 0 && from[0].typ.Kind == spec.ResourceKind
	case "getReferenceKey":
		t.key = keyOfReference
		if n.typ != nil && n.typ.fhir != nil {
			t.of = n.typ.fhir.Name
		}
		return from, (n.typ == nil || n.typ.fhir != nil) && len(from) == 1 && from[0].typ.Is("Reference")
	}
	return nil, false
}

// planType takes away the ways that lead to other types.
func (t *Trail) planType(from []way, want *typeSpec) ([]way, bool) {
	if len(t.steps) == 0 || want == nil || want.fhir == nil {
		return nil, false
	}
	last := &t.steps[len(t.steps)-1]
	if last.at >= 0 || last.keep != nil {
		return nil, false // of what was chosen before
	}
	var ways []way
	for _, w := range from {
		if w.typ.Is(want.fhir.Name) {
			ways = append(ways, w)
		}
	}
	last.ways = ways
	return ways, len(ways) > 0
}

// filter has the last step pass on only what meets a condition.
func (t *Trail) filter(from []way, condition node) bool {
	if len(t.steps) == 0 || len(from) != 1 {
		return false
	}
	last := &t.steps[len(t.steps)-1]
	if last.at >= 0 || last.keep != nil {
		return false
	}
	f, possible, ok := filterOf(condition, from[0].typ)
	last.keep = f
	return ok && possible && f.Target == ""
}

// planExtension plans extension(url), which is extension.where(url = url).
func (t *Trail) planExtension(from []way, n *call) ([]way, bool) {
	url, ok := n.args[0].(*literal)
	if !ok || len(url.items) != 1 || len(from) != 1 || from[0].primitive || from[0].typ == nil || from[0].typ.Element([]byte("extension")) == nil {
		return nil, false
	}
	text, ok := url.items[0].value.(String)
	w := way{name: "extension", typ: spec.TypeOf("Extension")}
	t.steps = append(t.steps, trailStep{ways: []way{w}, keep: &Filter{Name: "url", Equal: string(text)}, at: -1})
	return []way{w}, ok && len(t.steps) <= mostSteps
}

// Follow puts the nodes that t leads to from node n of d into w.Found. It is false where
// there is something that only evaluating does justice to, such as extensions in place of a
// value. It does not allocate, once w has been used for as much.
func (t *Trail) Follow(w *Walker, d *element.Doc, n element.Node) bool {
	w.Found, w.stray = w.Found[:0], false
	clear(w.count[:len(t.steps)])
	t.follow(w, d, n, 0)
	return !w.stray
}

func (t *Trail) follow(w *Walker, d *element.Doc, n element.Node, i int) {
	if i == len(t.steps) {
		w.Found = append(w.Found, n)
		return
	}
	if d.Kind(n) != element.Object {
		return
	}
	ways := t.steps[i].ways
	for c := d.First(n); c != element.None; c = d.Next(n, c) {
		key := d.Name(c)
		for j := range ways {
			switch {
			case string(key) == ways[j].name:
				t.each(w, d, c, i)
			case ways[j].primitive && len(key) == len(ways[j].name)+1 && key[0] == '_' && string(key[1:]) == ways[j].name:
				w.stray = true
			}
		}
	}
}

// each goes on from what a member holds: itself, or the items of an array.
func (t *Trail) each(w *Walker, d *element.Doc, c element.Node, i int) {
	if d.Kind(c) != element.Array {
		t.pass(w, d, c, i)
		return
	}
	for item := d.First(c); item != element.None; item = d.Next(c, item) {
		t.pass(w, d, item, i)
	}
}

func (t *Trail) pass(w *Walker, d *element.Doc, n element.Node, i int) {
	s := &t.steps[i]
	if d.Kind(n) == element.Null || s.keep != nil && !(d.Kind(n) == element.Object && s.keep.Passes(d, n)) {
		return
	}
	if s.at >= 0 {
		w.count[i]++
		if w.count[i]-1 != s.at {
			return
		}
	}
	t.follow(w, d, n, i+1)
}

// Key returns the key that is made of a node which t leads to, and whether t makes keys. It
// is "" where the node has none.
func (t *Trail) Key(d *element.Doc, n element.Node) (key string, made bool) {
	switch t.key {
	case keyOfResource:
		if id := d.TextAt(n, "id"); id != "" {
			return t.this.Name + "/" + id, true
		}
		return "", true
	case keyOfReference:
		return referenceKey(d.TextAt(n, "reference"), t.of), true
	}
	return "", false
}
