package fhirpath

// Descends reports whether whatever e finds lies below what it is evaluated for, so that
// going on from there comes to an end. It may say no of an expression of which that is true.
func (e *Expr) Descends() bool { return descends(e.root) }

// lower are the functions that find what is below their input.
var lower = names("children", "descendants", "extension")

// keeps are the functions that find some of their input.
var keeps = names("where", "ofType", "as", "first", "last", "tail", "skip", "take", "single", "distinct")

func descends(n node) bool {
	switch n := n.(type) {
	case *member:
		// A name in capitals may be that of the type, which is where it begins.
		return n.x != nil && descends(n.x) || n.name[0] > 'Z' && (n.x == nil || stays(n.x))
	case *call:
		return keeps[n.fn.name] && n.x != nil && descends(n.x) || lower[n.fn.name] && (n.x == nil || stays(n.x) || descends(n.x))
	case *indexer:
		return descends(n.x)
	case *typeOp:
		return n.as && descends(n.x)
	case *binary:
		return n.op == "|" && descends(n.x) && descends(n.y)
	}
	return false
}

// stays reports whether n finds what it is evaluated for, or less of it.
func stays(n node) bool {
	switch n := n.(type) {
	case this:
		return true
	case *member:
		return n.x == nil && n.name[0] <= 'Z'
	case *call:
		return keeps[n.fn.name] && (n.x == nil || stays(n.x))
	}
	return false
}

// Calls returns the names of the functions that e calls, in order, each as often as it does.
func (e *Expr) Calls() []string {
	var all []string
	visit(e.root, func(n node) {
		if c, ok := n.(*call); ok {
			all = append(all, c.fn.name)
		}
	})
	return all
}

// Externals returns the names of the variables that e asks its environment for: what is
// behind %.
func (e *Expr) Externals() []string {
	var all []string
	visit(e.root, func(n node) {
		if x, ok := n.(*external); ok {
			all = append(all, x.name)
		}
	})
	return all
}

// visit calls f with every part of n, the whole after what it is made of.
func visit(n node, f func(node)) {
	switch n := n.(type) {
	case nil:
		return
	case *member:
		visit(n.x, f)
	case *call:
		visit(n.x, f)
		for _, a := range n.args {
			visit(a, f)
		}
	case *indexer:
		visit(n.x, f)
		visit(n.i, f)
	case *unary:
		visit(n.x, f)
	case *binary:
		visit(n.x, f)
		visit(n.y, f)
	case *typeOp:
		visit(n.x, f)
	}
	f(n)
}
