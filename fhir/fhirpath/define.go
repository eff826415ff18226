package fhirpath

// Variables that an expression defines itself.
//
// See https://hl7.org/fhirpath/#definevariable-name-string--expr-expression.
var definitions = map[string]function{
	"defineVariable": {min: 1, max: 2, eval: defineVariable},
}

// frame holds the variables defined in one part of an expression. Those of the parts
// around it are seen in it; what it defines itself is not seen outside.
type frame struct {
	outer  *frame
	values map[string]Collection
}

// inner returns a frame for a part within f; nil for nil, which stands for an
// expression that defines nothing.
func (f *frame) inner() *frame {
	if f == nil {
		return nil
	}
	return &frame{outer: f}
}

func (f *frame) find(name string) (Collection, bool) {
	for ; f != nil; f = f.outer {
		if c, ok := f.values[name]; ok {
			return c, true
		}
	}
	return nil, false
}

// defineVariable makes %name stand for the result of an expression, or for the input,
// in what follows. It returns its input.
func defineVariable(r *run, s scope, in Collection, args []node) (Collection, error) {
	within := s
	within.vars = s.vars.inner()
	label, err := args[0].eval(r, within)
	if err != nil {
		return nil, err
	}
	name, ok, err := text(label)
	if err != nil {
		return nil, err
	}
	if !ok || name == "" {
		return nil, failure("a variable needs a name")
	}
	if _, taken := s.vars.find(name); taken {
		return nil, &Failure{Rule: "a variable is defined already", Value: name}
	}
	if _, taken, err := r.external(name); taken {
		return nil, &Failure{Rule: "a variable is defined by the environment", Value: name}
	} else if err != nil {
		return nil, err
	}
	value := in
	if len(args) == 2 {
		within.this = in
		if value, err = args[1].eval(r, within); err != nil {
			return nil, err
		}
	}
	if s.vars.values == nil {
		s.vars.values = map[string]Collection{}
	}
	s.vars.values[name] = value
	return in, nil
}
