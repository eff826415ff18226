package patch

import (
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
)

// PathPatch is a FHIRPath Patch, checked. It can be applied many times, by many
// goroutines.
//
// See https://hl7.org/fhir/R4/fhirpatch.html.
type PathPatch struct {
	ops []pathOperation
}

// pathOperation is one step.
type pathOperation struct {
	kind  string
	path  *fhirpath.Expr
	list  *fhirpath.Expr // insert, move: what holds the list; nil when the root does
	name  string         // add: the element to make; insert, move: the list
	value operand
	index [2]int // insert: where to; move: from where, and where to
}

// needed lists the parts that each type of operation has, beside type and path.
var needed = map[string][]string{
	"add":     {"name", "value"},
	"insert":  {"index", "value"},
	"delete":  {},
	"replace": {"value"},
	"move":    {"source", "destination"},
}

// ParseParameters reads the Parameters resource at node n of doc as a FHIRPath
// Patch. The source of doc must not change while the PathPatch is in use.
// Errors: fhir.Invalid, with the place in Parameters; fhir.TooLarge beyond MaxOperations.
func ParseParameters(doc *element.Doc, n element.Node) (*PathPatch, error) {
	if t := doc.Get(n, "resourceType"); t == element.None || doc.Text(t) != "Parameters" {
		return nil, fhir.Errorf(fhir.Invalid, "a FHIRPath Patch is a Parameters resource")
	}
	list := doc.Get(n, "parameter")
	p := &PathPatch{}
	if list == element.None {
		return p, nil
	}
	if doc.Kind(list) != element.Array {
		return nil, fhir.Errorf(fhir.Invalid, "this must be an array").At("Parameters.parameter")
	}
	if doc.Size(list) > MaxOperations {
		return nil, fhir.Errorf(fhir.TooLarge, "a FHIRPath Patch may have %d operations", MaxOperations)
	}
	for c := doc.First(list); c != element.None; c = doc.Next(list, c) {
		at := "Parameters.parameter[" + strconv.Itoa(len(p.ops)) + "]"
		op, err := parsePathOperation(doc, c)
		if err != nil {
			return nil, err.At(at)
		}
		p.ops = append(p.ops, op)
	}
	return p, nil
}

func parsePathOperation(doc *element.Doc, n element.Node) (op pathOperation, err *fhir.Error) {
	if name, _ := text(doc, n, "name"); name != "operation" {
		return op, fhir.Errorf(fhir.Invalid, `every parameter of a FHIRPath Patch is called "operation"`)
	}
	parts, err := partsOf(doc, n)
	if err != nil {
		return op, err
	}
	if op.kind, err = parts.text("type"); err != nil {
		return op, err
	}
	takes, ok := needed[op.kind]
	if !ok {
		return op, fhir.Errorf(fhir.Invalid, "the type of an operation must be add, insert, delete, replace or move")
	}
	if err := parts.only(takes); err != nil {
		return op, err
	}
	for i, name := range takes {
		switch name {
		case "name":
			op.name, err = parts.text(name)
		case "value":
			op.value, err = parts.operand()
		case "index", "source", "destination":
			op.index[i%2], err = parts.integer(name)
		}
		if err != nil {
			return op, err
		}
	}
	return op, op.parsePath(parts)
}

// parsePath compiles the path. That of insert and move names a list, which may be
// empty: what holds the list is then found by the path without its last name.
func (op *pathOperation) parsePath(parts parts) *fhir.Error {
	source, err := parts.text("path")
	if err != nil {
		return err
	}
	if op.path, err = compilePath(source); err != nil {
		return err
	}
	if op.kind != "insert" && op.kind != "move" {
		return nil
	}
	whole := op.path.String() // with all parentheses, so that the last name applies to all before it
	cut := strings.LastIndexByte(whole, '.')
	op.name = strings.Trim(whole[cut+1:], "`")
	if !isName(op.name) {
		return fhir.Errorf(fhir.Invalid, "the path of insert and move must end with the name of a list").With("the path is %.200q", source)
	}
	if cut > 0 {
		op.list, err = compilePath(whole[:cut])
	}
	return err
}

func compilePath(source string) (*fhirpath.Expr, *fhir.Error) {
	expr, err := fhirpath.Compile(source)
	if err != nil {
		return nil, fhir.Errorf(fhir.Invalid, "the path is no FHIRPath expression").With("%.200q: %.200s", source, err.Error())
	}
	return expr, nil
}

// isName reports whether s is the name of an element.
func isName(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (i == 0 || s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return s != ""
}

// Apply returns the resource src with the patch applied, compact. Either all
// operations succeed, or there is an error. An element that is left without
// content is removed, since FHIR has no empty elements.
// Errors: *element.SyntaxError for src; fhir.Unprocessable when an operation
// cannot be done; fhir.TooLarge when it adds more than MaxGrowth; fhir.TooCostly
// when the paths take too long to evaluate.
func (p *PathPatch) Apply(src []byte) ([]byte, error) {
	doc, err := element.Parse(src)
	if err != nil {
		return nil, err
	}
	s := resourceState{room: MaxGrowth, work: maxWork}
	for i := range p.ops {
		s.open(doc)
		s.steps = fhirpath.DefaultSteps / len(p.ops)
		f := s.do(&p.ops[i])
		if f == nil {
			src = s.root.appendTo(make([]byte, 0, len(src)+256))
			if s.work -= len(src); s.work < 0 {
				f = &failure{fhir.TooLarge, "so many operations are not applied to so large a resource", ""}
			}
		}
		if f != nil {
			e := fhir.Errorf(f.code, "patch operation %d (%s): %s", i, p.ops[i].kind, f.what)
			return nil, e.With("path %.200q %.200s", p.ops[i].path.Source(), f.at)
		}
		if doc, err = element.Parse(src); err != nil {
			return nil, fhir.Errorf(fhir.Unprocessable, "patch operation %d (%s): the result is nested too deep", i, p.ops[i].kind)
		}
	}
	s.open(doc)
	prune(s.root)
	return s.root.appendTo(make([]byte, 0, len(src))), nil
}

// maxWork is how many bytes may be written and read again between operations.
const maxWork = 64 << 20
