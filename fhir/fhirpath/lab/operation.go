package lab

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/element"
	"github.com/amate-health/amate/fhir/fhirpath"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/spec"
	"github.com/amate-health/amate/fhir/xml"
)

// Extensions of the contract.
const (
	jsonValue    = "http://fhir.forms-lab.com/StructureDefinition/json-value"
	xmlValue     = "http://fhir.forms-lab.com/StructureDefinition/xml-value"
	resourcePath = "http://fhir.forms-lab.com/StructureDefinition/resource-path"
)

// Limits of one call.
const (
	maxItems  = 20_000   // results, and as many traced items
	maxAnswer = 16 << 20 // bytes
)

// Operations returns $fhirpath. version is told as that of the evaluator; codes
// answers for memberOf() and its like, and may be nil.
func Operations(version string, codes fhirpath.Terminology) []operation.Operation {
	return []operation.Operation{{
		Name:  "fhirpath",
		URL:   "http://fhirpath-lab.com/OperationDefinition/fhirpath",
		Scope: operation.OnSystem,
		Run: func(ctx context.Context, call *operation.Call) (*operation.Answer, error) {
			r, err := read(call.In)
			if err != nil {
				return nil, err
			}
			r.version, r.codes = version, codes
			return r.answer(ctx)
		},
	}}
}

// request is a call, read and compiled.
type request struct {
	version    string
	codes      fhirpath.Terminology
	source     string // the expression as given
	context    string // "" for none
	expr       *fhirpath.Expr
	contextual *fhirpath.Expr // nil for none
	root       fhirpath.Item  // zero when no resource was given
	variables  map[string]fhirpath.Item
	given      operation.Value // the parameter variables, to be echoed
	lenient    bool            // validate=false: evaluate without checking names first
	inline     bool            // trace=true: what trace() shows goes into the part result
}

