package fhirpath

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/amate-health/amate/fhir/element"
)

// Expr is a compiled expression. It can be used by many goroutines at once.
type Expr struct {
	source  string
	root    node
	defines bool // it has defineVariable()
}

// Option changes how an expression is understood.
type Option uint8

// Filtering lets as pass over the items of other types, however many there are,
// where the language asks for a single item. The search parameters of R4 are
// written with that in mind: (Observation.component.value as Quantity).
const Filtering Option = 1

// Tabular is the language of SQL on FHIR: join() of nothing is the empty text, and there
// are getResourceKey() and getReferenceKey().
const Tabular Option = 2

// Compile reads an expression. The error is a *SyntaxError.
func Compile(source string, options ...Option) (*Expr, error) {
	if len(source) > maxText {
		return nil, fault(maxText, "expression is too long")
	}
	p := parser{lex: lexer{src: source}}
	for _, o := range options {
		p.filter = p.filter || o == Filtering
		p.tabular = p.tabular || o == Tabular
	}
	root, err := p.parse()
	if err != nil {
		return nil, err
	}
	return &Expr{source, root, p.defines}, nil
}

// Source returns the text that was compiled.
func (e *Expr) Source() string { return e.source }

// String returns the expression as it was understood, with all parentheses written.
func (e *Expr) String() string {
	var b strings.Builder
	e.root.write(&b)
	return b.String()
}

// Env is what an evaluation may know besides its input. The zero value is usable.
type Env struct {
	Now       time.Time            // for now(), today() and timeOfDay(); zero is the present
	Variables map[string]Item      // %name
	Steps     int                  // how much work is allowed; 0 means DefaultSteps
	Trace     func(string, []Item) // what trace() calls; nil for nothing
	Resource  Item                 // %resource; zero means the root
	Done      <-chan struct{}      // ends the evaluation when it is closed; nil for never

	// What functions ask about the world outside; each may be nil.
	Resolve    func(reference string) (Item, bool)                           // resolve(), for what is not contained
	ConformsTo func(i Item, profile string) (bool, error)                    // conformsTo(); an error for a profile that is not known
	MemberOf   func(i Item, valueSet string) (member, known bool, err error) // memberOf()
	Subsumes   func(a, b Item) (subsumes, known bool, err error)             // subsumes() and subsumedBy()
	HTML       func(xhtml string) bool                                       // htmlChecks(); nil for a check of its own
}

// DefaultSteps is about a second of work.
const DefaultSteps = 2_000_000

// maxString bounds the texts that an evaluation makes, in bytes.
const maxString = 1 << 20

// ErrTooCostly says that an evaluation ran into its limits.
var ErrTooCostly = errors.New("FHIRPath: the evaluation takes more than its limit")

// Eval evaluates e for the resource at node root of d.
func (e *Expr) Eval(d *element.Doc, root element.Node, env *Env) (Collection, error) {
	return e.EvalItem(Root(d, root), env)
}

// EvalItem evaluates e for any item.
func (e *Expr) EvalItem(root Item, env *Env) (Collection, error) {
	return e.eval(root, Collection{root}, env)
}

// EvalEmpty evaluates e for an empty collection, with root as %context and %resource.
func (e *Expr) EvalEmpty(root Item, env *Env) (Collection, error) {
	return e.eval(root, nil, env)
}

func (e *Expr) eval(root Item, this Collection, env *Env) (Collection, error) {
	if env == nil {
		env = &Env{}
	}
	r := &run{env: env, root: root, steps: env.Steps}
	if r.steps == 0 {
		r.steps = DefaultSteps
	}
	r.asked = r.steps
	s := scope{this: this}
	if e.defines {
		s.vars = &frame{}
	}
	return e.root.eval(r, s)
}

// Holds evaluates e as a condition: its result, or false when that is empty.
func (e *Expr) Holds(root Item, env *Env) (bool, error) {
	out, err := e.EvalItem(root, env)
	if err != nil {
		return false, err
	}
	v, err := truth(out)
	return v == yes, err
}

// run is one evaluation.
type run struct {
	env   *Env
	root  Item
	steps int
	asked int // steps when Done was last looked at
	now   time.Time
}

// step takes n steps of those that are allowed.
func (r *run) step(n int) error {
	r.steps -= n
	if r.steps < 0 {
		return ErrTooCostly
	}
	if r.env.Done != nil && r.asked-r.steps > 4096 {
		r.asked = r.steps
		select {
		case <-r.env.Done:
			return ErrTooCostly
		default:
		}
	}
	return nil
}

// time returns the same moment throughout an evaluation.
func (r *run) time() time.Time {
	if r.now.IsZero() {
		r.now = r.env.Now
	}
	if r.now.IsZero() {
		r.now = time.Now()
	}
	return r.now
}

// scope is what $this, $index, $total and defined variables stand for.
type scope struct {
	this  Collection
	index int
	total Collection
	vars  *frame // nil where the expression defines no variables
}

// Failure says why an evaluation has no result.
type Failure struct {
	Rule  string // what was not as it has to be; no value that was evaluated is in it
	Value string // the value that was not, "" where it is not one value
}

func (f *Failure) Error() string {
	if f.Value == "" {
		return "FHIRPath: " + f.Rule
	}
	return fmt.Sprintf("FHIRPath: %s: %q", f.Rule, f.Value)
}

// failure is an error of evaluation. Its arguments are no values: they may be of a patient.
func failure(format string, args ...any) error { return &Failure{Rule: fmt.Sprintf(format, args...)} }

