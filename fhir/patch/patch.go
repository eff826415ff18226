package patch

import (
	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
)

// The limits on what a patch may do.
const (
	MaxOperations = 1000
	MaxGrowth     = 16 << 20 // bytes that all operations of a patch together may add
	maxDepth      = 100      // of the patched document, as element.Limits has it
)

// Patch is a JSON Patch, checked. It can be applied many times, by many goroutines.
type Patch struct {
	ops []operation
}

// operation is one step.
type operation struct {
	op    string
	path  pointer
	from  pointer
	doc   *element.Doc
	value element.Node // None when the operation has no value
}

// needs says which members an operation must have, beside op and path.
var needs = map[string]struct{ value, from bool }{
	"add":     {value: true},
	"remove":  {},
	"replace": {value: true},
	"move":    {from: true},
	"copy":    {from: true},
	"test":    {value: true},
}

// Parse reads a JSON Patch document. src must not change while the Patch is in use.
// Errors: *element.SyntaxError; fhir.Invalid; fhir.TooLarge beyond MaxOperations.
func Parse(src []byte) (*Patch, error) {
	doc, err := element.Parse(src)
	if err != nil {
		return nil, err
	}
	if doc.Kind(0) != element.Array {
		return nil, fhir.Errorf(fhir.Invalid, "a JSON Patch is an array of operations")
	}
	if doc.Size(0) > MaxOperations {
		return nil, fhir.Errorf(fhir.TooLarge, "a JSON Patch may have %d operations", MaxOperations)
	}
	p := &Patch{ops: make([]operation, 0, doc.Size(0))}
	for n := doc.First(0); n != element.None; n = doc.Next(0, n) {
		op, err := parseOperation(doc, n, len(p.ops))
		if err != nil {
			return nil, err
		}
		p.ops = append(p.ops, op)
	}
	return p, nil
}

func parseOperation(doc *element.Doc, n element.Node, i int) (operation, error) {
	fail := func(what string) (operation, error) {
		return operation{}, fhir.Errorf(fhir.Invalid, "patch operation %d: %s", i, what)
	}
	op := operation{doc: doc, value: doc.Get(n, "value")}
	name, ok := text(doc, n, "op")
	if !ok {
		return fail(`"op" is missing or no string`)
	}
	need, ok := needs[name]
	if !ok {
		return fail(`"op" must be add, remove, replace, move, copy or test`)
	}
	op.op = name
	path, ok := text(doc, n, "path")
	if !ok {
		return fail(`"path" is missing or no string`)
	}
	if op.path, ok = parsePointer(path); !ok {
		return fail(`"path" is no JSON Pointer, such as /name/0/family`)
	}
	if need.value && op.value == element.None {
		return fail(`"value" is missing`)
	}
	if need.from {
		from, ok := text(doc, n, "from")
		if !ok {
			return fail(`"from" is missing or no string`)
		}
		if op.from, ok = parsePointer(from); !ok {
			return fail(`"from" is no JSON Pointer, such as /name/0/family`)
		}
		if name == "move" && op.path.within(op.from) {
			return fail("a value cannot be moved into itself")
		}
	}
	return op, nil
}

func text(doc *element.Doc, n element.Node, member string) (string, bool) {
	v := doc.Get(n, member)
	if v == element.None || doc.Kind(v) != element.String {
		return "", false
	}
	return doc.Text(v), true
}

// Apply returns the JSON text src with the patch applied, compact. Either all
// operations succeed, or there is an error.
// Errors: *element.SyntaxError for src; fhir.Unprocessable when an operation
// cannot be done or a test fails; fhir.TooLarge when it adds more than MaxGrowth.
func (p *Patch) Apply(src []byte) ([]byte, error) {
	doc, err := element.Parse(src)
	if err != nil {
		return nil, err
	}
	s := state{root: &value{doc: doc}, room: MaxGrowth}
	for i := range p.ops {
		if err := s.do(&p.ops[i]); err != nil {
			e := fhir.Errorf(err.code, "patch operation %d (%s): %s", i, p.ops[i].op, err.what)
			if err.at != "" {
				e.With("at %.200q", err.at)
			}
			return nil, e
		}
	}
	return s.root.appendTo(make([]byte, 0, len(src)+256)), nil
}
