package fhirpath

import "strings"

// node is a part of an expression. It evaluates and prints itself.
type node interface {
	eval(r *run, s scope) (Collection, error)
	write(b *strings.Builder)
}

type (
	// literal is a constant; no items for {}.
	literal struct {
		text  string
		items Collection
	}
	// external is %name.
	external struct{ name string }
	// this is $this.
	this struct{}
	// index is $index.
	index struct{}
	// total is $total.
	total struct{}
	// member is x.name, or name alone when x is nil.
	member struct {
		x    node
		name string
	}
	// call is x.f(args), or f(args) alone when x is nil.
	call struct {
		x    node
		fn   *function
		args []node
		typ  *typeSpec // of is(T), as(T) and ofType(T), which have no args
	}
	// indexer is x[i].
	indexer struct{ x, i node }
	// unary is +x or -x.
	unary struct {
		minus bool
		x     node
	}
	// binary is x op y.
	binary struct {
		op   string
		fn   operator
		x, y node
	}
	// typeOp is x is T or x as T.
	typeOp struct {
		as, filter bool // filter: see Option Filtering
		x          node
		typ        *typeSpec
	}
)

func (n *literal) write(b *strings.Builder) { b.WriteString(n.text) }
func (this) write(b *strings.Builder)       { b.WriteString("$this") }
func (index) write(b *strings.Builder)      { b.WriteString("$index") }
func (total) write(b *strings.Builder)      { b.WriteString("$total") }

func (n *external) write(b *strings.Builder) {
	b.WriteByte('%')
	writeName(b, n.name)
}

func (n *member) write(b *strings.Builder) {
	if n.x != nil {
		n.x.write(b)
		b.WriteByte('.')
	}
	writeName(b, n.name)
}

func (n *call) write(b *strings.Builder) {
	if n.x != nil {
		n.x.write(b)
		b.WriteByte('.')
	}
	b.WriteString(n.fn.name)
	b.WriteByte('(')
	if n.typ != nil {
		b.WriteString(n.typ.text)
	}
	for i, a := range n.args {
		if i > 0 {
			b.WriteString(", ")
		}
		a.write(b)
	}
	b.WriteByte(')')
}

func (n *indexer) write(b *strings.Builder) {
	n.x.write(b)
	b.WriteByte('[')
	n.i.write(b)
	b.WriteByte(']')
}

func (n *unary) write(b *strings.Builder) {
	b.WriteByte('(')
	if n.minus {
		b.WriteByte('-')
	} else {
		b.WriteByte('+')
	}
	n.x.write(b)
	b.WriteByte(')')
}

func (n *binary) write(b *strings.Builder) {
	b.WriteByte('(')
	n.x.write(b)
	b.WriteString(" " + n.op + " ")
	n.y.write(b)
	b.WriteByte(')')
}

func (n *typeOp) write(b *strings.Builder) {
	b.WriteByte('(')
	n.x.write(b)
	if n.as {
		b.WriteString(" as ")
	} else {
		b.WriteString(" is ")
	}
	b.WriteString(n.typ.text)
	b.WriteByte(')')
}

// writeName writes an identifier, in backticks where it needs them.
func writeName(b *strings.Builder, name string) {
	plain := name != "" && letter(name[0]) && !reserved[name]
	for i := 0; plain && i < len(name); i++ {
		plain = letter(name[i]) || digit(name[i])
	}
	if plain {
		b.WriteString(name)
		return
	}
	b.WriteString(quote(name, '`'))
}

// quote writes s as a FHIRPath text between quotes.
func quote(s string, q byte) string {
	var b strings.Builder
	b.WriteByte(q)
	for i := 0; i < len(s); i++ {
		if s[i] == q || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte(q)
	return b.String()
}
