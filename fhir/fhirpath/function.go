package fhirpath

import (
	"fmt"
	"maps"
)

// function is a row of the function table.
type function struct {
	name     string
	min, max int // arguments
	// eval gets the evaluated input and the arguments as they are: a criterion is
	// evaluated once for each item, other arguments once, in the scope of the call.
	eval func(r *run, s scope, in Collection, args []node) (Collection, error)
	// typed is set instead of eval where the argument is the name of a type.
	typed func(r *run, in Collection, t *typeSpec) (Collection, error)
	bare  bool // that argument may be left out, and is nil then
}

func (f *function) arity() string {
	switch {
	case f.min == f.max && f.min == 1:
		return "1 argument"
	case f.min == f.max:
		return fmt.Sprintf("%d arguments", f.min)
	}
	return fmt.Sprintf("%d to %d arguments", f.min, f.max)
}

// functions is every function by name; each group has a file of its own.
var functions = table(existence, filtering, subsetting, conversion, stringFunctions, mathematics, navigation, typing, resources,
	boundaries, encodings, components, outside, definitions)

func table(groups ...map[string]function) map[string]*function {
	all := map[string]*function{}
	for _, group := range groups {
		for name, f := range maps.All(group) {
			f.name = name
			all[name] = &f
		}
	}
	return all
}

// plain makes a function without arguments.
func plain(f func(r *run, in Collection) (Collection, error)) function {
	return function{eval: func(r *run, _ scope, in Collection, _ []node) (Collection, error) { return f(r, in) }}
}

// withCollection makes a function of one argument that may be any collection.
func withCollection(f func(r *run, in, arg Collection) (Collection, error)) function {
	return function{min: 1, max: 1, eval: func(r *run, s scope, in Collection, args []node) (Collection, error) {
		arg, err := args[0].eval(r, s)
		if err != nil {
			return nil, err
		}
		return f(r, in, arg)
	}}
}

// eachItem evaluates a criterion for each item of in;
// f gets the results one by one and says whether to go on.
func eachItem(r *run, s scope, in Collection, arg node, f func(i int, out Collection) (bool, error)) error {
	for i := range in {
		out, err := arg.eval(r, scope{this: in[i : i+1 : i+1], index: i, total: s.total, vars: s.vars.inner()})
		if err != nil {
			return err
		}
		if more, err := f(i, out); !more || err != nil {
			return err
		}
	}
	return nil
}

// optional evaluates args[i] when it is there.
func optional(r *run, s scope, args []node, i int) (Collection, error) {
	if i >= len(args) {
		return nil, nil
	}
	return args[i].eval(r, s)
}