func (n *literal) eval(r *run, _ scope) (Collection, error) { return n.items, r.step(1) }
func (this) eval(r *run, s scope) (Collection, error)       { return s.this, r.step(1) }
func (total) eval(r *run, s scope) (Collection, error)      { return s.total, r.step(1) }

func (index) eval(r *run, s scope) (Collection, error) {
	return Collection{Computed(Integer(s.index))}, r.step(1)
}

// Base URLs behind %vs-name and %ext-name.
//
// See https://hl7.org/fhir/R4/fhirpath.html#variables.
const (
	valueSets  = "http://hl7.org/fhir/ValueSet/"
	extensions = "http://hl7.org/fhir/StructureDefinition/"
)

func (n *external) eval(r *run, s scope) (Collection, error) {
	if c, ok := s.vars.find(n.name); ok {
		return c, r.step(1)
	}
	i, ok, err := r.external(n.name)
	if err == nil && !ok {
		err = failure("unknown variable %%%s", n.name)
	}
	if err != nil {
		return nil, err
	}
	return Collection{i}, nil
}

// external returns what %name stands for in the environment.
func (r *run) external(name string) (i Item, ok bool, err error) {
	if err := r.step(1); err != nil {
		return Item{}, false, err
	}
	if i, ok := r.env.Variables[name]; ok {
		return i, true, nil
	}
	text := ""
	switch {
	case name == "context":
		return r.root, true, nil
	case name == "resource" || name == "rootResource":
		if r.env.Resource.Doc != nil {
			return r.env.Resource, true, nil
		}
		return r.root, true, nil
	case name == "ucum":
		text = unitSystem
	case name == "sct":
		text = "http://snomed.info/sct"
	case name == "loinc":
		text = "http://loinc.org"
	case strings.HasPrefix(name, "vs-"):
		text = valueSets + name[3:]
	case strings.HasPrefix(name, "ext-"):
		text = extensions + name[4:]
	default:
		return Item{}, false, nil
	}
	return Computed(String(text)), true, nil
}

// input evaluates x, or returns what a term without a receiver applies to.
func input(x node, r *run, s scope) (Collection, error) {
	if x == nil {
		return s.this, nil
	}
	return x.eval(r, s)
}

func (n *member) eval(r *run, s scope) (Collection, error) {
	in, err := input(n.x, r, s)
	if err != nil {
		return nil, err
	}
	var out Collection
	for _, i := range in {
		if n.x == nil && n.name[0] <= 'Z' && i.Doc != nil && i.is(n.name) {
			out = append(out, i) // a path may start with the name of the type it applies to
			continue
		}
		if out, err = r.member(out, i, n.name); err != nil {
			return nil, err
		}
	}
	return out, r.step(1 + len(out))
}

func (n *call) eval(r *run, s scope) (Collection, error) {
	in, err := input(n.x, r, s)
	if err != nil {
		return nil, err
	}
	if err := r.step(1 + len(in)); err != nil {
		return nil, err
	}
	if n.fn.typed != nil {
		return n.fn.typed(r, in, n.typ)
	}
	if s.vars != nil && n.fn.name != "defineVariable" {
		s.vars = s.vars.inner() // what an argument defines is its own
	}
	return n.fn.eval(r, s, in, n.args)
}

func (n *indexer) eval(r *run, s scope) (Collection, error) {
	in, err := n.x.eval(r, s)
	if err != nil {
		return nil, err
	}
	at, err := n.i.eval(r, s)
	if err != nil || len(at) == 0 {
		return nil, err
	}
	i, ok, err := integer(at)
	if err != nil {
		return nil, err
	}
	if !ok || i < 0 || i >= int64(len(in)) {
		return nil, r.step(1)
	}
	return in[i : i+1 : i+1], r.step(1)
}

func (n *typeOp) eval(r *run, s scope) (Collection, error) {
	in, err := n.x.eval(r, s)
	if err != nil {
		return nil, err
	}
	if err := r.step(1 + len(in)); err != nil {
		return nil, err
	}
	switch {
	case n.filter:
		return ofType(r, in, n.typ)
	case n.as:
		return asType(r, in, n.typ)
	}
	return isType(r, in, n.typ)
}

func (n *unary) eval(r *run, s scope) (Collection, error) {
	x, err := n.x.eval(r, s)
	if err != nil || len(x) == 0 {
		return nil, err
	}
	v, err := single(x)
	if err != nil {
		return nil, err
	}
	if q, ok := v.(Quantity); ok && n.minus {
		q.Value = negate(q.Value)
		return Collection{Computed(q)}, r.step(1)
	}
	switch v := v.(type) {
	case Integer:
		if n.minus {
			v = -v
		}
		return Collection{Computed(v)}, r.step(1)
	case Decimal:
		if n.minus {
			v = negate(v)
		}
		return Collection{Computed(v)}, r.step(1)
	}
	if _, ok := v.(Quantity); ok {
		return x, r.step(1)
	}
	return nil, failure("a sign needs a number")
}

func (n *binary) eval(r *run, s scope) (Collection, error) {
	left, right := s, s
	left.vars, right.vars = s.vars.inner(), s.vars.inner()
	x, err := n.x.eval(r, left)
	if err != nil {
		return nil, err
	}
	if out, done, err := shortcut(n.op, x); done {
		return out, err
	}
	y, err := n.y.eval(r, right)
	if err != nil {
		return nil, err
	}
	if err := r.step(1); err != nil {
		return nil, err
	}
	return n.fn(r, x, y)
}
