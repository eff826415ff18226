package fhirpath

import "strings"

// Limits of an expression's text. The longest expression in R4 has about 1,600
// bytes, the deepest some ten levels.
const (
	maxText  = 64 << 10 // bytes
	maxDepth = 200      // parentheses, brackets and signs inside one another
	maxNodes = 5000     // parts in all, which also bounds the depth of the tree
)

// binding is how tightly an operator binds; higher binds tighter.
//
// See https://hl7.org/fhirpath/N1/#operator-precedence.
var binding = map[string]int{
	"implies": 1,
	"or":      2, "xor": 2,
	"and": 3,
	"in":  4, "contains": 4,
	"=": 5, "~": 5, "!=": 5, "!~": 5,
	"<": 6, "<=": 6, ">": 6, ">=": 6,
	"|":  7,
	"is": 8, "as": 8,
	"+": 9, "-": 9, "&": 9,
	"*": 10, "/": 10, "div": 10, "mod": 10,
	"[": 12, ".": 12,
}

// unaryPower lies between the products and the path operators: -x.y is -(x.y).
const unaryPower = 11

// reserved are the words that stand for no element unless they are in backticks.
var reserved = map[string]bool{
	"and": true, "or": true, "xor": true, "implies": true, "div": true, "mod": true,
	"true": true, "false": true, "as": true, "is": true, "in": true, "contains": true,
}

// parser is a Pratt parser: one function, driven by the power of the operator ahead.
type parser struct {
	lex     lexer
	ahead   token
	depth   int
	nodes   int
	filter  bool // as keeps items of a type: see Option Filtering
	tabular bool // see Option Tabular
	defines bool // defineVariable() was read
}

func (p *parser) advance() (token, error) {
	t := p.ahead
	next, err := p.lex.next()
	p.ahead = next
	return t, err
}

// expect passes over the operator text.
func (p *parser) expect(text string) error {
	if !p.ahead.is(text) {
		return p.unexpected("expected " + text)
	}
	_, err := p.advance()
	return err
}

func (p *parser) unexpected(want string) error {
	if p.ahead.kind == tokEnd {
		return fault(p.ahead.at, "%s, found the end", want)
	}
	return fault(p.ahead.at, "%s, found %q", want, p.ahead.text)
}

// parse reads a whole expression.
func (p *parser) parse() (node, error) {
	if _, err := p.advance(); err != nil {
		return nil, err
	}
	n, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if p.ahead.kind != tokEnd {
		return nil, p.unexpected("expected an operator")
	}
	return n, nil
}

// expression reads operators that bind tighter than least.
func (p *parser) expression(least int) (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fault(p.ahead.at, "nested too deeply")
	}
	defer func() { p.depth-- }()
	left, err := p.prefix()
	for err == nil {
		t := p.ahead
		bind := 0
		if t.kind == tokOperator || t.kind == tokName {
			bind = binding[t.text]
		}
		if bind <= least {
			return left, nil
		}
		if p.nodes++; p.nodes > maxNodes {
			return nil, fault(t.at, "expression is too large")
		}
		if _, err = p.advance(); err == nil {
			left, err = p.infix(left, t, bind)
		}
	}
	return nil, err
}

// infix reads what follows the operator t, which stands after left.
func (p *parser) infix(left node, t token, bind int) (node, error) {
	switch t.text {
	case ".":
		return p.invocation(left)
	case "[":
		i, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		return &indexer{left, i}, p.expect("]")
	case "is", "as":
		typ, err := p.typeName()
		if err != nil {
			return nil, err
		}
		as := t.text == "as"
		return &typeOp{as: as, filter: as && p.filter, x: left, typ: typ}, nil
	}
	right, err := p.expression(bind)
	if err != nil {
		return nil, err
	}
	return &binary{op: t.text, fn: binaryOperators[t.text], x: left, y: right}, nil
}

// prefix reads a term, or a sign and its operand.
func (p *parser) prefix() (node, error) {
	if p.nodes++; p.nodes > maxNodes {
		return nil, fault(p.ahead.at, "expression is too large")
	}
	t := p.ahead
	switch {
	case t.is("+"), t.is("-"):
		if _, err := p.advance(); err != nil {
			return nil, err
		}
		x, err := p.expression(unaryPower)
		return &unary{t.text == "-", x}, err
	case t.is("("):
		if _, err := p.advance(); err != nil {
			return nil, err
		}
		x, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		return x, p.expect(")")
	case t.is("{"):
		if _, err := p.advance(); err != nil {
			return nil, err
		}
		return &literal{text: "{}"}, p.expect("}")
	case t.kind == tokName && (t.text == "true" || t.text == "false"):
		_, err := p.advance()
		return constant(t.text, Boolean(t.text == "true")), err
	case t.kind == tokString:
		_, err := p.advance()
		return constant(quote(t.text, '\''), String(t.text)), err
	case t.kind == tokNumber:
		return p.number()
	case t.kind == tokDate:
		return p.date()
	case t.kind == tokExternal:
		_, err := p.advance()
		return &external{t.text}, err
	case t.kind == tokVariable:
		return p.variable()
	}
	return p.invocation(nil)
}