// read takes the parameters of a call. An expression that does not follow the
// grammar is fhir.Invalid, one that cannot apply to the resource fhir.Unprocessable.
func read(in *operation.Inputs) (*request, error) {
	r := &request{variables: map[string]fhirpath.Item{}}
	var err error
	if r.source, err = in.Text("expression"); err != nil {
		return nil, err
	}
	if strings.TrimSpace(r.source) == "" {
		return nil, fhir.Errorf(fhir.Invalid, "the parameter expression is missing")
	}
	if r.context, err = in.Text("context"); err != nil {
		return nil, err
	}
	validate, err := in.Text("validate")
	if err != nil {
		return nil, err
	}
	r.lenient = validate == "false"
	trace, err := in.Text("trace")
	if err != nil {
		return nil, err
	}
	r.inline = trace == "true"
	if r.root, err = resource(in); err != nil {
		return nil, err
	}
	if err := r.readVariables(in); err != nil {
		return nil, err
	}
	if r.expr, err = compile(r.source); err != nil {
		return nil, err
	}
	if r.context != "" {
		if r.contextual, err = compile(r.context); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func compile(source string) (*fhirpath.Expr, error) {
	e, err := fhirpath.Compile(source)
	if err == nil {
		return e, nil
	}
	f := fhir.Errorf(fhir.Invalid, "the FHIRPath expression cannot be read")
	var syntax *fhirpath.SyntaxError
	if errors.As(err, &syntax) {
		f = f.With("%s", syntax.Error())
	}
	return nil, f
}

// resource finds what to evaluate for: the parameter resource, in itself or as the
// text of one, or the body when that is no Parameters. There need not be one.
func resource(in *operation.Inputs) (fhirpath.Item, error) {
	if d, ok := in.Body(); ok {
		return fhirpath.Root(d, 0), nil
	}
	v, ok, err := in.One("resource")
	if !ok {
		return fhirpath.Item{}, err
	}
	return carried(v)
}

// carried returns the resource or JSON value that a parameter carries.
func carried(v operation.Value) (fhirpath.Item, error) {
	if n, ok := v.Resource(); ok {
		return fhirpath.Root(v.Doc, n), nil
	}
	text := v.Text
	if e, ok := extension(v, jsonValue); ok {
		text = e
	} else if e, ok := extension(v, xmlValue); ok {
		json, _, err := xml.ToJSON([]byte(e), xml.Limits{AnyOrder: true})
		if err != nil {
			return fhirpath.Item{}, fhir.Errorf(fhir.Invalid, "the parameter resource is no FHIR XML").With("%s", err.Error())
		}
		text = string(json)
	}
	if strings.TrimSpace(text) == "" {
		return fhirpath.Item{}, fhir.Errorf(fhir.Invalid, "the parameter resource carries no resource")
	}
	d, err := element.Parse([]byte(text))
	if err != nil {
		var syntax *element.SyntaxError
		if errors.As(err, &syntax) {
			return fhirpath.Item{}, syntax.Fault()
		}
		return fhirpath.Item{}, fhir.Errorf(fhir.Invalid, "the parameter resource is no JSON text")
	}
	if d.Kind(0) != element.Object {
		return fhirpath.Item{}, fhir.Errorf(fhir.Invalid, "the parameter resource is no JSON object")
	}
	return fhirpath.Root(d, 0), nil
}

// extension returns the valueString of an extension of a parameter.
func extension(v operation.Value, url string) (string, bool) {
	if v.Doc == nil {
		return "", false
	}
	list := v.Doc.Get(v.Node, "extension")
	if list == element.None || v.Doc.Kind(list) != element.Array {
		return "", false
	}
	for e := v.Doc.First(list); e != element.None; e = v.Doc.Next(list, e) {
		if u := v.Doc.Get(e, "url"); u != element.None && v.Doc.Text(u) == url {
			if s := v.Doc.Get(e, "valueString"); s != element.None && v.Doc.Kind(s) == element.String {
				return v.Doc.Text(s), true
			}
		}
	}
	return "", false
}

// readVariables takes the parts of variables as %name.
func (r *request) readVariables(in *operation.Inputs) error {
	v, ok, err := in.One("variables")
	if !ok {
		return err
	}
	r.given = v
	if v.Doc == nil {
		return fhir.Errorf(fhir.Invalid, "the parameter variables has parts, no value")
	}
	parts := v.Doc.Get(v.Node, "part")
	if parts == element.None || v.Doc.Kind(parts) != element.Array {
		return nil
	}
	for n := v.Doc.First(parts); n != element.None; n = v.Doc.Next(parts, n) {
		name := v.Doc.Get(n, "name")
		if name == element.None {
			return fhir.Errorf(fhir.Invalid, "a variable has no name")
		}
		item, ok, err := variable(operation.Value{Doc: v.Doc, Node: n})
		if err != nil {
			return err
		}
		if ok {
			r.variables[v.Doc.Text(name)] = item
		}
	}
	return nil
}

func variable(v operation.Value) (item fhirpath.Item, ok bool, err error) {
	if n, property := v.Typed(); n != element.None {
		e := parameter.Element([]byte(property))
		if e == nil || e.Type == nil {
			return item, false, fhir.Errorf(fhir.Invalid, "a variable has a value of no known type")
		}
		return fhirpath.Item{Type: e.Type, Doc: v.Doc, Node: n, Side: element.None}, true, nil
	}
	if v.Doc.Get(v.Node, "resource") == element.None && v.Doc.Get(v.Node, "extension") == element.None {
		return item, false, nil
	}
	item, err = carried(v)
	return item, err == nil, err
}

// parameter defines what value[x] of a parameter may be.
var parameter = spec.TypeOf("Parameters.parameter")

// start returns the items to evaluate for, and a name for each.
func (r *request) start(env *fhirpath.Env) (fhirpath.Collection, []string, error) {
	root := r.root
	if root.Doc == nil {
		root = fhirpath.Computed(fhirpath.Boolean(true)) // an expression may need no resource
	}
	if r.contextual == nil {
		return fhirpath.Collection{root}, nil, r.check(r.expr, root.Type)
	}
	if err := r.check(r.contextual, root.Type); err != nil {
		return nil, nil, err
	}
	items, err := r.contextual.EvalItem(root, env)
	if err != nil {
		return nil, nil, failed(err)
	}
	labels := make([]string, len(items))
	for i, item := range items {
		if err := r.check(r.expr, item.Type); err != nil {
			return nil, nil, err
		}
		if labels[i] = path(r.root, item); labels[i] == "" {
			labels[i] = r.context + "[" + strconv.Itoa(i) + "]"
		}
	}
	return items, labels, nil
}

// check holds e against the definitions, unless the caller does not want that.
func (r *request) check(e *fhirpath.Expr, this *spec.Type) error {
	if r.lenient || this == nil {
		return nil
	}
	if err := e.Check(r.root.Type, this); err != nil {
		return failed(err)
	}
	return nil
}

func failed(err error) error {
	if errors.Is(err, fhirpath.ErrTooCostly) {
		return fhir.Errorf(fhir.Unprocessable, "the FHIRPath expression takes more than its limit")
	}
	return fhir.Errorf(fhir.Unprocessable, "the FHIRPath expression cannot be evaluated").With("%s", err.Error())
}