func constant(text string, v Value) *literal {
	return &literal{text, Collection{Computed(v)}}
}

// number reads a number, and the unit after it that makes it a quantity.
func (p *parser) number() (node, error) {
	t, err := p.advance()
	if err != nil {
		return nil, err
	}
	v, ok := parseNumber(t.text)
	if !ok {
		return nil, fault(t.at, "number out of range")
	}
	unit := p.ahead
	switch {
	case unit.kind == tokString:
		_, err = p.advance()
		q := Quantity{Value: decimalOf(v), Unit: unit.text}
		return constant(t.text+" "+quote(unit.text, '\''), q), err
	case unit.kind == tokName && calendarUnits[unit.text] != "":
		_, err = p.advance()
		q := Quantity{Value: decimalOf(v), Unit: calendarUnits[unit.text], Calendar: true}
		return constant(t.text+" "+unit.text, q), err
	}
	return constant(t.text, v), nil
}

func (p *parser) date() (node, error) {
	t, err := p.advance()
	if err != nil {
		return nil, err
	}
	v, ok := parseTemporal(t.text)
	if !ok {
		return nil, fault(t.at, "%q is no date or time", "@"+t.text)
	}
	return constant("@"+t.text, v), nil
}

func (p *parser) variable() (node, error) {
	t, err := p.advance()
	if err != nil {
		return nil, err
	}
	switch t.text {
	case "$this":
		return this{}, nil
	case "$index":
		return index{}, nil
	case "$total":
		return total{}, nil
	}
	return nil, fault(t.at, "unknown variable %s", t.text)
}

// identifier reads a name. The words as, contains, in and is are names where an
// operator cannot stand.
func (p *parser) identifier() (token, error) {
	t := p.ahead
	switch {
	case t.kind == tokDelimited && t.text != "":
	case t.kind == tokName && !reserved[t.text]:
	case t.is("as"), t.is("contains"), t.is("in"), t.is("is"):
	default:
		return t, p.unexpected("expected a term")
	}
	return p.advance()
}

// invocation reads a member, a function call or a variable that applies to x.
func (p *parser) invocation(x node) (node, error) {
	if x != nil && p.ahead.kind == tokVariable {
		// $this after a point stands for what is before it; no other variable may.
		t, err := p.advance()
		if err == nil && t.text != "$this" {
			err = fault(t.at, "%s cannot follow a point", t.text)
		}
		return x, err
	}
	name, err := p.identifier()
	if err != nil {
		return nil, err
	}
	if !p.ahead.is("(") {
		return &member{x, name.text}, nil
	}
	if _, err := p.advance(); err != nil {
		return nil, err
	}
	fn := functions[name.text]
	if p.tabular && tabular[name.text] != nil {
		fn = tabular[name.text]
	}
	if fn == nil {
		return nil, fault(name.at, "unknown function %s()", name.text)
	}
	if p.filter && name.text == "as" {
		fn = functions["ofType"]
	}
	p.defines = p.defines || fn.name == "defineVariable"
	n := &call{x: x, fn: fn}
	if fn.bare && p.ahead.is(")") {
		_, err := p.advance()
		return n, err
	}
	if fn.bare && p.ahead.kind == tokString { // as an example of SQL on FHIR has it
		t, err := p.advance()
		if err != nil {
			return nil, err
		}
		if n.typ = lookupType([]string{t.text}); n.typ == nil {
			return nil, fault(t.at, "unknown type %s", t.text)
		}
		return n, p.expect(")")
	}
	if fn.typed != nil {
		if n.typ, err = p.typeName(); err != nil {
			return nil, err
		}
		return n, p.expect(")")
	}
	if n.args, err = p.arguments(); err != nil {
		return nil, err
	}
	if len(n.args) < fn.min || len(n.args) > fn.max {
		return nil, fault(name.at, "%s() takes %s", name.text, fn.arity())
	}
	return n, nil
}

// arguments reads up to the closing parenthesis.
func (p *parser) arguments() ([]node, error) {
	var args []node
	for !p.ahead.is(")") {
		if len(args) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		a, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		args = append(args, a)
	}
	_, err := p.advance()
	return args, err
}

// typeName reads a type specifier: Patient, FHIR.Patient, System.String.
func (p *parser) typeName() (*typeSpec, error) {
	first, err := p.identifier()
	if err != nil {
		return nil, err
	}
	parts := []string{first.text}
	for p.ahead.is(".") && len(parts) < 4 {
		// A point may also lead on to a call: (x as Quantity).value has its
		// parenthesis, x is T.y has not, so only a namespace takes a second name.
		if len(parts) == 1 && first.text != "FHIR" && first.text != "System" {
			break
		}
		if _, err := p.advance(); err != nil {
			return nil, err
		}
		t, err := p.identifier()
		if err != nil {
			return nil, err
		}
		parts = append(parts, t.text)
	}
	typ := lookupType(parts)
	if typ == nil {
		return nil, fault(first.at, "unknown type %s", strings.Join(parts, "."))
	}
	return typ, nil
}
